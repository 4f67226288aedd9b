//! Messages of any length: byte queues and pipes.

use std::fmt::{Debug, Display};
use std::hint::black_box;
use std::io::{Read, Write};
use std::time::Duration;

use outlive::{ByteQueue, Grant, Message, Pipe, PipeEnd, Side, wait_any};

use super::{Others, SHORT, outcome, show, tried};

pub(crate) fn read_bytes(queue: &ByteQueue) {
    let (length, capacity) = (queue.len(), queue.capacity());
    assert!(length <= capacity && queue.max_message() < capacity, "{length} messages");
    black_box((queue.is_empty(), queue.is_closed()));
    show((queue.stats(), queue.clone()));
}

/// What is received is never longer than what can be sent.
fn received<M: AsRef<[u8]> + Debug, E: Display + Debug>(
    capacity: usize,
    received: Result<M, E>,
) -> bool {
    let message = outcome(received);
    if let Some(message) = &message {
        let length = message.as_ref().len();
        assert!(length < capacity, "a message of {length} bytes from {capacity}");
    }
    message.is_some()
}

fn looked_at<'a, E: Display + Debug>(
    capacity: usize,
    message: Result<Message<'a>, E>,
) -> Option<Message<'a>> {
    let message = outcome(message)?;
    assert!(message.len() < capacity, "a message of {} bytes from {capacity}", message.len());
    show(&*message);
    Some(message)
}

fn filled<E: Display + Debug>(grant: Result<Grant<'_>, E>) -> Option<Grant<'_>> {
    let mut grant = outcome(grant)?;
    grant.fill(0xff);
    Some(grant)
}

pub(crate) fn bytes(queue: &ByteQueue, others: Others) {
    read_bytes(queue);
    pop(queue);
    push(queue);
    pop(queue);
    if others == Others::Quiet {
        let taken = (0..100).map(|_| queue.try_pop()).filter(Result::is_ok).count();
        // Nobody pushes.
        assert!(taken <= queue.capacity() / 8, "{taken} messages");
    }
    tried(queue.try_push(b"left"));
    tried(queue.close());
    push(queue);
    // Else these would wait for others.
    if others == Others::Quiet && queue.is_closed() {
        tried(queue.push(b"closed"));
        drop(outcome(queue.grant(1)));
        drop(looked_at(queue.capacity(), queue.read()));
        tried(queue.pop_into(&mut Vec::new()));
        received(queue.capacity(), queue.pop());
    }
    pop(queue);
    read_bytes(queue);
}

fn push(queue: &ByteQueue) {
    let most = queue.max_message();
    for length in [0, 5, 8, most, most + 1] {
        tried(queue.try_push(&vec![0xff; length]));
    }
    if let Some(grant) = filled(queue.try_grant(9)) {
        grant.commit_part(5);
    }
    drop(outcome(queue.try_grant(usize::MAX)));
    drop(filled(queue.try_grant(most)));
    if let Some(grant) = filled(queue.grant_timeout(3, Duration::ZERO)) {
        grant.commit();
    }
    tried(queue.push_timeout(&vec![0xff; most], SHORT));
}

fn pop(queue: &ByteQueue) {
    let capacity = queue.capacity();
    if let Some(message) = looked_at(capacity, queue.try_read()) {
        message.keep();
    }
    received(capacity, queue.try_pop());
    let mut buffer = vec![7];
    tried(queue.try_pop_into(&mut buffer));
    received(capacity, queue.pop_timeout(Duration::ZERO));
    tried(queue.pop_into_timeout(&mut buffer, Duration::ZERO));
    assert!(buffer.len() < capacity);
    drop(looked_at(capacity, queue.read_timeout(SHORT)));
}

pub(crate) fn read_pipe(pipe: &Pipe) {
    black_box((pipe.flow(), pipe.capacity(), pipe.stats()));
    show((pipe.holder(Side::First), pipe.holder(Side::Second), pipe.clone()));
}

pub(crate) fn pipe(pipe: &Pipe, others: Others) {
    read_pipe(pipe);
    let first = outcome(pipe.first());
    let second = outcome(pipe.take_timeout(Side::Second, Duration::ZERO));
    drop(outcome(pipe.take(Side::First)));
    drop(outcome(pipe.second()));
    for end in second.iter().chain(&first) {
        talk(end);
    }
    if let (Some(first), Some(second), Others::Quiet) = (&first, &second, others) {
        // Both ends are this thread's, so that waiting is an error.
        for end in [second, first] {
            tried(end.send_bytes(b"sent"));
            if let Some(grant) = filled(end.grant(3)) {
                grant.commit();
            }
            tried((&*end).write(b"a stream"));
            tried((&*end).flush());
        }
        for end in [second, first] {
            let mut buffer = [0; 3];
            tried((&*end).read(&mut buffer));
            received(pipe.capacity(), end.recv_bytes());
            tried((&*end).read(&mut buffer));
            tried(end.recv_bytes_into(&mut Vec::new()));
            drop(looked_at(pipe.capacity(), end.read_message()));
        }
    }
    second.into_iter().for_each(PipeEnd::close);
    if let Some(end) = &first {
        talk(end);
        leftovers(end, pipe.capacity(), others);
    }
    drop(first);
    read_pipe(pipe);
}

/// Up to the end of file.
fn leftovers(end: &PipeEnd, capacity: usize, others: Others) {
    if others == Others::Quiet && end.is_peer_gone() {
        let more = |_: &usize| received(capacity, end.recv_bytes());
        let count = (0..=capacity).take_while(more).count();
        assert!(count <= capacity / 8, "{count} messages");
        tried((&*end).read(&mut [0; 3]));
        tried(end.send_bytes(b"to nobody"));
    }
}

/// What an end does, whoever has the other one.
pub(super) fn talk(end: &PipeEnd) {
    let most = end.max_message();
    black_box((end.is_peer_gone(), end.is_peer_awaited(), end.side()));
    tried(end.try_send_bytes(b"sent"));
    tried(end.send_bytes_timeout(&vec![0xff; most], SHORT));
    if let Some(grant) = filled(end.try_grant(3)) {
        grant.commit();
    }
    drop(filled(end.grant_timeout(most, Duration::ZERO)));
    tried(end.poll(Duration::ZERO));
    tried(wait_any(&[end], Some(Duration::ZERO)));
    tried(wait_any(&[&end.writable(most)], Some(Duration::ZERO)));
    let capacity = end.max_message() + 1;
    if let Some(message) = looked_at(2 * capacity, end.try_read_message()) {
        message.keep();
    }
    received(2 * capacity, end.try_recv_bytes());
    received(2 * capacity, end.recv_bytes_timeout(Duration::ZERO));
    let mut buffer = Vec::new();
    tried(end.try_recv_bytes_into(&mut buffer));
    tried(end.recv_bytes_into_timeout(&mut buffer, Duration::ZERO));
    drop(looked_at(2 * capacity, end.read_message_timeout(SHORT)));
    show(end);
}
