//! Who creates a segment, who finds it, and what becomes of it.

use std::collections::HashSet;
use std::path::Path;

use outlive::{ObjectError, Segment, SegmentError};

use crate::support::{self, Peer, say, unique, wait_for_go};

fn file(name: &str) -> std::path::PathBuf {
    Path::new("/dev/shm").join(name)
}

#[test]
fn the_last_user_removes_an_ephemeral_segment() {
    let _quiet = support::no_spawning();
    let name = unique("ephemeral");
    let first = Segment::create(&name).unwrap();
    let second = Segment::open(&name).unwrap();
    assert!(first.is_creator() && !second.is_creator());
    assert_eq!(second.name(), Some(name.as_str()));
    let value = second.value("v", 7_i32).unwrap();
    drop(first);
    drop(second);
    assert!(file(&name).exists(), "a handle to an object keeps it");
    assert_eq!(value.get().unwrap(), 7);
    drop(value);
    assert!(!file(&name).exists());
    assert!(matches!(Segment::open(&name), Err(SegmentError::NotFound { .. })));
}

#[test]
fn a_slash_in_front_is_allowed_as_in_posix() {
    let name = unique("slash");
    let segment = Segment::create(&format!("/{name}")).unwrap();
    assert_eq!(segment.name(), Some(name.as_str()));
    assert!(Segment::open(&name).is_ok());
}

#[test]
fn create_refuses_what_is_in_use() {
    let name = unique("taken");
    let _segment = Segment::create(&name).unwrap();
    let error = Segment::create(&name).unwrap_err();
    assert_eq!(error, SegmentError::AlreadyExists { name: name.clone() });
    assert!(error.to_string().contains("open_or_create"), "{error}");
}

#[test]
fn a_persistent_segment_stays_until_it_is_unlinked() {
    let name = unique("persistent");
    let options = Segment::options().persistent(true);
    let segment = options.create(&name).unwrap();
    segment.value("v", 1_u8).unwrap().set(42).unwrap();
    drop(segment);
    assert!(matches!(options.create(&name), Err(SegmentError::AlreadyExists { .. })));
    let again = Segment::open(&name).unwrap();
    assert!(!again.is_ephemeral());
    assert_eq!(again.value("v", 1_u8).unwrap().get().unwrap(), 42);
    assert!(!Segment::gc().unwrap().contains(&name));
    Segment::unlink(&name).unwrap();
    assert!(!file(&name).exists());
    // Who has it keeps it.
    assert_eq!(again.value("v", 1_u8).unwrap().get().unwrap(), 42);
    assert!(matches!(Segment::unlink(&name), Err(SegmentError::NotFound { .. })));
}

#[test]
fn a_name_that_was_unlinked_is_free_and_its_successor_is_safe() {
    let _quiet = support::no_spawning();
    let name = unique("successor");
    let old = Segment::create(&name).unwrap();
    Segment::unlink(&name).unwrap();
    let new = Segment::create(&name).unwrap();
    drop(old); // must not remove the new one's name
    assert!(file(&name).exists());
    assert!(Segment::open(&name).is_ok());
    drop(new);
    assert!(!file(&name).exists());
}

/// `race NAME ROUNDS`: opens or creates NAME-0, NAME-1, ... each at the parent's word.
pub(crate) fn race(arguments: &[String]) {
    let [name, rounds] = arguments else { panic!("race NAME ROUNDS") };
    let rounds: usize = rounds.parse().unwrap();
    say("ready");
    for round in 0..rounds {
        wait_for_go();
        let segment = Segment::open_or_create(&format!("{name}-{round}")).unwrap();
        let value = segment.value("initialised", segment.is_creator() as u32).unwrap();
        let joined = segment.atomic_counter("joined").unwrap();
        joined.fetch_add(1).unwrap();
        say(&format!("{} {}", segment.is_creator(), value.get().unwrap()));
        wait_for_go(); // keep it until all have it
        say(&joined.get().to_string());
    }
}

#[test]
fn of_racing_processes_exactly_one_creates() {
    const PROCESSES: usize = 4;
    const ROUNDS: usize = 300;
    let name = unique("race");
    let rounds = ROUNDS.to_string();
    let mut peers: Vec<_> =
        (0..PROCESSES).map(|_| Peer::spawn("race", &[&name, &rounds])).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    for round in 0..ROUNDS {
        peers.iter_mut().for_each(|peer| peer.tell("go"));
        let said: Vec<_> = peers.iter_mut().map(Peer::hear).collect();
        let creators = said.iter().filter(|line| line.starts_with("true")).count();
        assert_eq!(creators, 1, "round {round}: {said:?}");
        // The value was initialised once, by whoever came first to it: all see the same.
        let values: HashSet<_> =
            said.iter().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(values.len(), 1, "round {round}: {said:?}");
        peers.iter_mut().for_each(|peer| peer.tell("on"));
        for peer in &mut peers {
            peer.expect(&PROCESSES.to_string());
        }
    }
    peers.into_iter().for_each(Peer::join);
    let left = (0..ROUNDS).filter(|round| file(&format!("{name}-{round}")).exists()).count();
    assert_eq!(left, 0);
}

#[test]
fn of_racing_threads_exactly_one_creates() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 500;
    support::watchdog();
    let name = unique("threads");
    let barrier = std::sync::Barrier::new(THREADS);
    for round in 0..ROUNDS {
        let name = format!("{name}-{round}");
        let segments: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        Segment::open_or_create(&name).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(segments.iter().filter(|segment| segment.is_creator()).count(), 1);
    }
}

/// `create-and-wait NAME [DIRECTORY]`: creates, and waits to be killed.
pub(crate) fn create_and_wait(arguments: &[String]) {
    let (name, options) = match arguments {
        [name] => (name, Segment::options()),
        [name, directory] => (name, Segment::options().directory(directory)),
        _ => panic!("create-and-wait NAME [DIRECTORY]"),
    };
    let segment = options.create(name).unwrap();
    segment.value("v", 1_u64).unwrap().set(99).unwrap();
    say("created");
    support::await_death();
}

/// `open-and-wait NAME`: opens, and waits to be killed or told to leave.
pub(crate) fn open_and_wait(arguments: &[String]) {
    let [name] = arguments else { panic!("open-and-wait NAME") };
    let segment = Segment::open(name).unwrap();
    say("opened");
    wait_for_go();
    drop(segment);
}

#[test]
fn what_the_dead_left_is_recognised() {
    // A directory of its own: other tests collect in the common one.
    let directory = file(&unique("stale"));
    std::fs::create_dir(&directory).unwrap();
    let options = Segment::options().directory(&directory);
    let path = directory.join("s");
    for round in 0..20 {
        let mut creator = Peer::spawn("create-and-wait", &["s", directory.to_str().unwrap()]);
        creator.expect("created");
        // Not opened here before it dies: then this process, having left while it seemed in use,
        // would remove it at its next opportunity.
        assert!(matches!(options.create("s"), Err(SegmentError::AlreadyExists { .. })));
        creator.kill();
        let _quiet = support::no_spawning();
        assert!(path.exists(), "round {round}: a killed process removes nothing");
        match round % 4 {
            0 => {
                // Opening: there is no such segment, and its file is gone.
                assert!(matches!(options.open("s"), Err(SegmentError::NotFound { .. })));
            }
            1 => {
                // Creating: a fresh one.
                let segment = options.create("s").unwrap();
                let value = segment.find::<outlive::Value<u64>>("v");
                assert!(matches!(value, Err(ObjectError::NotFound { .. })));
            }
            2 => assert!(options.open_or_create("s").unwrap().is_creator()),
            _ => assert_eq!(options.gc().unwrap(), ["s"]),
        }
        assert!(!path.exists(), "round {round}");
    }
    std::fs::remove_dir(&directory).unwrap();
}

#[test]
fn one_survivor_keeps_the_segment() {
    let name = unique("survivor");
    let mut creator = Peer::spawn("create-and-wait", &[&name]);
    creator.expect("created");
    let mut other = Peer::spawn("open-and-wait", &[&name]);
    other.expect("opened");
    creator.kill();
    assert!(!Segment::gc().unwrap().contains(&name));
    let segment = Segment::open(&name).unwrap();
    assert_eq!(segment.value("v", 1_u64).unwrap().get().unwrap(), 99);
    let _quiet = support::no_spawning();
    drop(segment);
    assert!(file(&name).exists());
    other.tell("leave");
    other.join();
    assert!(!file(&name).exists(), "the last one removed it");
}

/// `create-in-a-loop NAME`: creates and drops for ever.
pub(crate) fn create_in_a_loop(arguments: &[String]) {
    let [name] = arguments else { panic!("create-in-a-loop NAME") };
    say("ready");
    loop {
        let segment = Segment::open_or_create(name).unwrap();
        segment.counter("c").unwrap().add(1).unwrap();
        let _list = segment.objects().unwrap();
    }
}

#[test]
fn killed_anywhere_in_a_life_cycle_it_can_always_be_created_again() {
    let name = unique("killed");
    for _ in 0..60 {
        let mut peer = Peer::spawn("create-in-a-loop", &[&name]);
        peer.expect("ready");
        // Compete with it for a while, then shoot it wherever it is.
        for _ in 0..20 {
            let segment = Segment::open_or_create(&name).unwrap();
            segment.counter("c").unwrap().add(1).unwrap();
        }
        peer.kill();
        let _quiet = support::no_spawning();
        let segment = Segment::open_or_create(&name).unwrap();
        assert!(segment.is_creator(), "what the dead one left is not taken over");
        assert_eq!(segment.counter("c").unwrap().add(1).unwrap(), 1);
        drop(segment);
        assert!(!file(&name).exists());
    }
}

#[test]
fn gc_names_what_it_removed() {
    let directory = file(&unique("gc"));
    std::fs::create_dir(&directory).unwrap();
    let place = directory.to_str().unwrap();
    let options = Segment::options().directory(&directory);
    let mut dead = ["b", "a"].map(|name| Peer::spawn("create-and-wait", &[name, place]));
    dead.iter_mut().for_each(|peer| peer.expect("created"));
    let live = options.create("live").unwrap();
    drop(options.clone().persistent(true).create("persistent").unwrap());
    assert!(options.gc().unwrap().is_empty());
    dead.into_iter().for_each(Peer::kill);
    assert_eq!(options.gc().unwrap(), ["a", "b"]);
    let _quiet = support::no_spawning();
    drop(live);
    options.unlink("persistent").unwrap();
    std::fs::remove_dir(&directory).unwrap();
}

#[test]
fn gc_leaves_other_files_alone() {
    let name = unique("alien");
    std::fs::write(file(&name), b"not a segment").unwrap();
    let removed = Segment::gc().unwrap();
    let content = std::fs::read(file(&name)).unwrap();
    std::fs::remove_file(file(&name)).unwrap();
    assert!(!removed.contains(&name));
    assert_eq!(content, b"not a segment");
}
