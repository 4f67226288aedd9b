//! Waiting for several things at once.

use std::hint::black_box;
use std::time::Duration;

use outlive::{Bridge, Waitable, wait_any, wait_some};

use super::{Objects, outcome, tried};

/// A thread's start is longer than that, but damage may make everything ready and nothing.
const MOMENT: Duration = Duration::from_millis(1);

type Things = Vec<Box<dyn Waitable + Send + Sync>>;

impl Objects {
    fn waitables(&self) -> Things {
        fn add<W: Waitable + Send + Sync + 'static>(things: &mut Things, thing: Option<W>) {
            things.extend(thing.map(|thing| Box::new(thing) as _));
        }
        let mut things = Things::new();
        let all = &mut things;
        add(all, self.queue_number.as_ref().map(|queue| queue.readable()));
        add(all, self.queue_number.as_ref().map(|queue| queue.writable()));
        add(all, self.queue_state.as_ref().map(|queue| queue.readable()));
        add(all, self.queue_large.as_ref().map(|queue| queue.writable()));
        add(all, self.mutex_number.as_ref().map(|mutex| mutex.available()));
        add(all, self.mutex_state.as_ref().map(|mutex| mutex.available()));
        add(all, self.reentrant_number.as_ref().map(|mutex| mutex.available()));
        add(all, self.value_record.as_ref().map(|value| value.available()));
        add(all, self.counter.as_ref().map(|counter| counter.available()));
        add(all, self.array_record.as_ref().map(|array| array.available()));
        add(all, self.list_record.as_ref().map(|list| list.available()));
        add(all, self.semaphore.clone());
        add(all, self.bounded_semaphore.clone());
        add(all, self.latest_number.as_ref().map(|latest| latest.changed(latest.version())));
        add(all, self.latest_wide.as_ref().map(|latest| latest.changed(latest.version())));
        add(all, self.event_manual.clone());
        add(all, self.event_auto.clone());
        add(all, self.bytes.as_ref().map(|queue| queue.readable()));
        add(all, self.bytes.as_ref().map(|queue| queue.writable(8)));
        add(all, self.tasks.as_ref().map(|queue| queue.readable()));
        things
    }
}

pub(crate) fn any(objects: &Objects) {
    let things = objects.waitables();
    let borrowed: Vec<&dyn Waitable> = things.iter().map(|thing| &**thing as _).collect();
    tried(wait_some(&borrowed, Some(Duration::ZERO)));
    tried(wait_any(&borrowed, Some(MOMENT)));
    // One at a time: of several, one is ready nearly always.
    for thing in &borrowed {
        tried(wait_any(&[*thing], Some(Duration::from_micros(50))));
    }
    // With something to poll beside them.
    if let Some((reader, _writer)) = outcome(std::io::pipe()) {
        let of_words = borrowed.iter().rev().take(2).copied();
        let all: Vec<&dyn Waitable> = of_words.chain([&reader as &dyn Waitable]).collect();
        tried(wait_some(&all, Some(MOMENT)));
    }
    if let Some(bridge) = outcome(Bridge::new(things)) {
        tried(wait_any(&[&bridge], Some(MOMENT)));
        black_box(bridge.ready());
        tried(bridge.rearm());
        black_box(format!("{bridge:?}"));
    }
}
