//! Locks that name a thread which lives are waited for, rightly, and the fuzzer has no time for it.
//!
//! So before an operation that has no timeout, the lock that it will take is marked as the kernel
//! marks one whose holder died. Operations with a timeout get the words as they are.

use crate::memory::Memory;

/// Where the directory's lock is.
pub const DIRECTORY: u64 = 128;

const TID: u32 = 0x3fff_ffff;
const CLOSED: u32 = TID;
const DIED: u32 = 0xc000_0000;

pub fn free(memory: &Memory, lock: u64) {
    if let Some(word) = memory.read_word(lock)
        && word & TID != 0
        && word != CLOSED
    {
        memory.write(lock, &DIED.to_ne_bytes());
    }
}

/// Makes a lock that nobody in this process holds free, whatever its word says: for what takes one of
/// several locks, where a closed one is no answer.
pub fn open(memory: &Memory, lock: u64) {
    memory.write(lock, &0_u32.to_ne_bytes());
}
