//! Bytes that cannot be are an error or harm entries, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;

use outlive::{LockError, Map, ObjectError, Segment};

use crate::observe::{Marked, file, overwrite};

#[test]
fn a_value_that_cannot_be_is_an_error_until_it_is_cleared() {
    const MARK: [u8; 8] = *b"\x01map\xfe\xed\x02\x07";
    let (segment, name) = crate::segment("map-invalid");
    let map = segment.map::<u64, Marked>("m", 4).expect("map");
    map.insert(1, Marked::new(MARK)).expect("insert");
    map.insert(2, Marked::new([9; 8])).expect("insert");
    overwrite(&name, &MARK, 8, &[7]);
    let is_corrupt = |error| matches!(error, LockError::Corrupt { .. });
    assert!(map.get(&1).is_err_and(is_corrupt));
    assert!(map.update(&1, |_| panic!("it is none")).is_err_and(is_corrupt));
    assert!(map.remove(&1).is_err_and(is_corrupt));
    assert!(map.retain(|_, _| true).is_err_and(is_corrupt));
    assert_eq!(map.iter().filter(Result::is_err).count(), 1);
    assert_eq!(map.get(&2), Ok(Some(Marked::new([9; 8]))));
    map.clear().expect("clear");
    assert_eq!((map.len(), map.get(&1)), (0, Ok(None)));
}

const KEY: u64 = 0x6d61_7020_6b65_7931;

/// Every word of the map's memory but the locks, which have tests of their own.
fn words(map: &[u8]) -> Vec<usize> {
    let lock = |at: usize| at < 40 || (128..192).contains(&at) && at < 128 + 40;
    (0..map.len()).step_by(8).filter(|at| !lock(*at)).collect()
}

/// Each call comes back, whatever with.
fn exercise(map: &Map<u64, u64>) {
    for key in [KEY, 1, 2, 3, 4, 5] {
        let _outcome = map.get(&key);
        let _outcome = map.insert(key, 7);
        let _outcome = map.update(&key, |value| *value ^= 1);
    }
    assert!(map.len() <= map.capacity() && map.iter().take(10_000).count() < 10_000);
    let _outcome = map.retain(|key, _| key % 2 == 0);
    let _outcome = map.remove(&KEY);
    let _outcome = map.clear();
    let _outcome = map.insert(KEY, 1);
}

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    const SIZE: usize = 128 + 64 + 4 * 8 + 32 + 4 * 56;
    let place = {
        let (segment, name) = crate::segment("map-words");
        let map = segment.map::<u64, u64>("m", 4).expect("map");
        map.insert(KEY, 0).expect("insert");
        let bytes = std::fs::read(file(&name)).expect("read");
        let found = bytes.windows(8).position(|window| window == KEY.to_ne_bytes());
        // The first cell's key.
        let start = found.expect("the key") - (128 + 64 + 4 * 8 + 32 + 32);
        assert_eq!(bytes[start + 48..start + 56], 4_u64.to_ne_bytes(), "the capacity");
        start
    };
    for at in words(&[0; SIZE]) {
        for word in [0, 1, 2, 4, 5, 1000, 1 << 32, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let (segment, name) = crate::segment("map-words");
            let map = segment.map::<u64, u64>("m", 4).expect("map");
            map.insert(KEY, 0).expect("insert");
            map.insert(1, 0).expect("insert");
            map.insert(2, 0).expect("insert");
            map.remove(&1).expect("remove");
            let target = std::fs::OpenOptions::new().write(true).open(file(&name)).expect("open");
            target.write_all_at(&u64::to_ne_bytes(word), (place + at) as u64).expect("write");
            exercise(&map);
            if let Ok(again) = Segment::open(&name).expect("open").find::<Map<u64, u64>>("m") {
                exercise(&again);
            }
        }
    }
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    for (at, word) in [(48, 5), (56, 0), (56, 5), (56, u64::MAX), (64, 3), (72, 0), (72, 2)] {
        let (segment, name) = crate::segment("map-shape-damage");
        segment.map::<u64, u64>("m", 4).expect("map").insert(KEY, 0).expect("insert");
        let bytes = std::fs::read(file(&name)).expect("read");
        let found = bytes.windows(8).position(|window| window == KEY.to_ne_bytes());
        let start = found.expect("the key") - (128 + 64 + 4 * 8 + 32 + 32);
        let target = std::fs::OpenOptions::new().write(true).open(file(&name)).expect("open");
        target.write_all_at(&u64::to_ne_bytes(word), (start + at) as u64).expect("write");
        let found = segment.find::<Map<u64, u64>>("m");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{at}, {word}: {found:?}");
    }
}
