//! Where `reclaim` looks for handles, and where it finds none any more.

use outlive::{LoanHandle, LoanPool, PoolLayout, ReceiveError, Shared, Slow};

use super::driver::{chunks, pool};

#[derive(Debug, Clone, Copy, PartialEq, Shared)]
#[repr(C)]
struct Message {
    number: u64,
    handle: LoanHandle,
    rest: [u64; 40],
}

fn send(pool: &LoanPool) -> LoanHandle {
    pool.loan(7_u64).expect("loan").send()
}

/// It is good as long as it is in there, and comes back after that.
fn is_found<R>(pool: &LoanPool, put: impl Fn(LoanHandle), take: impl Fn() -> R) {
    for round in 0..20 {
        let handle = send(pool);
        put(handle);
        assert_eq!(pool.reclaim(), Ok(0), "in round {round}");
        let _taken = take();
        assert_eq!(pool.reclaim(), Ok(1), "in round {round}");
        assert_eq!(pool.receive::<u64>(handle).err(), Some(ReceiveError::Stale));
    }
    assert_eq!(pool.stats().free, pool.stats().chunks);
}

#[test]
fn handles_in_queues_of_all_kinds_are_found_until_they_are_taken() {
    let (segment, pool, queue, _name) = pool("queues", &chunks(2, 64));
    is_found(&pool, |h| queue.push(h).expect("push"), || queue.pop().expect("pop"));

    let messages = segment.queue::<Message>("messages", 3).expect("queue");
    let message = |handle| Message { number: 1, handle, rest: [2; 40] };
    is_found(
        &pool,
        |handle| messages.push(message(handle)).expect("push"),
        || messages.pop().expect("pop"),
    );

    let ring = segment.spsc::<Message>("ring", 3).expect("ring");
    let producer = std::cell::RefCell::new(ring.producer().expect("producer"));
    let consumer = std::cell::RefCell::new(ring.consumer().expect("consumer"));
    is_found(
        &pool,
        |handle| producer.borrow_mut().push(message(handle)).expect("push"),
        || consumer.borrow_mut().pop().expect("pop"),
    );

    let bytes = segment.byte_queue("bytes", 104).expect("queue");
    is_found(
        &pool,
        |handle| bytes.push(&[[1; 16], handle.to_bytes()].concat()).expect("push"),
        || bytes.pop().expect("pop"),
    );
}

#[test]
fn handles_in_other_objects_are_found_until_they_are_overwritten() {
    let (segment, pool, queue, _name) = pool("others", &chunks(2, 64));
    let none = LoanHandle::from_bytes([0; 16]);
    let array = segment.array("array", 5000, none).expect("array");
    for index in [0, 1, 4095, 4096, 4999] {
        is_found(
            &pool,
            |handle| array.set(index, handle).expect("set"),
            || {
                // The journal, too.
                array.set(index, none).expect("set");
                array.write(0, &vec![none; 5000]).expect("set");
            },
        );
    }
    let mutex = segment.mutex("mutex", none).expect("mutex");
    is_found(
        &pool,
        |handle| *mutex.lock().expect("lock") = handle,
        || *mutex.lock().expect("lock") = none,
    );
    let channel = segment.broadcast::<LoanHandle>("b", 1, Slow::Overwrite).expect("channel");
    is_found(
        &pool,
        |handle| channel.publish(handle).expect("publish"),
        || channel.publish(none).expect("publish"),
    );
    assert!(queue.is_empty());
}

#[test]
fn handles_in_a_removed_queue_come_back_when_nobody_uses_it() {
    let (segment, pool, _queue, _name) = pool("removed", &chunks(4, 64));
    let queue = segment.queue::<LoanHandle>("gone", 3).expect("queue");
    (0..3).for_each(|_| queue.push(send(&pool)).expect("push"));
    segment.remove("gone").expect("remove");
    assert_eq!(pool.reclaim(), Ok(0), "this one uses it still");
    assert_eq!(*pool.receive_from::<u64>(&queue).expect("receive"), 7);
    drop(queue);
    // What is removed is given back when something is made or removed.
    segment.counter("something").expect("counter");
    assert_eq!(pool.reclaim(), Ok(2));
    assert_eq!(pool.stats().free, 4);
}

/// Others go on meanwhile.
#[test]
fn a_reclaim_touches_nothing_that_is_in_use() {
    let layout = PoolLayout::new().chunks(8, 64).chunks(2, 4096);
    let (_segment, pool, queue, _name) = pool("use", &layout);
    let (held, kept) = (pool.loan(1_u64).expect("loan"), send(&pool));
    let received = pool.receive::<u64>(kept).expect("receive");
    (0..3).for_each(|_| queue.push(send(&pool)).expect("push"));
    let lost: Vec<_> = (0..2).map(|_| pool.loan_bytes(4000).expect("loan")).collect();
    lost.into_iter().for_each(|loan| assert_eq!(loan.send().to_bytes().len(), 16));
    assert_eq!(pool.reclaim(), Ok(2));
    let stats = pool.stats();
    assert_eq!((stats.held, stats.sent, stats.free, stats.returned), (2, 3, 5, 2));
    assert_eq!((*held, *received), (1, 7));
}

#[test]
fn a_panic_while_handing_over_is_decided_by_where_the_handle_is() {
    let (_segment, pool, queue, _name) = pool("panic", &chunks(1, 64));
    crate::unwind(|unwind| {
        let _unreachable = pool.loan(1_u64).expect("loan").send_with(|_| -> Result<(), ()> {
            unwind.now();
        });
    });
    drop(pool.try_loan(2_u64).expect("it came back"));
    crate::unwind(|unwind| {
        let _unreachable = pool.loan(3_u64).expect("loan").send_with(|handle| -> Result<(), ()> {
            queue.push(handle).expect("push");
            unwind.now();
        });
    });
    assert!(pool.try_loan(4_u64).is_err(), "it is in the queue");
    assert_eq!(*pool.receive_from::<u64>(&queue).expect("receive"), 3);
    assert_eq!(pool.stats().free, 1);
    crate::unwind(|unwind| {
        let _loan = pool.loan(5_u64).expect("loan");
        unwind.now();
    });
    assert!(pool.try_loan(6_u64).is_ok());
}
