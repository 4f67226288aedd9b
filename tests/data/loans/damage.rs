//! Bytes that cannot be are an error or harm contents, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{LoanHandle, LoanPool, LockError, ObjectError, ReceiveError, Segment};

use super::driver::{chunks, pool};
use crate::observe::{Marked, Random, file, overwrite};

const MARK: [u8; 8] = *b"\x01loan\xed\x02\x03";

#[test]
fn a_content_that_is_none_of_its_type_is_an_error_and_the_chunk_comes_back() {
    let (_segment, pool, _queue, name) = pool("content", &chunks(1, 64));
    let handle = pool.loan(Marked::new(MARK)).expect("loan").send();
    overwrite(&name, &MARK, 8, &[7]);
    let error = pool.receive::<Marked>(handle).expect_err("no bool");
    assert!(matches!(error, ReceiveError::Lock(LockError::Corrupt { .. })), "{error:?}");
    assert_eq!(pool.receive::<Marked>(handle).err(), Some(ReceiveError::Stale));
    let handle = pool.loan_copy(&[Marked::new([1; 8]), Marked::new(MARK)]).expect("loan").send();
    overwrite(&name, &MARK, 8, &[2]);
    assert!(pool.receive::<[Marked]>(handle).is_err());
    assert_eq!(pool.stats().free, 1);
}

/// Finds a pool by the size of its chunks, and overwrites words of it.
struct Damage {
    file: std::fs::File,
    /// Where the pool starts.
    pool: u64,
}

/// In a pool: its head, and in the header of the first chunk.
const HEAD: u64 = 512;
const STATE: u64 = HEAD + 40;
const LENGTH: u64 = HEAD + 48;
const TAG: u64 = HEAD + 56;

/// A size of chunks that is nowhere else in the segment.
const SIZE: usize = 0x12340;

impl Damage {
    fn find(segment: &str) -> Self {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(file(segment));
        let file = file.expect("open");
        // It is the first object.
        let mut content = [0; 1 << 13];
        file.read_exact_at(&mut content, 0).expect("read");
        let size = (SIZE as u64).to_ne_bytes();
        // Before the lengths of contents, which are the same.
        let place = (0..content.len()).step_by(8).find(|at| content[*at..].starts_with(&size));
        let place = place.expect("the size is there");
        Self { file, pool: place as u64 - 64 }
    }

    fn word(&self, offset: u64, word: u64) {
        self.file.write_all_at(&word.to_ne_bytes(), self.pool + offset).expect("write");
    }
}

/// Whatever comes, it comes at once.
fn exercise(pool: &LoanPool, handle: LoanHandle) {
    drop(pool.receive::<[u8]>(handle));
    drop(pool.receive::<u64>(handle));
    let _gone = pool.discard(handle);
    let _count = pool.reclaim();
    let _stats = pool.stats();
    for length in [0, 1, SIZE, SIZE + 1, usize::MAX] {
        let timeout = Duration::from_millis(1);
        if let Ok(mut loan) = pool.loan_bytes_timeout(length, timeout) {
            loan.fill(1);
            let handle = loan.send();
            if let Ok(content) = pool.receive::<[u8]>(handle) {
                assert!(content.iter().all(|byte| *byte == 1));
            }
        }
    }
}

#[test]
fn words_that_cannot_be_end_in_an_error() {
    let values =
        [0, 1, 2, 8, SIZE as u64, SIZE as u64 + 1, 1 << 32, 1 << 63, u64::MAX - 7, u64::MAX];
    for place in [STATE, LENGTH, TAG, 320, 448, 16] {
        for value in values {
            let (_segment, pool, _queue, name) = pool("words", &chunks(2, SIZE));
            let handle = pool.loan_bytes(SIZE).expect("loan").send();
            let damage = Damage::find(&name);
            damage.word(place, value);
            exercise(&pool, handle);
        }
    }
}

/// Closed, dead, and held by threads that there are not.
#[test]
fn a_lock_that_cannot_be_keeps_nobody_waiting() {
    for word in [0x3fff_ffff_u64, 0x4000_0000, 0xc000_0000, 0x3fff_fffe, 0xffff_ffff] {
        let (_segment, pool, _queue, name) = pool("lock", &chunks(2, SIZE));
        let handle = pool.loan_bytes(SIZE).expect("loan").send();
        Damage::find(&name).word(HEAD, word);
        exercise(&pool, handle);
        // The other chunk is as good as before.
        let handle = pool.loan(7_u64).expect("loan").send();
        assert_eq!(*pool.receive::<u64>(handle).expect("receive"), 7);
    }
}

#[test]
fn a_length_beyond_the_chunk_is_refused() {
    let (_segment, pool, _queue, name) = pool("length", &chunks(2, SIZE));
    for length in [SIZE as u64 + 1, 1 << 40, u64::MAX] {
        let handle = pool.loan_bytes(SIZE).expect("loan").send();
        Damage::find(&name).word(LENGTH, length);
        let error = pool.receive::<[u8]>(handle).expect_err("too long");
        assert!(matches!(error, ReceiveError::Lock(LockError::Corrupt { .. })), "{error:?}");
        assert_eq!(pool.stats().free, 2);
    }
    // Not whole elements, or none for a value.
    let handle = pool.loan_copy(&[1_u32; 4]).expect("loan").send();
    Damage::find(&name).word(LENGTH, 15);
    assert!(pool.receive::<[u32]>(handle).is_err());
    let handle = pool.loan(1_u32).expect("loan").send();
    Damage::find(&name).word(LENGTH, 5);
    assert!(pool.receive::<u32>(handle).is_err());
}

#[test]
fn a_head_that_cannot_be_is_refused() {
    for (offset, values) in [
        (8, &[0, 2, 17, u64::MAX][..]),
        (64, &[0, 1, SIZE as u64 + 64, 1 << 40, !63]),
        (192, &[0, 3, 1 << 20, 1 << 40, u64::MAX]),
    ] {
        for value in values {
            let (_segment, _pool, _queue, name) = pool("head", &chunks(2, SIZE));
            Damage::find(&name).word(offset, *value);
            let found = Segment::open(&name).expect("open").find::<LoanPool>("p");
            assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{offset}: {value:#x}");
        }
    }
}

#[test]
fn bytes_that_change_at_random_end_in_errors() {
    let mut random = Random::new(11);
    for _ in 0..100 {
        let (_segment, pool, queue, name) = pool("random", &chunks(2, SIZE));
        let handle = pool.loan_bytes(SIZE).expect("loan").send();
        queue.push(handle).expect("push");
        let damage = Damage::find(&name);
        for _ in 0..4 {
            // Not the lock words: an owner that lives is waited for.
            let place = [16, 24, 320, 448, STATE, LENGTH, TAG, STATE + 64, LENGTH + 64]
                [random.below(9) as usize];
            damage.word(place, random.below(1 << 33) << random.below(32));
        }
        exercise(&pool, handle);
    }
}
