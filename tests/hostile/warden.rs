//! Frees lock words that name threads which live and hold nothing.
//!
//! A lock that a live thread holds is waited for, rightly. Damage can name any thread, so without
//! this a case would wait for a stranger.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::unistd::Pid;

use crate::image;

/// Stands by until it is dropped.
#[derive(Debug)]
pub(crate) struct Warden {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

const ROUND: Duration = Duration::from_millis(10);
const TID: u32 = 0x3fff_ffff;
const FREED: u32 = 0xc000_0000;

impl Warden {
    /// Watches the locks of the segment at `path`, which was `pristine` once and which threads of
    /// this process will use.
    pub(crate) fn over(path: &Path, pristine: &[u8]) -> Self {
        let file = File::options().read(true).write(true).open(path).expect("open");
        let known = image::lock_words(pristine);
        let free = move || {
            let mut bytes = vec![0; pristine_length()];
            let read = file.read_at(&mut bytes, 0).unwrap_or(0);
            bytes.truncate(read);
            for offset in image::lock_words(&bytes).into_iter().chain(known.iter().copied()) {
                release(&file, offset);
            }
        };
        free();
        let (end, ended) = channel::<()>();
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
                free();
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

fn pristine_length() -> usize {
    image::CAPACITY as usize
}

/// Marks a lock whose holder is no thread of this process, which may use the segment, as the kernel
/// does at its death.
fn release(file: &File, offset: u64) {
    let mut word = [0; 4];
    if file.read_at(&mut word, offset).is_ok_and(|read| read == word.len()) {
        let holder = u32::from_ne_bytes(word) & TID;
        let lives = |holder: u32| {
            nix::sys::signal::kill(Pid::from_raw(holder.cast_signed()), None)
                != Err(nix::errno::Errno::ESRCH)
        };
        let uses = |holder: u32| Path::new("/proc/self/task").join(holder.to_string()).exists();
        if holder != 0 && lives(holder) && !uses(holder) {
            image::write(file, offset, &FREED.to_ne_bytes());
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the warden");
        }
    }
}
