//! Operations on channels, by number.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::Duration;

use outlive::{
    Broadcast, ByteQueue, LoanPool, Pipe, PipeEnd, Service, Shared, Side, Spsc, Start, TaskQueue,
};

use crate::operations::{SHORT, tried};

/// What is received is never longer than what there is room for.
fn fits(bytes: &[u8], room: usize) {
    assert!(bytes.len() <= room, "{} bytes from {room}", bytes.len());
    black_box(bytes.iter().fold(0_u8, |all, byte| all ^ byte));
}

pub fn spsc<T: Shared + Debug>(ring: &Spsc<T>, new: T, operation: u8) {
    assert!(ring.len() <= ring.capacity(), "more messages than there is room for");
    match operation % 10 {
        0 => tried(ring.producer().map(|mut end| tried(end.try_push(new)))),
        1 => tried(ring.producer().map(|mut end| tried(end.try_push_slice(&[new; 3])))),
        2 => tried(ring.producer().map(|mut end| tried(end.push_timeout(new, SHORT)))),
        3 => tried(ring.producer().map(|mut end| {
            tried(end.try_write_chunk(2).map(|chunk| black_box(chunk.fill([new; 2]))));
        })),
        4 => tried(ring.consumer().map(|mut end| tried(end.try_pop()))),
        5 => tried(ring.consumer().map(|mut end| tried(end.try_pop_slice(&mut [new; 3])))),
        6 => tried(ring.consumer().map(|mut end| tried(end.pop_timeout(SHORT)))),
        7 => tried(ring.consumer().map(|mut end| {
            tried(end.try_read_chunk(2).map(|chunk| {
                black_box(format!("{:?}", chunk.as_slices()));
                chunk.commit(1);
            }));
        })),
        8 => tried(ring.consumer().map(|mut end| end.close())),
        _ => drop(black_box(format!("{ring:?} {:?}", ring.stats()))),
    }
}

pub fn bytes(queue: &ByteQueue, operation: u8) {
    let (most, room) = (queue.max_message(), queue.capacity());
    assert!(most < room && queue.len() <= room, "more than there is room for");
    match operation % 9 {
        0 => tried(queue.try_push(&vec![1; usize::from(operation / 9)])),
        1 => tried(queue.push_timeout(&vec![2; most], SHORT)),
        2 => tried(queue.try_grant(most).map(|mut grant| {
            grant.fill(3);
            grant.commit_part(usize::from(operation));
        })),
        3 => tried(queue.try_pop().map(|message| fits(&message, most))),
        4 => tried(queue.pop_timeout(SHORT).map(|message| fits(&message, most))),
        5 | 6 => tried(queue.try_read().map(|message| {
            fits(&message, most);
            if operation % 9 == 5 {
                message.keep();
            }
        })),
        7 => tried(queue.close()),
        _ => drop(black_box(format!("{queue:?} {:?}", queue.stats()))),
    }
}

pub fn broadcast<T: Shared + Debug>(channel: &Broadcast<T>, new: T, operation: u8) {
    let start = if operation > 127 { Start::Oldest } else { Start::Newest };
    match operation % 4 {
        0 => tried(channel.try_publish(new)),
        1 => tried(channel.publish_timeout(new, SHORT)),
        2 => tried(channel.subscribe(start).map(|mut subscriber| {
            tried(channel.try_publish(new));
            (0..4).for_each(|_| tried(subscriber.try_recv()));
            tried(subscriber.recv_timeout(SHORT));
        })),
        _ => drop(black_box(format!("{channel:?} {:?}", channel.stats()))),
    }
}

fn talk(end: &PipeEnd, operation: u8) {
    let most = end.max_message();
    match operation % 8 {
        0 => tried(end.try_send_bytes(&vec![1; usize::from(operation / 8)])),
        1 => tried(end.send_bytes_timeout(&vec![2; most], SHORT)),
        2 => tried(end.try_grant(most).map(|mut grant| {
            grant.fill(3);
            grant.commit();
        })),
        3 => tried(end.try_recv_bytes().map(|message| fits(&message, 2 * most))),
        4 => tried(end.recv_bytes_timeout(SHORT).map(|message| fits(&message, 2 * most))),
        5 => tried(end.try_read_message().map(|message| fits(&message, 2 * most))),
        6 => tried(end.poll(SHORT)),
        _ => drop(black_box(format!("{end:?} {}", end.is_peer_gone()))),
    }
}

pub fn pipe(pipe: &Pipe, operation: u8) {
    let side = if operation % 2 == 0 { Side::First } else { Side::Second };
    tried(pipe.take(side).map(|end| talk(&end, operation / 2)));
    if operation > 250 {
        black_box(format!("{pipe:?} {:?}", pipe.stats()));
    }
}

pub fn tasks(queue: &TaskQueue<u64>, operation: u8) {
    let task = || queue.try_pop();
    match operation % 8 {
        0 => tried(queue.try_push(7)),
        1 => tried(task().map(|task| tried(task.done()))),
        2 => tried(task().map(|task| tried(task.fail()))),
        3 => tried(task().map(|task| tried(task.put_back()))),
        4 => tried(queue.pop_timeout(SHORT).map(drop)),
        5 => tried(queue.pop_failed()),
        6 => tried(queue.join_timeout(SHORT)),
        _ => drop(black_box(format!("{queue:?} {:?}", queue.stats()))),
    }
}

/// A handle that came from a pool is tried there again, as it is and with other bytes.
pub fn pool(pool: &LoanPool, operation: u8) {
    match operation % 6 {
        0 | 1 => tried(pool.try_loan_bytes(usize::from(operation)).map(|mut loan| {
            loan.fill(1);
            let mut handle = loan.send().to_bytes();
            if operation % 6 == 1 {
                handle[usize::from(operation) % 16] ^= operation;
            }
            let handle = outlive::LoanHandle::from_bytes(handle);
            tried(pool.receive::<[u8]>(handle).map(|loaned| fits(&loaned, pool.max_len())));
            tried(pool.discard(handle));
        })),
        2 => tried(pool.try_loan(7_u64).map(|mut loan| *loan = 8)),
        3 => tried(pool.loan_slice_timeout::<u64>(3, SHORT).map(|mut loan| loan.fill(9))),
        4 => tried(pool.reclaim()),
        _ => drop(black_box(format!("{pool:?} {:?}", pool.stats()))),
    }
}

pub fn service(service: &Service, operation: u8) {
    let most = (service.max_request(), service.max_reply());
    match operation % 4 {
        0 => tried(service.client().map(|client| {
            tried(client.call_timeout(b"nobody", SHORT).map(|reply| fits(&reply, most.1)));
        })),
        1 => tried(service.server().map(|server| {
            tried(server.try_accept().map(|mut request| {
                fits(&request, most.0);
                tried(request.reply(b"yes"));
            }));
        })),
        2 => tried(service.server().map(|server| {
            tried(service.client().map(|client| {
                let pending = client.send_timeout(b"asked", Duration::ZERO);
                tried(server.try_accept().map(|mut request| {
                    fits(&request, most.0);
                    tried(request.reply(b"answered"));
                }));
                tried(pending.map(|pending| {
                    tried(pending.wait_timeout(SHORT).map(|reply| fits(&reply, most.1)));
                }));
            }));
        })),
        _ => drop(black_box(format!("{service:?} {}", service.waiting()))),
    }
}
