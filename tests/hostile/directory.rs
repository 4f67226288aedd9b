//! A directory whose lock names a thread which lives and has nothing to do with it.

use std::fs::File;
use std::os::unix::process::parent_id;

use outlive::{LockError, ObjectError};

use crate::image::{self, Place};
use crate::strangers::occupied;

#[test]
fn a_directory_that_a_stranger_holds_can_be_read_and_says_so() {
    let place = Place::new("held-directory");
    let segment = occupied(&place);
    let file = File::options().write(true).open(place.file("s")).expect("open");
    let directory = image::lock_words(&image::bytes())[0];
    image::write(&file, directory, &(parent_id() | 0x8000_0000).to_ne_bytes());

    assert_eq!(segment.objects().expect("objects").len(), image::objects(&image::bytes()).len());
    assert_eq!(segment.counter("counter").expect("find").get(), 0);
    let error = segment.counter("new").expect_err("somebody holds it");
    assert!(matches!(error, ObjectError::Directory(LockError::TimedOut { .. })), "{error:?}");
}
