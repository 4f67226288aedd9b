//! `Broadcast` under load, with either policy: who publishes and who subscribes are killed alike.
//!
//! Messages are `[number, number, number]`. A publisher draws its number from `begun` before it
//! publishes, so none comes twice; one that a death interrupted is missing, and nothing else.

use std::time::Duration;

use outlive::{
    AtomicCounter, Broadcast, ObjectError, PushError, RecvError, Segment, Slow, Start,
    SubscribeError, Subscriber,
};

use crate::load::{Verdict, WORKERS, hold, said};

const CAPACITY: usize = 4;
/// One for each worker and for who checks: a place of the dead that is not free is noticed.
const PLACES: usize = WORKERS + 1;
/// How many messages a worker publishes and receives in a round, at most.
const TURNS: usize = 4;
/// How many objects this makes.
pub(crate) const OBJECTS: usize = 3;

type Words = [i64; 3];

pub(crate) struct BroadcastLoad {
    channels: [Broadcast<Words>; 2],
    /// Of both channels, so that a number is in one of them.
    begun: AtomicCounter,
}

impl BroadcastLoad {
    pub(crate) fn of(segment: &Segment) -> Result<Self, ObjectError> {
        let channel = |name, slow| segment.broadcast_with::<Words>(name, CAPACITY, slow, PLACES);
        Ok(Self {
            channels: [
                channel("broadcast, block", Slow::Block)?,
                channel("broadcast, overwrite", Slow::Overwrite)?,
            ],
            begun: segment.atomic_counter("broadcast, begun")?,
        })
    }

    /// Subscribes to one of the channels, publishes, receives, and leaves or is killed.
    pub(crate) fn round(&self, round: u64) -> Verdict {
        let channel = &self.channels[(round % 2) as usize];
        let from = if round % 4 < 2 { Start::Oldest } else { Start::Newest };
        let mut subscriber = channel.subscribe(from).map_err(said("broadcast, subscribe"))?;
        for _ in 0..TURNS {
            self.publish(channel)?;
        }
        self.receive(&mut subscriber)
    }

    /// Without waiting: those who would be waited for may wait for this one.
    fn publish(&self, channel: &Broadcast<Words>) -> Verdict {
        let number = self.begun.fetch_add(1).map_err(said("broadcast, begun"))? + 1;
        match channel.try_publish([number; 3]) {
            Ok(()) | Err(PushError::Full(_)) => Ok(()),
            Err(error) => Err(format!("broadcast, publish: {error}")),
        }
    }

    /// Receives what there is, for some turns.
    fn receive(&self, subscriber: &mut Subscriber<Words>) -> Verdict {
        let blocks = subscriber.channel().slow() == Slow::Block;
        let mut seen = Vec::new();
        for _ in 0..CAPACITY * TURNS {
            match subscriber.try_recv() {
                Ok(words) => {
                    hold(words == [words[0]; 3], || format!("broadcast: torn: {words:?}"))?;
                    hold((1..=self.begun.get()).contains(&words[0]), || {
                        format!("broadcast: {words:?} was never published")
                    })?;
                    hold(!seen.contains(&words[0]), || format!("broadcast: {words:?}: doubled"))?;
                    seen.push(words[0]);
                }
                Err(RecvError::Lagged { missed }) => {
                    hold(!blocks, || format!("broadcast: {missed} missed, and it is waited for"))?;
                }
                Err(RecvError::Empty) => break,
                Err(error) => return Err(format!("broadcast, recv: {error}")),
            }
        }
        Ok(())
    }

    /// What is true whoever does what at the moment, after so many deaths.
    pub(crate) fn check(&self, deaths: i64) -> Verdict {
        for channel in &self.channels {
            let dropped = i64::from(channel.stats().dropped);
            hold(dropped <= deaths, || format!("broadcast: {dropped} by {deaths} deaths"))?;
            let published = channel.published() as i64;
            let begun = self.begun.get();
            hold(published <= begun, || format!("broadcast: {published} published of {begun}"))?;
            // There is a place beside those of all workers.
            let mut subscriber =
                channel.subscribe(Start::Oldest).map_err(said("broadcast, a place"))?;
            self.receive(&mut subscriber)?;
        }
        Ok(())
    }

    /// What is true when nobody is left: no place is taken, and nobody is waited for.
    pub(crate) fn check_at_rest(&self) -> Verdict {
        for channel in &self.channels {
            let subscribers = channel.subscribers();
            hold(subscribers == 0, || format!("broadcast: {subscribers} subscribers are left"))?;
            for number in 0..2 * CAPACITY as i64 {
                channel
                    .publish_timeout([number; 3], Duration::ZERO)
                    .map_err(said("broadcast, publish in time"))?;
            }
            let taken: Result<Vec<_>, _> =
                (0..PLACES).map(|_| channel.subscribe(Start::Oldest)).collect();
            let mut taken = taken.map_err(said("broadcast, places"))?;
            let refused = channel.subscribe(Start::Newest).err();
            hold(refused == Some(SubscribeError::NoPlace { limit: PLACES }), || {
                format!("broadcast: {refused:?} beyond its places")
            })?;
            taken.iter_mut().try_for_each(Self::receive_last)?;
        }
        Ok(())
    }

    /// The messages that there was room for.
    fn receive_last(subscriber: &mut Subscriber<Words>) -> Verdict {
        for number in CAPACITY as i64..2 * CAPACITY as i64 {
            let words = subscriber.try_recv().map_err(said("broadcast, recv"))?;
            hold(words == [number; 3], || format!("broadcast: {words:?}, not {number}"))?;
        }
        Ok(())
    }
}
