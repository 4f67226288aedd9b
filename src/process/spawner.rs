//! Who starts processes that die with this one.
//!
//! The kernel sends the signal for that (PR_SET_PDEATHSIG) when the *thread* ends that started the
//! process. So these are started by a thread that ends with this process.

use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, mpsc};
use std::thread;

use crate::os::descriptor;
use crate::segment::attachment::lock_soon;

type Request = (Command, mpsc::Sender<io::Result<Child>>);

/// The thread's ear, and the process that the thread is in: a fork does not copy it.
static SPAWNER: Mutex<Option<(u32, mpsc::Sender<Request>)>> = Mutex::new(None);

/// Starts a process from a thread that does not end before this process does.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let ended = |_| io::Error::other("the thread that starts processes has ended");
    let (answer, result) = mpsc::channel();
    ear()?.send((command, answer)).map_err(|_| io::Error::other("no thread to start processes"))?;
    result.recv().map_err(ended)?
}

fn ear() -> io::Result<mpsc::Sender<Request>> {
    let Some(mut spawner) = lock_soon(&SPAWNER) else {
        return Err(io::Error::other("another thread forked this process while it started one"));
    };
    let this = std::process::id();
    if let Some((process, ear)) = &*spawner
        && *process == this
    {
        return Ok(ear.clone());
    }
    let (ear, requests) = mpsc::channel::<Request>();
    thread::Builder::new().name("outlive-spawn".to_owned()).spawn(move || {
        // Should it fail, a handler runs in this thread instead of another one.
        let _unblocked = descriptor::block_signals();
        for (mut command, answer) in requests {
            // Who asked waits for it.
            let _gone = answer.send(command.spawn());
        }
    })?;
    *spawner = Some((this, ear.clone()));
    Ok(ear)
}
