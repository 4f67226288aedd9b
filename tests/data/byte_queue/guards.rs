//! Room that is written in place, and messages that are read there.

use std::time::Duration;

use outlive::{BytePushError, LockError, PopError};

use super::driver::{Driver, queue};

#[test]
fn a_grant_is_pushed_as_a_whole_in_part_or_not_at_all() {
    let (_segment, queue, _name) = queue("grant", 256);
    for round in 0..40 {
        let mut grant = queue.grant(13).expect("grant");
        assert_eq!(grant.len(), 13);
        assert!(grant.as_ptr().addr().is_multiple_of(8));
        grant.copy_from_slice(b"thirteen long");
        assert_eq!(&grant[..8], b"thirteen");
        assert!(queue.is_empty(), "nothing is pushed yet");
        match round % 4 {
            0 => grant.commit(),
            1 => grant.commit_part(8),
            2 => grant.commit_part(1000),
            _ => drop(grant),
        }
        let expected: &[u8] = if round % 4 == 1 { b"thirteen" } else { b"thirteen long" };
        assert_eq!(queue.len(), usize::from(round % 4 != 3));
        if round % 4 == 3 {
            assert_eq!(queue.try_pop(), Err(PopError::Empty));
        } else {
            assert_eq!(queue.try_pop().as_deref(), Ok(expected));
        }
    }
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died");
}

/// What is given back is there for the next message.
#[test]
fn the_rest_of_a_grant_is_given_back() {
    let (_segment, queue, _name) = queue("rest", 64);
    for _ in 0..8 {
        let grant = queue.try_grant(queue.max_message()).expect("it is empty");
        grant.commit_part(1);
        // At any place, what the first one left is enough for another short one.
        queue.try_push(&[2]).expect("room");
        queue.pop().expect("pop");
        assert_eq!(queue.pop(), Ok(vec![2]));
        queue.push(&[]).expect("push");
        queue.pop().expect("pop");
    }
}

#[test]
fn a_message_is_read_where_it_is_and_taken_or_kept() {
    let (_segment, queue, _name) = queue("read", 256);
    queue.push(b"first").expect("push");
    queue.push(b"second").expect("push");
    for _ in 0..3 {
        let message = queue.read().expect("read");
        assert_eq!(&*message, b"first");
        assert!(message.as_ptr().addr().is_multiple_of(8));
        message.keep();
        assert_eq!(queue.len(), 2);
    }
    queue.try_read().expect("read").release();
    assert_eq!(queue.len(), 1);
    drop(queue.read_timeout(Duration::ZERO).expect("read"));
    assert!(queue.is_empty());
    assert_eq!(queue.try_read().map(drop), Err(PopError::Empty));
    assert_eq!(queue.read_timeout(Duration::ZERO).map(drop), Err(PopError::TimedOut));
    assert_eq!(queue.stats().redelivered, 0);
}

#[test]
fn a_panic_pushes_nothing_and_leaves_the_message_in_the_queue() {
    let (_segment, queue, _name) = queue("panic", 256);
    crate::unwind(|unwind| {
        let _grant = queue.grant(5).expect("grant");
        unwind.now();
    });
    assert!(queue.is_empty());
    queue.push(b"stays").expect("the lock was released");
    crate::unwind(|unwind| {
        let _message = queue.read().expect("read");
        unwind.now();
    });
    assert_eq!(queue.pop().as_deref(), Ok(&b"stays"[..]));
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died");
}

#[test]
fn a_thread_that_has_a_guard_does_not_wait_for_itself() {
    let (_segment, queue, _name) = queue("itself", 256);
    let refused = || BytePushError::Lock(LockError::Deadlock);
    let grant = queue.grant(1).expect("grant");
    assert_eq!(queue.push(b"x"), Err(refused()));
    assert_eq!(queue.try_push(b"x"), Err(refused()));
    assert_eq!(queue.grant(1).map(drop), Err(refused()));
    assert_eq!(queue.close(), Err(LockError::Deadlock));
    grant.commit();
    let message = queue.read().expect("read");
    assert_eq!(queue.pop(), Err(PopError::Lock(LockError::Deadlock)));
    assert_eq!(queue.try_read().map(drop), Err(PopError::Lock(LockError::Deadlock)));
    queue.push(b"y").expect("the other side is free");
    drop(message);
    assert_eq!(queue.pop().as_deref(), Ok(&b"y"[..]));
}

#[test]
fn an_attempt_does_not_wait_for_anothers_guard() {
    let (_segment, queue, name) = queue("attempt", 256);
    let mut other = Driver::new(&name);
    other.does("grant text", "granted");
    let refused = || BytePushError::Lock(LockError::WouldBlock);
    assert_eq!(queue.try_push(b"x"), Err(refused()));
    assert_eq!(queue.try_grant(1).map(drop), Err(refused()));
    assert_eq!(queue.push_timeout(b"x", Duration::ZERO), Err(BytePushError::TimedOut));
    assert_eq!(queue.try_pop(), Err(PopError::Empty));
    other.gives_up("commit");
    other.does("read", "text");
    assert_eq!(queue.try_pop(), Err(PopError::Lock(LockError::WouldBlock)));
    assert_eq!(queue.pop_timeout(Duration::ZERO), Err(PopError::TimedOut));
    queue.try_push(b"x").expect("the other side is free");
    other.gives_up("release");
    assert_eq!(queue.try_pop().as_deref(), Ok(&b"x"[..]));
    other.peer.join();
}

#[test]
fn who_waits_for_a_guard_goes_on_when_it_is_given_up() {
    let (_segment, queue, name) = queue("behind", 256);
    let [mut holder, mut waiter] = [(); 2].map(|()| Driver::new(&name));
    for (how, left) in [("commit", 2), ("drop", 1)] {
        holder.does("grant one", "granted");
        waiter.block("push two");
        holder.gives_up(how);
        waiter.peer.expect("pushed");
        assert_eq!(queue.len(), left);
        while queue.len() > 1 {
            assert_eq!(queue.pop().as_deref(), Ok(&b"one"[..]));
        }
        assert_eq!(queue.pop().as_deref(), Ok(&b"two"[..]));
    }
    for (how, next) in [("release", "b"), ("keep", "a")] {
        queue.push(b"a").expect("push");
        queue.push(b"b").expect("push");
        holder.does("read", "a");
        waiter.block("pop");
        holder.gives_up(how);
        waiter.peer.expect(next);
        while queue.try_pop().is_ok() {}
    }
    [holder, waiter].into_iter().for_each(|driver| driver.peer.join());
}
