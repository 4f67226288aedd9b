//! A batch of images is made smaller by several processes, with a progress bar for each:
//! `cargo run --release --features process --example resize_images`. Afterwards this process does the same
//! by itself, and compares: the files are equal byte for byte.

#[path = "resize_images/directory.rs"]
mod directory;
#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use directory::Directory;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use outlive::process::{Process, cpu_count};
use outlive::{PopError, Queue, Segment, TaskQueue};
use support::{Result, say};

#[derive(Parser)]
#[command(about = "Resizes images in several processes")]
struct Arguments {
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    images: u64,
    /// As many as there are processors, if this is not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=32))]
    workers: Option<u64>,
    /// Pixels of an image, across; results have a quarter of that.
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u32).range(16..=8000))]
    width: u32,
    /// Where all files go and stay. Without it, they go with the program.
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

/// A picture of waves, another one for each number.
fn make(number: u64, width: u32, file: &Path) -> Result<()> {
    let (waves, size) = (number as f32 + 2.0, width as f32);
    let picture = RgbImage::from_fn(width, width * 3 / 4, |x, y| {
        let (x, y) = (x as f32 / size, y as f32 / size);
        let wave = |at: f32| ((at * waves * std::f32::consts::TAU).sin() * 127.0 + 128.0) as u8;
        Rgb([wave(x), wave(y * y), wave(x * y + 0.3)])
    });
    picture.save(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Makes an image file smaller.
fn shrink(from: &Path, to: &Path) -> Result<(), String> {
    let text = |file: &Path, error: image::ImageError| format!("{}: {error}", file.display());
    let picture = image::open(from).map_err(|error| text(from, error))?.into_rgb8();
    let (width, height) = (picture.width() / 4, picture.height() / 4);
    let small = resize(&picture, width.max(1), height.max(1), FilterType::Lanczos3);
    small.save(to).map_err(|error| text(to, error))
}

fn original(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}.png"))
}

fn small(directory: &Path, number: u64, by: &str) -> PathBuf {
    directory.join(format!("{number}-small-{by}.png"))
}

/// A worker's number, where the files are, the numbers of images to do, and those done with the worker's.
type Work = (u64, PathBuf, TaskQueue<u64>, Queue<[u64; 2]>);

fn work((worker, directory, images, done): Work) -> Result<(), String> {
    loop {
        let image = match images.pop() {
            Ok(image) => image,
            Err(PopError::Closed) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        shrink(&original(&directory, *image), &small(&directory, *image, "processes"))?;
        done.push([*image, worker]).map_err(|error| error.to_string())?;
        image.done().map_err(|error| error.to_string())?;
    }
}

/// Starts the workers, and shows what they say until all have ended.
fn shrink_all(directory: &Path, count: u64, workers: u64) -> Result<Vec<u64>> {
    let segment = Segment::anonymous()?;
    let images = segment.task_queue("images", count as usize)?;
    // Room for all, so that nobody waits for this process.
    let done = segment.queue::<[u64; 2]>("done", count as usize)?;
    for image in 0..count {
        images.push(image)?;
    }
    images.close()?;
    let start = |worker: u64| {
        let options = Process::options().name(format!("worker {}", worker + 1)).daemon(true);
        options.start(work, (worker, directory.to_owned(), images.clone(), done.clone()))
    };
    let processes = (0..workers).map(start).collect::<Result<Vec<_>, _>>()?;

    let bars = bars(count, workers);
    let mut counts = vec![0; workers as usize];
    let closer = done.clone();
    let waiting = std::thread::spawn(move || -> Result<(), String> {
        let ended = processes.into_iter().map(|mut process| match process.join() {
            Ok(outcome) => outcome,
            Err(death) => Err(death.to_string()),
        });
        // All of them, whatever becomes of one.
        let ended: Vec<_> = ended.collect();
        closer.close().map_err(|error| error.to_string())?;
        ended.into_iter().collect()
    });
    for finished in &done {
        let [_, worker] = finished?;
        counts[worker as usize] += 1;
        bars[worker as usize].inc(1);
    }
    bars.iter().for_each(ProgressBar::finish);
    waiting.join().map_err(|_| "a thread panicked")??;
    Ok(counts)
}

/// On the terminal, if standard error is one.
fn bars(count: u64, workers: u64) -> Vec<ProgressBar> {
    let all = MultiProgress::new();
    let style = "worker {prefix:2} {bar:40} {pos:4} of {len} images";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = |worker: u64| {
        let bar = ProgressBar::new(count).with_style(style.clone());
        all.add(bar.with_prefix((worker + 1).to_string()))
    };
    (0..workers).map(bar).collect()
}

fn demo(arguments: &Arguments) -> Result<()> {
    let workers = arguments.workers.unwrap_or(cpu_count().min(32) as u64);
    let directory = Directory::new(arguments.keep.as_deref())?;
    let (path, count) = (directory.path(), arguments.images);
    for image in 0..count {
        make(image, arguments.width, &original(path, image))?;
    }
    say!("made {count} images of {} pixels across", arguments.width);

    let began = Instant::now();
    let counts = shrink_all(path, count, workers)?;
    let together = began.elapsed().as_secs_f64();
    for (worker, count) in (1..).zip(&counts) {
        say!("worker {worker} resized {count} images");
    }

    let began = Instant::now();
    for image in 0..count {
        shrink(&original(path, image), &small(path, image, "alone"))?;
    }
    let alone = began.elapsed().as_secs_f64();
    for image in 0..count {
        let [one, other] = ["processes", "alone"].map(|by| std::fs::read(small(path, image, by)));
        if one? != other? {
            return Err(format!("image {image} differs: a bug").into());
        }
    }
    say!("all {count} are equal, byte for byte, to those that one process made");
    say!("{workers} workers took {together:.2} s, one process {alone:.2} s");
    Ok(())
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
