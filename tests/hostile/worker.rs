//! The process in which cases run, and how a test talks to it.

use std::cell::RefCell;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::unistd::gettid;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::exercise::{self, Damage, Objects, Others};
use crate::image::{self, Place};
use crate::links;
use crate::scribbler::Scribbler;
use crate::support::{Peer, listen, say, watchdog};
use crate::warden::Warden;

/// One damaged segment, and when the damage is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Case {
    /// Before anybody opens it.
    Before(Vec<Change>),
    /// After all handles were made.
    After(Vec<Change>),
    /// All the time, by a thread that makes these changes over and over.
    During(Vec<Change>),
    /// To one object, of that name, after all handles were made.
    To(String, Vec<Change>),
    /// The same, and that object alone is used then.
    ToOne(String, Change),
    /// To locks, and to nothing that they protect, after all handles were made.
    ToLocks(Vec<Change>),
    /// To the links of locks that a thread holds, which then releases them or ends.
    Held(links::Held),
}

/// How long one case may take. A case waits 100 ms for each lock whose holder is nobody.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a property in worker processes: one for as long as it lives, and a new one after a failure,
/// so that a failing case can be made smaller.
pub(crate) fn check<S>(cases: u32, strategy: S)
where
    S: proptest::strategy::Strategy<Value = Case>,
{
    watchdog();
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config.failure_persistence = None;
    config.max_shrink_iters = 500;
    let place = Place::new("hostile");
    let worker = RefCell::new(None);
    let result = TestRunner::new(config).run(&strategy, |case| {
        let path = place.path.to_str().expect("UTF-8");
        let mut peer = worker.take().unwrap_or_else(|| Peer::spawn("worker", &[path]));
        peer.tell(&serde_json::to_string(&case).expect("a case in words"));
        // Panics if the worker ended.
        match std::panic::catch_unwind(AssertUnwindSafe(|| peer.expect("passed"))) {
            Ok(()) => {
                worker.replace(Some(peer));
                Ok(())
            }
            Err(_) => Err(TestCaseError::fail(format!("the worker: {}", peer.wait()))),
        }
    });
    if let Some(peer) = worker.take() {
        peer.join();
    }
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Runs cases in one worker process, which ends at the first that fails.
pub(crate) fn check_each(cases: impl IntoIterator<Item = Case>) {
    watchdog();
    let place = Place::new("hostile");
    let mut peer = Peer::spawn("worker", &[place.path.to_str().expect("UTF-8")]);
    for case in cases {
        peer.tell(&serde_json::to_string(&case).expect("a case in words"));
        let passed = std::panic::catch_unwind(AssertUnwindSafe(|| peer.expect("passed")));
        if passed.is_err() {
            panic!("the worker: {}, at {case:?}", peer.wait());
        }
    }
    peer.join();
}

/// `worker PLACE`: runs the cases it hears of, there.
pub(crate) fn run(arguments: &[String]) {
    let [path] = arguments else { panic!("worker PLACE") };
    let place = Place::of_parent(path);
    let pristine = image::bytes();
    while let Some(line) = listen() {
        let case = serde_json::from_str(&line).expect("a case");
        within(PATIENCE, &line, || run_case(&place, &pristine, &case));
        say("passed");
    }
}

/// Ends the process if that takes longer.
fn within(limit: Duration, case: &str, run: impl FnOnce()) {
    let (done, is_done) = channel::<()>();
    let case = case.to_owned();
    let guard = std::thread::spawn(move || {
        if is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            eprintln!("a case hangs: {case}");
            std::process::abort();
        }
    });
    run();
    drop(done);
    guard.join().expect("the watchdog");
}

const NAME: &str = "victim";

fn run_case(place: &Place, pristine: &[u8], case: &Case) {
    std::fs::write(place.file(NAME), pristine).expect("write the image");
    let file = File::options().read(true).write(true).open(place.file(NAME)).expect("open");
    match case {
        Case::Before(changes) => before(place, pristine, &file, changes),
        Case::After(changes) => after(place, pristine, &file, changes),
        Case::During(changes) => during(place, pristine, &file, changes),
        Case::To(name, changes) => apart(place, pristine, &file, changes, Damage::To(name)),
        Case::ToOne(name, change) => {
            let (segment, objects) = intact(place);
            let one = Objects::find_one(&segment, name);
            change.apply(&file, gettid());
            let _warden = Warden::over(&place.file(NAME), pristine);
            one.use_all(Others::Quiet);
            objects.assert_committed(Damage::To(name));
        }
        Case::ToLocks(changes) => apart(place, pristine, &file, changes, Damage::ToLocks),
        Case::Held(held) => links::run(place, pristine, &file, held),
    }
    let _gone = std::fs::remove_file(place.file(NAME));
}

fn before(place: &Place, pristine: &[u8], file: &File, changes: &[Change]) {
    changes.iter().for_each(|change| change.apply(file, gettid()));
    let _warden = Warden::over(&place.file(NAME), pristine);
    if let Ok(segment) = place.options().read_only(true).open(NAME) {
        exercise::look(&segment);
        Objects::find(&segment).read();
    }
    if let Ok(segment) = place.options().open(NAME) {
        exercise::look(&segment);
        let objects = Objects::find(&segment);
        objects.use_all(Others::Quiet);
        exercise::names(&segment);
        objects.use_all(Others::Quiet);
    }
    exercise::reopen(place, NAME);
}

/// The segment as it was made, and handles to everything in it.
pub(crate) fn intact(place: &Place) -> (outlive::Segment, Objects) {
    let segment = place.options().open(NAME).expect("open the intact segment");
    let objects = Objects::find(&segment);
    assert!(objects.are_complete(), "{objects:?}");
    (segment, objects)
}

fn after(place: &Place, pristine: &[u8], file: &File, changes: &[Change]) {
    let (segment, objects) = intact(place);
    changes.iter().for_each(|change| change.apply(file, gettid()));
    let _warden = Warden::over(&place.file(NAME), pristine);
    objects.use_all(Others::Quiet);
    exercise::look(&segment);
    exercise::names(&segment);
    objects.use_all(Others::Quiet);
}

fn apart(place: &Place, pristine: &[u8], file: &File, changes: &[Change], damage: Damage<'_>) {
    let (segment, objects) = intact(place);
    changes.iter().for_each(|change| change.apply(file, gettid()));
    let _warden = Warden::over(&place.file(NAME), pristine);
    objects.assert_committed(damage);
    objects.use_all(Others::Quiet);
    objects.assert_committed(damage);
    exercise::look(&segment);
}

fn during(place: &Place, pristine: &[u8], file: &File, changes: &[Change]) {
    let (segment, objects) = intact(place);
    let _warden = Warden::over(&place.file(NAME), pristine);
    let _scribbler = Scribbler::start(file, pristine, changes);
    for _ in 0..3 {
        exercise::look(&segment);
        objects.use_all(Others::Writing);
        exercise::names(&segment);
        drop(Objects::find(&segment));
    }
}
