//! What a case is: data that the harness runs, so that a new primitive needs a few lines.

use std::any::Any;
use std::cell::RefCell;
use std::ops::RangeInclusive;

use outlive::Segment;

/// One operation, and what has to hold when the process that runs it dies anywhere in it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Whether it takes so many instructions unoptimised that a quick run of a debug build does
    /// with the situation `alone`.
    pub(crate) heavy: bool,
    /// Run by the survivor: makes the segment and its objects, and keeps them.
    pub(crate) setup: fn(&World),
    /// Who in the victim's process runs it.
    pub(crate) by: By,
    /// Run by the victim up to the start of the operation, which is the function that it returns.
    pub(crate) operation: fn(&World) -> Operation,
    /// Lets the operation go on where it blocks. Run by the survivor.
    pub(crate) unblock: Option<fn(&World)>,
    /// Who waits blocked on the same object.
    pub(crate) waiter: Option<Waiter>,
    /// Whether another process may be stopped in the middle of the same operation.
    pub(crate) peer: bool,
    /// The operation that repairs what the dead one left, for the second death.
    pub(crate) repair: Option<fn(&World) -> Operation>,
    /// Run by the survivor once everybody else has ended.
    pub(crate) contract: fn(&World, &Seen) -> Verdict,
    /// More operations on the same object, by the survivor and by a new process.
    pub(crate) usage: fn(&World, usize) -> Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    FirstThread,
    OtherThread,
}

pub(crate) type Operation = Box<dyn FnMut()>;
pub(crate) type Verdict = Result<(), Broken>;

#[derive(Clone, Copy)]
pub(crate) struct Waiter {
    pub(crate) from: WaitFrom,
    /// Waits; what it returns, the contract sees.
    pub(crate) wait: fn(&World) -> u64,
    /// Lets it go, if the death of the victim does not. Run by the survivor.
    pub(crate) release: fn(&World),
}

/// When the waiter starts to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFrom {
    /// When the victim is about to start the operation.
    Start,
    /// When the victim has come to its last instruction: for what only the victim can hold.
    Kill,
}

/// What happened before the contract is checked.
#[derive(Default)]
pub(crate) struct Seen {
    /// How many processes completed the operation.
    pub(crate) completed: u64,
    /// How many began it.
    pub(crate) begun: u64,
    /// Whether a process began to repair.
    pub(crate) repaired: bool,
    /// What the waiter returned.
    pub(crate) waited: Option<u64>,
}

impl Seen {
    /// How often the operation may have taken effect.
    pub(crate) fn effects(&self) -> RangeInclusive<u64> {
        self.completed..=self.begun
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hung,
    Lost,
    Torn,
    Leaked,
}

/// A contract that does not hold.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl<E: std::error::Error> From<E> for Broken {
    fn from(error: E) -> Self {
        let what = error.to_string();
        let kind = if what.contains("time") { Kind::Hung } else { Kind::Lost };
        Self { kind, what: format!("{what} ({error:?})") }
    }
}

/// Returns a [`Broken`] unless a condition holds.
macro_rules! hold {
    ($kind:ident, $condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::case::Broken {
                kind: $crate::case::Kind::$kind,
                what: format!($($what)+),
            });
        }
    };
}
pub(crate) use hold;

/// The segment as one process of a case has it.
pub(crate) struct World {
    pub(crate) name: String,
    segment: RefCell<Option<Segment>>,
    /// What the survivor holds until it lets the others go on.
    pub(crate) held: RefCell<Option<Box<dyn Any>>>,
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), segment: RefCell::new(None), held: RefCell::new(None) }
    }

    /// Makes the segment.
    pub(crate) fn create(&self) -> Segment {
        let segment = Segment::create(&self.name).expect("create the segment");
        *self.segment.borrow_mut() = Some(segment.clone());
        segment
    }

    /// The segment, which is opened by its name if this process has not done so yet.
    pub(crate) fn segment(&self) -> Segment {
        self.segment
            .borrow_mut()
            .get_or_insert_with(|| Segment::open(&self.name).expect("open the segment"))
            .clone()
    }

    /// The segment after this thread has used a lock, so that it is registered with the kernel.
    pub(crate) fn warm(&self) -> Segment {
        let segment = self.segment();
        segment.counter("warm").expect("counter").add(1).expect("add");
        segment
    }

    /// Lets go of it.
    pub(crate) fn leave(&self) {
        self.held.borrow_mut().take();
        self.segment.borrow_mut().take();
    }
}
