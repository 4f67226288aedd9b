//! A parent and a child that talk through a pipe without a name. The child squares numbers; then it is
//! killed in the middle of its work, and the parent receives what was sent before, and sees the end.
//!
//! ```sh
//! cargo run --example pipe
//! ```

use std::error::Error;
use std::process::Command;

use outlive::{Pipe, PipeRecvError, PipeSendError};

/// What tells the program that it is the child.
const CHILD: &str = "--child";
/// Under which the pipe is handed on.
const KEY: &str = "talk";

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == CHILD) { child() } else { parent() }
}

fn number(message: &[u8]) -> Result<u64, Box<dyn Error>> {
    Ok(u64::from_ne_bytes(message.try_into()?))
}

fn child() -> Result<(), Box<dyn Error>> {
    let end = Pipe::inherited(KEY)?.second()?;
    loop {
        match end.recv_bytes() {
            Ok(message) => {
                let number = number(&message)?;
                end.send_bytes(&(number * number).to_ne_bytes())?;
            }
            // The parent has closed its end, or died.
            Err(PipeRecvError::Eof) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let pipe = outlive::pipe(4096)?;
    let end = pipe.first()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD);
    pipe.pass_to(&mut command, KEY)?;
    let mut child = command.spawn()?;

    for asked in 1..=3_u64 {
        end.send_bytes(&asked.to_ne_bytes())?;
        println!("the square of {asked} is {}", number(&end.recv_bytes()?)?);
    }

    // More questions, of which it may answer some.
    for asked in 4..=50_u64 {
        end.send_bytes(&asked.to_ne_bytes())?;
    }
    child.kill()?;
    let mut expected = 4;
    loop {
        match end.recv_bytes() {
            Ok(message) => {
                assert_eq!(number(&message)?, expected * expected, "whole, and in order");
                expected += 1;
            }
            Err(PipeRecvError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    println!("killed: the end of file came after all that it had sent");
    assert_eq!(end.send_bytes(b"anybody?"), Err(PipeSendError::BrokenPipe));
    println!("and what is sent to it is refused: {}", PipeSendError::BrokenPipe);
    child.wait()?;
    Ok(())
}
