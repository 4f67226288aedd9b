//! A parent and a child that talk through a pipe without a name. The child squares numbers; then it is
//! killed in the middle of its work, and the parent receives what was sent before, and sees the end.
//!
//! ```sh
//! cargo run --example pipe
//! ```

#[path = "support/mod.rs"]
mod support;

use std::process::{Command, ExitCode};

use clap::Parser;
use outlive::{Pipe, PipeRecvError, PipeSendError};
use support::{Result, say};

#[derive(Parser)]
#[command(about = "A parent asks a child through a pipe, and kills it")]
struct Arguments {
    /// This is the child.
    #[arg(long, hide = true)]
    child: bool,
}

/// Under which the pipe is handed on.
const KEY: &str = "talk";

fn main() -> ExitCode {
    support::exit(if Arguments::parse().child { child() } else { parent() })
}

fn number(message: &[u8]) -> Result<u64> {
    Ok(u64::from_ne_bytes(message.try_into()?))
}

fn child() -> Result<()> {
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

fn parent() -> Result<()> {
    let pipe = outlive::pipe(4096)?;
    let end = pipe.first()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--child");
    pipe.pass_to(&mut command, KEY)?;
    let mut child = command.spawn()?;

    for asked in 1..=3_u64 {
        end.send_bytes(&asked.to_ne_bytes())?;
        say!("the square of {asked} is {}", number(&end.recv_bytes()?)?);
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
    say!("killed: the end of file came after all that it had sent");
    assert_eq!(end.send_bytes(b"anybody?"), Err(PipeSendError::BrokenPipe));
    say!("and what is sent to it is refused: {}", PipeSendError::BrokenPipe);
    child.wait()?;
    Ok(())
}
