//! What a new process does instead of `main`.
//!
//! The library has a function run before `main` in every program that uses it (a constructor, in the
//! section `.init_array`). In a process that [`Process`](super::Process) started, this runs the job, and
//! exits. So nothing has to be called or registered by the program, and it is the same in programs,
//! tests and examples. A job comes as one packet, on a socket that is standard input until it is read;
//! a variable says that there is one. Both are gone before anything of the program runs.
//!
//! If another linker or loader ever loses the constructor, no process is started in the first place:
//! who starts one looks whether it ran here, because it is the same executable there.
//!
//! Before the job, the constructors that come later are run, so that statics of C++ and registries
//! of other crates are there, as they are in `main`.
#![allow(unsafe_code)] // runs before main

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::parent_id;
use std::process::exit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::current::{self, Given};
use super::entry::{Entry, Refusal};
use super::letter::{self, Job, Letter, Reply};
use super::panics::{self, Panic};
use super::parcel::Parcel;
use crate::error::OsError;
use crate::os::birth::{self, Constructor};
use crate::os::image::Image;

/// Tells a process that it was started by this library: the starter's process id and the token of the
/// packet.
const VARIABLE: &str = "OUTLIVE_PROCESS";

/// What a process exits with that was started for a job and cannot read it: EX_OSERR of sysexits(3).
const NO_JOB: i32 = 71;

/// As a Rust program whose `main` panicked.
const PANICKED: i32 = 101;

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: Constructor = before_main;

/// In a process that runs a job: where it came from, and the token of its letters.
static CHANNEL: OnceLock<(OwnedFd, u64)> = OnceLock::new();

static RAN: AtomicBool = AtomicBool::new(false);

/// Whether a process that runs this executable gets here before `main`.
pub(super) fn works() -> bool {
    // Keeps the constructor where the linker leaves out what nobody refers to.
    std::hint::black_box(&CONSTRUCTOR);
    RAN.load(Ordering::Relaxed)
}

/// Where this process's starter sends letters beside the job, and gets them.
pub(super) fn channel() -> Option<(BorrowedFd<'static>, u64)> {
    CHANNEL.get().map(|(channel, token)| (channel.as_fd(), *token))
}

/// The variable for a job from this process.
pub(super) fn variable(token: u64) -> (&'static str, String) {
    (VARIABLE, format!("{}:{token:016x}", std::process::id()))
}

extern "C" fn before_main(
    arguments: core::ffi::c_int,
    values: *const *const core::ffi::c_char,
    environment: *const *const core::ffi::c_char,
) {
    RAN.store(true, Ordering::Relaxed);
    let Some(variable) = std::env::var_os(VARIABLE) else { return };
    // Who may do less than this program is not to choose what it runs.
    if birth::is_privileged() {
        return;
    }
    // A shared library's copy of this leaves the job to the executable's.
    if Image::own().is_none_or(|image| image.offset_of(&CONSTRUCTOR).is_none()) {
        return;
    }
    // SAFETY: nothing of the program has run yet, and so no thread.
    unsafe { birth::forget_variable(VARIABLE) };
    let variable = variable.to_string_lossy();
    let parts = variable.split_once(':');
    let parts = parts.and_then(|(parent, token)| {
        Some((parent.parse::<u32>().ok()?, u64::from_str_radix(token, 16).ok()?))
    });
    let Some((parent, token)) = parts else { return };
    let job = match receive(token) {
        Ok(job) => job,
        // The variable is from another process's environment: this one is for its `main`.
        Err(_) if parent_id() != parent => return,
        Err(error) => {
            // Nobody else can tell, and to go on would start the program again.
            eprintln!("outlive: this process was started for a function, but gets no job: {error}");
            exit(NO_JOB);
        }
    };
    if job.letter.head.daemon {
        // Else it would stay if its parent died before.
        if birth::die_with_parent().is_err() || parent_id() != parent {
            exit(NO_JOB);
        }
    }
    // SAFETY: CONSTRUCTOR is this function's place, the arguments are the loader's, and `run` exits.
    unsafe { birth::run_later_constructors(&CONSTRUCTOR, arguments, values, environment) };
    run(parent, token, job)
}

struct Received {
    channel: OwnedFd,
    letter: Letter<Job>,
}

/// Fetches the job, and makes standard input what it is to be.
fn receive(token: u64) -> Result<Received, OsError> {
    let channel = birth::take_stdin()?;
    let letter = letter::receive::<Job>(channel.as_fd(), token, 1)?;
    let mut letter = letter.ok_or_else(|| OsError::new("recvmsg", 0).on("an empty channel"))?;
    for input in letter.descriptors.drain(..) {
        birth::put_stdin(input.as_fd())?;
    }
    Ok(Received { channel, letter })
}

fn run(parent: u32, token: u64, job: Received) -> ! {
    birth::ignore_broken_pipes();
    let Received { channel, letter: Letter { head, parcel, .. } } = job;
    birth::name_thread(&head.name);
    current::be(Given { name: head.name, parent, daemon: head.daemon });
    let (channel, _) = CHANNEL.get_or_init(|| (channel, token));
    panics::watch(move |panic| tell(channel.as_fd(), token, &panicked(panic), &Parcel::default()));
    let refused = || Refusal::Arguments(format!("{} is not in this executable", head.function));
    let entry = Entry::find(head.entry).filter(|entry| entry.name() == head.function);
    let outcome = panics::catch(|| entry.ok_or_else(refused)?.run(parcel));
    let code = if outcome.is_ok() { 0 } else { PANICKED };
    let (reply, parcel) = match outcome {
        Ok(Ok(result)) if result.segments.len() > letter::SEGMENTS => {
            let count = result.segments.len();
            let what =
                format!("it has handles of {count} segments, the most is {}", letter::SEGMENTS);
            (Reply::Result(what), Parcel::default())
        }
        Ok(Ok(result)) => (Reply::Returned, result),
        Ok(Err(Refusal::Arguments(what))) => (Reply::Arguments(what), Parcel::default()),
        Ok(Err(Refusal::Result(what))) => (Reply::Result(what), Parcel::default()),
        Err(panic) => (panicked(panic), Parcel::default()),
    };
    tell(channel.as_fd(), token, &reply, &parcel);
    drop(parcel);
    exit(code)
}

fn panicked(Panic { message, location }: Panic) -> Reply {
    Reply::Panicked { message, location }
}

/// Sends the reply, if somebody is there to have it.
fn tell(channel: BorrowedFd<'_>, token: u64, reply: &Reply, parcel: &Parcel) {
    if let Err(error) = letter::send(channel, token, reply, &[], parcel) {
        // No memory for a long result, say. A short one has room in the channel.
        let reply = Reply::Result(error.to_string());
        let _nobody_is_there = letter::send(channel, token, &reply, &[], &Parcel::default());
    }
}
