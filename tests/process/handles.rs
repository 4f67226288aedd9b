//! Handles as arguments and results.

use outlive::process::{JoinError, Process, StartError};
use outlive::{
    Array, AtomicCounter, Barrier, Broadcast, ByteQueue, Condvar, Counter, Event, Latest, List,
    Listener, ListenerOptions, LoanHandle, LoanPool, Map, Mutex, Namespace, Once, OnceValue, Pipe,
    PoolLayout, Queue, ReentrantMutex, Reset, RwLock, Segment, SegmentError, Semaphore, Service,
    ServiceOptions, Slow, Spsc, Start, TaskQueue, Value,
};

use crate::observe::file;
use crate::support::{unique, watchdog};

/// Runs a test that looks for a segment's name in a process where no other one starts any: a child has
/// its parent's segments until it calls exec, and who leaves in that moment is not the last one.
fn alone(test: impl Fn(()) + Copy + Send + std::marker::Sync + 'static) {
    watchdog();
    Process::options().daemon(true).start(test, ()).unwrap().join().unwrap();
}

type Data = (
    Value<u64>,
    Counter,
    AtomicCounter,
    Array<u16>,
    Queue<u64>,
    ByteQueue,
    Spsc<u64>,
    Broadcast<u64>,
    Latest<u64>,
);

type Sync = (
    Mutex<u64>,
    ReentrantMutex<u64>,
    RwLock<u64>,
    Semaphore,
    Condvar,
    Barrier,
    Event,
    Once,
    OnceValue<u64>,
);

fn data(segment: &Segment) -> Data {
    (
        segment.value("value", 1).unwrap(),
        segment.counter("counter").unwrap(),
        segment.atomic_counter("atomic").unwrap(),
        segment.array("array", 3, 0).unwrap(),
        segment.queue("queue", 8).unwrap(),
        segment.byte_queue("bytes", 256).unwrap(),
        segment.spsc("spsc", 8).unwrap(),
        segment.broadcast("broadcast", 8, Slow::Block).unwrap(),
        segment.latest("latest", 1).unwrap(),
    )
}

fn sync(segment: &Segment) -> Sync {
    (
        segment.mutex("mutex", 1).unwrap(),
        segment.reentrant_mutex("reentrant", 1).unwrap(),
        segment.rwlock("rwlock", 1).unwrap(),
        segment.semaphore("semaphore", 1).unwrap(),
        segment.condvar("condvar").unwrap(),
        segment.barrier("barrier", 2).unwrap(),
        segment.event("event", Reset::Manual).unwrap(),
        segment.once("once").unwrap(),
        segment.once_value("once value").unwrap(),
    )
}

/// Changes everything.
fn work((data, sync): (Data, Sync)) -> Value<u64> {
    let (value, counter, atomic, array, queue, bytes, spsc, broadcast, latest) = data;
    value.set(2).unwrap();
    counter.add(2).unwrap();
    atomic.fetch_add(2).unwrap();
    array.set(1, 2).unwrap();
    queue.push(2).unwrap();
    bytes.push(b"two").unwrap();
    spsc.producer().unwrap().push(2).unwrap();
    broadcast.publish(2).unwrap();
    latest.set(2).unwrap();
    let (mutex, reentrant, rwlock, semaphore, condvar, barrier, event, once, once_value) = sync;
    *mutex.lock().unwrap() = 2;
    let guard = reentrant.lock().unwrap();
    guard.set(2);
    drop(guard);
    *rwlock.write().unwrap() = 2;
    semaphore.release(1).unwrap();
    condvar.notify_all().unwrap();
    barrier.abort().unwrap();
    event.set().unwrap();
    once.call_once(|| ()).unwrap();
    once_value.set(2).unwrap();
    value
}

fn every_kind_works(segment: &Segment) {
    let (data, sync) = (data(segment), sync(segment));
    let mut subscriber = data.7.subscribe(Start::Newest).unwrap();
    let mut process = Process::start(work, (data.clone(), sync.clone())).unwrap();
    let back = process.join().unwrap();
    let (value, counter, atomic, array, queue, bytes, spsc, _, latest) = data;
    assert_eq!((value.get(), back.get()), (Ok(2), Ok(2)));
    value.set(3).unwrap();
    assert_eq!(back.get(), Ok(3), "the same object came back");
    assert_eq!((counter.get(), atomic.get()), (2, 2));
    assert_eq!(array.get(1), Ok(2));
    assert_eq!(queue.try_pop(), Ok(2));
    assert_eq!(bytes.try_pop().unwrap(), b"two");
    assert_eq!(spsc.consumer().unwrap().try_pop(), Ok(2));
    assert_eq!(subscriber.try_recv(), Ok(2));
    assert_eq!(latest.get(), Ok(2));
    let (mutex, reentrant, rwlock, semaphore, _, barrier, event, once, once_value) = sync;
    assert_eq!(*mutex.lock().unwrap(), 2);
    assert_eq!(reentrant.lock().unwrap().get(), 2);
    assert_eq!(*rwlock.read().unwrap(), 2);
    assert_eq!(semaphore.available(), 2);
    assert!(barrier.is_broken() && event.is_set() && once.is_completed());
    assert_eq!(once_value.get(), Some(2));
}

#[test]
fn objects_of_every_kind_are_arguments_in_an_anonymous_segment() {
    watchdog();
    every_kind_works(&Segment::anonymous().unwrap());
}

#[test]
fn objects_of_every_kind_are_arguments_in_a_named_segment() {
    alone(|()| {
        let name = unique("passed");
        let segment = Segment::create(&name).unwrap();
        every_kind_works(&segment);
        drop(segment);
        assert!(!file(&name).exists(), "nobody is left");
    });
}

type Dialogue =
    (TaskQueue<u64>, Map<u64, u64>, LoanPool, Queue<LoanHandle>, Pipe, Listener, Service);

/// The other side of each.
fn answer((tasks, map, loans, sent, pipe, listener, service): Dialogue) {
    // Before anything that the starter waits for: who connects or calls where nobody listens hears so.
    let (acceptor, server) = (listener.acceptor().unwrap(), service.server().unwrap());
    tasks.pop().unwrap().done().unwrap();
    map.insert(1, 2).unwrap();
    loans.loan_copy(&[2_u8]).unwrap().send_to(&sent).map_err(drop).unwrap();
    pipe.second().unwrap().send_bytes(b"two").unwrap();
    acceptor.accept().unwrap().send_bytes(b"two").unwrap();
    server.accept().unwrap().reply(b"two").unwrap();
}

#[test]
fn those_that_two_sides_talk_through_are_arguments_too() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let tasks = segment.task_queue("tasks", 4).unwrap();
    let map = segment.map("map", 10).unwrap();
    let loans = segment.loan_pool("loans", &PoolLayout::new().chunks(2, 64)).unwrap();
    let sent = segment.queue("sent", 2).unwrap();
    let pipe = segment.pipe("pipe", 4096).unwrap();
    let listener = segment.listener("listener", ListenerOptions::default()).unwrap();
    let service = segment.service("service", ServiceOptions::new(64, 64)).unwrap();
    tasks.push(1).unwrap();
    let end = pipe.first().unwrap();
    let all =
        (tasks.clone(), map.clone(), loans.clone(), sent.clone(), pipe, listener, service.clone());
    let mut process = Process::start(answer, all).unwrap();
    tasks.join().unwrap();
    assert_eq!(*loans.receive_from::<[u8]>(&sent).unwrap(), [2]);
    assert_eq!(end.recv_bytes().unwrap(), b"two");
    assert_eq!(segment.connect("listener").unwrap().recv_bytes().unwrap(), b"two");
    assert_eq!(service.client().unwrap().call(b"one").unwrap(), b"two");
    process.join().unwrap();
    assert_eq!(map.get(&1), Ok(Some(2)));
}

#[test]
fn containers_are_arguments_and_results() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let list: List<u32> = segment.list("list", 3).unwrap();
    let map: Map<u8, u32> = segment.map("map", 3).unwrap();
    let space: Namespace<8> = segment.namespace("space", 3).unwrap();
    let mut process = Process::start(
        |(list, map, space): (List<u32>, Map<u8, u32>, Namespace<8>)| {
            list.push(1).unwrap();
            map.insert(2, 3).unwrap();
            space.set("four", &5_u32).unwrap();
            space
        },
        (list.clone(), map.clone(), space.clone()),
    )
    .unwrap();
    let back = process.join().unwrap();
    assert_eq!(
        (list.to_vec(), map.get(&2), space.get("four")),
        (Ok(vec![1]), Ok(Some(3)), Ok(5_u32))
    );
    space.set("six", &7_u8).unwrap();
    assert_eq!(back.get("six"), Ok(7_u8), "the same object came back");
}

#[test]
fn a_segment_is_an_argument_and_a_result() {
    alone(|()| {
        let name = unique("passed-segment");
        let segment = Segment::create(&name).unwrap();
        let mut process = Process::start(
            |(segment, anonymous): (Segment, Segment)| {
                segment.value("made there", 5_u8).unwrap();
                let made = Segment::anonymous().unwrap();
                made.value("n", 6_u8).unwrap();
                (segment.name().map(str::to_owned), anonymous.name().is_none(), segment, made)
            },
            (segment.clone(), Segment::anonymous().unwrap()),
        )
        .unwrap();
        let (told, nameless, back, made) = process.join().unwrap();
        assert_eq!((told.as_deref(), nameless), (Some(name.as_str()), true));
        assert_eq!(segment.find::<Value<u8>>("made there").unwrap().get(), Ok(5));
        assert_eq!(back.name(), Some(name.as_str()));
        // Its maker has ended.
        assert_eq!(made.find::<Value<u8>>("n").unwrap().get(), Ok(6));
        drop((back, segment));
        assert!(!file(&name).exists());
    });
}

#[test]
fn the_starter_may_leave_before_the_process_arrives() {
    alone(|()| {
        let name = unique("handed-over");
        let gate = Segment::anonymous().unwrap().event("gate", Reset::Manual).unwrap();
        let segment = Segment::create(&name).unwrap();
        let value = segment.value("v", 7_u64).unwrap();
        drop(segment);
        // The only handle is the argument.
        let run = |(value, gate): (Value<u64>, Event)| {
            gate.wait().unwrap();
            value.get().unwrap()
        };
        let mut process = Process::start(run, (value, gate.clone())).unwrap();
        assert!(file(&name).exists(), "it is in use, wherever the process has come to");
        gate.set().unwrap();
        assert_eq!(process.join(), Ok(7));
        assert!(!file(&name).exists(), "the process was the last one");
    });
}

#[test]
fn a_start_that_fails_leaves_no_segment() {
    alone(|()| {
        let name = unique("not-started");
        let value = Segment::create(&name).unwrap().value("v", 7_u64).unwrap();
        let nowhere = Process::options().current_dir("/nonexistent");
        let error = nowhere.start(|value: Value<u64>| value.get().unwrap(), value).unwrap_err();
        assert!(matches!(error, StartError::Os(_)), "{error}");
        assert!(!file(&name).exists());
    });
}

#[test]
fn a_removed_object_arrives_and_not_its_successor() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let first = segment.value("v", 1_u64).unwrap();
    segment.remove("v").unwrap();
    let second = segment.value("v", 2_u64).unwrap();
    let both = Process::start(
        |(first, second): (Value<u64>, Value<u64>)| (first.get().unwrap(), second.get().unwrap()),
        (first, second),
    );
    assert_eq!(both.unwrap().join(), Ok((1, 2)));
}

#[test]
fn an_object_stays_while_it_is_on_its_way() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let gate = segment.event("gate", Reset::Manual).unwrap();
    let run = |(value, gate): (Value<[u64; 512]>, Event)| {
        gate.wait().unwrap();
        value.get().unwrap().iter().sum::<u64>()
    };
    let value = segment.value("v", [1_u64; 512]).unwrap();
    let mut process = Process::start(run, (value, gate.clone())).unwrap();
    // Nobody here has a handle any more: the memory of another one would be given away now.
    segment.remove("v").unwrap();
    let other = segment.value("v", [2_u64; 512]).unwrap();
    other.set([3; 512]).unwrap();
    gate.set().unwrap();
    assert_eq!(process.join(), Ok(512));
}

#[test]
fn an_unlinked_segment_arrives_and_not_its_successor() {
    watchdog();
    let name = unique("unlinked");
    let first = Segment::create(&name).unwrap();
    let value = first.value("v", 1_u64).unwrap();
    Segment::unlink(&name).unwrap();
    let second = Segment::create(&name).unwrap();
    second.value("v", 2_u64).unwrap();
    let mut process = Process::start(|value: Value<u64>| value.get().unwrap(), value).unwrap();
    assert_eq!(process.join(), Ok(1));
    drop(first);
    assert!(file(&name).exists(), "the successor's name");
}

#[test]
fn what_is_read_only_here_is_read_only_there() {
    watchdog();
    let name = unique("passed-read-only");
    let writer = Segment::create(&name).unwrap();
    writer.value("v", 5_u32).unwrap();
    let reader = Segment::options().read_only(true).open(&name).unwrap();
    let value = reader.find::<Value<u32>>("v").unwrap();
    let mut process =
        Process::start(|value: Value<u32>| (value.get().unwrap(), value.set(6).is_err()), value)
            .unwrap();
    assert_eq!(process.join(), Ok((5, true)));
}

#[test]
fn a_type_mismatch_is_found_where_it_arrives() {
    watchdog();
    // What a handle is serialised as does not tell its type; the segment does.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(untagged)]
    enum Either {
        Value(Value<u64>),
    }
    let segment = Segment::anonymous().unwrap();
    let value = segment.value("v", 5_u64).unwrap();
    let error = Process::start(|_: Either| (), Either::Value(value)).unwrap().join().unwrap_err();
    assert!(matches!(error, JoinError::Arguments { .. }), "postcard has no untagged: {error}");
}

#[test]
fn handles_are_serialised_for_processes_only() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let value = segment.value("v", 5_u64).unwrap();
    let error = serde_json::to_string(&value).unwrap_err().to_string();
    assert!(error.contains("argument or a result of a process"), "{error}");
    let text = r#"{"segment":0,"object":[0,0],"waiting":"Park"}"#;
    let error = serde_json::from_str::<Value<u64>>(text).unwrap_err().to_string();
    assert!(error.contains("argument or a result of a process"), "{error}");
    let error = serde_json::to_string(&segment).unwrap_err().to_string();
    assert!(error.contains("argument or a result of a process"), "{error}");
}

#[test]
fn more_segments_than_can_go_along_are_an_error() {
    watchdog();
    let make = || Segment::options().capacity(8192).anonymous().unwrap();
    let many: Vec<Segment> = std::iter::repeat_with(make).take(252).collect();
    let error = Process::start(|many: Vec<Segment>| many.len(), many.clone()).unwrap_err();
    assert!(matches!(error, StartError::TooManySegments { count: 252, limit: 251 }), "{error}");
    let most = many.into_iter().skip(1).collect::<Vec<_>>();
    // With a long argument beside them, there is one more descriptor.
    let mut process = Process::start(
        |(many, long): (Vec<Segment>, Vec<u8>)| (many, long.len()),
        (most, vec![7; 1 << 20]),
    )
    .unwrap();
    let (back, long) = process.join().unwrap();
    assert_eq!((back.len(), long), (251, 1 << 20));
    let error = Process::start(
        |()| {
            let make = || Segment::options().capacity(8192).anonymous().unwrap();
            std::iter::repeat_with(make).take(300).collect::<Vec<Segment>>()
        },
        (),
    );
    let error = error.unwrap().join().unwrap_err();
    assert!(matches!(&error, JoinError::Result { what, .. } if what.contains("300")), "{error}");
}

#[test]
fn one_that_is_killed_on_its_way_leaves_nothing() {
    alone(|()| {
        let name = unique("killed-on-its-way");
        let segment = Segment::create(&name).unwrap();
        let value = segment.value("v", 7_u64).unwrap();
        drop(segment);
        for _ in 0..20 {
            let mut process =
                Process::start(|value: Value<u64>| value.get().unwrap(), value.clone()).unwrap();
            // Before it has come to anything, most of the time.
            process.kill().unwrap();
            let _either = process.join();
        }
        drop(value);
        assert!(!file(&name).exists());
        assert!(matches!(Segment::open(&name), Err(SegmentError::NotFound { .. })));
    });
}
