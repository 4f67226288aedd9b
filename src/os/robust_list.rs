//! The kernel's list of locks that a thread holds: set_robust_list(2), and
//! Documentation/locking/robust-futex-ABI.rst in the kernel's tree.
//!
//! When a thread dies, however it dies, the kernel walks the thread's list, marks every word on it
//! that holds the thread's id with `FUTEX_OWNER_DIED`, and wakes one waiter of each.
//!
//! # One list, two users
//!
//! A thread has one list head, and glibc registered its own. So locks of this library join that
//! list, in the form in which glibc's mutexes do:
//!
//! ```text
//! byte 0   the futex word: id of the holding thread, FUTEX_WAITERS, FUTEX_OWNER_DIED
//! byte 24  prev: written by glibc when it links an entry in front; never read here
//! byte 32  next: what the kernel follows; list pointers point here (futex offset -32)
//! ```
//!
//! glibc puts its entries at the list's front. Ours come behind all of glibc's, so glibc never
//! rewrites a `next` of ours, and our entries always form one chain at the list's end:
//!
//! ```text
//! head -> glibc's entries -> newest of ours -> ... -> oldest of ours -> head
//! ```
//!
//! # Shared bytes are not trusted
//!
//! `next` lies in shared memory, because the kernel reads it there. This code only writes it: the
//! order of our chain is kept in private memory (`chain`), so a peer that scribbles over a node
//! cannot make an unlock write anywhere. What the kernel reads at death cannot harm the living: it
//! only marks words that hold the dead thread's id.
//!
//! # A death between any two stores
//!
//! `list_op_pending` names the lock whose word or links are being changed, from before the first
//! change to after the last. The kernel treats it as one more entry; if its word holds no owner at
//! all, the kernel wakes a waiter, because the owner may have died between its store of zero and
//! its wake. Word, link and pending are written in program order by one thread, and the kernel
//! looks after that thread's last instruction, so a compiler fence between them is enough.
#![allow(unsafe_code)] // the kernel's ABI: raw pointers into glibc's thread block and shared nodes

use core::cell::Cell;
use core::mem::offset_of;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, compiler_fence};
use std::sync::OnceLock;

use super::{hooks, membarrier, process};
use crate::error::OsError;
use crate::layout::RobustNode;

/// How many locks of this library a thread may hold at a time. The kernel stops after 2048 entries
/// in all; glibc's own share the list.
pub(crate) const MAX_HELD: usize = CHAIN - 1;

/// A power of two, so that a masked index needs no check.
const CHAIN: usize = 1024;

/// Where the kernel stops: ROBUST_LIST_LIMIT.
const KERNEL_LIMIT: usize = 2048;

/// `struct robust_list_head` of linux/futex.h.
#[repr(C)]
struct Head {
    /// The first entry, or the head itself.
    list: AtomicUsize,
    /// From an entry to its futex word.
    futex_offset: libc::c_long,
    list_op_pending: AtomicUsize,
}

/// The offset that glibc sets on 64-bit machines.
const FUTEX_OFFSET: libc::c_long = -(offset_of!(RobustNode, next) as libc::c_long);

/// What a thread knows of its list. Only the thread itself writes it; a thread that unmaps memory
/// reads `chain`.
pub(crate) struct Thread {
    head: AtomicPtr<Head>,
    id: AtomicU32,
    /// How many locks of ours it holds.
    depth: AtomicUsize,
    /// Whether a live thread uses this.
    taken: AtomicBool,
    /// All that were ever made; they are reused, never freed.
    next: AtomicPtr<Thread>,
    /// Our chain as list pointers: first the head, which ends it, then our locks from the oldest to
    /// the newest, at `depth`.
    chain: [AtomicUsize; CHAIN],
}

static THREADS: AtomicPtr<Thread> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// Without a destructor, so that reading it is one load.
    static CURRENT: Cell<Option<&'static Thread>> = const { Cell::new(None) };
    static EXIT: Exit = const { Exit };
}

/// Returns the thread's record when the thread ends.
struct Exit;

impl Drop for Exit {
    fn drop(&mut self) {
        if let Some(thread) = CURRENT.take() {
            // With locks still held the record stays: they are on the kernel's list until the
            // thread is really gone.
            if thread.depth.load(Ordering::Relaxed) == 0 {
                // Release: pairs with the Acquire in `claim`, which reuses the record.
                thread.taken.store(false, Ordering::Release);
            }
        }
    }
}

/// The calling thread's record, made at its first use.
///
/// # Errors
///
/// The C library keeps its list otherwise than glibc does on 64-bit machines, or none.
#[inline]
pub(crate) fn current() -> Result<&'static Thread, OsError> {
    match known() {
        Some(thread) => Ok(thread),
        None => enter(),
    }
}

/// The calling thread's record, if it was made.
#[inline]
pub(crate) fn known() -> Option<&'static Thread> {
    CURRENT.get()
}

fn threads() -> impl Iterator<Item = &'static Thread> {
    // Acquire: pairs with the Release in `claim` that put the record there.
    let follow = |pointer: *mut Thread| {
        // SAFETY: records are leaked boxes, so a pointer to one stays valid.
        unsafe { pointer.as_ref() }
    };
    core::iter::successors(follow(THREADS.load(Ordering::Acquire)), move |thread| {
        follow(thread.next.load(Ordering::Relaxed))
    })
}

/// A record that nobody uses, or a new one.
fn claim() -> &'static Thread {
    let free = threads().find(|thread| {
        // Acquire: pairs with the Release of the thread that returned it.
        thread.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    });
    if let Some(thread) = free {
        return thread;
    }
    let thread: &'static Thread = Box::leak(Box::new(Thread {
        head: AtomicPtr::new(ptr::null_mut()),
        id: AtomicU32::new(0),
        depth: AtomicUsize::new(0),
        chain: [const { AtomicUsize::new(0) }; CHAIN],
        taken: AtomicBool::new(true),
        next: AtomicPtr::new(ptr::null_mut()),
    }));
    let mut first = THREADS.load(Ordering::Relaxed);
    loop {
        thread.next.store(first, Ordering::Relaxed);
        let new = ptr::from_ref(thread).cast_mut();
        // Release: pairs with the Acquire in `threads`.
        match THREADS.compare_exchange_weak(first, new, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return thread,
            Err(now) => first = now,
        }
    }
}

#[cold]
fn enter() -> Result<&'static Thread, OsError> {
    prepare_process()?;
    let mut head: *mut Head = ptr::null_mut();
    let mut length = 0_usize;
    // SAFETY: both places are valid for the kernel to write.
    let result =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    if result != 0 {
        return Err(OsError::last("get_robust_list"));
    }
    // SAFETY: a head that is set is the C library's, in the thread's own block, alive as long as
    // the thread.
    let usable = length == size_of::<Head>()
        && unsafe { head.as_ref() }.is_some_and(|head| head.futex_offset == FUTEX_OFFSET);
    if !usable {
        return Err(OsError::new("get_robust_list", libc::ENOTSUP)
            .on("this C library (glibc on a 64-bit machine is needed)"));
    }
    let thread = claim();
    thread.head.store(head, Ordering::Relaxed);
    thread.id.store(process::thread_id(), Ordering::Relaxed);
    thread.depth.store(0, Ordering::Relaxed);
    thread.link_at(0).store(head as usize, Ordering::Relaxed);
    CURRENT.set(Some(thread));
    // Arms the destructor. In a thread whose destructors run already, the record is kept for good.
    let _ended = EXIT.try_with(|_| ());
    Ok(thread)
}

/// Once per process: the fork hook, and the registration for others' fences.
fn prepare_process() -> Result<(), OsError> {
    static READY: OnceLock<Result<(), OsError>> = OnceLock::new();
    READY
        .get_or_init(|| {
            membarrier::register();
            hooks::at_fork(None, None, Some(after_fork_in_child))
        })
        .clone()
}

/// The child has one thread, with another id and an empty list; it holds no locks.
extern "C" fn after_fork_in_child() {
    membarrier::register();
    process::forget_pid_namespace();
    let current = CURRENT.get();
    for thread in threads() {
        thread.depth.store(0, Ordering::Relaxed);
        if current.is_some_and(|current| ptr::eq(current, thread)) {
            thread.id.store(process::thread_id(), Ordering::Relaxed);
            // The C library has emptied it as well; entries of the parent's must not be followed.
            thread.head().list.store(thread.link_at(0).load(Ordering::Relaxed), Ordering::Relaxed);
        } else {
            thread.taken.store(false, Ordering::Relaxed);
        }
    }
}

/// Where a lock's entry goes: the pointer that will lead to it, and what that leads to now.
pub(crate) struct Place<'a> {
    pointer: &'a AtomicUsize,
    newest: usize,
    depth: usize,
}

impl Thread {
    /// The thread's id as the kernel writes it into futex words.
    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: set in `enter` to the C library's head of this thread, which lives in the
        // thread's block; a record is used by its own thread only.
        unsafe { &*self.head.load(Ordering::Relaxed) }
    }

    /// An element of our chain.
    #[inline]
    fn link_at(&self, index: usize) -> &AtomicUsize {
        let index = index & (CHAIN - 1);
        // SAFETY: masked to the array's length, a power of two.
        unsafe { self.chain.get_unchecked(index) }
    }

    /// Announces that `node` is about to change. Everything up to [`end`](Self::end) may be cut
    /// short by death.
    pub(crate) fn begin(&self, node: &RobustNode) {
        self.head().list_op_pending.store(entry(node), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }

    /// The change is complete.
    pub(crate) fn end(&self) {
        compiler_fence(Ordering::SeqCst);
        self.head().list_op_pending.store(0, Ordering::Relaxed);
    }

    /// Where the next lock is linked; None if the list is full or not as it should be. Asked before
    /// the word is taken, so that linking cannot fail.
    pub(crate) fn place(&self) -> Option<Place<'_>> {
        let depth = self.depth.load(Ordering::Relaxed);
        if depth >= MAX_HELD {
            return None;
        }
        let newest = self.link_at(depth).load(Ordering::Relaxed);
        let pointer = leading_to(self.head(), newest)?;
        Some(Place { pointer, newest, depth })
    }

    /// Takes a word and links it, if the list is as it usually is (nothing of glibc's on it) and
    /// `take` succeeds. False says nothing.
    ///
    /// This and [`release_newest`](Self::release_newest) are what a lock costs: each field is read
    /// once, and everything unusual is left to the functions below.
    #[inline(always)]
    pub(crate) fn take_newest(&self, node: &RobustNode, take: impl FnOnce(u32) -> bool) -> bool {
        let head = self.head();
        let depth = self.depth.load(Ordering::Relaxed);
        let newest = self.link_at(depth).load(Ordering::Relaxed);
        if depth >= MAX_HELD || head.list.load(Ordering::Relaxed) != newest {
            return false;
        }
        let entry = entry(node);
        head.list_op_pending.store(entry, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        let taken = take(self.id());
        if taken {
            node.next.store(newest as u64, Ordering::Relaxed);
            self.link_at(depth + 1).store(entry, Ordering::Relaxed);
            self.depth.store(depth + 1, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            head.list.store(entry, Ordering::Relaxed);
        }
        compiler_fence(Ordering::SeqCst);
        head.list_op_pending.store(0, Ordering::Relaxed);
        taken
    }

    /// Unlinks a lock and runs `release`, if the lock is the first on the list. If not, nothing
    /// happened: false.
    #[inline(always)]
    pub(crate) fn release_newest(&self, node: &RobustNode, release: impl FnOnce()) -> bool {
        let head = self.head();
        let entry = entry(node);
        let depth = self.depth.load(Ordering::Relaxed);
        // What leads the list is this thread's; and of ours only if it ends our chain.
        if head.list.load(Ordering::Relaxed) != entry
            || self.link_at(depth).load(Ordering::Relaxed) != entry
        {
            return false;
        }
        head.list_op_pending.store(entry, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        let next = self.link_at(depth.wrapping_sub(1)).load(Ordering::Relaxed);
        head.list.store(next, Ordering::Relaxed);
        self.depth.store(depth.wrapping_sub(1), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        release();
        compiler_fence(Ordering::SeqCst);
        head.list_op_pending.store(0, Ordering::Relaxed);
        true
    }

    /// Puts a word that this thread has just taken on the list.
    pub(crate) fn link(&self, node: &RobustNode, place: &Place<'_>) {
        let entry = entry(node);
        node.next.store(place.newest as u64, Ordering::Relaxed);
        self.link_at(place.depth + 1).store(entry, Ordering::Relaxed);
        self.depth.store(place.depth + 1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        place.pointer.store(entry, Ordering::Relaxed);
    }

    /// Takes a word off the list, before it is released. False if this thread does not hold it: it
    /// was taken before a fork, by the parent.
    pub(crate) fn unlink(&self, node: &RobustNode) -> bool {
        let entry = entry(node);
        let depth = self.depth.load(Ordering::Relaxed);
        let Some(index) = self.position(entry) else { return false };
        let next = self.link_at(index - 1).load(Ordering::Relaxed);
        if index == depth {
            if let Some(pointer) = leading_to(self.head(), entry) {
                pointer.store(next, Ordering::Relaxed);
            }
        } else {
            let newer = self.link_at(index + 1).load(Ordering::Relaxed);
            // SAFETY: `newer` is the entry of a lock that this thread holds, so its mapping stays
            // (see `holds_any_in`); a list pointer leads to the node's `next`.
            unsafe { &*(newer as *const AtomicUsize) }.store(next, Ordering::Relaxed);
        }
        for moved in index..depth {
            let later = self.link_at(moved + 1).load(Ordering::Relaxed);
            self.link_at(moved).store(later, Ordering::Relaxed);
        }
        self.depth.store(depth - 1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        true
    }

    /// Where in the chain an entry is, from 1 on.
    fn position(&self, entry: usize) -> Option<usize> {
        let depth = self.depth.load(Ordering::Relaxed);
        (1..=depth).rev().find(|&index| self.link_at(index).load(Ordering::Relaxed) == entry)
    }

    /// Whether this thread holds any lock.
    #[inline]
    pub(crate) fn holds_any(&self) -> bool {
        self.depth.load(Ordering::Relaxed) > 0
    }

    /// The newest lock that this thread holds within a range of addresses, as an offset into it.
    pub(crate) fn newest_within(&self, range: Range<usize>) -> Option<usize> {
        let depth = self.depth.load(Ordering::Relaxed);
        let node =
            |index| self.link_at(index).load(Ordering::Relaxed) - offset_of!(RobustNode, next);
        (1..=depth).rev().map(node).find(|node| range.contains(node)).map(|node| node - range.start)
    }

    /// Whether this thread holds the lock of that node.
    pub(crate) fn holds(&self, node: &RobustNode) -> bool {
        self.position(entry(node)).is_some()
    }
}

/// The pointer that leads to `entry`: the head's, or that of glibc's last entry.
fn leading_to(head: &Head, entry: usize) -> Option<&AtomicUsize> {
    let mut pointer = &head.list;
    for _ in 0..KERNEL_LIMIT {
        // Bit 0 marks entries of priority inheritance.
        let next = pointer.load(Ordering::Relaxed) & !1;
        if next == entry {
            return Some(pointer);
        }
        if next == 0 || next == ptr::from_ref(head) as usize {
            return None;
        }
        // SAFETY: an entry before ours is one of the C library's own mutexes, held by this thread;
        // the C library follows the same pointers.
        pointer = unsafe { &*(next as *const AtomicUsize) };
    }
    None
}

/// A lock as the kernel's list names it.
#[inline]
fn entry(node: &RobustNode) -> usize {
    ptr::from_ref(&node.next) as usize
}

/// Whether a live thread of this process has a lock within `start..end` on its list: that memory
/// has to stay mapped, for the kernel will read it.
///
/// Called when no handle to that memory is left, so the only locks within it are those whose guards
/// were leaked.
pub(crate) fn holds_any_in(start: usize, end: usize) -> bool {
    threads().any(|thread| {
        let depth = thread.depth.load(Ordering::Relaxed);
        // Acquire: pairs with the Release that returned the record.
        if !thread.taken.load(Ordering::Acquire) || depth == 0 {
            return false;
        }
        let within = (1..=depth)
            .any(|index| (start..end).contains(&thread.link_at(index).load(Ordering::Relaxed)));
        within && process::thread_exists(thread.id())
    })
}
