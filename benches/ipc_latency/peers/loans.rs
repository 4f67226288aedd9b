//! `outlive::LoanPool`: of chunks of whatever size, the handles travel. The first word of a chunk is the
//! message, and nothing else is touched.

use outlive::{LoanHandle, LoanPool, PoolLayout, Queue, Segment, Waiting};

use super::{Inbox, Outbox, Peer, Side};
use crate::support::{Result, failed};

/// Chunks of the pool: one each way is in use, and as many may be on their way back.
const CHUNKS: usize = 4;

/// Bytes of a chunk.
pub(crate) fn size(peer: Peer) -> usize {
    if peer == Peer::LoanLarge { 4 << 20 } else { 64 }
}

/// Bytes of a segment with such a pool.
pub(crate) fn capacity(peer: Peer) -> u64 {
    (CHUNKS * size(peer)) as u64 + (1 << 20)
}

/// A party's pool and queues.
#[derive(Debug)]
pub(crate) struct Link {
    pool: LoanPool,
    out: Queue<LoanHandle>,
    inbound: Queue<LoanHandle>,
    size: usize,
}

impl Link {
    pub(crate) fn attach(segment: &str, side: Side, peer: Peer) -> Result<Self> {
        let segment = Segment::open(segment)?;
        let size = size(peer);
        let pool = segment.loan_pool("pool", &PoolLayout::new().chunks(CHUNKS, size))?;
        let there: Queue<LoanHandle> = segment.queue("there", CHUNKS)?;
        let back: Queue<LoanHandle> = segment.queue("back", CHUNKS)?;
        let [there, back] = [there, back].map(|queue| queue.with_waiting(Waiting::Spin));
        let (out, inbound) = match side {
            Side::Parent => (there, back),
            Side::Child => (back, there),
        };
        Ok(Self { pool: pool.with_waiting(Waiting::Spin), out, inbound, size })
    }
}

impl Outbox<1> for Link {
    #[inline]
    fn send(&mut self, [word]: [u64; 1]) -> Result<()> {
        let mut loan = self.pool.loan_bytes(self.size)?;
        loan[..8].copy_from_slice(&word.to_ne_bytes());
        loan.send_to(&self.out).map_err(|error| format!("send_to: {error}").into())
    }
}

impl Inbox<1> for Link {
    #[inline]
    fn receive(&mut self) -> Result<[u64; 1]> {
        let chunk = self.pool.receive_from::<[u8]>(&self.inbound)?;
        match chunk.first_chunk() {
            Some(word) if chunk.len() == self.size => Ok([u64::from_ne_bytes(*word)]),
            _ => failed(format!("a chunk of {} bytes arrived", chunk.len())),
        }
    }
}
