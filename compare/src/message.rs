//! What is sent: numbered messages whose every byte follows from their number, written by the
//! sender and checked by the receiver.

use std::mem::MaybeUninit;

use crate::support::{Result, failed};

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) length: usize,
}

const WORD: usize = size_of::<u64>();

impl Message {
    /// Writes all of it; `bytes` are as many as it is long.
    #[inline]
    pub(crate) fn write(self, bytes: &mut [u8]) {
        self.write_as(bytes, |byte| byte);
    }

    /// The same into fresh memory, all of which is initialised then.
    #[inline]
    pub(crate) fn write_uninit(self, bytes: &mut [MaybeUninit<u8>]) {
        self.write_as(bytes, MaybeUninit::new);
    }

    #[inline]
    fn write_as<B: Copy>(self, bytes: &mut [B], wrap: impl Fn(u8) -> B) {
        let mut value = self.number;
        let mut words = bytes.chunks_exact_mut(WORD);
        for word in &mut words {
            word.copy_from_slice(&value.to_le_bytes().map(&wrap));
            value = value.wrapping_add(1);
        }
        let rest = words.into_remainder();
        rest.copy_from_slice(&value.to_le_bytes().map(wrap)[..rest.len()]);
    }

    /// Reads all of what arrived.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let Some((first, _)) = bytes.split_first_chunk() else {
            return failed(format!("a message of {} bytes arrived", bytes.len()));
        };
        let number = u64::from_le_bytes(*first);
        let (words, rest) = bytes.as_chunks::<WORD>();
        let mut value = number;
        let mut difference = 0;
        for word in words {
            difference |= u64::from_le_bytes(*word) ^ value;
            value = value.wrapping_add(1);
        }
        if difference != 0 || rest != &value.to_le_bytes()[..rest.len()] {
            return failed(format!("message {number} arrived with other bytes than were sent"));
        }
        Ok(Self { number, length: bytes.len() })
    }

    /// As a value of `W` words, for peers whose messages have a type.
    #[inline]
    pub(crate) fn words<const W: usize>(self) -> [u64; W] {
        std::array::from_fn(|index| self.number.wrapping_add(index as u64))
    }

    /// Reads what `words` gave.
    #[inline]
    pub(crate) fn read_words(words: &[u64]) -> Result<Self> {
        let number = words.first().copied().unwrap_or(0);
        let mut difference = 0;
        for (index, word) in words.iter().enumerate() {
            difference |= word ^ number.wrapping_add(index as u64);
        }
        if difference != 0 {
            return failed(format!("message {number} arrived with other words than were sent"));
        }
        Ok(Self { number, length: size_of_val(words) })
    }

    /// What has to arrive next did.
    #[inline]
    pub(crate) fn expect(self, expected: Self) -> Result<()> {
        if self == expected { Ok(()) } else { unexpected(self, expected) }
    }
}

#[cold]
fn unexpected(message: Message, expected: Message) -> Result<()> {
    failed(format!("{message:?} arrived where {expected:?} was due"))
}

/// Sends messages.
pub(crate) trait Outbox {
    fn send(&mut self, message: Message) -> Result<()>;
}

/// Receives them, each checked by [`Message::read`].
pub(crate) trait Inbox {
    fn receive(&mut self) -> Result<Message>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for (number, length) in [(0, 8), (u64::MAX, 13), (77, 1023)] {
            let message = Message { number, length };
            let mut bytes = vec![0; length];
            message.write(&mut bytes);
            assert_eq!(Message::read(&bytes).unwrap(), message);
            for at in 8..length {
                bytes[at] ^= 1;
                assert!(Message::read(&bytes).is_err(), "byte {at}");
                bytes[at] ^= 1;
            }
        }
        let message = Message { number: 5, length: 32 };
        assert_eq!(Message::read_words(&message.words::<4>()).unwrap(), message);
        assert!(Message::read_words(&[5, 6, 8]).is_err());
    }

    #[test]
    fn too_short_ones_are_refused() {
        assert!(Message::read(&[0; 7]).is_err());
    }
}
