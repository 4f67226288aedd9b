//! Weakens one ordering, to see whether a model notices: `.ci/weaken` tries each.
//!
//! With `MODEL_SITES` set to a file's name, every place that asks for an order is written there, with
//! the model that came by. With `MODEL_WEAKEN` set to such a place, it does not get it.

use core::panic::Location;
use core::sync::atomic::Ordering;
use std::collections::HashSet;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

static WEAKENED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("MODEL_WEAKEN").ok());
static SITES: LazyLock<Option<Mutex<Sites>>> = LazyLock::new(|| {
    let path = std::env::var_os("MODEL_SITES")?;
    let file = std::fs::File::create(path).expect("the file for the places");
    Some(Mutex::new(Sites { file, known: HashSet::new() }))
});

struct Sites {
    file: std::fs::File,
    known: HashSet<String>,
}

/// Whether what is asked for at a place is to be left out.
pub(super) fn is_weakened(place: &Location<'_>, what: &str) -> bool {
    if SITES.is_none() && WEAKENED.is_none() {
        return false;
    }
    let site = format!("{}:{}:{}:{what}", place.file(), place.line(), place.column());
    if let Some(sites) = &*SITES {
        let thread = std::thread::current();
        let line = format!("{site} {}\n", thread.name().unwrap_or_default());
        let mut sites = sites.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !sites.known.contains(&line) {
            sites.file.write_all(line.as_bytes()).expect("a line");
            sites.known.insert(line);
        }
    }
    WEAKENED.as_deref() == Some(&*site)
}

/// An access's ordering, or the next weaker one that makes a difference.
pub(super) fn weakened(place: &Location<'_>, what: &str, ordering: Ordering) -> Ordering {
    if ordering == Ordering::Relaxed || !is_weakened(place, what) {
        return ordering;
    }
    match (ordering, what) {
        (Ordering::SeqCst, "load" | "failure") => Ordering::Acquire,
        (Ordering::SeqCst, "store") => Ordering::Release,
        (Ordering::SeqCst, _) => Ordering::AcqRel,
        _ => Ordering::Relaxed,
    }
}
