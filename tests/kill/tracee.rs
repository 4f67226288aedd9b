//! A process under ptrace(2): brought to the start of an operation, and to any instruction of it.
#![allow(unsafe_code)] // the breakpoint instruction, setitimer

use std::arch::{asm, naked_asm};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gettid};

use crate::actor::{Actor, Line, PATIENCE, sleeps};
use crate::case::{By, Operation};
use crate::path::Path;
use crate::worker::still_here;

/// What came of letting a tracee run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Came {
    /// To the instruction that was asked for.
    Here,
    /// To a system call in which it sleeps.
    Blocked,
    /// To the end of the operation, or of the process.
    Ended,
}

/// Looks after tracees that sleep: an interrupted wait is the occasion to look.
const TICK_US: i64 = 3_000;

/// Longest run without a stop: then it spins, for something that does not come.
const SPIN_LIMIT: Duration = Duration::from_secs(2);

/// Each takes some 10 µs, or milliseconds on a busy machine.
const STEPS_BETWEEN_NEWS: usize = 1000;

/// Makes waits of this process return from time to time. Children do not inherit the timer.
pub(crate) fn start_ticking() {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGALRM, &action) }.expect("sigaction");
    let tick = libc::timeval { tv_sec: 0, tv_usec: TICK_US };
    let timer = libc::itimerval { it_interval: tick, it_value: tick };
    // SAFETY: the timer lives through the call.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

#[inline(never)]
fn breakpoint() {
    // SAFETY: under ptrace it stops the process, and has no other effect.
    unsafe { asm!("int3") };
}

/// Where an operation has ended. Naked: its first byte is the breakpoint.
#[unsafe(naked)]
extern "C" fn finish() {
    naked_asm!("int3", "ret")
}

/// In a process whose operation is stepped.
static TRACED: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_traced() -> bool {
    TRACED.load(Ordering::Relaxed)
}

pub(crate) struct Tracee {
    pub(crate) actor: Actor,
    /// The one that is traced: the process's first, or another one.
    thread: Pid,
    /// It has ended, or executed another program.
    pub(crate) over: bool,
    /// The breakpoint that is set: where, and what it replaces.
    planted: Option<(u64, libc::c_long)>,
}

impl Tracee {
    /// Forks a process that prepares an operation, and stops before its first instruction. None if
    /// it dies on the way.
    pub(crate) fn start(by: By, prepare: impl FnOnce() -> Operation + Send) -> Option<Self> {
        let run = |line: &mut Line| {
            ptrace::traceme().expect("traceme");
            line.say(&gettid().to_string());
            let mut operation = prepare();
            TRACED.store(true, Ordering::Relaxed);
            breakpoint();
            operation();
            finish();
            // The handles are dropped by nobody: their owner is to end as it is.
            std::mem::forget(operation);
        };
        let mut actor = Actor::start(|line: &mut Line| match by {
            By::FirstThread => run(line),
            By::OtherThread => std::thread::scope(|scope| {
                scope.spawn(|| run(line));
            }),
        });
        let thread = Pid::from_raw(actor.line.hear(PATIENCE)?.parse().ok()?);
        let mut tracee = Self { actor, thread, over: false, planted: None };
        (tracee.wait() == Came::Here).then_some(tracee)
    }

    fn pid(&self) -> Pid {
        self.thread
    }

    /// Kills its process.
    pub(crate) fn kill(&mut self) {
        if self.thread != self.actor.pid {
            let _gone = kill(self.actor.pid, Signal::SIGKILL);
            // Who is traced is waited for by itself, and before its process's first thread can be.
            while let Err(Errno::EINTR) | Ok(WaitStatus::Stopped(..)) =
                waitpid(self.thread, Some(WaitPidFlag::__WALL))
            {}
        }
        self.actor.kill();
    }

    /// Waits for the next stop.
    fn wait(&mut self) -> Came {
        let start = Instant::now();
        let mut asleep = 0;
        loop {
            match waitpid(self.pid(), Some(WaitPidFlag::__WALL)) {
                Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => return Came::Here,
                Ok(WaitStatus::PtraceEvent(..)) => {
                    self.over = true;
                    return Came::Ended;
                }
                // Not ours: passed on.
                Ok(WaitStatus::Stopped(_, signal)) => {
                    let _gone = ptrace::cont(self.pid(), signal);
                }
                Err(Errno::EINTR) => {
                    asleep = if sleeps(self.pid()) { asleep + 1 } else { 0 };
                    if asleep >= 3 || start.elapsed() > SPIN_LIMIT {
                        return Came::Blocked;
                    }
                }
                Err(Errno::ECHILD) if self.thread != self.actor.pid => {
                    // It executes another program, which gives it the first thread's id.
                    self.thread = self.actor.pid;
                }
                _ => {
                    self.over = true;
                    self.actor.reaped();
                    return Came::Ended;
                }
            }
        }
    }

    pub(crate) fn address(&self) -> u64 {
        ptrace::getregs(self.pid()).map_or(0, |registers| registers.rip)
    }

    fn at_end(&self) -> bool {
        self.over || self.address() == finish as *const () as u64
    }

    /// Runs one instruction; `unblock` is called if it sleeps, and again if another one was served.
    fn step(&mut self, unblock: Option<&mut dyn FnMut()>) -> Came {
        if ptrace::step(self.pid(), None).is_err() {
            self.over = true;
            return Came::Ended;
        }
        self.settle(unblock)
    }

    fn settle(&mut self, unblock: Option<&mut dyn FnMut()>) -> Came {
        let mut came = self.wait();
        if let Some(unblock) = unblock {
            // Another process may wait as well, and have waited for longer.
            for _ in 0..2 {
                if came == Came::Blocked {
                    unblock();
                    came = self.wait();
                }
            }
        }
        came
    }

    /// Runs the whole operation, instruction by instruction, and tells which they were.
    pub(crate) fn record(&mut self, unblock: &mut dyn FnMut()) -> Path {
        let _ = ptrace::setoptions(self.pid(), ptrace::Options::PTRACE_O_TRACEEXEC);
        let mut path = Path::default();
        while !self.at_end() {
            let address = self.address();
            let mut blocked = false;
            let came = self.step(Some(&mut || {
                blocked = true;
                unblock();
            }));
            path.push(address, blocked);
            if path.len() % STEPS_BETWEEN_NEWS == 0 {
                still_here();
            }
            if came != Came::Here {
                break;
            }
        }
        path.finish()
    }

    /// Runs `count` instructions, or fewer if it ends or sleeps.
    pub(crate) fn steps(&mut self, count: usize) -> Came {
        for _ in 0..count {
            if self.at_end() {
                return Came::Ended;
            }
            match self.step(None) {
                Came::Here => {}
                other => return other,
            }
        }
        Came::Here
    }

    /// Brings it to instruction `n` of a path: by a breakpoint to a place shortly before, and from
    /// there by single steps.
    pub(crate) fn go(
        &mut self,
        path: &Path,
        n: usize,
        mut unblock: Option<&mut dyn FnMut()>,
    ) -> Came {
        let _ = ptrace::setoptions(self.pid(), ptrace::Options::PTRACE_O_TRACEEXEC);
        let mut rest = n;
        if let Some(anchor) = path.anchor(n) {
            match self.run_to(anchor.address, anchor.occurrence, &mut unblock) {
                Some(Came::Here) => rest = n - anchor.index,
                Some(other) => return other,
                None => {} // no breakpoint can be set there
            }
        }
        for step in 1..=rest {
            if self.at_end() {
                return Came::Ended;
            }
            // The last one may stay asleep: that is where it is to die.
            let last = step == rest;
            let came = match &mut unblock {
                Some(unblock) if !last => self.step(Some(&mut **unblock)),
                _ => self.step(None),
            };
            match came {
                Came::Here => {}
                Came::Blocked if last => return Came::Here,
                other => return other,
            }
        }
        if self.at_end() { Came::Ended } else { Came::Here }
    }

    fn run_to(
        &mut self,
        address: u64,
        occurrence: usize,
        unblock: &mut Option<&mut dyn FnMut()>,
    ) -> Option<Came> {
        for nth in 1..=occurrence {
            if self.address() != address || nth > 1 {
                self.plant(address)?;
                ptrace::cont(self.pid(), None).ok()?;
                let came = match unblock {
                    Some(unblock) => self.settle(Some(&mut **unblock)),
                    None => self.settle(None),
                };
                if came != Came::Here {
                    return Some(came);
                }
                if !self.unplant() {
                    return Some(Came::Ended); // stopped at the breakpoint of the end
                }
            }
            if nth < occurrence {
                let came = match unblock {
                    Some(unblock) => self.step(Some(&mut **unblock)),
                    None => self.step(None),
                };
                if came != Came::Here {
                    return Some(came);
                }
            }
        }
        Some(Came::Here)
    }

    fn plant(&mut self, address: u64) -> Option<()> {
        let place = address as ptrace::AddressType;
        let original = ptrace::read(self.pid(), place).ok()?;
        ptrace::write(self.pid(), place, (original & !0xff) | 0xcc).ok()?;
        self.planted = Some((address, original));
        Some(())
    }

    /// Takes the breakpoint out. True if it is what stopped the tracee, which is before the
    /// instruction then.
    fn unplant(&mut self) -> bool {
        let Some((address, original)) = self.planted.take() else { return false };
        let _ = ptrace::write(self.pid(), address as ptrace::AddressType, original);
        match ptrace::getregs(self.pid()) {
            Ok(mut registers) if registers.rip == address + 1 => {
                registers.rip = address;
                ptrace::setregs(self.pid(), registers).is_ok()
            }
            _ => false,
        }
    }

    /// Lets another program that it has executed run; false if there is none.
    pub(crate) fn release_program(&mut self) -> bool {
        self.over && ptrace::detach(self.pid(), None).is_ok()
    }

    /// Lets it go on by itself, to the end of its process.
    pub(crate) fn release(&mut self) -> bool {
        if self.over {
            return true;
        }
        if ptrace::getregs(self.pid()).is_err() && !self.stop() {
            return self.over;
        }
        self.unplant();
        let Ok(mut registers) = ptrace::getregs(self.pid()) else { return false };
        let end = finish as *const () as u64;
        if registers.rip == end + 1 {
            // Stopped by the breakpoint of the end, and past it.
        } else if registers.rip == end {
            registers.rip += 1;
            let _ = ptrace::setregs(self.pid(), registers);
        } else {
            let place = end as ptrace::AddressType;
            // Its breakpoint would kill a process that nobody traces.
            let Ok(original) = ptrace::read(self.pid(), place) else { return false };
            let _ = ptrace::write(self.pid(), place, (original & !0xff) | 0x90);
        }
        let detached = ptrace::detach(self.pid(), None).is_ok();
        let _ = kill(self.pid(), Signal::SIGCONT); // takes back a SIGSTOP that came too late
        detached
    }

    /// Stops a tracee that sleeps in a system call.
    fn stop(&mut self) -> bool {
        let _ = kill(self.pid(), Signal::SIGSTOP);
        loop {
            match waitpid(self.pid(), Some(WaitPidFlag::__WALL)) {
                Ok(WaitStatus::Stopped(..)) => return true,
                Err(Errno::EINTR) => {}
                _ => {
                    self.over = true;
                    self.actor.reaped();
                    return false;
                }
            }
        }
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        self.kill();
    }
}
