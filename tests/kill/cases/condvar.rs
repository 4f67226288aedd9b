//! `Condvar`: waiting (for a token) and notifying (of one).

use std::time::Duration;

use outlive::{Condvar, LockError, Mutex, MutexGuard};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// Tokens that there are, and that were ever given.
type Tokens = [u64; 2];

#[derive(Clone, Copy)]
struct Place {
    mutex: &'static Mutex<Tokens>,
    condvar: &'static Condvar,
}

impl Place {
    /// Handles that nobody drops.
    fn of(world: &World) -> Self {
        let segment = world.warm();
        let mutex = segment.mutex("mutex", [0; 2]).expect("mutex");
        let condvar = segment.condvar("condvar").expect("condvar");
        Self { mutex: Box::leak(Box::new(mutex)), condvar: Box::leak(Box::new(condvar)) }
    }

    fn lock(self) -> Result<MutexGuard<'static, Tokens>, LockError> {
        self.mutex.lock_timeout(deadline()).or_else(LockError::recover)
    }

    fn give(self) -> Result<(), LockError> {
        let mut guard = self.lock()?;
        *guard = guard.map(|tokens| tokens + 1);
        drop(guard);
        self.condvar.notify_one()
    }

    /// False if there was none in time.
    fn take(self, timeout: Duration) -> Result<bool, LockError> {
        let guard = self.lock()?;
        let outcome = self.condvar.wait_timeout_while(guard, timeout, |[tokens, _]| *tokens == 0);
        let (mut guard, result) = outcome.or_else(LockError::recover)?;
        if result.timed_out() {
            return Ok(false);
        }
        // A dead holder ends the wait, whatever there is.
        let taken = guard[0] > 0;
        guard[0] -= u64::from(taken);
        Ok(taken)
    }

    fn take_at_last(self) -> Result<(), LockError> {
        while !self.take(deadline())? {}
        Ok(())
    }
}

fn setup(world: &World) {
    world.create();
    Place::of(world);
}

fn give(world: &World) -> Operation {
    let place = Place::of(world);
    Box::new(move || place.give().expect("give"))
}

fn notify_all(world: &World) -> Operation {
    let place = Place::of(world);
    Box::new(move || {
        let mut guard = place.lock().expect("lock");
        *guard = guard.map(|tokens| tokens + 1);
        place.condvar.notify_all().expect("notify");
    })
}

fn take(world: &World) -> Operation {
    let place = Place::of(world);
    Box::new(move || place.take_at_last().expect("take"))
}

/// Gives up by itself.
fn time_out(world: &World) -> Operation {
    let place = Place::of(world);
    Box::new(move || {
        let guard = place.lock().expect("lock");
        drop(place.condvar.wait_timeout(guard, Duration::ZERO).or_else(LockError::recover));
    })
}

fn provide(world: &World) {
    Place::of(world).give().expect("give");
}

fn wait(world: &World) -> u64 {
    Place::of(world).take_at_last().expect("the waiter's wait");
    1
}

/// At once: the kernel has reported the death by the time that it is known.
fn tokens(world: &World) -> Result<Tokens, LockError> {
    let mut guard = Place::of(world).mutex.try_lock().or_else(LockError::recover)?;
    let found = *guard;
    *guard = [0; 2];
    Ok(found)
}

fn given(world: &World, seen: &Seen) -> Verdict {
    let [tokens, given] = tokens(world)?;
    // And one to let the waiter go.
    let waited = u64::from(seen.waited.is_some());
    let own = given - waited;
    let most = seen.begun + u64::from(seen.repaired);
    hold!(
        Lost,
        (seen.completed..=most).contains(&own),
        "{own} given, not {} to {most}",
        seen.completed
    );
    hold!(Lost, tokens + waited == given, "{tokens} of {given} left, {waited} taken");
    Ok(())
}

fn taken(world: &World, _seen: &Seen) -> Verdict {
    let [tokens, given] = tokens(world)?;
    hold!(Lost, tokens <= given, "{tokens} of {given} left");
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let place = Place::of(world);
    for _ in 0..rounds {
        place.give()?;
        hold!(Hung, place.take(deadline())?, "given, and not taken");
        place.condvar.notify_all()?;
    }
    hold!(Lost, !place.take(Duration::ZERO)?, "more than was given");
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "condvar-notify-one",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: give,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Start, wait, release: provide }),
        peer: true,
        repair: Some(give),
        contract: given,
        usage,
    };
    vec![
        base(),
        Case { name: "condvar-notify-all", operation: notify_all, ..base() },
        Case {
            name: "condvar-wait",
            operation: take,
            unblock: Some(provide),
            repair: None,
            contract: taken,
            ..base()
        },
        Case {
            name: "condvar-wait-timeout",
            operation: time_out,
            repair: Some(time_out),
            contract: taken,
            ..base()
        },
    ]
}
