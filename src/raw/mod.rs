//! The algorithms that everything else is made of, on plain references to [`layout`](crate::layout)
//! structures: they know nothing of segments.

pub(crate) mod bytes;
pub(crate) mod deadline;
pub(crate) mod event_count;
pub(crate) mod lock;
pub(crate) mod waiting;
