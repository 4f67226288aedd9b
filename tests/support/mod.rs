//! Real processes for tests: the test binary runs itself again in a role.
//!
//! A role is a function `fn(&[String])` that a test file lists with [`roles!`]. The parent and the
//! child talk in lines over the child's standard input and output, so nobody ever sleeps to
//! synchronise. Every process, parent or child, has a watchdog, and children die with their parent.
#![allow(dead_code, unreachable_pub)] // each test binary uses its own part of this
#![allow(unsafe_code)] // prctl between fork and exec

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// How long a process may show no sign of life before it is taken to hang.
const PATIENCE: Duration = Duration::from_secs(120);

const ROLE: &str = "OUTLIVE_TEST_ROLE";
const ARGUMENTS: &str = "OUTLIVE_TEST_ARGUMENTS";

/// Ends this process with a message when it was not called for [`PATIENCE`]: each test and each
/// process that one starts is a sign of life. A binary of many tests takes its time on a busy machine.
pub(crate) fn watchdog() {
    static STARTED: Once = Once::new();
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    fn last() -> MutexGuard<'static, Option<Instant>> {
        LAST.lock().unwrap_or_else(PoisonError::into_inner)
    }
    *last() = Some(Instant::now());
    STARTED.call_once(|| {
        let what = std::env::var(ROLE).unwrap_or_else(|_| "the test binary".to_owned());
        std::thread::spawn(move || {
            loop {
                let silent = last().map_or(PATIENCE, |at| at.elapsed());
                let Some(left) = PATIENCE.checked_sub(silent) else { break };
                std::thread::sleep(left.max(Duration::from_millis(1)));
            }
            eprintln!("watchdog: {what} (pid {}) hangs, aborting", std::process::id());
            std::process::abort();
        });
    });
}

/// A name that no other test uses, of this or another run.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("outlive-test-{what}-{}-{count}", std::process::id())
}

/// Another process, which runs one of this binary's roles.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    role: String,
}

static SPAWNING: Mutex<()> = Mutex::new(());

/// While this is held, no other test of this binary starts a process. Between fork and exec a child
/// has its parent's segments too, so a segment is then not quite unused when the parent lets go.
pub(crate) fn no_spawning() -> MutexGuard<'static, ()> {
    SPAWNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command that runs this binary in a role.
pub(crate) fn command(role: &str, arguments: &[&str]) -> Command {
    watchdog();
    let mut command = Command::new(std::env::current_exe().expect("current_exe"));
    command
        .args(["--exact", "role", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(ARGUMENTS, arguments.join("\u{1f}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    // SAFETY: prctl is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            nix::libc::prctl(nix::libc::PR_SET_PDEATHSIG, nix::libc::SIGKILL);
            Ok(())
        });
    }
    command
}

impl Peer {
    /// Starts a process in a role.
    pub(crate) fn spawn(role: &str, arguments: &[&str]) -> Self {
        Self::start(role, command(role, arguments))
    }

    /// Starts a process from a command that [`command`] made.
    pub(crate) fn start(role: &str, mut command: Command) -> Self {
        let quiet = no_spawning();
        // Returns when the child has called exec.
        let mut child = command.spawn().expect("spawn");
        drop(quiet);
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Self { child, input, output, role: role.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child [says](say).
    pub(crate) fn hear(&mut self) -> String {
        // The test runner of the child prints lines of its own.
        loop {
            match self.output.next() {
                Some(Ok(line)) => {
                    if let Some((_, said)) = line.split_once(MARK) {
                        return said.to_owned();
                    }
                }
                _ => panic!("{} (pid {}) ended without a word", self.role, self.pid()),
            }
        }
    }

    /// Waits for a certain line.
    pub(crate) fn expect(&mut self, line: &str) {
        let heard = self.hear();
        assert_eq!(heard, line, "from {} (pid {})", self.role, self.pid());
    }

    /// Sends a line, which the child gets with [`listen`].
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("stdin");
        writeln!(input, "{line}").expect("write to the child");
    }

    /// SIGKILL, and waits until it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill");
        let status = self.child.wait().expect("wait");
        assert_eq!(status.signal(), Some(9), "{} was to be killed", self.role);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().cast_signed());
        nix::sys::signal::kill(pid, signal).expect("kill");
    }

    /// Waits for its end, however it ends.
    pub(crate) fn wait(mut self) -> ExitStatus {
        drop(self.input.take());
        // Read to the end, so that it cannot block on a full pipe.
        while let Some(Ok(_)) = self.output.next() {}
        self.child.wait().expect("wait")
    }

    /// Waits for its end, which has to be a success.
    pub(crate) fn join(self) {
        let role = self.role.clone();
        let status = self.wait();
        assert!(status.success(), "{role} failed: {status}");
    }
}

/// No process stays behind a test, whichever way that ends.
impl Drop for Peer {
    fn drop(&mut self) {
        // Without effect on one that was waited for.
        let _dead = self.child.kill();
        let _status = self.child.wait();
    }
}

const MARK: &str = "\u{1e}";

/// In a child: says a line to the parent.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // One write, so that the test runner cannot get in between.
    out.write_all(format!("{MARK}{line}\n").as_bytes()).expect("write to the parent");
    out.flush().expect("flush");
}

/// In a child: the parent's next line; None when it closed.
pub(crate) fn listen() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).expect("read from the parent");
    (read > 0).then(|| line.trim_end().to_owned())
}

/// In a child: waits for the parent's word, then goes on. Ends the process if the parent is gone.
pub(crate) fn wait_for_go() {
    if listen().is_none() {
        std::process::exit(3);
    }
}

/// In a child: waits to be killed.
pub(crate) fn await_death() -> ! {
    while listen().is_some() {}
    std::process::exit(3);
}

/// In a process that is about to panic on purpose: what it prints about that goes nowhere, so that who
/// reads the log of a test run finds only panics that matter.
pub(crate) fn hush() {
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null").expect("/dev/null");
    nix::unistd::dup2_stderr(nowhere).expect("dup2");
}

/// A name, and what a process of that name does with its arguments.
pub(crate) type Role = (&'static str, fn(&[String]));

/// Runs the role that this process was started in, if it was.
pub(crate) fn run_role(roles: &[Role]) {
    let Ok(role) = std::env::var(ROLE) else { return };
    watchdog();
    let arguments = std::env::var(ARGUMENTS).unwrap_or_default();
    let arguments: Vec<String> = if arguments.is_empty() {
        Vec::new()
    } else {
        arguments.split('\u{1f}').map(str::to_owned).collect()
    };
    let Some((_, run)) = roles.iter().find(|(name, _)| *name == role) else {
        panic!("no role {role:?}");
    };
    run(&arguments);
    std::process::exit(0);
}

/// Lists a test binary's roles: `roles!(name: function, ...)`.
#[macro_export]
macro_rules! roles {
    ($($name:literal: $function:path),* $(,)?) => {
        /// Not a test: what a child process runs.
        #[test]
        fn role() {
            $crate::support::run_role(&[$(($name, $function)),*]);
        }
    };
}
