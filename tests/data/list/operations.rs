//! What each operation does, seen through two mappings.

use std::time::Duration;

use outlive::{List, ListError, ListInsertError, LockError, ObjectError, Segment};

use crate::observe::{Random, not_before};
use crate::{segment, unwind};

type Triples = List<[u64; 3]>;

fn lists(what: &str, capacity: usize) -> (Segment, Triples, Triples) {
    let (segment, name) = segment(what);
    let list = segment.list("l", capacity).expect("list");
    let other = Segment::open(&name).expect("open").find("l").expect("find");
    (segment, list, other)
}

/// Elements of three equal words.
fn of(numbers: &[u64]) -> Vec<[u64; 3]> {
    numbers.iter().map(|number| [*number; 3]).collect()
}

#[test]
fn all_operations_on_one_element() {
    let (_segment, list, other) = lists("list-one", 5);
    assert_eq!((list.len(), list.is_empty(), list.capacity()), (0, true, 5));
    assert_eq!(
        (list.get(0), list.first(), list.last(), list.pop()),
        (Ok(None), Ok(None), Ok(None), Ok(None))
    );
    assert_eq!(
        (list.push([1; 3]), other.push([3; 3]), list.insert(1, [2; 3])),
        (Ok(()), Ok(()), Ok(()))
    );
    assert_eq!(other.to_vec(), Ok(of(&[1, 2, 3])));
    assert_eq!((other.len(), other.get(2), other.get(3)), (3, Ok(Some([3; 3])), Ok(None)));
    assert_eq!((other.first(), other.last()), (Ok(Some([1; 3])), Ok(Some([3; 3]))));
    assert_eq!((other.insert(0, [0; 3]), other.insert(4, [4; 3])), (Ok(()), Ok(())));
    assert_eq!(list.to_vec(), Ok(of(&[0, 1, 2, 3, 4])));
    assert_eq!((list.position(&[3; 3]), list.position(&[5; 3])), (Ok(Some(3)), Ok(None)));
    assert_eq!((list.contains(&[4; 3]), list.contains(&[4, 4, 5])), (Ok(true), Ok(false)));
    assert_eq!(list.set(2, [9; 3]), Ok([2; 3]));
    assert_eq!(other.update(2, |element| element[0] += 1), Ok(()));
    assert_eq!(list.fetch_update(2, |element| Some(element.map(|n| n + 1))), Ok(Ok([10, 9, 9])));
    assert_eq!(list.fetch_update(2, |_| None), Ok(Err([11, 10, 10])));
    assert_eq!(list.compare_exchange(2, [0; 3], [7; 3]), Ok(Err([11, 10, 10])));
    assert_eq!(list.compare_exchange(2, [11, 10, 10], [7; 3]), Ok(Ok([11, 10, 10])));
    assert_eq!(
        (list.remove(0), other.remove(3), list.pop()),
        (Ok([0; 3]), Ok([4; 3]), Ok(Some([3; 3])))
    );
    assert_eq!(other.to_vec(), Ok(of(&[1, 7])));
    assert_eq!(
        (list.truncate(3), list.len(), list.truncate(1), other.len()),
        (Ok(()), 2, Ok(()), 1)
    );
    assert_eq!((other.clear(), list.to_vec(), list.len()), (Ok(()), Ok(vec![]), 0));
}

#[test]
fn what_there_is_not() {
    let (_segment, list, _other) = lists("list-none", 5);
    list.extend(of(&[1, 2])).expect("room");
    let none = Err(ListError::OutOfBounds { index: 2, length: 2 });
    assert_eq!(list.set(2, [0; 3]), none.clone().map(|()| [0; 3]));
    assert_eq!(list.remove(2), none.clone().map(|()| [0; 3]));
    assert_eq!(list.update(2, |_| panic!("no element")), none.clone());
    assert_eq!(list.fetch_update(2, |_| panic!("no element")), none.clone().map(|()| Ok([0; 3])));
    assert!(list.compare_exchange(usize::MAX, [0; 3], [0; 3]).is_err());
    let error = list.insert(3, [5; 3]).expect_err("behind the end");
    assert_eq!(error, ListInsertError::OutOfBounds { value: [5; 3], index: 3, length: 2 });
    assert_eq!(error.into_value(), [5; 3]);
    assert_eq!(list.to_vec(), Ok(of(&[1, 2])));
}

#[test]
fn a_full_list_hands_back_what_it_has_no_room_for() {
    for capacity in [1, 2, 3, 1000] {
        let (segment, _name) = segment("list-full");
        let list = segment.list::<u32>("l", capacity).expect("list");
        for round in 0..3 {
            for number in 0..capacity as u32 {
                list.push(number).unwrap_or_else(|error| panic!("{error}, in round {round}"));
            }
            assert_eq!(list.push(77), Err(ListInsertError::Full(77)));
            assert_eq!(list.insert(0, 78), Err(ListInsertError::Full(78)));
            assert_eq!(list.extend([1, 2]), Err(ListInsertError::Full(vec![1, 2])));
            assert_eq!(list.extend([]), Ok(()));
            assert_eq!(list.to_vec(), Ok((0..capacity as u32).collect()));
            list.pop().expect("pop").expect("an element");
            // All or none.
            assert_eq!(list.extend([5, 6]), Err(ListInsertError::Full(vec![5, 6])));
            assert_eq!((list.len(), list.extend([5])), (capacity - 1, Ok(())));
            assert_eq!(list.last(), Ok(Some(5)));
            list.clear().expect("clear");
        }
        let endless = list.extend(std::iter::repeat(1)).expect_err("full");
        assert!(matches!(endless, ListInsertError::Full(_)) && list.is_empty(), "{endless:?}");
    }
}

#[test]
fn a_guard_commits_as_a_whole_or_not_at_all() {
    let (_segment, list, other) = lists("list-guard", 5);
    list.extend(of(&[3, 1, 2])).expect("room");
    let mut guard = list.lock().expect("lock");
    guard.sort();
    guard.swap(0, 2);
    assert_eq!((guard.push([5; 3]), guard.insert(1, [4; 3])), (Ok(()), Ok(())));
    assert_eq!(guard.push([6; 3]), Err(ListInsertError::Full([6; 3])));
    assert_eq!(guard.insert(9, [6; 3]).map_err(ListInsertError::into_value), Err([6; 3]));
    assert_eq!(guard.remove(5), Err(ListError::OutOfBounds { index: 5, length: 5 }));
    assert_eq!((guard.remove(2), guard.pop()), (Ok([2; 3]), Some([5; 3])));
    assert_eq!(guard[..], of(&[3, 4, 1]));
    // Reading takes no lock.
    assert_eq!((list.to_vec(), list.len()), (Ok(of(&[3, 1, 2])), 3));
    let held = list.push([0; 3]);
    assert!(
        matches!(held, Err(ListInsertError::Lock { error: LockError::Deadlock, .. })),
        "{held:?}"
    );
    assert!(matches!(other.try_lock(), Err(LockError::Deadlock | LockError::WouldBlock)));
    guard.commit();
    assert_eq!(other.to_vec(), Ok(of(&[3, 4, 1])));
    let mut guard = other.try_lock().expect("free");
    guard.reverse();
    guard.rollback();
    assert_eq!(list.to_vec(), Ok(of(&[3, 4, 1])));
    let mut guard = list.lock_timeout(Duration::ZERO).expect("free");
    guard.retain(|element| element[0] != 4);
    guard.truncate(9);
    drop(guard);
    assert_eq!(other.to_vec(), Ok(of(&[3, 1])));
    other.retain(|element| element[0] == 1).expect("retain");
    assert_eq!(list.to_vec(), Ok(of(&[1])));
    let mut guard = list.lock().expect("lock");
    guard.clear();
    assert_eq!((guard.pop(), guard.push([8; 3])), (None, Ok(())));
    drop(guard);
    assert_eq!(other.to_vec(), Ok(of(&[8])));
}

#[test]
fn a_panic_leaves_the_old_list_and_the_lock_free() {
    let (_segment, list, _other) = lists("list-panic", 4);
    list.extend(of(&[1, 2, 3])).expect("room");
    unwind(|panic| {
        let changed = list.update(1, |element| {
            element[0] = 9;
            panic.now();
        });
        changed.expect("update");
    });
    unwind(|panic| {
        let mut guard = list.lock().expect("lock");
        guard.clear();
        panic.now();
    });
    unwind(|panic| {
        let mut panic = Some(panic);
        let kept = list.retain(|element| element[0] != 1 && panic.take().expect("once").now());
        kept.expect("retain");
    });
    assert_eq!(list.to_vec(), Ok(of(&[1, 2, 3])));
    // One that is caught inside leaves what was kept so far.
    let mut guard = list.try_lock().expect("free");
    unwind(|panic| {
        let mut panic = Some(panic);
        guard.retain(|element| {
            element[0] == 1 || element[0] == 3 && panic.take().expect("once").now()
        });
    });
    let draft = guard.to_vec();
    guard.commit();
    assert_eq!(list.to_vec(), Ok(draft));
}

#[test]
fn an_iterator_goes_through_the_list_as_it_was() {
    let (_segment, list, other) = lists("list-iter", 10);
    list.extend(of(&[1, 2, 3])).expect("room");
    let mut iter = list.iter();
    other.clear().expect("clear");
    other.push([9; 3]).expect("room");
    assert_eq!((iter.len(), iter.next_back()), (3, Some(Ok([3; 3]))));
    assert_eq!(iter.collect::<Result<Vec<_>, _>>(), Ok(of(&[1, 2])));
    for element in &list {
        assert_eq!(element, Ok([9; 3]));
        other.clear().expect("clear");
    }
    assert_eq!(list.iter().next(), None);
}

#[test]
fn as_a_vec_does() {
    const ROOM: usize = 40;
    let (segment, name) = segment("list-model");
    let list = segment.list::<u16>("l", ROOM).expect("list");
    let other: List<u16> = Segment::open(&name).expect("open").find("l").expect("find");
    let (mut model, mut random) = (Vec::new(), Random::new(5));
    for step in 0..20_000_u16 {
        let list = if random.below(2) == 0 { &list } else { &other };
        let index = random.below(model.len() as u64 + 1) as usize;
        let full = Err(ListInsertError::Full(step));
        match random.below(10) {
            0..=2 if model.len() < ROOM => {
                model.insert(index, step);
                assert_eq!(list.insert(index, step), Ok(()));
            }
            0..=2 => assert_eq!(list.insert(index, step), full),
            3 if model.len() < ROOM => {
                model.push(step);
                assert_eq!(list.push(step), Ok(()));
            }
            3 => assert_eq!(list.push(step), full),
            4 if index < model.len() => assert_eq!(list.remove(index), Ok(model.remove(index))),
            5 => assert_eq!(list.pop(), Ok(model.pop())),
            6 if index < model.len() => {
                assert_eq!(list.set(index, step), Ok(std::mem::replace(&mut model[index], step)));
            }
            7 if step % 16 == 0 => {
                model.truncate(index);
                assert_eq!(list.truncate(index), Ok(()));
            }
            8 if model.len() + 3 <= ROOM => {
                model.extend([step; 3]);
                assert_eq!(list.extend([step; 3]), Ok(()));
            }
            9 => {
                let mut guard = list.lock().expect("lock");
                if let Some(element) = guard.get(index).copied() {
                    model[index..].reverse();
                    guard[index..].reverse();
                    assert!(guard.contains(&element));
                }
            }
            _ => assert_eq!(list.get(index), Ok(model.get(index).copied())),
        }
        assert_eq!((list.to_vec(), list.len()), (Ok(model.clone()), model.len()), "in step {step}");
    }
}

#[test]
fn shapes_that_cannot_be() {
    let (segment, _name) = segment("list-shape");
    for capacity in [0, u32::MAX as usize + 1, usize::MAX] {
        let list = segment.list::<u64>("l", capacity).map(drop);
        assert!(matches!(list, Err(ObjectError::InvalidShape { .. })), "{list:?}");
    }
    segment.list::<u64>("l", 5).expect("list");
    let other = segment.list::<i64>("l", 5).map(drop);
    assert!(matches!(other, Err(ObjectError::TypeMismatch { .. })), "{other:?}");
    let other = segment.list::<u64>("l", 6).map(drop);
    assert!(matches!(other, Err(ObjectError::ShapeMismatch { found: 5, .. })), "{other:?}");
    let other = segment.array::<u64>("l", 5, 0).map(drop);
    assert!(matches!(other, Err(ObjectError::TypeMismatch { .. })), "{other:?}");
}

/// Elements of all sizes and alignments.
#[test]
fn types() {
    let (segment, _name) = segment("list-types");
    let flags = segment.list::<bool>("flags", 100).expect("list");
    let wide = segment.list::<u128>("wide", 100).expect("list");
    let odd = segment.list::<[u8; 3]>("odd", 100).expect("list");
    for number in 0..100_u8 {
        flags.insert(0, number % 3 == 0).expect("room");
        wide.insert(0, u128::from(number) << 100).expect("room");
        odd.insert(0, [number; 3]).expect("room");
    }
    for number in 0..100_u8 {
        let index = 99 - usize::from(number);
        assert_eq!(flags.get(index), Ok(Some(number % 3 == 0)));
        assert_eq!(wide.get(index), Ok(Some(u128::from(number) << 100)));
        assert_eq!(odd.get(index), Ok(Some([number; 3])));
    }
}

#[test]
fn read_only_handles_read() {
    let (segment, name) = segment("list-read-only");
    let list = segment.list::<u64>("l", 10).expect("list");
    list.extend([1, 2]).expect("room");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let reader: List<u64> = reader.find("l").expect("find");
    assert_eq!((reader.to_vec(), reader.len(), reader.get(1)), (Ok(vec![1, 2]), 2, Ok(Some(2))));
    let error = LockError::ReadOnly;
    assert_eq!(reader.push(3), Err(ListInsertError::Lock { value: 3, error: error.clone() }));
    assert_eq!((reader.clear(), reader.pop()), (Err(error.clone()), Err(error.clone())));
    assert_eq!(reader.set(0, 5), Err(ListError::Lock(error.clone())));
    assert_eq!(reader.lock().map(drop), Err(error));
}

#[test]
fn a_timeout_is_kept_and_says_who_holds_the_lock() {
    let (_segment, list, other) = lists("list-timeout", 10);
    let guard = list.lock().expect("lock");
    let holder = list.holder().expect("a holder");
    assert_eq!(holder.process_id, Some(std::process::id()));
    let timeout = Duration::from_millis(30);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let late = not_before(timeout, || other.lock_timeout(timeout).map(drop));
            assert!(matches!(late, Err(LockError::TimedOut { .. })), "{late:?}");
        });
    });
    drop(guard);
    let free = outlive::wait_any(&[&list.available()], Some(Duration::ZERO)).expect("wait");
    assert_eq!((free, list.holder()), (Some(0), None));
}
