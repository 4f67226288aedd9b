//! The processes of a case: forked from the single-threaded harness, which itself never uses a
//! segment, so that none of them inherits one.
#![allow(unsafe_code)] // fork, poll

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// How long a survivor may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);

/// One end of the talk between the harness and a process.
pub(crate) struct Line(UnixStream, Vec<u8>);

impl Line {
    pub(crate) fn say(&mut self, what: &str) {
        // A peer that is dead is noticed when it does not answer.
        let _dead = self.0.write_all(format!("{what}\n").as_bytes());
    }

    /// The next line; None at the deadline or when the other end is gone.
    pub(crate) fn hear(&mut self, patience: Duration) -> Option<String> {
        let end = Instant::now() + patience;
        loop {
            if let Some(at) = self.1.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.1.drain(..=at).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let left = end.checked_duration_since(Instant::now())?;
            let milliseconds = left.as_millis().clamp(1, 1000) as i32;
            let mut asked =
                libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd, which lives through the call.
            if unsafe { libc::poll(&raw mut asked, 1, milliseconds) } <= 0 {
                continue;
            }
            let mut bytes = [0; 512];
            match self.0.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.1.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

/// A process of a case, killed when it is dropped.
pub(crate) struct Actor {
    pub(crate) pid: Pid,
    pub(crate) line: Line,
    reaped: bool,
}

impl Actor {
    /// Forks a process that runs `play` and exits.
    pub(crate) fn start(play: impl FnOnce(&mut Line)) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        // SAFETY: the harness has one thread, so the child may do whatever it likes.
        match unsafe { fork() }.expect("fork") {
            ForkResult::Parent { child } => {
                Self { pid: child, line: Line(ours, Vec::new()), reaped: false }
            }
            ForkResult::Child => {
                drop(ours);
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).expect("prctl");
                let mut line = Line(theirs, Vec::new());
                let played = catch_unwind(AssertUnwindSafe(|| play(&mut line)));
                std::process::exit(if played.is_ok() { 0 } else { 101 });
            }
        }
    }

    /// Whether it sleeps in the kernel.
    pub(crate) fn sleeps(&self) -> bool {
        sleeps(self.pid)
    }

    pub(crate) fn kill(&mut self) {
        if !self.reaped {
            let _gone = kill(self.pid, Signal::SIGKILL);
            while let Err(nix::errno::Errno::EINTR) | Ok(WaitStatus::Stopped(..)) =
                waitpid(self.pid, None)
            {}
            self.reaped = true;
        }
    }

    /// Waits for its end; false if it does not end by itself or ends badly.
    pub(crate) fn ends(&mut self) -> bool {
        // The other end of the line is closed by its end, whoever else is slow.
        while self.line.hear(PATIENCE).is_some() {}
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match waitpid(self.pid, Some(nix::sys::wait::WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => std::thread::yield_now(),
                Err(nix::errno::Errno::EINTR) => {}
                Ok(WaitStatus::Exited(_, code)) => {
                    self.reaped = true;
                    return code == 0;
                }
                _ => {
                    self.reaped = true;
                    return false;
                }
            }
        }
        false
    }

    /// It was found to have ended.
    pub(crate) fn reaped(&mut self) {
        self.reaped = true;
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process's state of proc_pid_stat(5), if there is such a process.
fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process sleeps in the kernel.
pub(crate) fn sleeps(pid: Pid) -> bool {
    state(pid) == Some('S')
}

/// Whether there is such a process that has not ended, and only waits to be waited for.
pub(crate) fn lives(pid: Pid) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}
