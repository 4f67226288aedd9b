//! `RwLock`: readers and writers exclude each other, no wake-up is lost, and what deaths leave.

use core::sync::atomic::Ordering;

use super::run::{Kernel, Mortality, begin, check, model, mortal, process, with_death};
use crate::{LockError, RwLock, RwLockReadGuard, RwLockWriteGuard, Segment};

/// A lock, and two words that change together under it.
#[derive(Clone)]
struct Pair(RwLock<u64>);

impl Pair {
    fn new(readers: usize) -> Self {
        let segment = Segment::anonymous().expect("a segment");
        let lock = segment.rwlock_with("lock", 0, readers).expect("a lock");
        // Each share was taken before: what marking them orders does not help.
        lock.node.used.store((1 << readers) - 1, Ordering::Relaxed);
        begin(&segment);
        Self(lock)
    }

    /// With the right to read.
    fn see(&self) -> (u64, u64) {
        let [first, second, _] = &self.0.node.more;
        (first.load(Ordering::Relaxed), second.load(Ordering::Relaxed))
    }

    /// With the right to write, and half done in between.
    fn put(&self, first: u64, second: u64) {
        let words = &self.0.node.more;
        words[0].store(first, Ordering::Relaxed);
        words[1].store(second, Ordering::Relaxed);
    }

    fn write(&self) -> RwLockWriteGuard<'_, u64> {
        match self.0.write() {
            Ok(guard) => guard,
            Err(error) => {
                let mut guard = error.into_guard().expect("the lock");
                let (first, _) = self.see();
                self.put(first, first);
                guard.mark_consistent();
                guard
            }
        }
    }

    /// With the right to write.
    fn add_one(&self) {
        let (first, second) = self.see();
        assert_eq!(first, second, "half a change, and nobody died");
        self.put(first + 1, second + 1);
    }

    fn add(&self) {
        let _guard = self.write();
        self.add_one();
    }

    /// With the right to read: the number of changes.
    fn whole(&self, died: bool) -> u64 {
        let (first, second) = self.see();
        assert!(first == second || (died && first == second + 1), "{first}, {second}");
        // Still the same: nobody writes meanwhile.
        assert_eq!(self.see(), (first, second));
        first
    }

    fn check(
        &self,
        outcome: Result<RwLockReadGuard<'_, u64>, LockError<RwLockReadGuard<'_, u64>>>,
    ) -> u64 {
        let died = matches!(outcome, Err(LockError::OwnerDied(_)));
        let (Ok(guard) | Err(LockError::OwnerDied(guard))) = outcome else {
            panic!("{:?}", outcome.map(drop).map_err(LockError::into_guard).err().map(Result::err));
        };
        let seen = self.whole(died);
        drop(guard);
        seen
    }

    fn read(&self) -> u64 {
        self.check(self.0.read())
    }

    /// At once: everybody has left.
    fn holds(&self, least: u64, most: u64) {
        let seen = self.check(self.0.try_read());
        assert!((least..=most).contains(&seen), "{seen}, not {least} to {most}");
        drop(self.write());
        assert!(self.0.try_write().is_ok());
        assert!(self.0.try_upgradable_read().is_ok());
        assert_eq!(self.0.readers(), 0);
    }

    fn run(&self, number: u32, work: fn(&Self)) -> loom::thread::JoinHandle<()> {
        let pair = self.clone();
        process(number, move || work(&pair))
    }

    fn dies(&self, mortality: &Mortality, work: fn(&Self)) -> loom::thread::JoinHandle<Option<()>> {
        let pair = self.clone();
        mortal(1, mortality, Kernel::Reports, move || work(&pair))
    }
}

fn add(pair: &Pair) {
    pair.add();
}

fn read(pair: &Pair) {
    pair.read();
}

fn upgrade(pair: &Pair) {
    let Ok(guard) = pair.0.upgradable_read() else { panic!("the lock") };
    let before = pair.whole(false);
    let _guard = guard.upgrade().expect("upgrade");
    assert_eq!(pair.whole(false), before, "somebody wrote in between");
    pair.add_one();
}

fn downgrade(pair: &Pair) {
    let guard = pair.write();
    pair.add_one();
    let before = pair.whole(false);
    let _guard = guard.downgrade().expect("downgrade");
    assert_eq!(pair.whole(false), before, "somebody wrote in between");
}

#[test]
fn a_reader_and_a_writer() {
    check(3, || {
        let pair = Pair::new(2);
        let other = pair.run(1, add);
        pair.read();
        other.join().expect("a process");
        pair.holds(1, 1);
    });
}

#[test]
fn two_writers() {
    model(|| {
        let pair = Pair::new(2);
        let other = pair.run(1, add);
        pair.add();
        other.join().expect("a process");
        pair.holds(2, 2);
    });
}

/// Two readers that find a writer: one wake-up serves both.
#[test]
fn two_readers_and_a_writer() {
    check(1, || {
        let pair = Pair::new(2);
        let others = [pair.run(1, read), pair.run(2, read)];
        pair.add();
        others.into_iter().for_each(|other| other.join().expect("a process"));
        pair.holds(1, 1);
    });
}

/// A reader and a writer wait for the same share.
#[test]
fn two_readers_with_one_share_and_a_writer() {
    check(1, || {
        let pair = Pair::new(1);
        let others = [pair.run(1, read), pair.run(2, read)];
        pair.add();
        others.into_iter().for_each(|other| other.join().expect("a process"));
        pair.holds(1, 1);
    });
}

#[test]
fn one_that_reads_reads_again_though_a_writer_waits() {
    model(|| {
        let pair = Pair::new(1);
        let Ok(guard) = pair.0.read() else { panic!("the lock") };
        let other = pair.run(1, add);
        assert_eq!(pair.read(), 0);
        assert!(matches!(pair.0.write(), Err(LockError::Deadlock)));
        drop(guard);
        other.join().expect("a process");
        pair.holds(1, 1);
    });
}

#[test]
fn an_upgrade_and_a_reader() {
    model(|| {
        let pair = Pair::new(2);
        let other = pair.run(1, upgrade);
        pair.read();
        other.join().expect("a process");
        pair.holds(1, 1);
    });
}

#[test]
fn an_upgrade_and_a_writer() {
    model(|| {
        let pair = Pair::new(2);
        let other = pair.run(1, upgrade);
        pair.add();
        other.join().expect("a process");
        pair.holds(2, 2);
    });
}

#[test]
fn a_downgrade_and_a_writer() {
    model(|| {
        let pair = Pair::new(2);
        let other = pair.run(1, downgrade);
        pair.add();
        other.join().expect("a process");
        pair.holds(2, 2);
    });
}

#[test]
fn a_downgrade_and_a_reader() {
    model(|| {
        let pair = Pair::new(1);
        let other = pair.run(1, downgrade);
        pair.read();
        other.join().expect("a process");
        pair.holds(1, 1);
    });
}

/// It waits for a dead one's share, and is woken by the kernel.
#[test]
fn a_death_of_a_reader() {
    with_death(|mortality| {
        let pair = Pair::new(1);
        let dying = pair.dies(&mortality, read);
        pair.add();
        dying.join().expect("a process");
        pair.holds(1, 1);
    });
}

#[test]
fn a_death_of_a_writer_and_a_reader() {
    with_death(|mortality| {
        let pair = Pair::new(1);
        let dying = pair.dies(&mortality, add);
        pair.read();
        let lived = dying.join().expect("a process").is_some();
        pair.holds(u64::from(lived), 1);
    });
}

#[test]
fn a_death_of_a_writer_and_another_one() {
    with_death(|mortality| {
        let pair = Pair::new(1);
        let dying = pair.dies(&mortality, add);
        pair.add();
        let lived = dying.join().expect("a process").is_some();
        pair.holds(1 + u64::from(lived), 2);
    });
}

#[test]
fn a_death_of_one_that_upgrades() {
    with_death(|mortality| {
        let pair = Pair::new(1);
        let dying = pair.dies(&mortality, upgrade);
        pair.read();
        let lived = dying.join().expect("a process").is_some();
        pair.holds(u64::from(lived), 1);
    });
}

#[test]
fn a_death_of_one_that_downgrades() {
    with_death(|mortality| {
        let pair = Pair::new(1);
        let dying = pair.dies(&mortality, downgrade);
        pair.read();
        let lived = dying.join().expect("a process").is_some();
        pair.holds(u64::from(lived), 1);
    });
}
