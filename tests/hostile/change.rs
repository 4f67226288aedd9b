//! Damage to a segment's bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::Pid;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use crate::image;

/// One change to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Flip {
        offset: u64,
        bit: u8,
    },
    Word {
        offset: u64,
        value: u64,
    },
    Half {
        offset: u64,
        value: u32,
    },
    /// A lock word that names a thread, with flags.
    Holder {
        offset: u64,
        who: Who,
        flags: u32,
    },
    Length(u64),
    /// A page without memory, which reads as zeros.
    Hole {
        page: u64,
    },
}

/// A thread that a lock word can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Who {
    /// The one that uses the segment.
    User,
    /// One that there cannot be.
    Nobody,
    /// One that lives.
    Parent,
}

const PAGE: u64 = 4096;
const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;
const CLOSED: u32 = 0x3fff_ffff;

impl Who {
    fn id(self, user: Pid) -> u32 {
        match self {
            Self::User => user.as_raw().cast_unsigned(),
            // Beyond the kernel's limit of 2^22.
            Self::Nobody => 0x0070_0000,
            Self::Parent => nix::unistd::getppid().as_raw().cast_unsigned(),
        }
    }
}

impl Change {
    /// Makes the change to a segment that `user` uses.
    pub(crate) fn apply(&self, file: &File, user: Pid) {
        match *self {
            Self::Flip { offset, bit } => {
                let mut byte = [0];
                if file.read_at(&mut byte, offset).is_ok_and(|read| read == 1) {
                    image::write(file, offset, &[byte[0] ^ (1 << (bit % 8))]);
                }
            }
            Self::Word { offset, value } => image::write(file, offset, &value.to_ne_bytes()),
            Self::Half { offset, value } => image::write(file, offset, &value.to_ne_bytes()),
            Self::Holder { offset, who, flags } => {
                image::write(file, offset, &(who.id(user) | flags).to_ne_bytes());
            }
            Self::Length(length) => file.set_len(length).expect("ftruncate"),
            Self::Hole { page } => {
                let flags =
                    FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let start = i64::try_from(page * PAGE).expect("an offset");
                fallocate(file, flags, start, PAGE as i64).expect("fallocate");
            }
        }
    }

    /// Where bytes change, and how many; none where the file does.
    pub(crate) fn range(&self) -> Option<(u64, usize)> {
        match *self {
            Self::Flip { offset, .. } => Some((offset, 1)),
            Self::Word { offset, .. } => Some((offset, 8)),
            Self::Half { offset, .. } | Self::Holder { offset, .. } => Some((offset, 4)),
            Self::Hole { page } => Some((page * PAGE, PAGE as usize)),
            Self::Length(_) => None,
        }
    }
}

fn value(telling: Vec<u64>) -> impl Strategy<Value = u64> + Clone {
    let extreme = vec![
        0,
        1,
        2,
        u64::MAX,
        u64::MAX - 1,
        u64::MAX - 63,
        i64::MAX as u64,
        1 << 63,
        1 << 32,
        u64::from(u32::MAX),
        image::CAPACITY,
        image::CAPACITY - 64,
        4096,
        64,
    ];
    prop_oneof![
        4 => select(extreme),
        3 => select(telling.clone()),
        1 => (select(telling), any::<i8>())
            .prop_map(|(value, by)| value.wrapping_add_signed(i64::from(by))),
        1 => any::<u64>(),
    ]
}

fn holder(words: Vec<u64>) -> impl Strategy<Value = Change> {
    let who = select(vec![Who::User, Who::Nobody, Who::Parent]);
    let flags = select(vec![0, WAITERS, OWNER_DIED, WAITERS | OWNER_DIED]);
    let named = (select(words.clone()), who, flags)
        .prop_map(|(offset, who, flags)| Change::Holder { offset, who, flags });
    let states = vec![WAITERS, OWNER_DIED, WAITERS | OWNER_DIED, CLOSED, CLOSED | WAITERS];
    let other =
        (select(words), select(states)).prop_map(|(offset, value)| Change::Half { offset, value });
    prop_oneof![named, other]
}

/// An entry of the directory that names another place, in any state.
fn entry(bytes: &[u8]) -> impl Strategy<Value = Vec<Change>> + use<> {
    let value = value(image::telling_values(bytes));
    // Free, live, removed and none of these, in the first and in a later generation.
    let state = (0..4_u64, any::<bool>()).prop_map(|(state, later)| state | u64::from(later) << 2);
    (select(image::entries(bytes)), state, value.clone(), value).prop_map(
        |(entry, state, offset, size)| {
            let word = |field, value| Change::Word { offset: entry + field, value };
            vec![word(0, state), word(8, offset), word(16, size)]
        },
    )
}

/// A link of the directory, from its start or from its second block.
fn link(bytes: &[u8]) -> impl Strategy<Value = Vec<Change>> + use<> {
    (select(image::links(bytes)), value(image::telling_values(bytes)))
        .prop_map(|(offset, value)| vec![Change::Word { offset, value }])
}

/// Changes that leave the file as long as it is.
pub(crate) fn changes(
    bytes: &[u8],
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Change>> + use<> {
    let words = image::words(bytes);
    let value = value(image::telling_values(bytes));
    let word = (select(words.clone()), value.clone())
        .prop_map(|(offset, value)| Change::Word { offset, value });
    let half = (select(words.clone()), value, any::<bool>()).prop_map(|(offset, value, upper)| {
        Change::Half { offset: offset + 4 * u64::from(upper), value: value as u32 }
    });
    let flip = (select(words), 0..8_u64, 0..8_u8)
        .prop_map(|(offset, byte, bit)| Change::Flip { offset: offset + byte, bit });
    let anywhere =
        (0..image::CAPACITY, 0..8_u8).prop_map(|(offset, bit)| Change::Flip { offset, bit });
    let hole = (0..image::CAPACITY / PAGE).prop_map(|page| Change::Hole { page });
    let single = prop_oneof![
        6 => word,
        3 => half,
        3 => flip,
        1 => anywhere,
        1 => hole,
        1 => holder(image::lock_words(bytes)),
    ]
    .prop_map(|change| vec![change]);
    let some = prop_oneof![8 => single, 3 => entry(bytes), 1 => link(bytes)];
    vec(some, count).prop_map(|some| some.concat())
}

/// Changes to one object's own bytes.
pub(crate) fn changes_to(
    bytes: &[u8],
    object: image::Extent,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Change>> + use<> {
    let value = value(image::telling_values(bytes));
    let words = select((object.offset..object.offset + object.size).step_by(8).collect::<Vec<_>>());
    let word =
        (words.clone(), value.clone()).prop_map(|(offset, value)| Change::Word { offset, value });
    let half = (words.clone(), value, any::<bool>()).prop_map(|(offset, value, upper)| {
        Change::Half { offset: offset + 4 * u64::from(upper), value: value as u32 }
    });
    let flip = (words, 0..8_u64, 0..8_u8)
        .prop_map(|(offset, byte, bit)| Change::Flip { offset: offset + byte, bit });
    let locks = object.locks(bytes);
    if locks.is_empty() {
        vec(prop_oneof![word, half, flip].boxed(), count)
    } else {
        vec(prop_oneof![4 => word, 2 => half, 2 => flip, 2 => holder(locks)].boxed(), count)
    }
}

/// Changes to locks and to nothing that they protect.
pub(crate) fn changes_to_locks(
    bytes: &[u8],
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Change>> + use<> {
    let locks = image::lock_words(bytes);
    let fields = |lock: &u64| (*lock..lock + image::LOCK).step_by(8);
    let fields: Vec<u64> = locks.iter().flat_map(fields).collect();
    let value = value(image::telling_values(bytes));
    let word = (select(fields), value).prop_map(|(offset, value)| Change::Word { offset, value });
    vec(prop_oneof![word, holder(locks)], count)
}

/// A file of another length.
pub(crate) fn length() -> impl Strategy<Value = Change> {
    let lengths = vec![0, 1, 8, 47, 48, 512, 4095, 4096, 8191, 8192, image::CAPACITY - 1];
    prop_oneof![select(lengths), 0..image::CAPACITY * 2, Just(image::CAPACITY + 1), Just(1 << 40),]
        .prop_map(Change::Length)
}
