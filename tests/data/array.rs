//! `Array<T>`.

use std::fmt::Debug;
use std::time::Duration;

use nix::sys::signal::Signal;
use outlive::{Array, ArrayError, LockError, ObjectError, Segment, Shared, Value};

use crate::observe::{Marked, Random, await_stop, not_before, overwrite, thread_id};
use crate::support::{Peer, await_death, say, wait_for_go};
use crate::{segment, unwind};

fn open<T: Shared>(arguments: &[String]) -> Array<T> {
    Segment::open(&arguments[0]).expect("open").find("a").expect("find")
}

fn out_of_bounds<T>(result: Result<T, ArrayError>, start: usize, end: usize, length: usize) {
    let error = result.err().expect("out of bounds");
    assert_eq!(error, ArrayError::OutOfBounds { start, end, length });
    let text = format!("elements {start}..{end} are outside of the array of length {length}");
    assert_eq!(error.to_string(), text);
}

/// Every operation on elements of one type, and what another mapping sees of it.
fn all_operations<T: Shared + PartialEq + Debug>(make: impl Fn(u8) -> T) {
    let (segment, name) = segment("operations");
    let array = segment.array("a", 5, make(9)).expect("array");
    let other: Array<T> = Segment::open(&name).expect("open").find("a").expect("find");
    let all = |numbers: [u8; 5]| numbers.map(&make).to_vec();
    let check = |numbers| {
        assert_eq!(array.to_vec().expect("read"), all(numbers));
        assert_eq!(other.to_vec().expect("read"), all(numbers));
        assert_eq!(other.iter().collect::<Result<Vec<T>, _>>().expect("read"), all(numbers));
    };
    assert_eq!((array.len(), array.is_empty()), (5, false));
    check([9; 5]);
    array.set(4, make(1)).expect("set");
    other.set(0, make(2)).expect("set");
    check([2, 9, 9, 9, 1]);
    assert_eq!(other.get(4), Ok(make(1)));
    array.write(1, &[make(3), make(4), make(5)]).expect("write");
    check([2, 3, 4, 5, 1]);
    let mut two = [make(0), make(0)];
    other.read(3, &mut two).expect("read");
    assert_eq!(two, [make(5), make(1)]);
    let seen = array.update(1..3, |elements| {
        elements.swap(0, 1);
        elements.len()
    });
    assert_eq!(seen, Ok(2));
    check([2, 4, 3, 5, 1]);
    let mut guard = other.lock().expect("lock");
    guard.reverse();
    assert_eq!(array.get(0), Ok(make(2)), "not committed yet");
    guard.commit();
    check([1, 5, 3, 4, 2]);
    let mut guard = array.lock().expect("lock");
    guard[0] = make(0);
    guard.rollback();
    unwind(|panic| {
        let mut guard = array.lock_timeout(Duration::ZERO).expect("free");
        guard[0] = make(0);
        panic.now();
    });
    unwind(|panic| {
        let changed = array.update(0..5, |elements| {
            elements[1] = make(0);
            panic.now();
        });
        changed.expect("update");
    });
    check([1, 5, 3, 4, 2]);
    let reversed: Result<Vec<T>, _> = array.iter().rev().collect();
    assert_eq!(reversed.expect("read"), all([2, 4, 3, 5, 1]));
    assert_eq!((&array).into_iter().len(), 5);
    drop(array.try_lock().expect("free"));

    out_of_bounds(array.get(5), 5, 6, 5);
    out_of_bounds(array.set(5, make(0)), 5, 6, 5);
    out_of_bounds(array.read(4, &mut two), 4, 6, 5);
    out_of_bounds(array.write(4, &two), 4, 6, 5);
    out_of_bounds(array.write(usize::MAX, &two), usize::MAX, usize::MAX, 5);
    out_of_bounds(array.get(usize::MAX), usize::MAX, usize::MAX, 5);
    out_of_bounds(array.update(3..6, |_| ()), 3, 6, 5);
    out_of_bounds(array.update(6..6, |_| ()), 6, 6, 5);
    #[allow(clippy::reversed_empty_ranges)] // what somebody may compute
    out_of_bounds(array.update(4..2, |_| ()), 4, 2, 5);
    assert_eq!(array.update(.., |all| all.len()), Ok(5));
    assert_eq!(array.update(1..=2, |two| two.len()), Ok(2));
    array.write(5, &[]).expect("nothing, at the end");
    array.read(5, &mut []).expect("nothing, at the end");
    array.update(5..5, |none| assert!(none.is_empty())).expect("nothing, at the end");
    check([1, 5, 3, 4, 2]);
}

#[test]
fn elements_of_1_byte() {
    all_operations(|n| n);
}

#[test]
fn elements_of_2_bytes() {
    all_operations(|n| u16::from(n) * 0x101);
}

#[test]
fn elements_of_3_bytes() {
    all_operations(|n| [n, n + 1, n + 2]);
}

#[test]
fn elements_of_4_bytes() {
    all_operations(|n| u32::from(n) * 0x101_0101);
}

#[test]
fn elements_of_8_bytes() {
    all_operations(|n| f64::from(n) / 3.0);
}

#[test]
fn elements_of_12_bytes() {
    all_operations(|n| [u32::from(n), 1, u32::MAX - u32::from(n)]);
}

#[test]
fn elements_of_16_bytes() {
    all_operations(|n| u128::from(n) << 64 | u128::from(n));
}

#[test]
fn elements_of_24_bytes() {
    all_operations(|n| [u64::from(n), u64::MAX, u64::from(n) << 50]);
}

#[test]
fn elements_that_do_not_take_any_bytes() {
    all_operations(|n| char::from(b'a' + n));
}

#[test]
fn arrays_of_length_0_and_1() {
    let (segment, _name) = segment("lengths");
    let none = segment.array::<u32>("none", 0, 7).expect("array");
    assert!(none.is_empty());
    assert_eq!(none.to_vec(), Ok(vec![]));
    assert_eq!(none.iter().count(), 0);
    assert!(none.lock().expect("lock").is_empty());
    out_of_bounds(none.get(0), 0, 1, 0);
    out_of_bounds(none.load(0), 0, 1, 0);
    let one = segment.array::<[u64; 3]>("one", 1, [7; 3]).expect("array");
    one.set(0, [8; 3]).expect("set");
    assert_eq!(one.to_vec(), Ok(vec![[8; 3]]));
    out_of_bounds(one.get(1), 1, 2, 1);
}

/// The role: changes elements under a guard, and stays there.
pub(crate) fn hold(arguments: &[String]) {
    let array = open::<[u64; 3]>(arguments);
    let mut guard = array.lock().expect("lock");
    guard[..2].fill([9; 3]);
    say(&thread_id().to_string());
    wait_for_go();
    drop(guard);
    say("committed");
    await_death();
}

fn triples(what: &str, length: usize) -> (Segment, Array<[u64; 3]>, String) {
    let (segment, name) = segment(what);
    let array = segment.array("a", length, [0; 3]).expect("array");
    (segment, array, name)
}

#[test]
fn a_killed_holder_is_rolled_back_100_rounds() {
    let (_segment, array, name) = triples("roll-back", 4);
    for round in 0..100 {
        let mut victim = Peer::spawn("array hold", &[&name]);
        victim.hear();
        assert_eq!(array.to_vec(), Ok(vec![[round; 3]; 4]));
        victim.kill();
        assert_eq!(array.to_vec(), Ok(vec![[round; 3]; 4]));
        array.try_lock().expect("free at once").fill([round + 1; 3]);
    }
}

#[test]
fn reading_does_not_wait_for_a_stopped_holder() {
    let (_segment, array, name) = triples("stopped", 4);
    let mut holder = Peer::spawn("array hold", &[&name]);
    let thread = holder.hear().parse().expect("thread");
    holder.signal(Signal::SIGSTOP);
    await_stop(thread);
    assert_eq!(array.get(0), Ok([0; 3]));
    assert_eq!(array.to_vec(), Ok(vec![[0; 3]; 4]));
    assert!(matches!(array.try_lock(), Err(LockError::WouldBlock)));
    for millis in [0, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let outcome = not_before(timeout, || array.lock_timeout(timeout).map(drop));
        assert!(matches!(outcome, Err(LockError::TimedOut { .. })), "{outcome:?}");
    }
    holder.signal(Signal::SIGCONT);
    holder.tell("commit");
    holder.expect("committed");
    assert_eq!(array.get(1), Ok([9; 3]));
    holder.kill();
}

const LENGTH: usize = 67;

/// The role: makes all elements the same again and again, each time one more.
pub(crate) fn write_for_ever(arguments: &[String]) {
    let array = open::<[u64; 3]>(arguments);
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        if random.below(2) == 0 {
            let mut guard = array.lock().expect("lock");
            let next = guard[0][0] + 1;
            guard.fill([next; 3]);
        } else {
            let changed = array.update(0..LENGTH, |elements| {
                let next = elements[0][0] + 1;
                elements.iter_mut().for_each(|element| *element = [next; 3]);
            });
            changed.expect("update");
        }
    }
}

/// The one number that all words of all elements are.
#[track_caller]
fn whole(elements: &[[u64; 3]]) -> u64 {
    let first = elements[0][0];
    assert!(elements.iter().flatten().all(|word| *word == first), "torn: {elements:?}");
    first
}

#[test]
fn bulk_writes_of_killed_processes_are_made_whole_or_not_at_all() {
    let (_segment, array, name) = triples("bulk", LENGTH);
    let mut random = Random::new(17);
    let mut last = 0;
    for round in 0..20_u64 {
        let spawn =
            |index: u64| Peer::spawn("array write", &[&name, &(round * 3 + index).to_string()]);
        let mut victims: Vec<Peer> = (0..3).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            let target = last + random.below(60);
            while last <= target {
                let now = whole(&array.to_vec().expect("read"));
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
            victim.kill();
            let now = whole(&array.to_vec().expect("read"));
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        // A dead one's commit that readers have not seen yet is completed by the next locker.
        let now = whole(&array.try_lock().expect("free"));
        assert!(now == last || now == last + 1, "{now} after {last}");
        last = now;
        assert_eq!(whole(&array.to_vec().expect("read")), last);
    }
}

/// The role: sets elements to words that are all the same, in several ways.
pub(crate) fn set_elements(arguments: &[String]) {
    let array = open::<[u64; 3]>(arguments);
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        let element = [random.below(u64::from(u32::MAX)); 3];
        let index = random.below(LENGTH as u64) as usize;
        match random.below(3) {
            0 => array.set(index, element).expect("set"),
            1 => array.write(index, &[element]).expect("write"),
            _ => array.update(index..index + 1, |one| one[0] = element).expect("update"),
        }
    }
}

#[test]
fn elements_are_never_torn() {
    let (_segment, array, name) = triples("tear", LENGTH);
    let mut random = Random::new(23);
    for round in 0..6_u64 {
        let spawn =
            |index: u64| Peer::spawn("array tear", &[&name, &(round * 4 + index).to_string()]);
        let mut victims: Vec<Peer> = (0..4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            for _ in 0..random.below(3_000) {
                let index = random.below(LENGTH as u64) as usize;
                whole(&[array.get(index).expect("get")]);
            }
            let mut some = [[0; 3]; 5];
            array.read(LENGTH - 5, &mut some).expect("read");
            for element in some {
                whole(&[element]);
            }
            victim.kill();
            for element in &array {
                whole(&[element.expect("get")]);
            }
        }
    }
}

/// The role: adds to integers without a lock.
pub(crate) fn add(arguments: &[String]) {
    let array = open::<u32>(arguments);
    let own: usize = arguments[1].parse().expect("index");
    say("ready");
    wait_for_go();
    loop {
        array.fetch_add(0, 1).expect("add");
        let mut seen = array.load(1).expect("load");
        while let Err(now) = array.compare_exchange(1, seen, seen + 1).expect("in bounds") {
            seen = now;
        }
        array.fetch_max(2, seen).expect("max");
        // Noted last: what was noted was done.
        array.fetch_add(own, 1).expect("add");
    }
}

#[test]
fn lock_free_additions_survive_kills() {
    let (segment, name) = segment("add");
    let array = segment.array::<u32>("a", 7, 0).expect("array");
    let mut random = Random::new(31);
    for round in 1..=15 {
        let spawn = |own: usize| Peer::spawn("array add", &[&name, &own.to_string()]);
        let mut victims: Vec<Peer> = (3..7).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        victims.iter_mut().for_each(|victim| victim.tell("go"));
        for (index, victim) in (3..7).zip(victims) {
            let target = array.load(index).expect("load") + random.below(2_000) as u32;
            while array.load(index).expect("load") <= target {
                std::thread::yield_now();
            }
            victim.kill();
        }
        let all = array.to_vec().expect("read");
        let noted: u32 = all[3..].iter().sum();
        let possible = noted..=noted + 4 * round;
        assert!(possible.contains(&all[0]), "{all:?}");
        assert!(possible.contains(&all[1]), "{all:?}");
        assert!(all[2] < all[1], "{all:?}");
    }
}

#[test]
fn atomic_operations_return_what_was() {
    fn check<T: outlive::AtomicElement + Debug + From<u8>>(most: T, wrapped: T) {
        let (segment, _name) = segment("atomic");
        let n = |number: u8| T::from(number);
        let array = segment.array("a", 2, n(5)).expect("array");
        assert_eq!(array.fetch_add(1, n(3)), Ok(n(5)));
        assert_eq!(array.swap(1, n(20)), Ok(n(8)));
        assert_eq!(array.fetch_min(1, n(10)), Ok(n(20)));
        assert_eq!(array.fetch_max(1, n(11)), Ok(n(10)));
        assert_eq!(array.compare_exchange(1, n(1), n(2)), Ok(Err(n(11))));
        assert_eq!(array.compare_exchange(1, n(11), n(2)), Ok(Ok(n(11))));
        assert_eq!(array.load(1), Ok(n(2)));
        array.store(1, most).expect("store");
        assert_eq!(array.fetch_add(1, n(1)), Ok(most));
        assert_eq!(array.to_vec(), Ok(vec![n(5), wrapped]), "the neighbour is untouched");
        out_of_bounds(array.fetch_add(2, n(1)), 2, 3, 2);
        out_of_bounds(array.store(usize::MAX, n(1)), usize::MAX, usize::MAX, 2);
    }
    check::<u8>(u8::MAX, 0);
    check::<u16>(u16::MAX, 0);
    check::<u32>(u32::MAX, 0);
    check::<u64>(u64::MAX, 0);
    check::<usize>(usize::MAX, 0);
    check::<i16>(i16::MAX, i16::MIN);
    check::<i32>(i32::MAX, i32::MIN);
    check::<i64>(i64::MAX, i64::MIN);
    check::<isize>(isize::MAX, isize::MIN);
}

#[test]
fn locking_twice_is_a_deadlock() {
    let (_segment, array, _name) = triples("deadlock", 3);
    let guard = array.lock().expect("lock");
    let deadlock = Err(ArrayError::Lock(LockError::Deadlock));
    assert!(matches!(array.lock(), Err(LockError::Deadlock)));
    assert!(matches!(array.try_lock(), Err(LockError::Deadlock)));
    assert_eq!(array.set(0, [1; 3]), deadlock);
    assert_eq!(array.write(0, &[[1; 3]; 2]), deadlock);
    assert_eq!(array.update(0..1, |_| ()), deadlock);
    assert_eq!(array.get(0), Ok([0; 3]));
    drop(guard);
    array.set(0, [1; 3]).expect("set");
}

#[test]
fn read_only_handles_read() {
    let (segment, name) = segment("read-only");
    let array = segment.array::<u64>("a", 3, 1).expect("array");
    array.write(0, &[1, 2, 3]).expect("write");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Array<u64> = reader.find("a").expect("find");
    assert_eq!(seen.to_vec(), Ok(vec![1, 2, 3]));
    assert_eq!((seen.get(1), seen.load(2)), (Ok(2), Ok(3)));
    let refused = Err(ArrayError::Lock(LockError::ReadOnly));
    assert_eq!(seen.set(0, 9), refused);
    assert_eq!(seen.write(0, &[9, 9]), refused);
    assert_eq!(seen.update(0..1, |_| ()), refused);
    assert_eq!(seen.store(0, 9), refused);
    assert_eq!(seen.fetch_add(0, 9).map(drop), refused);
    assert_eq!(seen.compare_exchange(0, 1, 9).map(drop), refused);
    assert!(matches!(seen.lock(), Err(LockError::ReadOnly)));
    assert!(matches!(seen.try_lock(), Err(LockError::ReadOnly)));
    assert!(matches!(seen.lock_timeout(Duration::ZERO), Err(LockError::ReadOnly)));
    // Also while somebody holds the lock.
    let _guard = array.lock().expect("lock");
    assert_eq!(seen.to_vec(), Ok(vec![1, 2, 3]));
}

const MARK: [u8; 8] = *b"\x01array\xed\x02";

#[test]
fn bytes_that_are_no_element_are_an_error_until_they_are_replaced() {
    let (segment, name) = segment("corrupt");
    let init = Marked::new(MARK);
    let array = segment.array("a", 1, init).expect("array");
    overwrite(&name, &MARK, 8, &[9]);
    let corrupt = |error: LockError| matches!(error, LockError::Corrupt { .. });
    let refused = |error| matches!(error, ArrayError::Lock(LockError::Corrupt { .. }));
    assert!(array.get(0).is_err_and(refused));
    assert!(array.to_vec().is_err_and(refused));
    assert!(array.lock().is_err_and(corrupt));
    assert!(array.try_lock().is_err_and(corrupt));
    assert!(array.update(0..1, |_| ()).is_err_and(refused));
    array.set(0, init).expect("set asks for no old element");
    assert_eq!(array.get(0), Ok(init));
}

#[test]
fn another_type_or_length_is_refused_by_name() {
    let (segment, _array, _name) = triples("type", 3);
    let text = segment.find::<Array<[i64; 3]>>("a").unwrap_err().to_string();
    assert!(text.contains("Array<[u64; 3]>") && text.contains("Array<[i64; 3]>"), "{text}");
    let text = segment.find::<Value<[u64; 3]>>("a").unwrap_err().to_string();
    assert!(text.contains("Array<[u64; 3]>") && text.contains("Value<[u64; 3]>"), "{text}");
    let error = segment.array::<[u64; 3]>("a", 4, [0; 3]).unwrap_err();
    let ObjectError::ShapeMismatch { what: "length", found: 3, expected: 4, .. } = error else {
        panic!("{error:?}");
    };
    let error = segment.array::<u8>("b", 1 << 32, 0).unwrap_err();
    assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
}
