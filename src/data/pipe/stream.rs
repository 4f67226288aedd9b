//! A pipe's messages as a stream of bytes.

use std::io::{self, Read, Write};

use super::end::PipeEnd;
use crate::error::PipeRecvError;

/// Reads messages as a stream: their bytes one after the other, without their limits; empty ones are
/// passed over. Sleeps until there are some. At the end of file, 0.
///
/// Of a message longer than the buffer, the rest is there for the next call. It stays in the pipe until
/// all of it was read: [`recv_bytes`](PipeEnd::recv_bytes) and its like give the rest as a message, and
/// a successor gets the whole.
impl Read for &PipeEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let message = match self.next_until(self.forever()) {
                Ok(message) => message,
                Err(PipeRecvError::Eof) => break,
                Err(error) => return Err(error.into()),
            };
            let rest = message.get(self.skip.take()..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            if count < rest.len() {
                self.skip.set(message.len() - rest.len() + count);
                message.keep();
            } else {
                message.release();
            }
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}

/// Writes messages as parts of a stream, each of half the longest length or less, so that the other end
/// can read one while the next is written. Sleeps while there is too little room. Nothing is kept back:
/// `flush` has nothing to do.
impl Write for &PipeEnd {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = buffer.len().min(self.max_message().div_ceil(2));
        self.send_bytes(&buffer[..count])?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As that of `&PipeEnd`.
impl Read for PipeEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

/// As that of `&PipeEnd`.
impl Write for PipeEnd {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
