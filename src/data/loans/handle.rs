//! What is sent of a chunk.

/// What is sent of a [`Loan`](super::Loan): 16 bytes, through any queue, or as a field of a message.
/// [`LoanPool::receive`](super::LoanPool::receive) makes it a chunk again, once.
///
/// One that is neither received nor [discarded](super::LoanPool::discard) keeps its chunk from the
/// pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, outlive_derive::Shared)]
#[repr(C)]
pub struct LoanHandle {
    /// The pool's tag (high half) and the chunk's number.
    pub(super) place: u64,
    pub(super) generation: u64,
}

impl LoanHandle {
    /// For a [`ByteQueue`](crate::ByteQueue) and the like. Within a message it belongs at a multiple
    /// of 8 bytes, where the pool looks for the handles of the dead.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.place.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.generation.to_ne_bytes());
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made. Other bytes make a handle of no pool.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let word = |from: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[from..from + 8]);
            u64::from_ne_bytes(word)
        };
        Self { place: word(0), generation: word(8) }
    }
}
