//! Nothing here may hang unseen: a thread ends the whole benchmark with a message when a step takes
//! too long or a child fails while the parent still waits for it. Children die with their parent.

use std::process::exit;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::Result;

/// The longest that one slice may take, far above what any is planned for.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// The exit status after a hang; a failed check ends with 1.
const HUNG: i32 = 2;

struct State {
    step: String,
    deadline: Option<Instant>,
    children: Vec<(Pid, String)>,
    cleanups: Vec<(String, Remove)>,
}

/// Removes what has this name.
type Remove = fn(&str);

static STATE: Mutex<State> = Mutex::new(State {
    step: String::new(),
    deadline: None,
    children: Vec::new(),
    cleanups: Vec::new(),
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to watch; the parent calls it once.
pub(crate) fn start() -> Result<()> {
    std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
    Ok(ctrlc::set_handler(|| abort("interrupted", 130))?)
}

/// The step that now begins has `LIMIT` to end.
pub(crate) fn step(name: impl Into<String>) {
    let mut state = state();
    state.step = name.into();
    state.deadline = Some(Instant::now() + LIMIT);
}

/// No step is under way.
pub(crate) fn rest() {
    state().deadline = None;
}

/// From now on `pid` must not end with a failure.
pub(crate) fn expect_success(pid: Pid, name: String) {
    state().children.push((pid, name));
}

/// The caller itself collects the exit status of `pid` from now on.
pub(crate) fn forget(pid: Pid) {
    state().children.retain(|(known, _)| *known != pid);
}

/// Something that outlives processes: `remove(name)` is called if the benchmark ends early.
pub(crate) fn on_abort(name: &str, remove: Remove) {
    state().cleanups.push((name.to_owned(), remove));
}

/// `name` was removed in the ordinary way.
pub(crate) fn removed(name: &str) {
    state().cleanups.retain(|(known, _)| known != name);
}

/// Ends everything now, leaving nothing behind.
pub(crate) fn abort(message: &str, status: i32) -> ! {
    let cleanups = std::mem::take(&mut state().cleanups);
    eprintln!("{message}");
    cleanups.iter().for_each(|(name, remove)| remove(name));
    exit(status)
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(250));
        // In a statement of its own, because `abort` takes the lock again.
        let trouble = trouble(&state());
        if let Some((message, status)) = trouble {
            abort(&message, status);
        }
    }
}

fn trouble(state: &State) -> Option<(String, i32)> {
    let step = &state.step;
    for (pid, name) in &state.children {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(*pid), look) {
            Ok(WaitStatus::Exited(_, 0) | WaitStatus::StillAlive) | Err(Errno::ECHILD) => {}
            Ok(status) => return Some((format!("{step}: {name} failed: {status:?}"), 1)),
            Err(_) => {}
        }
    }
    let late = state.deadline.is_some_and(|deadline| Instant::now() > deadline);
    late.then(|| {
        let names: Vec<&str> = state.children.iter().map(|(_, name)| name.as_str()).collect();
        let with = if names.is_empty() { "none".into() } else { names.join(", ") };
        (format!("{step}: hung for {LIMIT:?}, giving up (processes in it: {with})"), HUNG)
    })
}
