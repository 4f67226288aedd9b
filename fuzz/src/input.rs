//! What an input says.

use arbitrary::Arbitrary;

use crate::image::CAPACITY;
use crate::memory::Memory;

#[derive(Debug, Arbitrary)]
pub struct Input<'a> {
    pub kind: Kind,
    pub length: Length,
    pub before: Vec<Change<'a>>,
    pub steps: Vec<Step<'a>>,
}

/// What memory the segment is in, and how it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Kind {
    Named,
    NamedReadOnly,
    NamedOpenOrCreate,
    /// Memory that somebody else has mapped.
    Foreign,
    /// The same, and not a segment yet.
    ForeignFresh,
}

/// How long the file is when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Length {
    Right,
    Other(u32),
}

impl Length {
    pub fn bytes(self) -> u64 {
        match self {
            Self::Right => CAPACITY,
            Self::Other(bytes) => u64::from(bytes) % (2 * CAPACITY),
        }
    }
}

/// Bytes that are overwritten. Offsets wrap at the capacity.
#[derive(Debug, Arbitrary)]
pub enum Change<'a> {
    Bytes {
        offset: u16,
        bytes: &'a [u8],
    },
    Word {
        word: u16,
        value: u64,
    },
    Small {
        word: u16,
        value: u8,
    },
    /// An offset of something that is aligned like an object.
    Line {
        word: u16,
        line: u16,
    },
    /// Near the largest numbers.
    Large {
        word: u16,
        below: u8,
    },
    /// A lock word that names a thread.
    Holder {
        line: u16,
        who: Who,
        flags: u8,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Who {
    Nobody,
    Closed,
    Me,
    Dead,
    /// The first process: lives.
    Init,
}

impl Who {
    fn id(self) -> u32 {
        match self {
            Self::Nobody => 0,
            Self::Closed => 0x3fff_ffff,
            // The fuzzer runs inputs on its first thread.
            Self::Me => std::process::id(),
            // Beyond the kernel's limit of 2^22.
            Self::Dead => 0x0070_0000,
            Self::Init => 1,
        }
    }
}

impl Change<'_> {
    pub fn apply(&self, memory: &Memory) {
        let at = |word: u16| u64::from(word) * 8 % CAPACITY;
        match *self {
            Self::Bytes { offset, bytes } => memory.write(u64::from(offset) % CAPACITY, bytes),
            Self::Word { word, value } => memory.write(at(word), &value.to_ne_bytes()),
            Self::Small { word, value } => {
                memory.write(at(word), &u64::from(value).to_ne_bytes());
            }
            Self::Line { word, line } => {
                memory.write(at(word), &(u64::from(line) * 64 % (2 * CAPACITY)).to_ne_bytes());
            }
            Self::Large { word, below } => {
                memory.write(at(word), &(u64::MAX - u64::from(below)).to_ne_bytes());
            }
            Self::Holder { line, who, flags } => {
                let word = who.id() | u32::from(flags >> 6) << 30;
                memory.write(u64::from(line) * 64 % CAPACITY, &word.to_ne_bytes());
            }
        }
    }
}

#[derive(Debug, Arbitrary)]
pub enum Step<'a> {
    Change(Change<'a>),
    /// Makes the handle of that number anew.
    Find(u8),
    /// An operation of that handle's kind.
    Use {
        number: u8,
        operation: u8,
    },
    /// An operation of the segment.
    Names(u8),
    /// Waits for several things, but for those of some kinds.
    Wait(u8),
}
