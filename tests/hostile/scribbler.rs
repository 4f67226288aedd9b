//! Somebody who writes all the time.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::unistd::gettid;

use crate::change::Change;
use crate::image;

/// A thread that damages a segment and mends it, over and over, until this is dropped.
#[derive(Debug)]
pub(crate) struct Scribbler {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scribbler {
    /// Of the segment that the calling thread uses.
    pub(crate) fn start(file: &File, pristine: &[u8], changes: &[Change]) -> Self {
        let user = gettid();
        let end = Arc::new(AtomicBool::new(false));
        let (ended, file) = (Arc::clone(&end), file.try_clone().expect("dup"));
        let (pristine, changes) = (pristine.to_vec(), changes.to_vec());
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                changes.iter().for_each(|change| change.apply(&file, user));
                changes.iter().for_each(|change| mend(&file, &pristine, change));
            }
        });
        Self { end, thread: Some(thread) }
    }
}

fn mend(file: &File, pristine: &[u8], change: &Change) {
    if let Some((offset, length)) = change.range()
        && let Some(bytes) = usize::try_from(offset).ok().and_then(|start| pristine.get(start..))
        && let Some(bytes) = bytes.get(..length)
    {
        image::write(file, offset, bytes);
    }
}

impl Drop for Scribbler {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the scribbler");
        }
    }
}
