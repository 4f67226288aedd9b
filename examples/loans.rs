//! Frames of 4 MiB from one process to another, none of them copied.
//!
//! ```text
//! cargo run --release --example loans
//! ```
//!
//! The parent writes frames into chunks of a pool and sends their handles, 16 bytes each, through a
//! queue. The child, a program of its own that finds both by name, reads the frames where they were
//! written and gives the chunks back. One child is killed with a frame in its hands: its chunk comes
//! back, and the next child goes on with the frames after it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use outlive::{LoanHandle, LoanPool, PoolLayout, PopError, Queue, ReceiveError, Segment};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const FRAME: usize = 4 << 20;
const CHUNKS: usize = 4;
const FRAMES: u32 = 64;
/// The frame that the first child is killed with.
const FATAL: u32 = 10;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(name) => read_frames(&name),
        None => write_frames(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loans: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The pool, and the queue of what was sent of it.
fn objects(segment: &Segment) -> Result<(LoanPool, Queue<LoanHandle>)> {
    let layout = PoolLayout::new().chunks(CHUNKS, FRAME);
    Ok((segment.loan_pool("frames", &layout)?, segment.queue("sent", CHUNKS)?))
}

/// The child.
fn read_frames(name: &str) -> Result<()> {
    let (pool, sent) = objects(&Segment::open(name)?)?;
    loop {
        match pool.receive_from::<[u32]>(&sent) {
            Ok(frame) => {
                let number = frame[0];
                if !frame.iter().all(|pixel| *pixel == number) {
                    return Err(format!("frame {number} is torn").into());
                }
                // The parent may kill this process at this line, with the frame in its hands.
                println!("{number}");
                if number == FATAL {
                    std::thread::sleep(Duration::from_secs(60));
                }
            }
            Err(ReceiveError::Pop(PopError::Closed)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn start_child(name: &str) -> Result<Child> {
    let program = std::env::current_exe()?;
    Ok(Command::new(program).arg(name).stdout(Stdio::piped()).spawn()?)
}

/// The numbers of the frames that a child has seen, up to one, or to its end.
fn seen(child: &mut Child, last: Option<u32>) -> Result<Vec<u32>> {
    let output = child.stdout.take().ok_or("the child has no output")?;
    let mut numbers = Vec::new();
    for line in BufReader::new(output).lines() {
        numbers.push(line?.parse()?);
        if numbers.last().copied() == last {
            break;
        }
    }
    Ok(numbers)
}

/// Sends the frame of a number, and returns how long that took besides writing it.
fn send(pool: &LoanPool, sent: &Queue<LoanHandle>, number: u32) -> Result<Duration> {
    let start = Instant::now();
    let mut frame = pool.loan_slice::<u32>(FRAME / size_of::<u32>())?;
    let loaned = start.elapsed();
    frame.fill(number);
    let start = Instant::now();
    frame.send_to(sent).map_err(|error| error.to_string())?;
    Ok(loaned + start.elapsed())
}

/// The parent.
fn write_frames() -> Result<()> {
    let name = format!("loans-{}", std::process::id());
    let segment = Segment::options().capacity((CHUNKS * FRAME + (1 << 20)) as u64).create(&name)?;
    let (pool, sent) = objects(&segment)?;
    let writer = {
        let (pool, sent) = (pool.clone(), sent.clone());
        std::thread::spawn(move || {
            let times: Result<Vec<_>> = (1..=FRAMES).map(|n| send(&pool, &sent, n)).collect();
            let closed = sent.close();
            let mut times = times.map_err(|error| error.to_string())?;
            closed.map_err(|error| error.to_string())?;
            times.sort_unstable();
            Ok::<_, String>(times)
        })
    };

    let mut child = start_child(&name)?;
    let mut all = seen(&mut child, Some(FATAL))?;
    child.kill()?;
    child.wait()?;
    println!("Read {} frames, and was killed with the last one in its hands.", all.len());

    let mut next = start_child(&name)?;
    let rest = seen(&mut next, None)?;
    if !next.wait()?.success() {
        return Err("the second child failed".into());
    }
    println!("Another one has read {} frames.", rest.len());
    all.extend(rest);
    if all != (1..=FRAMES).collect::<Vec<_>>() {
        return Err(format!("frames were lost: {all:?}").into());
    }

    let times = writer.join().map_err(|_| "the writer panicked")??;
    // Those that had to wait for a chunk are in the upper half.
    let quick = times[times.len() / 10];
    let stats = pool.stats();
    println!("Each of the {FRAMES} frames of {} MiB was seen once, whole.", FRAME >> 20);
    println!("To loan a chunk and send it took {quick:?}, where none had to be waited for.");
    println!(
        "{} of {} chunks are free, {} came back from the dead.",
        stats.free, stats.chunks, stats.returned
    );
    Ok(())
}
