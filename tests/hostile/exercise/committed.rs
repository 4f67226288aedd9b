//! What damage leaves alone: another object, and values whose locks alone were damaged.

use std::fmt::Debug;

use outlive::{LockError, Shared};

use super::{Objects, SHORT};
use crate::image::{KEYS, PERMITS, RECORD, Record, SYMBOL, State, WIDE, names_of_map};

/// Where the damage was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage<'a> {
    /// To the object of that name. All others are as if nothing had happened.
    To(&'a str),
    /// To locks, of any object. They may be lost for good, but what is read was committed.
    ToLocks,
}

impl Damage<'_> {
    fn check<T, E>(self, name: &str, found: Result<T, E>, committed: &[T])
    where
        T: PartialEq + Debug,
        E: Debug,
    {
        if self == Damage::To(name) {
            return;
        }
        match found {
            Ok(value) => assert!(
                committed.contains(&value),
                "{name}: {value:?} was never committed (damage {self:?})"
            ),
            Err(error) => assert_eq!(self, Damage::ToLocks, "{name}: {error:?}"),
        }
    }
}

/// What a guard leads to. Where nothing was damaged, nobody has died either.
fn seen<G, T: Shared>(
    damage: Damage<'_>,
    locked: Result<G, LockError<G>>,
    look: impl FnOnce(&G) -> T,
) -> Result<T, LockError> {
    match locked.map_err(LockError::into_guard) {
        Ok(guard) => Ok(look(&guard)),
        Err(Ok(guard)) if damage == Damage::ToLocks => Ok(look(&guard)),
        Err(Ok(_)) => Err(LockError::NotRecoverable),
        Err(Err(error)) => Err(error),
    }
}

macro_rules! each {
    ($self:ident, $damage:ident: $($name:literal: $field:ident => $found:expr, $committed:expr;)*) => { $(
        let object = $self.$field.as_ref().expect($name);
        #[allow(clippy::redundant_closure_call)]
        $damage.check($name, ($found)(object), &$committed);
    )* };
}

impl Objects {
    /// That everything that can be read is what the image holds, or what `use_all` stores, and that
    /// it can be read unless it is `damage` that keeps it from that.
    pub(crate) fn assert_committed(&self, damage: Damage<'_>) {
        self.assert_data(damage);
        self.assert_containers(damage);
        self.assert_messages(damage);
        self.assert_channels(damage);
        if let Damage::To(_) = damage {
            self.assert_states(damage);
        }
    }

    fn assert_data(&self, damage: Damage<'_>) {
        use outlive::{Array, Latest, Mutex, OnceValue, ReentrantMutex, RwLock, Value};

        let record = [RECORD];
        let states = [State::Warm, State::Cold];
        let set_once = |once: &OnceValue<_>| -> Result<_, LockError> { Ok(once.get()) };
        each! { self, damage:
            "mutex number": mutex_number =>
                |mutex: &Mutex<u64>| seen(damage, mutex.lock_timeout(SHORT), |guard| **guard),
                [u64::MAX];
            "mutex state": mutex_state =>
                |mutex: &Mutex<_>| seen(damage, mutex.lock_timeout(SHORT), |guard| **guard),
                states;
            "value number": value_number => Value::get, [5, u32::MAX];
            "value record": value_record => Value::get, record;
            "value flag": value_flag => Value::get, [true];
            "array record": array_record => Array::to_vec, [vec![RECORD; 5]];
            "array char": array_char => Array::to_vec, [vec!['x'; 5], vec!['\u{10ffff}'; 5]];
            "rwlock number": rwlock_number =>
                |lock: &RwLock<u64>| seen(damage, lock.read_timeout(SHORT), |guard| **guard),
                [u64::MAX, 7];
            "rwlock state": rwlock_state =>
                |lock: &RwLock<_>| seen(damage, lock.read_timeout(SHORT), |guard| **guard),
                states;
            "reentrant number": reentrant_number =>
                |mutex: &ReentrantMutex<u64>| {
                    seen(damage, mutex.lock_timeout(SHORT), |guard| guard.get())
                },
                [u64::MAX, 7];
            "reentrant state": reentrant_state =>
                |mutex: &ReentrantMutex<_>| {
                    seen(damage, mutex.lock_timeout(SHORT), |guard| guard.get())
                },
                states;
            "once unset": once_unset => set_once, [None, Some(RECORD)];
            "once value": once_value => set_once, [Some(RECORD)];
            "latest number": latest_number => Latest::get, [5, 7];
            "latest wide": latest_wide => Latest::get, [WIDE, [State::Hot; 300]];
        }
    }

    fn assert_containers(&self, damage: Damage<'_>) {
        use outlive::{List, Map, Namespace, NamespaceError};

        // What a list has may be changed in part where locks fail half-way.
        fn all_of<T: Shared + PartialEq>(
            possible: &'static [T],
        ) -> impl Fn(&List<T>) -> Result<bool, LockError> {
            |list| Ok(list.to_vec()?.iter().all(|element| possible.contains(element)))
        }
        let number = |space: &Namespace<16>| -> Result<u64, NamespaceError> { space.get("number") };
        let symbol =
            |space: &Namespace<16>| -> Result<char, NamespaceError> { space.get("symbol") };
        each! { self, damage:
            "map number": map_number => |map: &Map<u64, u64>| map.get(&KEYS[0]),
                [None, Some(5), Some(7)];
            "map record": map_record => |map: &Map<_, _>| map.get(&names_of_map()[0]),
                [None, Some(RECORD)];
            "list number": list_number => all_of(&[5, 7]), [true];
            "list record": list_record => all_of(&[RECORD]), [true];
            "namespace": namespace => number, [5, 7];
            "namespace": namespace => symbol, [SYMBOL];
        }
    }

    fn assert_messages(&self, damage: Damage<'_>) {
        use outlive::Queue;

        each! { self, damage:
            "queue number": queue_number => Queue::peek_all, [vec![], vec![u64::MAX; 2]];
            "queue state": queue_state => Queue::peek_all, [vec![], vec![State::Hot; 2]];
            "queue large": queue_large => Queue::peek_all, [vec![], vec![[7; 9]; 2]];
        }
    }

    /// What is in rings and byte queues is looked at in place, and stays.
    fn assert_channels(&self, damage: Damage<'_>) {
        use outlive::{ByteQueue, PopError, RoleError, Spsc, TaskQueue};

        fn messages<T: Shared>(ring: &Spsc<T>) -> Result<Vec<T>, RoleError> {
            let mut consumer = ring.consumer()?;
            match consumer.try_read_chunk(9) {
                Ok(chunk) => Ok([chunk.as_slices().0, chunk.as_slices().1].concat()),
                Err(PopError::Lock(error)) => Err(error.into()),
                Err(_) => Ok(Vec::new()),
            }
        }
        let bytes = |queue: &ByteQueue| -> Result<Option<Vec<u8>>, LockError> {
            match queue.try_read() {
                Ok(message) => {
                    let copy = message.to_vec();
                    message.keep();
                    Ok(Some(copy))
                }
                Err(PopError::Lock(error)) => Err(error),
                Err(_) => Ok(None),
            }
        };
        let tasks = |queue: &TaskQueue<Record>| -> Result<Option<Record>, LockError> {
            match queue.try_pop() {
                Ok(task) => {
                    let copy = *task;
                    task.put_back()?;
                    Ok(Some(copy))
                }
                Err(PopError::Lock(error)) => Err(error),
                Err(_) => Ok(None),
            }
        };
        each! { self, damage:
            "ring record": ring_record => messages, [vec![], vec![RECORD; 2], vec![RECORD; 3]];
            "ring large": ring_large => messages, [vec![], vec![[7; 9]], vec![[7; 9]; 2]];
            "bytes": bytes => bytes, [None, Some(b"first".to_vec()), Some(b"left".to_vec())];
            "tasks": tasks => tasks, [None, Some(RECORD)];
        }
    }

    /// What is no value, of objects that were not damaged.
    fn assert_states(&self, damage: Damage<'_>) {
        use outlive::{Barrier, Semaphore};

        let permits = |semaphore: &Semaphore| -> Result<_, LockError> {
            Ok((semaphore.total(), semaphore.available(), semaphore.bound()))
        };
        let parties = |barrier: &Barrier| -> Result<_, LockError> {
            Ok((barrier.parties(), barrier.waiting(), barrier.is_broken()))
        };
        let raised = i64::MAX as u64;
        each! { self, damage:
            "semaphore": semaphore => permits, [(PERMITS, PERMITS, None), (raised, raised, None)];
            "bounded semaphore": bounded_semaphore => permits, [(PERMITS, PERMITS, Some(PERMITS))];
            "barrier": barrier => parties, [(2, 0, false)];
            "lone barrier": lone_barrier => parties, [(1, 0, false)];
        }
    }
}
