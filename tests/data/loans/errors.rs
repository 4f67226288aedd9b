//! What is refused, and how it is said.

use std::time::Duration;

use outlive::{
    LoanError, LoanHandle, LoanPool, LockError, ObjectError, PoolLayout, ReceiveError, Segment,
};

use super::driver::{chunks, pool};
use crate::observe::not_before;

#[test]
fn a_handle_is_good_once() {
    let (_segment, pool, _queue, _name) = pool("once", &chunks(2, 64));
    let handle = pool.loan(1_u64).expect("loan").send();
    let first = pool.receive::<u64>(handle).expect("receive");
    // While it is held, and after it was given back, loaned, and sent again.
    assert_eq!(pool.receive::<u64>(handle).err(), Some(ReceiveError::Stale));
    drop(first);
    assert_eq!(pool.discard(handle), Err(ReceiveError::Stale));
    let next = pool.loan(2_u64).expect("loan");
    assert_eq!(pool.receive::<u64>(handle).err(), Some(ReceiveError::Stale));
    let next = next.send();
    let error = pool.receive::<u64>(handle).expect_err("stale");
    assert!(error.to_string().contains("received before"), "{error}");
    assert_eq!(*pool.receive::<u64>(next).expect("receive"), 2);
    assert_eq!(pool.stats().free, 2);
}

#[test]
fn a_handle_that_was_not_handed_over_is_stale() {
    let (_segment, pool, _queue, _name) = pool("refused", &chunks(1, 64));
    let mut seen = None;
    let outcome = pool.loan(5_u64).expect("loan").send_with(|handle| {
        seen = Some(handle);
        // Not by this thread, which is at it still.
        assert_eq!(pool.receive::<u64>(handle).err(), Some(LockError::Deadlock.into()));
        Err::<(), _>("no")
    });
    let Err((loan, "no")) = outcome else { panic!("{outcome:?}") };
    let handle = seen.expect("a handle");
    assert_eq!(pool.receive::<u64>(handle).err(), Some(ReceiveError::Stale));
    assert_eq!(*loan, 5);
    let handle = loan.send();
    assert_eq!(*pool.receive::<u64>(handle).expect("receive"), 5);
}

#[test]
fn a_content_is_received_as_its_own_type_only_and_stays_sent_otherwise() {
    let (_segment, pool, _queue, _name) = pool("type", &chunks(1, 64));
    let handle = pool.loan_copy(&[1_u32, 2]).expect("loan").send();
    let error = pool.receive::<[i32]>(handle).expect_err("another type");
    let wrong = ReceiveError::WrongType { expected: "[i32]".to_owned(), length: 8 };
    assert_eq!(error, wrong);
    assert!(error.to_string().contains("8 bytes of another type than [i32]"), "{error}");
    assert!(pool.receive::<[u8]>(handle).is_err());
    assert!(pool.receive::<u64>(handle).is_err());
    assert!(pool.receive::<[u32; 2]>(handle).is_err());
    assert_eq!(&*pool.receive::<[u32]>(handle).expect("receive"), [1, 2]);
    let handle = pool.loan(1_u64).expect("loan").send();
    assert!(pool.receive::<[u8]>(handle).is_err());
    pool.discard(handle).expect("discard");
    assert_eq!(pool.stats().free, 1);
}

#[test]
fn handles_of_other_pools_and_forged_ones_are_refused() {
    let (segment, pool, _queue, _name) = pool("foreign", &chunks(2, 64));
    let other = segment.loan_pool("other", &chunks(2, 64)).expect("pool");
    let handle = pool.loan(1_u64).expect("loan").send();
    assert_eq!(other.receive::<u64>(handle).err(), Some(ReceiveError::NotOfThisPool));
    for bit in 0..128 {
        let mut bytes = handle.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = pool.receive::<u64>(LoanHandle::from_bytes(bytes)).expect_err("forged");
        assert!(matches!(error, ReceiveError::Stale | ReceiveError::NotOfThisPool), "{error:?}");
    }
    for bytes in [[0; 16], [0xff; 16]] {
        let error = pool.receive::<u64>(LoanHandle::from_bytes(bytes)).expect_err("none");
        assert_eq!(error, ReceiveError::NotOfThisPool);
    }
    assert_eq!(*pool.receive::<u64>(handle).expect("receive"), 1);
}

#[test]
fn shapes_that_cannot_be_are_refused() {
    let (segment, _name) = crate::segment("shapes");
    let refused = |layout: PoolLayout| match segment.loan_pool("p", &layout) {
        Err(ObjectError::InvalidShape { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert!(refused(PoolLayout::new()).contains("needs chunks"));
    assert!(refused(chunks(0, 64)).contains("needs chunks"));
    assert!(refused(chunks(1, 0)).contains("at least one byte"));
    assert!(refused(chunks(1, usize::MAX)).contains("too large"));
    assert!(refused(chunks(1 << 20, 1 << 60)).contains("too large"));
    assert!(refused(chunks(usize::MAX, 64)).contains("2^20"));
    let many = (1..=17).fold(PoolLayout::new(), |layout, size| layout.chunks(1, size * 64));
    assert!(refused(many).contains("16 sizes"));
    let full = segment.loan_pool("p", &chunks(1 << 20, 1 << 20));
    assert!(matches!(full, Err(ObjectError::SegmentFull { .. })), "{full:?}");
}

#[test]
fn a_pool_of_another_shape_is_told() {
    let (segment, _pool, _queue, name) = pool("misfit", &chunks(2, 64).chunks(1, 100));
    assert!(segment.loan_pool("p", &chunks(1, 128).chunks(1, 1).chunks(1, 60)).is_ok());
    let misfit = |layout: PoolLayout| match segment.loan_pool("p", &layout) {
        Err(ObjectError::ShapeMismatch { what, found, expected, .. }) => (what, found, expected),
        other => panic!("{other:?}"),
    };
    assert_eq!(misfit(chunks(2, 64)), ("number of chunk sizes", 2, 1));
    assert_eq!(misfit(chunks(2, 64).chunks(1, 129)), ("chunk size", 128, 192));
    assert_eq!(misfit(chunks(3, 64).chunks(1, 128)), ("number of chunks", 2, 3));
    let wrong = Segment::open(&name).expect("open").find::<outlive::ByteQueue>("p");
    assert!(matches!(wrong, Err(ObjectError::TypeMismatch { .. })), "{wrong:?}");
}

#[test]
fn a_thread_that_holds_all_chunks_is_told_instead_of_waiting_for_itself() {
    let (_segment, pool, _queue, _name) = pool("itself", &chunks(2, 64));
    let one = pool.loan(1_u64).expect("loan");
    let two = pool.loan(2_u64).expect("loan");
    assert_eq!(pool.loan(3_u64).err(), Some(LockError::Deadlock.into()));
    let span = Duration::from_millis(20);
    let error = not_before(span, || pool.loan_timeout(3_u64, span)).expect_err("none is free");
    assert_eq!(error, LoanError::TimedOut { length: 8, held: 2, sent: 0 });
    assert!(error.to_string().contains("2 are held"), "{error}");
    drop((one, two));
    assert!(pool.loan(3_u64).is_ok());
}

#[test]
fn a_reader_of_the_segment_is_refused() {
    let (_segment, _pool, _queue, name) = pool("read-only", &chunks(2, 64));
    let segment = Segment::options().read_only(true).open(&name).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    assert_eq!(pool.try_loan(1_u64).err(), Some(LockError::ReadOnly.into()));
    let handle = LoanHandle::from_bytes([0; 16]);
    assert_eq!(pool.receive::<u64>(handle).err(), Some(LockError::ReadOnly.into()));
    assert_eq!(pool.reclaim(), Err(LockError::ReadOnly));
    assert_eq!(pool.stats().free, 2);
}

#[test]
fn as_many_chunks_are_held_as_the_kernel_watches_over() {
    let (_segment, pool, _queue, _name) = pool("many", &chunks(1100, 64));
    let mut loans = Vec::new();
    let error = loop {
        match pool.try_loan(0_u64) {
            Ok(loan) => loans.push(loan),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LoanError::Lock(LockError::TooManyLocks { .. })), "{error:?}");
    let handle = loans.pop().expect("one").send();
    assert_eq!(*pool.receive::<u64>(handle).expect("receive"), 0);
    drop(loans);
    assert_eq!(pool.stats().free, 1100);
}
