//! One death: the processes of a situation, the kill, and the contract.

use std::time::{Duration, Instant};

use crate::actor::{Actor, Line, PATIENCE};
use crate::case::{Broken, By, Case, Kind, Seen, WaitFrom, World};
use crate::path::Path;
use crate::tracee::{Came, Tracee};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Situation {
    Alone,
    BlockedWaiter,
    StoppedPeer,
    SecondDeath,
}

impl Situation {
    pub(crate) const ALL: [Self; 4] =
        [Self::Alone, Self::BlockedWaiter, Self::StoppedPeer, Self::SecondDeath];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::BlockedWaiter => "blocked-waiter",
            Self::StoppedPeer => "stopped-peer",
            Self::SecondDeath => "second-death",
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Alone => {
                "nobody else is at it when the victim dies; the survivors come afterwards"
            }
            Self::BlockedWaiter => {
                "another process waits for what the victim has, or comes to need it as it dies"
            }
            Self::StoppedPeer => {
                "another process is stopped in the middle of the same operation while the victim \
                 dies, and goes on afterwards"
            }
            Self::SecondDeath => {
                "the process that repairs what the victim left is killed as well, somewhere in its \
                 repair"
            }
        }
    }

    pub(crate) fn fits(self, case: &Case) -> bool {
        match self {
            Self::Alone => true,
            Self::BlockedWaiter => case.waiter.is_some(),
            Self::StoppedPeer => case.peer,
            Self::SecondDeath => case.repair.is_some(),
        }
    }
}

/// Where a death is to be.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) n: usize,
    /// Where the peer is stopped, or the repairer is killed.
    pub(crate) then: usize,
}

/// What a death came to.
pub(crate) struct Outcome {
    pub(crate) verdict: Result<Duration, Broken>,
    /// False if the operation ended first.
    pub(crate) killed: bool,
    /// What the repairer ran through, if it was to be recorded.
    pub(crate) repair: Option<Path>,
}

fn hung(what: &str) -> Broken {
    Broken { kind: Kind::Hung, what: format!("{what} hangs or died") }
}

/// The process that makes the segment, stays attached and checks the contract.
struct Survivor(Actor);

impl Survivor {
    fn start(case: &Case, name: &str) -> Option<Self> {
        let mut actor = Actor::start(|line| Self::play(case, &World::new(name), line));
        (actor.line.hear(PATIENCE)? == "ready").then_some(Self(actor))
    }

    fn play(case: &Case, world: &World, line: &mut Line) {
        (case.setup)(world);
        line.say("ready");
        while let Some(asked) = line.hear(Duration::from_secs(3600)) {
            let mut words = asked.split(' ');
            match words.next() {
                Some("unblock") => case.unblock.expect("unblock")(world),
                Some("release") => (case.waiter.expect("waiter").release)(world),
                Some("check") => {
                    let mut next = || words.next().and_then(|word| word.parse::<u64>().ok());
                    let seen = Seen {
                        completed: next().expect("completed"),
                        begun: next().expect("begun"),
                        repaired: next() == Some(1),
                        waited: next(),
                    };
                    world.held.borrow_mut().take();
                    say_verdict(line, (case.contract)(world, &seen));
                    say_verdict(line, (case.usage)(world, 1000));
                }
                _ => break,
            }
        }
        world.leave();
        line.say("left");
    }
}

fn say_verdict(line: &mut Line, verdict: Result<(), Broken>) {
    match verdict {
        Ok(()) => line.say("good"),
        Err(Broken { kind, what }) => line.say(&format!("{kind:?} {}", what.replace('\n', " "))),
    }
}

fn hear_verdict(line: &mut Line, who: &str) -> Result<(), Broken> {
    let Some(heard) = line.hear(PATIENCE) else { return Err(hung(who)) };
    let kind = match heard.split(' ').next() {
        Some("good") => return Ok(()),
        Some("Hung") => Kind::Hung,
        Some("Torn") => Kind::Torn,
        Some("Leaked") => Kind::Leaked,
        _ => Kind::Lost,
    };
    Err(Broken { kind, what: format!("{who}: {heard}") })
}

/// The segment of a worker. The same length for each process id, or paths would differ.
pub(crate) fn segment_name(worker: u32) -> String {
    format!("outlive-kill-{worker:08}")
}

/// The worker whose segment that file is.
pub(crate) fn worker_of(file: &str) -> Option<u32> {
    file.strip_prefix("outlive-kill-")?.get(..8)?.parse().ok()
}

/// The files of a case's segments that there are.
pub(crate) fn files(name: &str) -> Vec<String> {
    let Ok(directory) = std::fs::read_dir("/dev/shm") else { return Vec::new() };
    let names = directory.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|file| file.starts_with(name)).collect()
}

fn victim(case: &Case, name: &str) -> Option<Tracee> {
    Tracee::start(case.by, || (case.operation)(&World::new(name)))
}

fn waiter(case: &Case, name: &str) -> Option<Actor> {
    let wait = case.waiter?.wait;
    let mut actor = Actor::start(|line| {
        let world = World::new(name);
        world.warm();
        line.say("ready");
        let result = wait(&world);
        line.say(&format!("waited {result}"));
        // Until it is asked to leave.
        line.hear(Duration::from_secs(3600));
        world.leave();
    });
    (actor.line.hear(PATIENCE)? == "ready").then_some(actor)
}

/// Until a waiter waits, or has done so.
fn await_sleep(actor: &mut Actor) -> Option<String> {
    loop {
        if let Some(heard) = actor.line.hear(Duration::ZERO) {
            return Some(heard);
        }
        if actor.sleeps() {
            return None;
        }
        std::thread::yield_now();
    }
}

/// The path of the operation in a situation.
pub(crate) fn record(case: &Case, situation: Situation, name: &str) -> Result<Path, Broken> {
    let mut survivor = Survivor::start(case, name).ok_or_else(|| hung("the survivor"))?;
    let mut victim = victim(case, name).ok_or_else(|| hung("the victim"))?;
    let mut waiting = None;
    if situation == Situation::BlockedWaiter
        && case.waiter.is_some_and(|waiter| waiter.from == WaitFrom::Start)
    {
        waiting = waiter(case, name);
        await_sleep(waiting.as_mut().expect("a waiter"));
    }
    let path = victim.record(&mut || survivor.0.line.say("unblock"));
    drop((victim, waiting));
    survivor.0.line.say("leave");
    survivor.0.ends();
    for left in files(name) {
        let _gone = std::fs::remove_file(format!("/dev/shm/{left}"));
    }
    Ok(path)
}

/// A repair of more instructions than that is not stepped through from its start: it may take
/// another path than the recorded one, which depends on what is to be repaired.
const LONG: usize = 3000;

/// Whether there is a repair, and it may be stepped through from its start.
pub(crate) fn is_short(repair: Option<&Path>) -> bool {
    repair.is_some_and(|path| path.len() <= LONG)
}

/// Runs a situation with a death at a place, and records the repair if its path is not given.
pub(crate) fn run(
    case: &Case,
    situation: Situation,
    name: &str,
    paths: (&Path, Option<&Path>),
    at: Place,
) -> Outcome {
    let mut outcome = Outcome { verdict: Ok(Duration::ZERO), killed: false, repair: None };
    outcome.verdict = attempt(case, situation, name, paths, at, &mut outcome);
    if !files(name).is_empty() {
        reclaim(name);
    }
    let left = files(name);
    for file in &left {
        let _gone = std::fs::remove_file(format!("/dev/shm/{file}"));
    }
    if outcome.verdict.is_ok() && !left.is_empty() {
        let what = format!("left in /dev/shm: {left:?}");
        outcome.verdict = Err(Broken { kind: Kind::Leaked, what });
    }
    outcome
}

fn attempt(
    case: &Case,
    situation: Situation,
    name: &str,
    (path, repair_path): (&Path, Option<&Path>),
    at: Place,
    outcome: &mut Outcome,
) -> Result<Duration, Broken> {
    let mut seen = Seen::default();
    let mut survivor = Survivor::start(case, name).ok_or_else(|| hung("the survivor"))?;
    let wait_from =
        case.waiter.filter(|_| situation == Situation::BlockedWaiter).map(|waiter| waiter.from);

    let mut peer = match situation {
        Situation::StoppedPeer => Some(victim(case, name).ok_or_else(|| hung("the peer"))?),
        _ => None,
    };
    let mut dying = victim(case, name).ok_or_else(|| hung("the victim"))?;
    seen.begun += 1;
    let mut waited = None;
    let mut waiting = None;
    if wait_from == Some(WaitFrom::Start) {
        waiting = Some(waiter(case, name).ok_or_else(|| hung("the waiter"))?);
        waited = waiting.as_mut().and_then(await_sleep);
    }
    if let Some(peer) = &mut peer {
        seen.begun += 1;
        let mut unblock = || survivor.0.line.say("unblock");
        let unblock: Option<&mut dyn FnMut()> =
            if case.unblock.is_some() { Some(&mut unblock) } else { None };
        peer.go(path, at.then, unblock);
    }
    let mut unblock = || survivor.0.line.say("unblock");
    let unblock: Option<&mut dyn FnMut()> = // with a peer in the way, it is the peer that blocks it
        if case.unblock.is_some() && peer.is_none() { Some(&mut unblock) } else { None };
    let came = dying.go(path, at.n, unblock);
    if wait_from == Some(WaitFrom::Kill) {
        waiting = Some(waiter(case, name).ok_or_else(|| hung("the waiter"))?);
        waited = waiting.as_mut().and_then(await_sleep);
    }
    outcome.killed = came != Came::Ended;
    seen.completed += u64::from(came == Came::Ended);
    // One that executes another program lives on, as nobody that its locks know.
    let executes = came == Came::Ended && dying.release_program();
    if !executes {
        dying.kill();
    }
    let mut death = Instant::now();

    if let Some(peer) = &mut peer {
        if case.unblock.is_some() {
            survivor.0.line.say("unblock");
        }
        if !peer.release() || !peer.actor.ends() {
            return Err(hung("the stopped peer"));
        }
        seen.completed += 1;
    }
    if situation == Situation::SecondDeath {
        let repair = case.repair.expect("a repair");
        let mut repairer = Tracee::start(By::FirstThread, || repair(&World::new(name)))
            .ok_or_else(|| hung("the repairer"))?;
        seen.repaired = true;
        match repair_path {
            Some(_) if is_short(repair_path) => drop(repairer.steps(at.then)),
            Some(path) => drop(repairer.go(path, at.then, None)),
            None => outcome.repair = Some(repairer.record(&mut || {})),
        }
        repairer.kill();
        death = Instant::now();
    }
    if let Some(waiting) = &mut waiting {
        survivor.0.line.say("release");
        let heard = waited.or_else(|| waiting.line.hear(PATIENCE));
        let Some(heard) = heard else { return Err(hung("the waiter")) };
        seen.waited = heard.strip_prefix("waited ").and_then(|result| result.parse().ok());
        waiting.line.say("leave");
        if !waiting.ends() {
            return Err(hung("the waiter, when it leaves"));
        }
    }
    let mut asked = format!("check {} {} {}", seen.completed, seen.begun, u8::from(seen.repaired));
    if let Some(waited) = seen.waited {
        asked += &format!(" {waited}");
    }
    survivor.0.line.say(&asked);
    hear_verdict(&mut survivor.0.line, "the survivor's contract")?;
    let recovery = death.elapsed();
    hear_verdict(&mut survivor.0.line, "a thousand more operations")?;
    newcomer(case, name)?;
    dying.kill();
    survivor.0.line.say("leave");
    if !survivor.0.ends() {
        return Err(hung("the survivor, when it leaves"));
    }
    Ok(recovery)
}

/// Nobody is attached any more: the next one who opens a segment removes what the dead left.
fn reclaim(name: &str) {
    let mut actor = Actor::start(|_| {
        for file in files(name) {
            let gone = outlive::Segment::open(&file);
            assert!(matches!(gone, Err(outlive::SegmentError::NotFound { .. })), "{gone:?}");
        }
    });
    actor.ends();
}

/// A process that was not there before.
fn newcomer(case: &Case, name: &str) -> Result<(), Broken> {
    let mut actor = Actor::start(|line| {
        let world = World::new(name);
        say_verdict(line, (case.usage)(&world, 10));
        world.leave();
    });
    hear_verdict(&mut actor.line, "a new process")?;
    if actor.ends() { Ok(()) } else { Err(hung("the new process, when it leaves")) }
}
