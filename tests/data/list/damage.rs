//! Bytes that cannot be are an error or harm elements, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;

use outlive::{List, ListError, LockError, ObjectError, Segment};

use crate::observe::{Marked, file, overwrite};

#[test]
fn an_element_that_cannot_be_is_an_error_until_it_is_cut_off() {
    const MARK: [u8; 8] = *b"\x01list\xfe\xed\x07";
    let (segment, name) = crate::segment("list-invalid");
    let list = segment.list::<Marked>("l", 4).expect("list");
    let good = Marked::new([9; 8]);
    list.push(good).expect("room");
    // The other copy does not have it yet.
    list.push(Marked::new(MARK)).expect("room");
    overwrite(&name, &MARK, 8, &[7]);
    let is_corrupt = |error: LockError| matches!(error, LockError::Corrupt { .. });
    let is_none = |error| matches!(error, ListError::Lock(LockError::Corrupt { .. }));
    assert!(list.get(1).is_err_and(is_corrupt) && list.to_vec().is_err_and(is_corrupt));
    assert!(list.pop().is_err_and(is_corrupt) && list.lock().map(drop).is_err_and(is_corrupt));
    assert!(list.update(1, |_| panic!("it is none")).is_err_and(is_none));
    assert!(list.remove(1).is_err_and(is_none) && list.set(1, good).is_err_and(is_none));
    assert_eq!((list.len(), list.get(0)), (2, Ok(Some(good))));
    // It is moved as any other.
    list.insert(1, good).expect("room");
    let seen: Vec<bool> = list.iter().map(|element| element.is_ok()).collect();
    assert_eq!(seen, [true, true, false]);
    list.truncate(2).expect("truncate");
    assert_eq!((list.to_vec(), list.pop()), (Ok(vec![good; 2]), Ok(Some(good))));
}

const KEY: u64 = 0x6c69_7374_206b_6579;
const HEAD: usize = 128;
const SIZE: usize = HEAD + 2 * 64;

/// A list, and where it is in the segment's file.
fn list(what: &str) -> (Segment, String, List<u64>, usize) {
    let (segment, name) = crate::segment(what);
    let list = segment.list::<u64>("l", 4).expect("list");
    list.push(KEY).expect("room");
    list.push(1).expect("room");
    let bytes = std::fs::read(file(&name)).expect("read");
    let found = bytes.windows(8).position(|window| window == KEY.to_ne_bytes());
    // The first copy's first element.
    let start = found.expect("the key") - HEAD;
    assert_eq!(bytes[start + 72..start + 80], 4_u64.to_ne_bytes(), "the capacity");
    (segment, name, list, start)
}

fn write(name: &str, place: usize, word: u64) {
    let target = std::fs::OpenOptions::new().write(true).open(file(name)).expect("open");
    target.write_all_at(&u64::to_ne_bytes(word), place as u64).expect("write");
}

/// Each call comes back, whatever with.
fn exercise(list: &List<u64>) {
    assert!(list.len() <= list.capacity() && list.iter().count() <= list.capacity());
    for index in [0, 1, 3, 4, usize::MAX] {
        let _outcome = list.get(index);
        let _outcome = list.insert(index, 7);
        let _outcome = list.update(index, |element| *element ^= 1);
        let _outcome = list.remove(index);
        let _outcome = list.push(5);
    }
    let _outcome = list.lock().map(|mut guard| guard.reverse());
    let _outcome = list.extend([1, 2]);
    let _outcome = list.pop();
    list.clear().expect("whatever the length says");
    // Unless the word that says so was damaged, for four.
    let all: Vec<u64> = (0..4.min(list.capacity() as u64)).collect();
    list.extend(all.clone()).expect("room");
    assert_eq!(list.to_vec(), Ok(all));
}

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    // But the lock's, which have tests of their own.
    for at in (40..SIZE).step_by(8) {
        for word in [0, 1, 2, 4, 5, 1000, 1 << 32, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let (segment, name, list, start) = list("list-words");
            write(&name, start + at, word);
            exercise(&list);
            if let Ok(again) = segment.find::<List<u64>>("l") {
                exercise(&again);
            }
        }
    }
}

#[test]
fn a_length_that_cannot_be_is_an_error_until_the_list_is_cleared() {
    let (_segment, name, list, start) = list("list-length");
    // Two changes were made: the first copy counts.
    write(&name, start + 48, 5);
    let corrupt = Err(LockError::Corrupt { what: "a list's length" });
    assert_eq!((list.get(0), list.len()), (corrupt.clone(), 4));
    assert_eq!(list.iter().collect::<Vec<_>>(), [corrupt.clone().map(|_: Option<u64>| 0)]);
    assert_eq!(list.pop(), corrupt);
    exercise(&list);
}

#[test]
fn a_capacity_that_cannot_be_is_refused() {
    for word in [0, 9, 1 << 32, u64::MAX] {
        let (segment, name, _list, start) = list("list-capacity");
        write(&name, start + 72, word);
        let found = segment.find::<List<u64>>("l");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{word}: {found:?}");
    }
}
