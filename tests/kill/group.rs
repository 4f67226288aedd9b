//! A worker and all that it starts: one process group, which ends as a whole and leaves no file.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::actor::{Actor, lives};
use crate::round::{files, segment_name, worker_of};

/// Those that run. Locked while one starts or ends, and by an interruption for good.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Run once by the supervisor, before the first group.
pub(crate) fn prepare() {
    // Processes whose worker is dead are given to this one, which can wait for them.
    prctl::set_child_subreaper(true).expect("prctl");
    ctrlc::set_handler(|| {
        let running = running();
        running.iter().for_each(|leader| end(*leader));
        std::process::exit(130);
    })
    .expect("the handler of signals");
    sweep();
}

pub(crate) struct Group(i32);

impl Group {
    #[expect(clippy::zombie_processes, reason = "waited for with its group")]
    pub(crate) fn start(command: &mut Command) -> (Self, ChildStdout) {
        let mut running = running();
        let mut leader = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("spawn");
        let pid = leader.id() as i32; // as the kernel has it
        running.insert(pid);
        (Self(pid), leader.stdout.take().expect("stdout"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut running = running();
        end(self.0);
        running.remove(&self.0);
    }
}

/// Kills a group, waits until nobody of it is left, and removes the files that they had.
fn end(leader: i32) {
    let _gone = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    while !matches!(waitpid(Pid::from_raw(-leader), None), Err(error) if error != Errno::EINTR) {}
    for file in files(&segment_name(leader as u32)) {
        remove(&file);
    }
}

fn remove(file: &str) {
    let _gone = std::fs::remove_file(format!("/dev/shm/{file}"));
}

/// Removes what an earlier run left that was killed itself: files of workers that are no more, which
/// nobody is attached to.
fn sweep() {
    for file in files("") {
        let Some(worker) = worker_of(&file) else { continue };
        if lives(Pid::from_raw(worker as i32)) {
            continue;
        }
        // An opener removes what nobody uses; what is persistent is removed by name. In a process of
        // its own, since the harness uses no segments.
        Actor::start(|_| {
            if outlive::Segment::open(&file).is_ok() {
                let _gone = outlive::Segment::unlink(&file);
            }
        })
        .ends();
    }
}
