//! Every byte that processes share, with size, alignment and offset of each field asserted when
//! this is compiled, and hashed into the stamp that a segment carries.
//!
//! Fields are atomics: other processes write them at any time. All-zero bytes are valid everywhere
//! and mean "not initialised", because fresh pages are zero. The algorithms over these structures
//! are in `raw` (locks, waiting), `segment` (directory) and `data`; their comments say who writes
//! which word when.

use core::mem::{align_of, offset_of, size_of};

use crate::seam::atomic::{AtomicI64, AtomicU32, AtomicU64};

/// A structure that is valid for every content of its bytes, and has no bytes but its fields.
///
/// # Safety
///
/// `repr(C)`, made of atomics and arrays of them only, without padding.
#[allow(unsafe_code)] // the trait that checked references to shared memory rely on
pub(crate) unsafe trait Plain {}

#[allow(unsafe_code)] // an atomic word is all of the above
// SAFETY: an atomic word.
unsafe impl Plain for AtomicU64 {}

const fn fnv(hash: u64, value: u64) -> u64 {
    let bytes = value.to_le_bytes();
    let mut hash = hash;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
}

/// Declares a shared structure; states and asserts where everything is.
macro_rules! shared {
    ($(
        $(#[$meta:meta])*
        struct $name:ident: $size:literal / $align:literal {
            $( $(#[$fmeta:meta])* $field:ident: $type:ty = $offset:literal, )*
        }
    )*) => {
        $(
            $(#[$meta])*
            #[repr(C, align($align))]
            #[derive(Debug)]
            pub(crate) struct $name { $( $(#[$fmeta])* pub(crate) $field: $type, )* }

            const _: () = {
                assert!(size_of::<$name>() == $size && align_of::<$name>() == $align);
                assert!(0 $( + size_of::<$type>() )* == $size, "padding");
                $( assert!(offset_of!($name, $field) == $offset); )*
            };

            #[allow(unsafe_code)] // what the asserts above make true
            // SAFETY: repr(C) with the fields asserted to fill it; all fields are atomics, arrays
            // of atomics or structures declared here.
            unsafe impl Plain for $name {}
        )*

        /// Differs between builds that would misread each other's segments.
        pub(crate) const STAMP: u64 = {
            let mut hash = 0xcbf2_9ce4_8422_2325;
            $(
                hash = fnv(hash, size_of::<$name>() as u64);
                $( hash = fnv(hash, offset_of!($name, $field) as u64); )*
            )*
            hash
        };
    };
}

/// `OUTLIVE` and a zero byte.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"OUTLIVE\0");
/// Reads as something else on a machine of the other byte order.
pub(crate) const BYTE_ORDER: u32 = 0x0a0b_0c0d;
/// Counts formats. The stamp catches what this forgets.
pub(crate) const VERSION: u32 = 1;

/// Longest name of an object, in bytes.
pub(crate) const OBJECT_NAME: usize = 88;
/// Longest description of an object's type that is kept, in bytes.
pub(crate) const OBJECT_TYPE: usize = 128;
/// Entries in the directory's first block, which shares the first page with the header.
pub(crate) const FIRST_ENTRIES: usize = 14;
/// Entries in each further block.
pub(crate) const BLOCK_ENTRIES: usize = 15;

shared! {
    /// A lock word as the kernel's robust list wants it. See `os::robust_list`.
    struct RobustNode: 40 / 8 {
        /// Thread id of the holder and flags; states in `raw::lock`.
        word: AtomicU32 = 0,
        /// 1 while somebody may sleep on `word`.
        waiters: AtomicU32 = 4,
        /// Which holder was seen first when, by those who wait for it.
        since: AtomicU64 = 8,
        /// 1 if others than lockers sleep on `word` too. Set when the lock is made, never changed.
        company: AtomicU64 = 16,
        /// Written by glibc; never read.
        prev: AtomicU64 = 24,
        /// Read by the kernel; never read here.
        next: AtomicU64 = 32,
    }

    /// Where processes sleep until a condition may have changed. See `raw::event_count`.
    struct EventCount: 8 / 4 {
        /// Counts notifications; the futex word.
        epoch: AtomicU32 = 0,
        /// 1 while somebody may sleep.
        waiters: AtomicU32 = 4,
    }

    /// The start of a segment.
    struct Header: 512 / 64 {
        magic: AtomicU64 = 0,
        byte_order: AtomicU32 = 8,
        version: AtomicU32 = 12,
        stamp: AtomicU64 = 16,
        /// Length of the whole segment in bytes.
        capacity: AtomicU64 = 24,
        /// `segment::Lifetime` as a number.
        lifetime: AtomicU32 = 32,
        /// 1 once everything else is in place (only segments in foreign memory are ever seen
        /// without it).
        ready: AtomicU32 = 36,
        pid_namespace: AtomicU64 = 40,
        spare: [AtomicU64; 10] = 48,
        /// Guards the directory. See `segment::directory`.
        directory: RobustNode = 128,
        /// Offset of the directory's second block, 0 if there is none.
        next_block: AtomicU64 = 168,
        more: [AtomicU64; 42] = 176,
    }

    /// One named object. See `segment::directory`.
    struct Entry: 256 / 64 {
        /// Generation and state; the word that publishes everything else.
        state: AtomicU64 = 0,
        offset: AtomicU64 = 8,
        size: AtomicU64 = 16,
        type_tag: AtomicU64 = 24,
        kind: AtomicU32 = 32,
        /// Bytes of name (low half) and of type (high half).
        lengths: AtomicU32 = 36,
        name: [AtomicU64; 11] = 40,
        type_name: [AtomicU64; 16] = 128,
    }

    /// The first page: header and first block.
    struct FirstPage: 4096 / 64 {
        header: Header = 0,
        entries: [Entry; 14] = 512,
    }

    /// A further block of the directory.
    struct Block: 4096 / 64 {
        /// Offset of the next block, 0 if there is none.
        next: AtomicU64 = 0,
        spare: [AtomicU64; 31] = 8,
        entries: [Entry; 15] = 256,
    }

    /// Mutex<T>: the data follow at the next multiple of their alignment.
    struct Mutex: 40 / 8 {
        lock: RobustNode = 0,
    }

    /// Value<T>: two copies follow. See `data::value`.
    struct Value: 48 / 8 {
        lock: RobustNode = 0,
        /// Counts commits; its lowest bit names the copy that counts.
        version: AtomicU64 = 40,
    }

    /// See `data::counter`.
    struct Counter: 64 / 64 {
        lock: RobustNode = 0,
        value: AtomicI64 = 40,
        spare: [AtomicU64; 2] = 48,
    }

    /// See `data::counter`.
    struct AtomicCounter: 64 / 64 {
        value: AtomicI64 = 0,
        spare: [AtomicU64; 7] = 8,
    }

    /// Array<T>: the elements follow, then as much room for a change that is under way. See
    /// `data::array`.
    struct Array: 128 / 64 {
        lock: RobustNode = 0,
        length: AtomicU64 = 40,
        /// Odd while elements are being changed under the lock.
        version: AtomicU64 = 48,
        /// The change that is complete in the journal but perhaps not in the elements: one past its
        /// last element (high half) and its first one (low half); 0 if there is none.
        pending: AtomicU64 = 56,
        spare: [AtomicU64; 8] = 64,
    }

    /// One side of a queue. See `data::queue`.
    struct QueueEnd: 64 / 64 {
        lock: RobustNode = 0,
        /// The position that is next on this side.
        position: AtomicU64 = 40,
        /// What death interrupted: a count (high half), and the low half of the position that is
        /// being worked on plus one.
        interrupted: AtomicU64 = 48,
        /// Producers: the consumers' position that they saw last. Consumers: the position after a
        /// message that is being dropped with its consumer.
        limit: AtomicU64 = 56,
    }

    /// Where one side of a queue sleeps, on a line of its own.
    struct QueueSleep: 64 / 64 {
        event: EventCount = 0,
        spare: [AtomicU64; 7] = 8,
    }

    /// Queue<T>: the cells follow. See `data::queue`. Processors fetch lines in pairs: here and in the
    /// queues below, two that lie side by side are used by the same side, however the pairs fall.
    struct Queue: 448 / 64 {
        capacity: AtomicU64 = 0,
        closed: AtomicU64 = 8,
        /// An `OnDeath`.
        on_death: AtomicU64 = 16,
        spare: [AtomicU64; 5] = 24,
        /// Consumers sleep here, and producers look.
        not_empty: QueueSleep = 64,
        /// Producers.
        tail: QueueEnd = 128,
        apart: [AtomicU64; 8] = 192,
        /// Consumers.
        head: QueueEnd = 256,
        /// Producers sleep here, and consumers look.
        not_full: QueueSleep = 320,
        /// Before the cells.
        before: [AtomicU64; 8] = 384,
    }

    /// The producer's or the consumer's side of a ring for two: what only it uses while it lives. See
    /// `data::spsc`.
    struct SpscEnd: 64 / 64 {
        /// Held as long as somebody has this side.
        role: RobustNode = 0,
        /// What death interrupted: a count (high half), and the low half of the position after the
        /// message that is being worked on.
        begun: AtomicU64 = 40,
        spare: [AtomicU64; 2] = 48,
    }

    /// How far a side is, where the other one looks.
    struct SpscPosition: 64 / 64 {
        /// The position that is next on this side.
        position: AtomicU64 = 0,
        /// Producer: the two newest messages once more, if they fit. The lowest bit of a message's
        /// position says which half is its own.
        newest: [AtomicU64; 6] = 8,
        spare: AtomicU64 = 56,
    }

    /// Spsc<T>: the messages follow. See `data::spsc`.
    struct Spsc: 576 / 64 {
        capacity: AtomicU64 = 0,
        closed: AtomicU64 = 8,
        spare: [AtomicU64; 6] = 16,
        /// The consumer sleeps here, and the producer looks.
        not_empty: QueueSleep = 64,
        /// The producer.
        tail: SpscEnd = 128,
        /// How far the producer is.
        pushed: SpscPosition = 192,
        apart: [AtomicU64; 8] = 256,
        /// The consumer.
        head: SpscEnd = 320,
        /// How far the consumer is.
        popped: SpscPosition = 384,
        /// The producer sleeps here, and the consumer looks.
        not_full: QueueSleep = 448,
        /// Before the messages.
        before: [AtomicU64; 8] = 512,
    }

    /// One side of a byte queue. See `data::byte_queue`.
    struct ByteQueueEnd: 64 / 64 {
        lock: RobustNode = 0,
        /// Where this side goes on, in bytes; in the lowest three bits, how many messages it is done
        /// with.
        position: AtomicU64 = 40,
        /// What death interrupted: a count (high half), and how many messages were begun (low half).
        begun: AtomicU64 = 48,
        /// Producers: the consumers' position that they saw last.
        limit: AtomicU64 = 56,
    }

    /// ByteQueue: the ring follows. See `data::byte_queue`.
    struct ByteQueue: 448 / 64 {
        /// Of the ring, in bytes.
        capacity: AtomicU64 = 0,
        closed: AtomicU64 = 8,
        spare: [AtomicU64; 6] = 16,
        /// Consumers sleep here, and producers look.
        not_empty: QueueSleep = 64,
        /// Producers.
        tail: ByteQueueEnd = 128,
        apart: [AtomicU64; 8] = 192,
        /// Consumers.
        head: ByteQueueEnd = 256,
        /// Producers sleep here, and consumers look.
        not_full: QueueSleep = 320,
        /// Before the ring.
        before: [AtomicU64; 8] = 384,
    }

    /// Broadcast<T>: shares, one for each subscriber, and the cells follow. See `data::broadcast`.
    struct Broadcast: 320 / 64 {
        capacity: AtomicU64 = 0,
        closed: AtomicU64 = 8,
        /// For how many subscribers there are shares.
        places: AtomicU64 = 16,
        /// `data::Slow` as a number.
        slow: AtomicU64 = 24,
        spare: [AtomicU64; 4] = 32,
        /// Subscribers sleep here, and publishers look.
        not_empty: QueueSleep = 64,
        /// Publishers. `limit` is the lowest position of a subscriber that they saw.
        tail: QueueEnd = 128,
        apart: [AtomicU64; 8] = 192,
        /// Publishers sleep here, and subscribers look.
        not_full: QueueSleep = 256,
    }

    /// ReentrantMutex<T>: the data follow as in a mutex. See `sync::reentrant`.
    struct ReentrantMutex: 48 / 8 {
        lock: RobustNode = 0,
        /// How often the holder has locked it (low half), and whether it panicked meanwhile.
        depth: AtomicU64 = 40,
    }

    /// A lock on a cache line of its own: a reader's share, a permit, a party.
    struct Share: 64 / 64 {
        lock: RobustNode = 0,
        /// What the holder has, as the object's kind says.
        count: AtomicU64 = 40,
        spare: [AtomicU64; 2] = 48,
    }

    /// Pipe: the byte queue to the first end follows, then, if it is duplex, the one to the second end.
    /// See `data::pipe`.
    struct Pipe: 192 / 64 {
        /// `data::Flow` as a number.
        flow: AtomicU64 = 0,
        /// Of each queue, in bytes, as it was asked for.
        capacity: AtomicU64 = 8,
        /// A place of a listener's: who asked for it, and whether it was accepted. See `data::listener`.
        ticket: AtomicU64 = 16,
        spare: [AtomicU64; 5] = 24,
        first: Share = 64,
        second: Share = 128,
    }

    /// Listener: shares, one for each acceptor, and the pipes follow. See `data::listener`.
    struct Listener: 256 / 64 {
        lock: RobustNode = 0,
        /// For how many connections there are pipes.
        connections: AtomicU64 = 40,
        /// Of each pipe, in bytes each way.
        capacity: AtomicU64 = 48,
        /// For how many acceptors there are shares.
        acceptors: AtomicU64 = 56,
        /// The last ticket that was drawn.
        ticket: AtomicU64 = 64,
        spare: [AtomicU64; 7] = 72,
        /// Acceptors sleep here.
        arrivals: QueueSleep = 128,
        /// Those who connect sleep here.
        changes: QueueSleep = 192,
    }

    /// RwLock<T>: shares and then the data follow. See `sync::rwlock`.
    struct RwLock: 128 / 64 {
        /// Held by the writer, and by one that waits for readers to leave: no new ones enter.
        writer: RobustNode = 0,
        /// One bit for each share that was ever taken.
        used: AtomicU64 = 40,
        shares: AtomicU64 = 48,
        /// 1 while the data may be half-changed.
        writing: AtomicU64 = 56,
        /// Held by a writer, or by a reader that may become one.
        upgrade: RobustNode = 64,
        more: [AtomicU64; 3] = 104,
    }

    /// Shares follow, one for each holder. See `sync::semaphore`.
    struct Semaphore: 192 / 64 {
        lock: RobustNode = 0,
        /// Permits that there are, held or not.
        total: AtomicU64 = 40,
        /// Permits that nobody holds: what can be computed from `total` and the shares.
        available: AtomicU64 = 48,
        /// One past the last share that was ever taken.
        used: AtomicU64 = 56,
        /// The most permits that there may be; 0 is no limit.
        bound: AtomicU64 = 64,
        shares: AtomicU64 = 72,
        /// Permits that it was created with.
        initial: AtomicU64 = 80,
        /// 1 while somebody may wait for more than one permit.
        many: AtomicU64 = 88,
        more: [AtomicU64; 4] = 96,
        event: EventCount = 128,
        rest: [AtomicU64; 7] = 136,
    }

    /// See `sync::condvar`.
    struct Condvar: 64 / 64 {
        event: EventCount = 0,
        spare: [AtomicU64; 7] = 8,
    }

    /// Shares follow, one for each party. See `sync::barrier`.
    struct Barrier: 128 / 64 {
        lock: RobustNode = 0,
        parties: AtomicU64 = 40,
        /// Counts the times that the barrier let its parties through or was reset.
        generation: AtomicU64 = 48,
        /// 1 when broken.
        broken: AtomicU64 = 56,
        event: EventCount = 64,
        spare: [AtomicU64; 7] = 72,
    }

    /// Once, and OnceValue<T>, whose value follows. See `sync::once`.
    struct Once: 64 / 64 {
        lock: RobustNode = 0,
        /// 1 when it is done.
        done: AtomicU64 = 40,
        /// Where those sleep who wait until somebody else has done it.
        event: EventCount = 48,
        spare: AtomicU64 = 56,
    }

    /// Latest<T>: shares, one for each reader, and copies of the value follow. See `data::latest`.
    struct Latest: 128 / 64 {
        lock: RobustNode = 0,
        /// Counts commits; together with the copy that counts.
        latest: AtomicU64 = 40,
        readers: AtomicU64 = 48,
        spare: AtomicU64 = 56,
        event: EventCount = 64,
        more: [AtomicU64; 7] = 72,
    }

    /// TaskQueue<T> and Service: hands, and places for tasks follow. See `data::board`.
    struct Board: 256 / 64 {
        lock: RobustNode = 0,
        /// Number of places.
        capacity: AtomicU64 = 40,
        closed: AtomicU64 = 48,
        /// How often a task is handed out at the most; 0 is no limit.
        limit: AtomicU64 = 56,
        /// The number of the next task.
        order: AtomicU64 = 64,
        /// The list of waiting tasks: its ends, as index plus one, and its length.
        first_ready: AtomicU64 = 72,
        last_ready: AtomicU64 = 80,
        ready: AtomicU64 = 88,
        first_free: AtomicU64 = 96,
        /// The list of failed tasks that are still there.
        first_kept: AtomicU64 = 104,
        last_kept: AtomicU64 = 112,
        /// Counts the times that the last task was settled.
        drained: AtomicU64 = 120,
        /// One bit for each hand that is held, or whose holder died.
        used: [AtomicU64; 4] = 128,
        /// Number of hands.
        hands: AtomicU64 = 160,
        /// One past the last hand that was ever taken.
        grown: AtomicU64 = 168,
        /// The hand that is looked at next.
        glance: AtomicU64 = 176,
        redelivered: AtomicU64 = 184,
        failed: AtomicU64 = 192,
        /// Who takes tasks sleeps here.
        not_empty: EventCount = 200,
        /// Who needs a place sleeps here.
        not_full: EventCount = 208,
        /// Who waits for tasks to be settled sleeps here.
        settled: EventCount = 216,
        /// Service: how many of the hands are for servers.
        servers: AtomicU64 = 224,
        /// Service: 1 once there was a server.
        served: AtomicU64 = 232,
        /// Service: room for a request (low half) and a reply (high half), in bytes.
        room: AtomicU64 = 240,
        spare: AtomicU64 = 248,
    }

    /// A place for a task, which follows. See `data::board`.
    struct TaskPlace: 32 / 8 {
        /// What is in it (lowest two bits), and how often it was handed out.
        state: AtomicU64 = 0,
        /// The number of the task.
        order: AtomicU64 = 8,
        /// The next one of its list, as index plus one.
        next: AtomicU64 = 16,
        /// The hand that has it, as index plus one.
        hand: AtomicU64 = 24,
    }

    /// A place for a request and its reply, whose bytes follow. See `data::service`.
    struct ServicePlace: 64 / 8 {
        task: TaskPlace = 0,
        /// Whose request it is: the client's hand, as index plus one; 0 if nobody waits for the reply.
        client: AtomicU64 = 32,
        /// In bytes: of the request (low half) and of the reply (high half).
        lengths: AtomicU64 = 40,
        /// What became of the request.
        outcome: AtomicU64 = 48,
        /// The client sleeps here.
        event: EventCount = 56,
    }

    /// Map<K, V>: stripes, chains and cells follow. See `data::map`.
    struct Map: 128 / 64 {
        /// Guards the cells that are in no entry.
        lock: RobustNode = 0,
        /// How many cells are in use (high half), and the first free one (low half).
        pool: AtomicU64 = 40,
        /// How many cells there are.
        capacity: AtomicU64 = 48,
        /// How many there can be.
        limit: AtomicU64 = 56,
        /// How many chains.
        chains: AtomicU64 = 64,
        /// How many stripes.
        stripes: AtomicU64 = 72,
        /// What keys are hashed with.
        secret: [AtomicU64; 2] = 80,
        spare: [AtomicU64; 4] = 96,
    }

    /// Every so many-th chain of a map.
    struct MapStripe: 64 / 64 {
        /// Held by who changes one of its chains.
        lock: RobustNode = 0,
        /// Counts the cells that left its chains.
        removals: AtomicU64 = 40,
        /// The cell that is on its way into a chain or out of it; 0 if there is none.
        pending: AtomicU64 = 48,
        spare: AtomicU64 = 56,
    }

    /// An entry of a map: key and two copies of the value follow.
    struct MapCell: 32 / 8 {
        /// Of the key.
        hash: AtomicU64 = 0,
        /// The next cell of the chain, or of the free ones; 0 at the end.
        next: AtomicU64 = 8,
        /// Counts changes of the value; its lowest bit names the copy that counts.
        version: AtomicU64 = 16,
        /// One past the stripe that has it; 0 if it is free.
        owner: AtomicU64 = 24,
    }

    /// List<T>: two copies of the elements follow. See `data::list`.
    struct List: 128 / 64 {
        lock: RobustNode = 0,
        /// Counts changes; its lowest bit names the copy that counts.
        version: AtomicU64 = 40,
        /// How many elements each copy has.
        lengths: [AtomicU64; 2] = 48,
        /// Where the copies may differ: first element (low half), and one past the last (high half).
        differing: AtomicU64 = 64,
        capacity: AtomicU64 = 72,
        spare: [AtomicU64; 6] = 80,
    }

    /// See `sync::event`.
    struct Event: 64 / 64 {
        /// 1 when set.
        set: AtomicU32 = 0,
        /// `sync::Reset` as a number.
        reset: AtomicU32 = 4,
        event: EventCount = 8,
        spare: [AtomicU64; 6] = 16,
    }

    /// LoanPool: chunk headers and then the chunks follow. See `data::loans`.
    struct LoanPool: 512 / 64 {
        /// By which its handles are known: the high half of their first word.
        tag: AtomicU64 = 0,
        /// Classes of chunks.
        classes: AtomicU64 = 8,
        /// Chunks that came back from the dead, or were lost.
        returned: AtomicU64 = 16,
        spare: [AtomicU64; 5] = 24,
        /// Bytes of a chunk, class by class.
        sizes: [AtomicU64; 16] = 64,
        /// Chunks, class by class.
        counts: [AtomicU64; 16] = 192,
        /// The chunk of each class to look at first.
        hints: [AtomicU64; 16] = 320,
        /// Those sleep here who wait for a chunk.
        returns: QueueSleep = 448,
    }

    /// What is known of a chunk. See `data::loans`.
    struct LoanChunk: 64 / 64 {
        /// Held by who writes or reads the chunk.
        lock: RobustNode = 0,
        /// Generation, and in the lowest bit whether it is sent.
        state: AtomicU64 = 40,
        /// Bytes of the content.
        length: AtomicU64 = 48,
        /// Its type.
        tag: AtomicU64 = 56,
    }
}

/// What the first page holds, in bytes: the least that a segment commits.
pub(crate) const FIRST_PAGE: u64 = size_of::<FirstPage>() as u64;
