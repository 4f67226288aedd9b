//! What each operation does, seen through two mappings.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use outlive::{Bytes, InsertError, LockError, Map, ObjectError, Segment, Text, TooLong};

use crate::observe::Random;
use crate::{segment, unwind};

type Key = Text<20>;

fn key(text: &str) -> Key {
    Key::new(text).expect("short")
}

type Triples = Map<Key, [u64; 3]>;

fn maps(what: &str, capacity: usize) -> (Segment, Triples, Triples) {
    let (segment, name) = segment(what);
    let map = segment.map("m", capacity).expect("map");
    let other = Segment::open(&name).expect("open").find("m").expect("find");
    (segment, map, other)
}

#[test]
fn all_operations_on_one_entry() {
    let (_segment, map, other) = maps("map-one", 10);
    let (a, b) = (key("a"), key("b"));
    assert_eq!((map.get(&a), map.contains_key(&a), map.len()), (Ok(None), Ok(false), 0));
    assert_eq!(map.insert(a, [1; 3]), Ok(None));
    assert_eq!(other.insert(a, [2; 3]), Ok(Some([1; 3])));
    assert_eq!((map.get(&a), other.get(&a)), (Ok(Some([2; 3])), Ok(Some([2; 3]))));
    assert_eq!((map.get(&b), map.len(), other.is_empty()), (Ok(None), 1, false));
    assert_eq!(map.update(&a, |value| value[0] += 5), Ok(Some(())));
    assert_eq!(map.update(&b, |value| value[0] += 5), Ok(None));
    assert_eq!(other.get(&a), Ok(Some([7, 2, 2])));
    assert_eq!(map.compare_exchange(&a, [0; 3], [9; 3]), Ok(Err(Some([7, 2, 2]))));
    assert_eq!(map.compare_exchange(&b, [0; 3], [9; 3]), Ok(Err(None)));
    assert_eq!(map.compare_exchange(&a, [7, 2, 2], [9; 3]), Ok(Ok([7, 2, 2])));
    assert_eq!(map.fetch_update(&a, |value| Some(value.map(|n| n + 1))), Ok(Ok([9; 3])));
    assert_eq!(map.fetch_update(&a, |_| None), Ok(Err(Some([10; 3]))));
    assert_eq!(map.fetch_update(&b, |_| panic!("no entry")), Ok(Err(None)));
    assert_eq!(map.get_or_insert_with(a, || panic!("is there")), Ok([10; 3]));
    assert_eq!(map.get_or_insert_with(b, || [4; 3]), Ok([4; 3]));
    assert_eq!((map.remove(&a), other.remove(&a), map.len()), (Ok(Some([10; 3])), Ok(None), 1));
    assert_eq!((other.get(&a), other.get(&b)), (Ok(None), Ok(Some([4; 3]))));
}

#[test]
fn entries() {
    let (_segment, map, other) = maps("map-entry", 10);
    let a = key("a");
    let entry = map.entry(a).expect("entry").and_modify(|_| panic!("no value"));
    assert_eq!((entry.key(), entry.get()), (&a, None));
    assert!(matches!(map.entry(a), Err(LockError::Deadlock)));
    assert!(matches!(map.try_entry(a), Err(LockError::Deadlock | LockError::WouldBlock)));
    assert_eq!(map.get(&a), Ok(None), "reading takes no lock");
    assert_eq!(entry.or_insert([1; 3]), Ok([1; 3]));
    let modified = other.entry(a).expect("entry").and_modify(|value| value[1] = 8);
    assert_eq!(map.get(&a), Ok(Some([1, 8, 1])), "takes effect at once");
    assert_eq!(modified.or_insert_with(|| panic!("is there")), Ok([1, 8, 1]));
    let mut entry = map.entry_timeout(a, Duration::ZERO).expect("free");
    assert_eq!(entry.insert([2; 3]), Ok(Some([1, 8, 1])));
    assert_eq!(entry.change(|value| value[0]), Some(2));
    assert_eq!(entry.remove(), Ok(Some([2; 3])));
    let mut entry = map.try_entry(a).expect("free");
    assert_eq!(entry.insert([3; 3]), Ok(None));
    assert_eq!(entry.remove(), Ok(Some([3; 3])));
    assert_eq!((map.len(), map.get(&a)), (0, Ok(None)));
}

#[test]
fn a_panic_leaves_the_old_value_and_the_lock_free() {
    let (_segment, map, _other) = maps("map-panic", 4);
    let a = key("a");
    map.insert(a, [1; 3]).expect("insert");
    unwind(|panic| {
        let changed = map.update(&a, |value| {
            value[0] = 2;
            panic.now();
        });
        changed.expect("update");
    });
    unwind(|panic| {
        let mut panic = Some(panic);
        let _outcome = map.retain(|_, _| panic.take().expect("once").now());
    });
    assert_eq!(map.get(&a), Ok(Some([1; 3])));
    map.try_entry(a).expect("free").release();
}

#[test]
fn a_full_map_hands_the_value_back_and_has_room_for_all_it_promised() {
    for capacity in [1, 2, 3, 64, 1000] {
        let (segment, _name) = segment("map-full");
        let map = segment.map::<u32, u64>("m", capacity).expect("map");
        for round in 0..3 {
            for number in 0..capacity as u32 {
                assert_eq!(map.insert(number, u64::from(number)), Ok(None), "in round {round}");
            }
            let refused = map.insert(u32::MAX, 77).expect_err("full");
            assert!(matches!(refused, InsertError::Full(77)), "{refused:?}");
            assert_eq!(refused.into_value(), 77);
            assert_eq!(map.insert(0, 5), Ok(Some(0)), "replacing takes no room");
            assert_eq!((map.len(), map.get(&u32::MAX)), (capacity, Ok(None)));
            if round == 1 {
                map.clear().expect("clear");
            } else {
                map.retain(|_, _| false).expect("retain");
            }
            assert_eq!((map.len(), map.iter().count()), (0, 0));
        }
    }
}

#[test]
fn it_grows_up_to_its_limit() {
    let (segment, name) = segment("map-grow");
    let before = segment.committed().expect("committed");
    let map = segment.growing_map::<u64, [u64; 8]>("m", 1, 10_000).expect("map");
    let small = segment.committed().expect("committed") - before;
    assert!(small < 200 << 10, "{small} bytes before it grew");
    let other: Map<u64, [u64; 8]> = Segment::open(&name).expect("open").find("m").expect("find");
    for number in 0..10_000 {
        assert_eq!(map.insert(number, [number; 8]), Ok(None));
        assert_eq!(other.get(&number), Ok(Some([number; 8])));
    }
    assert!(matches!(other.insert(10_000, [0; 8]), Err(InsertError::Full(_))));
    assert_eq!((other.len(), other.capacity()), (10_000, 10_000));
    let grown = segment.committed().expect("committed") - before;
    assert!(grown > 10_000 * 160, "{grown} bytes for all");
    let mismatch = segment.map::<u64, [u64; 8]>("m", 9_999).map(drop);
    assert!(matches!(mismatch, Err(ObjectError::ShapeMismatch { .. })), "{mismatch:?}");
}

#[test]
fn shapes_that_cannot_be() {
    let (segment, _name) = segment("map-shape");
    for (capacity, most) in [(0, 0), (0, 5), (6, 5), (1, u32::MAX as usize), (1, usize::MAX)] {
        let map = segment.growing_map::<u64, u64>("m", capacity, most).map(drop);
        assert!(matches!(map, Err(ObjectError::InvalidShape { .. })), "{map:?}");
    }
    segment.map::<u64, u64>("m", 5).expect("map");
    let other = segment.map::<u64, i64>("m", 5).map(drop);
    assert!(matches!(other, Err(ObjectError::TypeMismatch { .. })), "{other:?}");
}

#[test]
fn as_a_hash_map_does() {
    let (segment, _name) = segment("map-model");
    let map = segment.map::<u16, [u32; 3]>("m", 300).expect("map");
    let (mut model, mut random) = (HashMap::new(), Random::new(3));
    for step in 0..20_000_u32 {
        let (key, value) = (random.below(400) as u16, [step; 3]);
        match random.below(4) {
            0 => assert_eq!(map.remove(&key), Ok(model.remove(&key))),
            1 => {
                let changed = map.update(&key, |old| std::mem::replace(old, value));
                assert_eq!(changed, Ok(model.get_mut(&key).map(|v| std::mem::replace(v, value))));
            }
            _ if model.len() == 300 && !model.contains_key(&key) => {
                assert!(matches!(map.insert(key, value), Err(InsertError::Full(_))));
            }
            _ => assert_eq!(map.insert(key, value), Ok(model.insert(key, value))),
        }
        assert_eq!(map.get(&key), Ok(model.get(&key).copied()));
        assert_eq!(map.len(), model.len());
    }
    map.retain(|key, _| key % 3 == 0).expect("retain");
    model.retain(|key, _| key % 3 == 0);
    let all: Result<BTreeMap<_, _>, _> = map.iter().collect();
    assert_eq!(all, Ok(model.into_iter().collect()));
    assert_eq!((map.keys().count(), map.values().count()), (map.len(), map.len()));
}

/// Keys and values of all sizes and alignments.
#[test]
fn types() {
    let (segment, _name) = segment("map-types");
    let bytes = segment.map::<u8, bool>("bytes", 256).expect("map");
    let wide = segment.map::<[u128; 2], [u8; 3]>("wide", 100).expect("map");
    let chars = segment.map::<Bytes<5>, char>("chars", 100).expect("map");
    for number in 0..=99_u8 {
        bytes.insert(number, number % 2 == 0).expect("insert");
        wide.insert([u128::from(number) << 100; 2], [number; 3]).expect("insert");
        chars.insert(Bytes::new(&[number; 4]).expect("short"), char::from(number)).expect("insert");
    }
    for number in 0..=99_u8 {
        assert_eq!(bytes.get(&number), Ok(Some(number % 2 == 0)));
        assert_eq!(wide.get(&[u128::from(number) << 100; 2]), Ok(Some([number; 3])));
        let key = Bytes::new(&[number; 4]).expect("short");
        assert_eq!(chars.get(&key), Ok(Some(char::from(number))));
    }
}

#[test]
fn strings() {
    let text = Text::<5>::new("Zoë").expect("short");
    assert_eq!((text.as_str(), text.len(), text.to_string()), ("Zoë", 4, "Zoë".to_owned()));
    assert!(text == "Zoë" && text > Text::default() && format!("{text:>5}") == "  Zoë");
    let Err(TooLong { length: 6, limit: 5, .. }) = Text::<5>::new("Zoë's") else { panic!("long") };
    assert_eq!(Bytes::<0>::new(b"").map(|none| none.len()), Ok(0));
    let zeros = Bytes::<3>::new(b"a\0").expect("short");
    assert!(zeros != Bytes::new(b"a").expect("short") && &zeros[..] == b"a\0");
    let (segment, _name) = segment("strings");
    let value = segment.value("v", text).expect("value");
    assert_eq!(value.get(), Ok(text));
}

#[test]
fn read_only_handles_read() {
    let (segment, name) = segment("map-read-only");
    let map = segment.map::<u64, u64>("m", 10).expect("map");
    map.insert(1, 2).expect("insert");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let reader: Map<u64, u64> = reader.find("m").expect("find");
    assert_eq!((reader.get(&1), reader.len(), reader.iter().count()), (Ok(Some(2)), 1, 1));
    let refused = reader.insert(1, 3);
    let expected = InsertError::Lock { value: 3, error: LockError::ReadOnly };
    assert_eq!(refused, Err(expected));
    assert_eq!(reader.clear(), Err(LockError::ReadOnly));
    assert_eq!(reader.remove(&1), Err(LockError::ReadOnly));
}
