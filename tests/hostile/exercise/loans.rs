//! Chunks that are loaned, sent and received.

use std::ops::Range;
use std::time::Duration;

use outlive::{Content, Loan, LoanHandle, LoanPool, Queue};

use super::{Others, SHORT, outcome, show, tried};
use crate::image::{LOANED, RECORD, Record};

pub(crate) fn read(pool: &LoanPool) {
    let stats = pool.stats();
    assert_eq!(stats.free + stats.held + stats.sent, stats.chunks, "{stats:?}");
    assert!(pool.max_len() <= LOANED);
    show(pool.clone());
}

/// Where contents lie: no further apart than the pool's chunks take.
struct Seen(Option<Range<usize>>);

impl Seen {
    fn look<C: Content + ?Sized>(&mut self, content: &C) {
        let start = std::ptr::from_ref(content).cast::<u8>().addr();
        let end = start + size_of_val(content);
        let seen = self.0.take().unwrap_or(start..end);
        let all = seen.start.min(start)..seen.end.max(end);
        assert!(all.len() <= LOANED, "{start:#x}..{end:#x} is outside the pool");
        self.0 = Some(all);
    }
}

pub(crate) fn pool(pool: &LoanPool, queue: Option<&Queue<LoanHandle>>, others: Others) {
    read(pool);
    let mut seen = Seen(None);
    if let Some(queue) = queue {
        through_queue(pool, queue, others, &mut seen);
    }
    by_hand(pool, &mut seen);
    if let Some(mut loan) = outcome(pool.try_loan_copy(&[RECORD; 2])) {
        seen.look(&*loan);
        loan.truncate(1);
        tried(pool.receive::<Record>(loan.send()).map(drop));
    }
    exhausted(pool, others);
    read(pool);
}

fn through_queue(pool: &LoanPool, queue: &Queue<LoanHandle>, others: Others, seen: &mut Seen) {
    // What was sent before the damage. One of another type stays sent.
    let sent = outcome(queue.peek_all()).unwrap_or_default();
    for handle in &sent {
        if let Some(loaned) = outcome(pool.receive::<[u8]>(*handle)) {
            seen.look(&*loaned);
            show(&*loaned);
        }
    }
    let typed = outcome(pool.try_receive_from::<Record>(queue));
    // See `single::guarded`.
    if let (Some(loaned), Others::Quiet) = (typed, others) {
        seen.look(&*loaned);
        show(*loaned);
    }
    tried(pool.receive_from_timeout::<Record>(queue, Duration::ZERO).map(drop));
    if let Some(loan) = outcome(pool.loan_bytes_timeout(64, SHORT)) {
        seen.look(&*loan);
        tried(loan.try_send_to(queue).map_err(|error| format!("{error:?}")));
    }
    if let Some(loaned) = outcome(pool.try_receive_from::<[u8]>(queue)) {
        seen.look(&*loaned);
        let mut loan = loaned.into_loan();
        loan.fill(7);
        let kept = loan.send_with(Err::<(), _>);
        drop(kept);
    }
}

/// With handles that go through nothing.
fn by_hand(pool: &LoanPool, seen: &mut Seen) {
    let mut handles = Vec::new();
    let mut send = |loan: Loan<'_, [u64]>, seen: &mut Seen| {
        seen.look(&*loan);
        handles.push(loan.send());
    };
    if let Some(loan) = outcome(pool.loan_slice_timeout::<u64>(3, SHORT)) {
        send(loan, seen);
    }
    if let Some(mut loan) = outcome(pool.loan_copy_timeout(&[u64::MAX; 20], SHORT)) {
        loan.truncate(19);
        send(loan, seen);
    }
    if let Some(mut loan) = outcome(pool.loan_timeout(5_u64, SHORT)) {
        *loan = 6;
        seen.look(&*loan);
        tried(pool.discard(loan.send()));
    }
    for handle in &handles {
        tried(pool.receive::<u64>(*handle).map(drop));
        if let Some(loaned) = outcome(pool.receive::<[u64]>(*handle)) {
            seen.look(&*loaned);
            show(&*loaned);
            loaned.release();
        }
        tried(pool.discard(*handle));
        let mut damaged = handle.to_bytes();
        for byte in [0, 7, 8, 15] {
            damaged[byte] ^= 0xff;
            tried(pool.receive::<[u64]>(LoanHandle::from_bytes(damaged)).map(drop));
        }
    }
    // Lost: only `reclaim` finds it.
    if let Some(loan) = outcome(pool.try_loan(7_u64)) {
        let _lost = loan.send();
    }
    tried(pool.reclaim());
}

fn exhausted(pool: &LoanPool, others: Others) {
    let chunks = pool.stats().chunks;
    let loans: Vec<_> = (0..=chunks).map_while(|_| outcome(pool.try_loan_bytes(1))).collect();
    assert!(loans.len() <= chunks, "more loans than chunks");
    tried(pool.loan_timeout(0_u64, SHORT));
    tried(pool.try_loan_slice::<u64>(1));
    tried(pool.try_loan_bytes(LOANED + 1));
    if others == Others::Quiet && loans.len() == chunks {
        // All of them are this thread's, so that waiting is an error.
        tried(pool.loan(0_u64));
        tried(pool.loan_copy(&[0_u64]));
        tried(pool.loan_slice::<u64>(1));
        tried(pool.loan_bytes(1));
    }
    let some_are_mine = !loans.is_empty();
    drop(loans);
    if others == Others::Quiet && some_are_mine {
        tried(pool.loan(0_u64));
    }
}
