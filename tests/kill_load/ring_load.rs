//! `Spsc` under load: its two roles go from worker to worker, and from the dead to the living.
//!
//! Messages are serial numbers. Who has the producer's role raises `begun` before it pushes, who has
//! the consumer's raises `popped` after it popped: a run of numbers that nobody saw is the doing of a
//! death between the two.

use outlive::{
    Array, AtomicCounter, Consumer, ObjectError, PopError, Producer, PushError, RoleError, Segment,
    Spsc,
};

use crate::load::{DEADLINE, Verdict, hold, said};

const CAPACITY: usize = 5;
/// How many messages go at once, at most.
const SEVERAL: usize = 3;
/// How often one who has a role goes on: two who keep each other going are to end.
const TURNS: usize = 8;
/// How many objects this makes.
pub(crate) const OBJECTS: usize = 4;

pub(crate) struct RingLoad {
    ring: Spsc<u64>,
    /// The number of the last message that a producer began to push.
    begun: Array<u64>,
    /// The number of the last message that a consumer has popped.
    popped: Array<u64>,
    gaps: AtomicCounter,
}

impl RingLoad {
    pub(crate) fn of(segment: &Segment) -> Result<Self, ObjectError> {
        Ok(Self {
            ring: segment.spsc("ring", CAPACITY)?,
            begun: segment.array("ring, begun", 1, 0)?,
            popped: segment.array("ring, popped", 1, 0)?,
            gaps: segment.atomic_counter("ring, gaps")?,
        })
    }

    /// Each role, if nobody has it.
    pub(crate) fn round(&self, round: u64) -> Verdict {
        match self.ring.producer() {
            Ok(mut producer) => self.supply(&mut producer, round)?,
            Err(RoleError::Taken { .. }) => {}
            Err(error) => return Err(format!("ring, producer: {error}")),
        }
        match self.ring.consumer() {
            Ok(mut consumer) => self.drain(&mut consumer, round)?,
            Err(RoleError::Taken { .. }) => {}
            Err(error) => return Err(format!("ring, consumer: {error}")),
        }
        Ok(())
    }

    /// Pushes while there is room, in one way or another.
    fn supply(&self, producer: &mut Producer<u64>, round: u64) -> Verdict {
        for _ in 0..TURNS {
            let last = self.begun.load(0).map_err(said("ring, begun"))?;
            let numbers: [u64; SEVERAL] = std::array::from_fn(|index| last + 1 + index as u64);
            let begin = |count: usize| {
                self.begun.store(0, last + count as u64).map_err(said("ring, begun"))
            };
            let pushed = match round % 3 {
                0 => {
                    begin(1)?;
                    match producer.try_push(numbers[0]) {
                        Ok(()) => Ok(1),
                        Err(PushError::Full(_)) => Err(PushError::Full(())),
                        Err(error) => return Err(format!("ring, push: {error}")),
                    }
                }
                1 => {
                    begin(SEVERAL)?;
                    producer.try_push_slice(&numbers)
                }
                _ => {
                    begin(SEVERAL)?;
                    producer.try_write_chunk(SEVERAL).map(|chunk| chunk.fill(numbers))
                }
            };
            // What there was no room for is to come yet.
            match pushed {
                Ok(count) => begin(count)?,
                Err(PushError::Full(())) => return begin(0),
                Err(error) => return Err(format!("ring, push: {error}")),
            }
        }
        Ok(())
    }

    /// Pops while there is something left, in one way or another.
    fn drain(&self, consumer: &mut Consumer<u64>, round: u64) -> Verdict {
        for _ in 0..TURNS {
            let popped = match round % 3 {
                0 => consumer.try_pop().map(|message| vec![message]),
                1 => {
                    let mut several = [0; SEVERAL];
                    consumer.try_pop_slice(&mut several).map(|count| several[..count].to_vec())
                }
                _ => consumer.try_read_chunk(SEVERAL).map(|chunk| {
                    let (first, second) = chunk.as_slices();
                    let several = [first, second].concat();
                    chunk.commit_all();
                    several
                }),
            };
            match popped {
                Ok(numbers) => self.note(&numbers)?,
                Err(PopError::Empty) => return Ok(()),
                Err(error) => return Err(format!("ring, pop: {error}")),
            }
        }
        Ok(())
    }

    /// With the consumer's role.
    fn note(&self, numbers: &[u64]) -> Verdict {
        let before = self.popped.load(0).map_err(said("ring, popped"))?;
        let (mut last, mut gaps) = (before, 0);
        for &number in numbers {
            hold(number > last, || format!("ring: {numbers:?} after {before}: doubled"))?;
            gaps += i64::from(number != last + 1);
            last = number;
        }
        self.popped.store(0, last).map_err(said("ring, popped"))?;
        if gaps > 0 {
            self.gaps.fetch_add(gaps).map_err(said("ring, gaps"))?;
        }
        Ok(())
    }

    /// What is true whoever does what at the moment, after so many deaths.
    pub(crate) fn check(&self, deaths: i64) -> Verdict {
        let gaps = self.gaps.get();
        hold(gaps <= deaths, || format!("ring: {gaps} times messages lost by {deaths} deaths"))?;
        let stats = self.ring.stats();
        let counted = i64::from(stats.dropped) + i64::from(stats.redelivered);
        hold(counted <= deaths, || format!("ring: {stats:?} by {deaths} deaths"))?;
        let length = self.ring.len();
        hold(length <= CAPACITY, || format!("ring: {length} messages of {CAPACITY}"))?;
        // Workers have a role for a moment; a dead one has it no more.
        drop(self.ring.producer_timeout(DEADLINE).map_err(said("ring, producer in time"))?);
        drop(self.ring.consumer_timeout(DEADLINE).map_err(said("ring, consumer in time"))?);
        Ok(())
    }

    /// What is true when nobody is left.
    pub(crate) fn check_at_rest(&self) -> Verdict {
        let mut producer = self.ring.producer().map_err(said("ring, producer"))?;
        let mut consumer = self.ring.consumer().map_err(said("ring, consumer"))?;
        self.supply(&mut producer, 0)?;
        let length = self.ring.len();
        hold(length == CAPACITY, || format!("ring: full with {length} of {CAPACITY} messages"))?;
        self.drain(&mut consumer, 0)?;
        let (begun, popped) = (self.begun.load(0), self.popped.load(0));
        hold(begun == popped, || format!("ring: {begun:?} pushed, {popped:?} popped"))
    }
}
