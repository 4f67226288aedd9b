//! Python's `multiprocessing`: a script does the work, and what it measured is read back.

// Makes the interpreter die with this process.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::Pid;
use serde::Deserialize;

use super::{Answer, Peer};
use crate::stage::{Call, Scene};
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice, interval_ps};
use crate::support::{Result, failed};
use crate::work::{Kind, Work};

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "python-pipe",
        what: "`multiprocessing.Pipe`, `send_bytes` and `recv_bytes`",
        package: None,
        answer: |work| answer(work, work.kind != Kind::Mpmc),
        play: |call| play(call, "pipe"),
    },
    Peer {
        name: "python-queue",
        what: "`multiprocessing.Queue`, with its pickling and its thread",
        package: None,
        answer: |work| answer(work, true),
        play: |call| play(call, "queue"),
    },
];

const SCRIPT: &str = include_str!("python.py");

/// The interpreter's version, if there is one.
pub(crate) fn version() -> Option<&'static str> {
    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let output = Command::new("python3").arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    VERSION.get_or_init(ask).as_deref()
}

fn answer(work: &Work, made_for_it: bool) -> Answer {
    if !made_for_it {
        return Answer::No;
    }
    // Each message has to fit into what its pipe holds, or an echo of Pipe would wait for itself;
    // this is far above every size here.
    debug_assert!(work.bytes <= 64 << 10);
    match version() {
        Some(_) => Answer::Yes,
        None => Answer::NotHere("no python3 here".into()),
    }
}

/// What the script prints.
#[derive(Debug, Deserialize)]
struct Measured {
    /// Nanoseconds of each operation, clock included.
    #[serde(default)]
    samples_ns: Vec<u64>,
    #[serde(default)]
    count: u64,
    #[serde(default)]
    elapsed_ns: u64,
}

fn play(call: Call<'_>, means: &str) -> Result<Slice> {
    let Call::Conduct(scene) = call else {
        return failed("the script starts its processes itself");
    };
    let Scene { plan, work, .. } = scene;
    // Only for the watchdog.
    let _session = Session::new(scene.name())?;
    let order = serde_json::json!({
        "means": means,
        "kind": work.kind,
        "bytes": work.bytes,
        "pairs": work.pairs,
        "capacity": work.capacity(),
        "seconds": plan.slice.as_secs_f64(),
        "cores": [plan.cores.of(0), plan.cores.of(1)],
    });
    let mut command = Command::new("python3");
    command.args(["-I", "-c", SCRIPT]).arg(order.to_string()).stdin(Stdio::null());
    let parent = Pid::this();
    // SAFETY: prctl and getppid are async-signal-safe and allocate nothing.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if Pid::parent() == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
    }
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return failed(format!("{}: {}\n{said}", scene.name(), output.status));
    }
    let measured: Measured = serde_json::from_slice(&output.stdout)?;
    if !work.kind.times() {
        return Ok(Slice::of_rate(measured.count, measured.elapsed_ns));
    }
    let samples = measured.samples_ns.into_iter().map(|ns| interval_ps(0, ns, plan.clock));
    Ok(Slice::of_latencies(Latencies::of(samples, plan.clock.step_ps)))
}
