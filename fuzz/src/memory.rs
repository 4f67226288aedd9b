//! Memory with a damaged segment in it, and a second way to write there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use memmap2::{MmapMut, MmapRaw};
use outlive::{Backing, Segment};

use crate::image::{BYTES, CAPACITY};
use crate::input::{Kind, Length};

pub enum Memory {
    Named { file: File, path: PathBuf, kind: Kind },
    Foreign(Arc<MmapRaw>),
}

/// The memory of another library.
#[derive(Debug)]
struct Mapped(Arc<MmapRaw>);

// SAFETY: a shared mapping of whole pages, which stays as long as this; the other accesses, in
// `Memory`, are atomic and end before the segment's handles do; no file is behind it.
unsafe impl Backing for Mapped {
    fn base(&self) -> NonNull<u8> {
        NonNull::new(self.0.as_mut_ptr()).expect("a mapping is nowhere at zero")
    }

    fn length(&self) -> usize {
        self.0.len()
    }
}

fn name() -> String {
    format!("outlive-fuzz-{}", std::process::id())
}

impl Memory {
    pub fn new(kind: Kind, length: Length) -> Self {
        if matches!(kind, Kind::Foreign | Kind::ForeignFresh) {
            let bytes = usize::try_from(length.bytes()).expect("a length in memory").max(1);
            // memmap2 makes anonymous mappings MAP_SHARED.
            let map: MmapRaw = MmapMut::map_anon(bytes).expect("mmap").into();
            let memory = Self::Foreign(Arc::new(map));
            if kind == Kind::Foreign {
                memory.write(0, &BYTES);
            }
            return memory;
        }
        let path = PathBuf::from("/dev/shm").join(name());
        std::fs::write(&path, &*BYTES).expect("write the image");
        let file = File::options().read(true).write(true).open(&path).expect("open the image");
        file.set_len(length.bytes()).expect("ftruncate");
        Self::Named { file, path, kind }
    }

    pub fn open(&self) -> Option<Segment> {
        let options = Segment::options().capacity(CAPACITY).persistent(true);
        match self {
            Self::Foreign(map) => Segment::in_memory(Mapped(Arc::clone(map))).ok(),
            Self::Named { kind: Kind::NamedReadOnly, .. } => {
                options.read_only(true).open(&name()).ok()
            }
            Self::Named { kind: Kind::NamedOpenOrCreate, .. } => {
                options.open_or_create(&name()).ok()
            }
            Self::Named { .. } => options.open(&name()).ok(),
        }
    }

    /// Where there is memory, and a mapping of the file would not end.
    fn length(&self) -> u64 {
        match self {
            Self::Named { file, .. } => file.metadata().map_or(0, |meta| meta.len()),
            Self::Foreign(map) => map.len() as u64,
        }
    }

    pub fn write(&self, offset: u64, bytes: &[u8]) {
        let room = usize::try_from(self.length().saturating_sub(offset)).unwrap_or(0);
        let bytes = &bytes[..bytes.len().min(room)];
        match self {
            Self::Named { file, .. } => file.write_all_at(bytes, offset).expect("write"),
            Self::Foreign(map) => {
                for (index, byte) in (offset as usize..).zip(bytes) {
                    // SAFETY: within the mapping, which others access through atomics as well.
                    let target = unsafe { AtomicU8::from_ptr(map.as_mut_ptr().add(index)) };
                    target.store(*byte, Ordering::Relaxed);
                }
            }
        }
    }

    pub fn read_word(&self, offset: u64) -> Option<u32> {
        let mut word = [0; 4];
        if offset.checked_add(4)? > self.length() {
            return None;
        }
        match self {
            Self::Named { file, .. } => file.read_exact_at(&mut word, offset).ok()?,
            Self::Foreign(map) => {
                for (index, byte) in (offset as usize..).zip(&mut word) {
                    // SAFETY: as in `write`.
                    let source = unsafe { AtomicU8::from_ptr(map.as_mut_ptr().add(index)) };
                    *byte = source.load(Ordering::Relaxed);
                }
            }
        }
        Some(u32::from_ne_bytes(word))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Self::Named { path, .. } = self {
            let _gone = std::fs::remove_file(path);
        }
    }
}
