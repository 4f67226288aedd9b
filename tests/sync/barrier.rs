//! `Barrier`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use outlive::{Barrier, BarrierError, LockError, ObjectError, Segment, Waiting};

use crate::observe::{await_sleep, await_stop, not_before, thread_id};
use crate::support::{Peer, await_death, listen, say, unique, watchdog};

fn barrier(what: &str, parties: usize) -> (Segment, Barrier, String) {
    watchdog();
    let name = unique(what);
    let segment = Segment::options().capacity(256 << 10).create(&name).expect("create");
    let barrier = segment.barrier("b", parties).expect("barrier");
    (segment, barrier, name)
}

/// The role: uses the barrier as it is told.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let waiting = match arguments.get(1).map(String::as_str) {
        Some("park") => Waiting::Park,
        Some("yield") => Waiting::Yield,
        Some("spin") => Waiting::Spin,
        _ => Waiting::Adaptive,
    };
    let barrier = segment.find::<Barrier>("b").expect("find").with_waiting(waiting);
    let done = segment.atomic_counter("done").expect("counter");
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().expect("a number");
        say("going");
        let outcome = match command {
            "wait" => barrier.wait(),
            "timeout" => barrier.wait_timeout(Duration::from_millis(number)),
            "action" => barrier.wait_with(|| {
                done.fetch_add(1).expect("add");
            }),
            // Says that it runs, and goes on when it is told.
            "slow" => barrier.wait_with(|| {
                say("acting");
                listen();
            }),
            "dying" => barrier.wait_with(|| {
                say("acting");
                await_death();
            }),
            // Each party adds before it arrives, and sees what all have added when it is through.
            "rounds" => {
                let parties = barrier.parties() as i64;
                for round in 1..=number as i64 {
                    done.fetch_add(1).expect("add");
                    barrier.wait().expect("wait");
                    let seen = done.get();
                    assert!(seen >= round * parties, "{seen} in round {round}");
                    barrier.wait().expect("wait");
                }
                say("done");
                continue;
            }
            other => panic!("no command {other:?}"),
        };
        match outcome {
            Ok(result) => say(&format!("{}", result.index())),
            Err(error) => say(&format!("{error:?}")),
        }
    }
}

struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str) -> Self {
        Self::waiting(segment, "adaptive")
    }

    fn waiting(segment: &str, waiting: &str) -> Self {
        let mut peer = Peer::spawn("barrier", &[segment, waiting]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    fn block(&mut self, command: &str) {
        self.start(command);
        await_sleep(self.thread);
    }
}

const LONG: &str = "timeout 600000";

/// Until so many parties have arrived.
fn await_parties(barrier: &Barrier, number: usize) {
    while barrier.waiting() != number {
        std::thread::yield_now();
    }
}

#[test]
fn all_come_through_together_and_know_when_they_came() {
    let (_segment, barrier, name) = barrier("together", 4);
    let mut others: Vec<Driver> = (0..3).map(|_| Driver::new(&name)).collect();
    for _ in 0..20 {
        for (index, other) in others.iter_mut().enumerate() {
            assert_eq!(barrier.waiting(), index);
            other.block(if index == 1 { LONG } else { "wait" });
            await_parties(&barrier, index + 1);
        }
        let last = barrier.wait().expect("wait");
        assert!(last.is_leader() && last.index() == 3, "{last:?}");
        for (index, other) in others.iter_mut().enumerate() {
            assert_eq!(other.peer.hear(), index.to_string());
        }
        assert_eq!((barrier.waiting(), barrier.parties()), (0, 4));
        assert!(!barrier.is_broken());
    }
    others.into_iter().for_each(|other| other.peer.join());
}

#[test]
fn rounds_never_mix() {
    for (waiting, rounds) in [("adaptive", 500), ("park", 200), ("yield", 500), ("spin", 50)] {
        let (_segment, barrier, name) = barrier("rounds", 3);
        let mut others: Vec<Driver> = (0..3).map(|_| Driver::waiting(&name, waiting)).collect();
        for other in &mut others {
            other.start(&format!("rounds {rounds}"));
        }
        for other in &mut others {
            other.peer.expect("done");
        }
        assert!(!barrier.is_broken());
        others.into_iter().for_each(|other| other.peer.join());
    }
}

#[test]
fn more_threads_than_parties_take_turns() {
    let (_segment, barrier, _name) = barrier("crowd", 2);
    let (leaders, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    match barrier.wait() {
                        Ok(result) if result.is_leader() => {
                            if leaders.fetch_add(1, Ordering::Relaxed) == 600 {
                                barrier.abort().expect("abort");
                            }
                        }
                        Ok(_) => _ = others.fetch_add(1, Ordering::Relaxed),
                        Err(BarrierError::Broken) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let (leaders, others) = (leaders.into_inner(), others.into_inner());
    assert!(leaders > 600);
    assert_eq!(leaders, others, "two in each round");
}

#[test]
fn one_party_waits_for_nobody() {
    let (_segment, barrier, _name) = barrier("one", 1);
    let mut actions = 0;
    for _ in 0..3 {
        let result = barrier.wait().expect("wait");
        assert!(result.index() == 0 && result.is_leader());
        barrier.wait_with(|| actions += 1).expect("wait");
        barrier.wait_timeout(Duration::ZERO).expect("wait");
    }
    assert_eq!(actions, 3);
}

#[test]
fn the_last_one_acts_before_anybody_is_let_through() {
    let (segment, barrier, name) = barrier("action", 3);
    let done = segment.atomic_counter("done").expect("counter");
    let mut others = [Driver::new(&name), Driver::new(&name)];
    for round in 1..=5 {
        for other in &mut others {
            other.block("action");
        }
        await_parties(&barrier, 2);
        assert_eq!(done.get(), round * 2 - 2);
        barrier
            .wait_with(|| {
                assert_eq!(barrier.waiting(), 3, "all are here, nobody is through");
                done.fetch_add(2).expect("add");
            })
            .expect("wait");
        for other in &mut others {
            assert!(["0", "1"].contains(&other.peer.hear().as_str()));
        }
        assert_eq!(done.get(), round * 2, "one action for all");
    }
    others.into_iter().for_each(|other| other.peer.join());
}

#[test]
fn a_killed_party_breaks_the_barrier_for_all() {
    for waiting in ["adaptive", "park", "spin"] {
        let (_segment, barrier, name) = barrier("killed", 4);
        for _ in 0..10 {
            let mut others: Vec<Driver> = (0..3).map(|_| Driver::waiting(&name, waiting)).collect();
            for (index, other) in others.iter_mut().enumerate() {
                other.start(if index == 0 { LONG } else { "wait" });
            }
            await_parties(&barrier, 3);
            others.swap_remove(1).peer.kill();
            assert!(barrier.is_broken());
            for other in &mut others {
                assert_eq!(other.peer.hear(), "Broken");
            }
            assert_eq!(barrier.wait(), Err(BarrierError::Broken));
            assert_eq!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Broken));
            assert_eq!(barrier.waiting(), 0);
            barrier.reset().expect("reset");
            assert!(!barrier.is_broken());
            others.into_iter().for_each(|other| other.peer.join());
        }
    }
}

#[test]
fn a_death_is_found_by_the_next_one_to_come() {
    let (_segment, barrier, name) = barrier("next", 2);
    let mut victim = Driver::new(&name);
    victim.block("wait");
    await_parties(&barrier, 1);
    victim.peer.kill();
    assert_eq!(barrier.wait(), Err(BarrierError::Broken), "not let through with a dead one");
}

#[test]
fn a_party_that_dies_afterwards_breaks_nothing() {
    let (_segment, barrier, name) = barrier("afterwards", 2);
    for _ in 0..10 {
        let mut victim = Driver::new(&name);
        victim.block("wait");
        await_parties(&barrier, 1);
        assert_eq!(barrier.wait().expect("wait").index(), 1);
        // Perhaps before it has found out that it may go.
        victim.peer.kill();
        assert!(!barrier.is_broken());
    }
}

#[test]
fn a_stopped_party_that_was_let_through_keeps_nobody_from_the_next_round() {
    let (_segment, barrier, name) = barrier("stopped", 3);
    let mut stopped = Driver::new(&name);
    let mut other = Driver::new(&name);
    stopped.block("wait");
    await_parties(&barrier, 1);
    stopped.peer.signal(Signal::SIGSTOP);
    await_stop(stopped.thread);
    other.block("wait");
    await_parties(&barrier, 2);
    assert_eq!(barrier.wait().expect("wait").index(), 2);
    assert_eq!(other.peer.hear(), "1");
    // The next round, up to its last party.
    other.block("wait");
    await_parties(&barrier, 1);
    std::thread::scope(|scope| {
        let third = scope.spawn(|| barrier.wait());
        await_parties(&barrier, 2);
        stopped.peer.signal(Signal::SIGCONT);
        assert_eq!(stopped.peer.hear(), "0");
        stopped.start("wait");
        assert_eq!(stopped.peer.hear(), "2");
        assert_eq!(third.join().expect("join").expect("wait").index(), 1);
    });
    assert_eq!(other.peer.hear(), "0");
    stopped.peer.join();
    other.peer.join();
}

#[test]
fn who_gives_up_breaks_the_barrier_for_the_others() {
    let (_segment, barrier, name) = barrier("gives-up", 3);
    let mut other = Driver::new(&name);
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let barrier = barrier.clone().with_waiting(waiting);
        for millis in [0, 1, 50, 130] {
            other.block("wait");
            await_parties(&barrier, 1);
            let timeout = Duration::from_millis(millis);
            let outcome = not_before(timeout, || barrier.wait_timeout(timeout));
            assert_eq!(outcome, Err(BarrierError::TimedOut));
            assert_eq!(other.peer.hear(), "Broken");
            assert!(barrier.is_broken());
            barrier.reset().expect("reset");
        }
    }
    other.peer.join();
}

#[test]
fn abort_breaks_until_reset() {
    let (_segment, barrier, name) = barrier("abort", 2);
    let mut other = Driver::new(&name);
    for wait in ["wait", LONG, "action"] {
        other.block(wait);
        await_parties(&barrier, 1);
        barrier.abort().expect("abort");
        assert_eq!(other.peer.hear(), "Broken");
        other.start(wait);
        assert_eq!(other.peer.hear(), "Broken");
        barrier.abort().expect("abort");
        assert!(barrier.is_broken());
        barrier.reset().expect("reset");
        other.block(wait);
        await_parties(&barrier, 1);
        assert!(barrier.wait().expect("mended").is_leader());
        assert_eq!(other.peer.hear(), "0");
    }
    other.peer.join();
}

#[test]
fn reset_turns_away_who_waits_and_empties_the_barrier() {
    let (_segment, barrier, name) = barrier("reset", 3);
    let mut others = [Driver::new(&name), Driver::new(&name)];
    for _ in 0..20 {
        for other in &mut others {
            other.block("wait");
        }
        await_parties(&barrier, 2);
        barrier.reset().expect("reset");
        assert!(!barrier.is_broken() && barrier.waiting() == 0);
        for other in &mut others {
            assert_eq!(other.peer.hear(), "Broken");
        }
    }
    barrier.reset().expect("reset of an empty one");
    // One that was turned away and stopped before it could go is not in the way.
    others[0].block("wait");
    await_parties(&barrier, 1);
    others[0].peer.signal(Signal::SIGSTOP);
    await_stop(others[0].thread);
    barrier.reset().expect("reset");
    others[1].block("wait");
    await_parties(&barrier, 1);
    others[0].peer.signal(Signal::SIGCONT);
    assert_eq!(others[0].peer.hear(), "Broken");
    others[0].block("wait");
    await_parties(&barrier, 2);
    assert_eq!(barrier.wait().expect("wait").index(), 2);
    assert_eq!((others[1].peer.hear(), others[0].peer.hear()), ("0".to_owned(), "1".to_owned()));
    others.into_iter().for_each(|other| other.peer.join());
}

#[test]
fn a_death_in_the_action_breaks_the_barrier() {
    let (_segment, barrier, name) = barrier("action-death", 2);
    for _ in 0..10 {
        let (mut other, mut victim) = (Driver::new(&name), Driver::new(&name));
        other.block("wait");
        await_parties(&barrier, 1);
        victim.start("dying");
        victim.peer.expect("acting");
        assert!(!barrier.is_broken());
        victim.peer.kill();
        assert_eq!(other.peer.hear(), "Broken");
        assert!(barrier.is_broken());
        barrier.reset().expect("reset");
        other.peer.join();
    }
}

#[test]
fn a_death_or_an_abort_while_another_one_acts_breaks_the_barrier() {
    let (_segment, barrier, name) = barrier("while-acting", 2);
    for kills in [true, false] {
        let (mut other, mut actor) = (Driver::new(&name), Driver::new(&name));
        other.block("wait");
        await_parties(&barrier, 1);
        actor.start("slow");
        actor.peer.expect("acting");
        if kills {
            other.peer.kill();
        } else {
            barrier.abort().expect("abort");
            assert_eq!(other.peer.hear(), "Broken");
        }
        assert!(barrier.is_broken());
        actor.peer.tell("go on");
        assert_eq!(actor.peer.hear(), "Broken");
        barrier.reset().expect("reset");
    }
}

#[test]
fn a_panic_in_the_action_breaks_the_barrier() {
    let (_segment, barrier, name) = barrier("panic", 2);
    let mut other = Driver::new(&name);
    other.block("wait");
    await_parties(&barrier, 1);
    catch_unwind(AssertUnwindSafe(|| {
        barrier.wait_with(|| std::panic::resume_unwind(Box::new("on purpose")))
    }))
    .expect_err("it unwinds");
    assert_eq!(other.peer.hear(), "Broken");
    assert!(barrier.is_broken());
    barrier.reset().expect("reset");
    other.block("wait");
    await_parties(&barrier, 1);
    assert!(barrier.wait().expect("mended").is_leader());
    other.peer.join();
}

#[test]
fn waiting_for_the_own_action_is_a_deadlock() {
    let (_segment, barrier, _name) = barrier("deadlock", 1);
    barrier
        .wait_with(|| {
            assert_eq!(barrier.wait(), Err(BarrierError::Lock(LockError::Deadlock)));
        })
        .expect("wait");
    barrier.wait().expect("wait");
}

#[test]
fn one_too_many_waits_for_the_next_round() {
    let (_segment, barrier, name) = barrier("too-many", 2);
    let (mut first, mut actor, mut late) =
        (Driver::new(&name), Driver::new(&name), Driver::new(&name));
    first.block("wait");
    await_parties(&barrier, 1);
    actor.start("slow");
    actor.peer.expect("acting");
    late.block("wait");
    actor.peer.tell("go on");
    assert_eq!((first.peer.hear(), actor.peer.hear()), ("0".to_owned(), "1".to_owned()));
    await_parties(&barrier, 1);
    assert_eq!(barrier.wait().expect("wait").index(), 1);
    assert_eq!(late.peer.hear(), "0");
}

#[test]
fn a_death_among_more_parties_than_one_can_watch() {
    const PARTIES: usize = 150;
    let (_segment, barrier, name) = barrier("watch", PARTIES);
    let mut victim = Driver::new(&name);
    victim.block("wait");
    await_parties(&barrier, 1);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..PARTIES - 2).map(|_| scope.spawn(|| barrier.wait())).collect();
        await_parties(&barrier, PARTIES - 1);
        victim.peer.kill();
        for other in others {
            assert_eq!(other.join().expect("join"), Err(BarrierError::Broken));
        }
    });
}

#[test]
fn another_shape_is_refused_and_a_read_only_handle_can_only_look() {
    let (segment, barrier, name) = barrier("shape", 2);
    let error = segment.barrier("b", 3).unwrap_err();
    let numbers = matches!(
        error,
        ObjectError::ShapeMismatch { what: "number of parties", found: 2, expected: 3, .. }
    );
    assert!(numbers, "{error:?}");
    for parties in [0, usize::MAX] {
        let error = segment.barrier("none", parties).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Barrier = reader.find("b").expect("find");
    barrier.abort().expect("abort");
    assert!(seen.is_broken() && seen.parties() == 2 && seen.waiting() == 0);
    assert_eq!(seen.wait(), Err(BarrierError::Lock(LockError::ReadOnly)));
    assert_eq!(seen.wait_timeout(Duration::ZERO), Err(BarrierError::Lock(LockError::ReadOnly)));
    assert_eq!(seen.abort(), Err(LockError::ReadOnly));
    assert_eq!(seen.reset(), Err(LockError::ReadOnly));
    assert!(format!("{seen:?}").contains("broken: true"), "{seen:?}");
    let text = BarrierError::Broken.to_string();
    assert!(text.contains("Barrier::reset mends it"), "{text}");
}

#[test]
fn the_handle_is_owned_cloned_sent_and_shared() {
    fn is_handle<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_handle::<Barrier>();
    is_error::<BarrierError>();
}
