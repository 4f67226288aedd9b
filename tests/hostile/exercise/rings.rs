//! Rings: from one to one, and from all to all.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::Duration;

use outlive::{Broadcast, Consumer, Producer, Shared, Slow, Spsc, Start, Subscriber, wait_any};

use super::{Others, SHORT, outcome, show, tried};

pub(crate) fn read_spsc<T: Shared>(ring: &Spsc<T>) {
    assert!(ring.len() <= ring.capacity(), "{} messages", ring.len());
    black_box((ring.is_empty(), ring.is_closed()));
    show((ring.stats(), ring.producer_holder(), ring.consumer_holder(), ring.clone()));
}

pub(crate) fn spsc<T: Shared + Debug>(ring: &Spsc<T>, new: T, others: Others) {
    read_spsc(ring);
    let mut consumer = outcome(ring.consumer_timeout(Duration::ZERO));
    let mut producer = outcome(ring.producer());
    drop(outcome(ring.producer_timeout(Duration::ZERO)));
    drop(outcome(ring.consumer()));
    if let Some(consumer) = &mut consumer {
        pop(consumer, new, others);
    }
    if let Some(producer) = &mut producer {
        push(producer, new);
    }
    if let Some(consumer) = &mut consumer {
        pop(consumer, new, others);
        let taken = (0..100).map(|_| consumer.try_pop()).filter(Result::is_ok).count();
        // Nobody pushes.
        assert!(others == Others::Writing || taken <= ring.capacity(), "{taken} messages");
    }
    if let Some(producer) = &mut producer {
        tried(producer.try_push(new));
        producer.close();
        push(producer, new);
        if others == Others::Quiet && ring.is_closed() {
            tried(producer.push(new));
            tried(producer.push_slice(&[new; 2]));
            drop(outcome(producer.write_chunk(1)));
        }
    }
    if let Some(consumer) = &mut consumer {
        pop(consumer, new, others);
        if others == Others::Quiet && ring.is_closed() {
            tried(consumer.pop());
            tried(consumer.pop_slice(&mut [new; 2]));
            drop(outcome(consumer.read_chunk(1)));
        }
        consumer.close();
    }
    drop((producer, consumer));
    read_spsc(ring);
}

fn push<T: Shared + Debug>(producer: &mut Producer<T>, new: T) {
    tried(producer.try_push(new));
    tried(producer.try_push_slice(&[new; 2]));
    tried(producer.push_timeout(new, SHORT));
    if let Some(mut chunk) = outcome(producer.try_write_chunk(9)) {
        let length = chunk.len();
        let (first, second) = chunk.as_mut_slices();
        assert_eq!(first.len() + second.len(), length);
        for slot in first.iter_mut().chain(second) {
            slot.write(new);
        }
        chunk.commit(1);
    }
    if let Some(chunk) = outcome(producer.try_write_chunk(2)) {
        chunk.fill([new; 3]);
    }
    drop(outcome(producer.try_write_chunk(1)));
    tried(producer.push_slice_timeout(&[new; 9], Duration::ZERO));
    tried(wait_any(&[&*producer], Some(Duration::ZERO)));
    show((&*producer, producer.ring()));
}

fn pop<T: Shared + Debug>(consumer: &mut Consumer<T>, new: T, others: Others) {
    // What a chunk leads to was checked when it was made: see `single::guarded`.
    let may_look = others == Others::Quiet || T::ANY_PATTERN_IS_VALID;
    tried(wait_any(&[&*consumer], Some(Duration::ZERO)));
    tried(consumer.try_pop());
    if let Some(chunk) = outcome(consumer.try_read_chunk(2)) {
        let (first, second) = chunk.as_slices();
        assert_eq!(first.len() + second.len(), chunk.len());
        if may_look {
            show((first, second));
        }
        chunk.commit(1);
    }
    drop(outcome(consumer.try_read_chunk(9)));
    tried(consumer.pop_timeout(SHORT));
    tried(consumer.try_pop_slice(&mut [new; 2]));
    tried(consumer.pop_slice_timeout(&mut [new; 3], Duration::ZERO));
    show((&*consumer, consumer.ring()));
}

pub(crate) fn read_broadcast<T: Shared>(channel: &Broadcast<T>) {
    assert!(channel.subscribers() <= channel.places(), "{} subscribers", channel.subscribers());
    black_box((channel.is_closed(), channel.capacity(), channel.slow(), channel.published()));
    show((channel.stats(), channel.clone()));
}

pub(crate) fn broadcast<T: Shared + Debug>(channel: &Broadcast<T>, new: T, others: Others) {
    read_broadcast(channel);
    let mut subscribers = Vec::new();
    for start in [Start::Oldest, Start::Newest, Start::Newest] {
        subscribers.extend(outcome(channel.subscribe(start)));
    }
    for _ in 0..3 {
        tried(channel.try_publish(new));
    }
    tried(channel.publish_timeout(new, SHORT));
    if others == Others::Quiet && channel.slow() == Slow::Overwrite {
        tried(channel.publish(new));
    }
    subscribers.iter_mut().for_each(receive);
    tried(channel.try_publish(new));
    tried(channel.close());
    tried(channel.try_publish(new));
    for subscriber in &mut subscribers {
        receive(subscriber);
        if others == Others::Quiet && channel.is_closed() {
            tried(channel.publish(new));
            tried(subscriber.recv());
            tried(subscriber.recv());
        }
    }
    read_broadcast(channel);
}

fn receive<T: Shared + Debug>(subscriber: &mut Subscriber<T>) {
    black_box(subscriber.pending());
    tried(subscriber.recv_timeout(Duration::ZERO));
    for _ in 0..subscriber.channel().capacity() {
        tried(subscriber.try_recv());
    }
    tried(wait_any(&[&*subscriber], Some(Duration::ZERO)));
    tried(subscriber.recv_timeout(SHORT));
    show(&*subscriber);
}
