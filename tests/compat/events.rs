//! `RobustEvent` behind `raw_sync`'s traits.
#![allow(unsafe_code)] // the traits take raw pointers

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use outlive::compat::RobustEvent;
use raw_sync::Timeout;
use raw_sync::events::{EventImpl, EventInit, EventState};

use crate::support::{Peer, await_death, listen, say, unique, watchdog};

const LENGTH: usize = 4096;
/// What an event takes.
const EVENT: usize = 64;

/// A page that processes share by path, removed by who made it.
struct Page {
    base: *mut u8,
    path: PathBuf,
    made: bool,
}

impl Page {
    fn create() -> Self {
        let path = PathBuf::from("/dev/shm").join(unique("event"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.expect("create");
        file.set_len(LENGTH as u64).expect("set_len");
        Self { base: map(&file), path, made: true }
    }

    fn open(path: &str) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).expect("open");
        Self { base: map(&file), path: path.into(), made: false }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("a name of ASCII")
    }

    fn new_event(&self, auto_reset: bool) -> Box<dyn EventImpl> {
        // SAFETY: a page, mapped shared, which the tests keep for longer than the event.
        let (event, used) = unsafe { RobustEvent::new(self.base, auto_reset) }.expect("new");
        assert_eq!((used, RobustEvent::size_of(Some(self.base))), (EVENT, EVENT));
        event
    }

    fn existing(&self) -> Result<Box<dyn EventImpl>, ErrorKind> {
        // SAFETY: as above.
        let found = unsafe { RobustEvent::from_existing(self.base) };
        found.map(|(event, _)| event).map_err(|error| kind(&*error))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let base = std::ptr::NonNull::new(self.base.cast()).expect("mapped");
        // SAFETY: the mapping of this page, of which no event is left.
        unsafe { munmap(base, LENGTH) }.expect("munmap");
        if self.made {
            std::fs::remove_file(&self.path).expect("remove");
        }
    }
}

fn map(file: &File) -> *mut u8 {
    let length = LENGTH.try_into().expect("not zero");
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address that the kernel chooses.
    let base = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, file, 0) };
    base.expect("mmap").as_ptr().cast()
}

fn kind(error: &(dyn std::error::Error + 'static)) -> ErrorKind {
    error.downcast_ref::<std::io::Error>().expect("an io::Error").kind()
}

/// Whether the event let us through before the time was up.
fn passes(event: &dyn EventImpl, timeout: Duration) -> bool {
    match event.wait(Timeout::Val(timeout)) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(kind(&*error), ErrorKind::TimedOut);
            false
        }
    }
}

fn signal(event: &dyn EventImpl) {
    event.set(EventState::Signaled).expect("set");
}

/// Waits as often as it is told to.
pub(crate) fn wait(arguments: &[String]) {
    let page = Page::open(&arguments[0]);
    let event = page.existing().expect("an event");
    say("ready");
    while listen().is_some() {
        say("waiting");
        event.wait(Timeout::Infinite).expect("wait");
        say("passed");
    }
}

/// Signals without end.
pub(crate) fn set_for_ever(arguments: &[String]) {
    let page = Page::open(&arguments[0]);
    let event = page.existing().expect("an event");
    loop {
        signal(&*event);
    }
}

fn waiter(page: &Page) -> Peer {
    let mut waiter = Peer::spawn("event-waiter", &[page.path()]);
    waiter.expect("ready");
    waiter
}

/// Until it is about to wait.
fn begin(waiter: &mut Peer) {
    waiter.tell("wait");
    waiter.expect("waiting");
}

#[test]
fn a_signal_passes_between_processes() {
    watchdog();
    for auto_reset in [true, false] {
        let page = Page::create();
        let event = page.new_event(auto_reset);
        let mut waiter = waiter(&page);
        for _ in 0..50 {
            begin(&mut waiter);
            signal(&*event);
            waiter.expect("passed");
            event.set(EventState::Clear).expect("clear");
        }
        waiter.join();
    }
}

/// How many have passed, behind the two events of [`pass_once`].
fn passages(page: &Page) -> &AtomicU32 {
    // SAFETY: an aligned word of the page, which everybody uses as an atomic.
    unsafe { &*page.base.add(2 * EVENT).cast() }
}

/// The second event of a page: that somebody has passed the first.
fn receipt(page: &Page) -> Box<dyn EventImpl> {
    // SAFETY: as for the first event, which ends before it.
    unsafe { RobustEvent::from_existing(page.base.add(EVENT)) }.expect("an event").0
}

/// Passes the first event once.
pub(crate) fn pass_once(arguments: &[String]) {
    let page = Page::open(&arguments[0]);
    let (event, receipt) = (page.existing().expect("an event"), receipt(&page));
    say("waiting");
    event.wait(Timeout::Infinite).expect("wait");
    passages(&page).fetch_add(1, Ordering::SeqCst);
    signal(&*receipt);
    await_death();
}

#[test]
fn an_auto_reset_event_lets_one_through_for_each_signal() {
    watchdog();
    let page = Page::create();
    let event = page.new_event(true);
    // SAFETY: behind the first event, within the page.
    let (receipt, _) = unsafe { RobustEvent::new(page.base.add(EVENT), true) }.expect("new");
    let waiters: Vec<Peer> = (0..6)
        .map(|_| {
            let mut waiter = Peer::spawn("event-counted", &[page.path()]);
            waiter.expect("waiting");
            waiter
        })
        .collect();
    for signals in 1..=4 {
        signal(&*event);
        receipt.wait(Timeout::Infinite).expect("wait");
        assert_eq!(passages(&page).load(Ordering::SeqCst), signals);
        assert!(!passes(&*event, Duration::ZERO), "it was used up");
    }
    waiters.into_iter().for_each(Peer::kill);
    assert_eq!(passages(&page).load(Ordering::SeqCst), 4);
}

#[test]
fn a_manual_reset_event_lets_everybody_through_until_it_is_cleared() {
    watchdog();
    let page = Page::create();
    let event = page.new_event(false);
    let mut waiters: Vec<Peer> = (0..3).map(|_| waiter(&page)).collect();
    waiters.iter_mut().for_each(begin);
    signal(&*event);
    waiters.iter_mut().for_each(|waiter| waiter.expect("passed"));
    // It stays signaled, also for who comes later.
    waiters.iter_mut().for_each(begin);
    waiters.iter_mut().for_each(|waiter| waiter.expect("passed"));
    assert!(passes(&*event, Duration::ZERO) && passes(&*event, Duration::ZERO));
    event.set(EventState::Clear).expect("clear");
    assert!(!passes(&*event, Duration::ZERO));
    waiters.into_iter().for_each(Peer::join);
}

#[test]
fn a_timeout_is_never_early() {
    watchdog();
    let page = Page::create();
    for auto_reset in [true, false] {
        let event = page.new_event(auto_reset);
        // Fractions whose sum with the clock's exceeds a second, which raw_sync does not carry.
        for milliseconds in [1, 30, 250, 700, 999] {
            let timeout = Duration::from_millis(milliseconds);
            let start = Instant::now();
            assert!(!passes(&*event, timeout));
            assert!(start.elapsed() >= timeout, "{milliseconds} ms");
        }
        signal(&*event);
        assert!(passes(&*event, Duration::MAX));
    }
}

#[test]
fn a_killed_waiter_leaves_nothing_behind() {
    watchdog();
    for auto_reset in [true, false] {
        let page = Page::create();
        let event = page.new_event(auto_reset);
        let mut survivor = waiter(&page);
        for _ in 0..15 {
            let mut victim = waiter(&page);
            begin(&mut victim);
            begin(&mut survivor);
            victim.kill();
            signal(&*event);
            survivor.expect("passed");
            event.set(EventState::Clear).expect("clear");
        }
        survivor.join();
    }
}

#[test]
fn a_killed_setter_leaves_the_event_in_order() {
    watchdog();
    for auto_reset in [true, false] {
        let page = Page::create();
        let event = page.new_event(auto_reset);
        let mut waiter = waiter(&page);
        for passages in 0..15 {
            let setter = Peer::spawn("event-setter", &[page.path()]);
            for _ in 0..passages * 7 + 1 {
                event.wait(Timeout::Infinite).expect("wait");
            }
            setter.kill();
            // Set or not, and as usable as before.
            passes(&*event, Duration::ZERO);
            event.set(EventState::Clear).expect("clear");
            assert!(!passes(&*event, Duration::ZERO));
            begin(&mut waiter);
            signal(&*event);
            waiter.expect("passed");
            event.set(EventState::Clear).expect("clear");
        }
        waiter.join();
    }
}

#[test]
fn null_and_misaligned_addresses_are_errors() {
    watchdog();
    let page = Page::create();
    let places = [std::ptr::null_mut(), page.base.wrapping_add(1), page.base.wrapping_add(40)];
    for mem in places {
        // SAFETY: refused before anything is accessed.
        let outcomes = unsafe { [RobustEvent::new(mem, true), RobustEvent::from_existing(mem)] };
        for outcome in outcomes {
            let error = outcome.map(drop).expect_err("refused");
            assert_eq!(kind(&*error), ErrorKind::InvalidInput);
        }
    }
}

#[test]
fn only_an_event_is_taken_for_one() {
    watchdog();
    let page = Page::create();
    assert_eq!(page.existing().err(), Some(ErrorKind::InvalidData), "zeros");
    for byte in [1, 2, 0xff] {
        // SAFETY: within the page, which nobody else uses.
        unsafe { page.base.write_bytes(byte, LENGTH) };
        assert_eq!(page.existing().err(), Some(ErrorKind::InvalidData), "{byte}");
    }
    // SAFETY: as above.
    let theirs = unsafe { raw_sync::events::Event::new(page.base, true) };
    drop(theirs.expect("an event of raw_sync"));
    assert_eq!(page.existing().err(), Some(ErrorKind::InvalidData), "raw_sync's");

    // It is made over, and its parts are looked at.
    let event = page.new_event(true);
    signal(&*event);
    assert!(passes(&*page.existing().expect("an event"), Duration::ZERO));
    for offset in [0, 4, 16] {
        page.new_event(true);
        // SAFETY: as above; the words are atomics or not accessed meanwhile.
        unsafe { page.base.add(offset).cast::<u32>().write(9) };
        assert_eq!(page.existing().err(), Some(ErrorKind::InvalidData), "at {offset}");
    }
}
