//! Standard streams, environment, directory.

use std::fs::File;
use std::io::{BufRead, Read, Seek, Write};

use outlive::process::{JoinError, Process, StartError, Stream};

use crate::support::watchdog;

#[test]
fn streams_lead_where_they_are_to() {
    watchdog();
    let mut process = Process::options()
        .stdin(Stream::Piped)
        .stdout(Stream::Piped)
        .stderr(Stream::Piped)
        .start(
            |()| {
                let lines: Vec<String> =
                    std::io::stdin().lock().lines().map(Result::unwrap).collect();
                print!("{} lines", lines.len());
                eprint!("the last one is {:?}", lines.last().unwrap());
            },
            (),
        )
        .unwrap();
    let mut input = process.take_stdin().unwrap();
    input.write_all(b"one\ntwo\n").unwrap();
    drop(input);
    assert!(process.take_stdin().is_none());
    let (mut out, mut err) = (String::new(), String::new());
    process.take_stdout().unwrap().read_to_string(&mut out).unwrap();
    process.take_stderr().unwrap().read_to_string(&mut err).unwrap();
    process.join().unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("2 lines", "the last one is \"two\""));
}

fn read_stdin(_: ()) -> Vec<u8> {
    let mut all = Vec::new();
    std::io::stdin().read_to_end(&mut all).unwrap();
    all
}

#[test]
fn standard_input_is_empty_unless_it_is_given() {
    watchdog();
    assert_eq!(Process::start(read_stdin, ()).unwrap().join(), Ok(vec![]));
    // Nobody has the other end: join closes it.
    let mut process = Process::options().stdin(Stream::Piped).start(read_stdin, ()).unwrap();
    assert_eq!(process.join(), Ok(vec![]));
}

#[test]
fn a_file_is_a_stream_as_often_as_it_is_needed() {
    watchdog();
    let path = std::env::temp_dir().join(crate::support::unique("stream"));
    let mut file = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let options = Process::options().stdout(Stream::to(file.try_clone().unwrap()));
    for n in 0..3 {
        options.start(|n: u8| println!("{n}"), n).unwrap().join().unwrap();
    }
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "0\n1\n2\n");
    file.rewind().unwrap();
    let options = Process::options().stdin(Stream::to(file));
    assert_eq!(options.start(read_stdin, ()).unwrap().join(), Ok(text.into_bytes()));
}

#[test]
fn nothing_is_inherited_beyond_the_standard_streams() {
    watchdog();
    let segment = outlive::Segment::anonymous().unwrap();
    let value = segment.value("v", 1_u8).unwrap();
    let mut process = Process::start(
        |value: outlive::Value<u8>| {
            let open = |number: &i32| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
            let all = (0..2000).filter_map(|number| Some((number, open(&number)?)));
            let all: Vec<(i32, String)> =
                all.map(|(number, to)| (number, to.display().to_string())).collect();
            let child = std::process::Command::new("ls").arg("/proc/self/fd").output().unwrap();
            drop(value);
            (all, String::from_utf8(child.stdout).unwrap())
        },
        value,
    )
    .unwrap();
    let (all, of_child) = process.join().unwrap();
    // What whoever runs the tests left open for everybody.
    let open_for_all = |number: &i32| {
        let info =
            std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("02000000");
        i32::from_str_radix(flags.trim(), 8).unwrap() & nix::libc::O_CLOEXEC == 0
    };
    let others = (3..2000).filter(open_for_all).count();
    let beyond: Vec<&(i32, String)> =
        all.iter().filter(|(number, _)| *number > 2 && !open_for_all(number)).collect();
    // The channel, and the segment.
    assert_eq!(beyond.len(), 2, "{beyond:?}");
    assert!(beyond.iter().any(|(_, to)| to.starts_with("socket:")), "{beyond:?}");
    assert!(beyond.iter().any(|(_, to)| to.contains("memfd:outlive")), "{beyond:?}");
    assert_eq!(all[0].1, "/dev/null");
    // And a child of it gets neither (ls has the directory itself open).
    assert_eq!(of_child.lines().count(), 4 + others, "{of_child}");
}

#[test]
fn environment_and_directory_are_as_asked_for() {
    watchdog();
    let look = |names: Vec<String>| {
        let values: Vec<Option<String>> =
            names.iter().map(|name| std::env::var(name).ok()).collect();
        (values, std::env::vars().count(), std::env::current_dir().unwrap())
    };
    let names = vec!["PATH".to_owned(), "OUTLIVE_TEST_A".to_owned(), "OUTLIVE_PROCESS".to_owned()];
    let path = std::env::var("PATH").ok();
    let options = Process::options().env("OUTLIVE_TEST_A", "a").current_dir("/proc");
    let (values, _, directory) = options.start(look, names.clone()).unwrap().join().unwrap();
    // The variable that the library uses itself is gone.
    assert_eq!(values, [path.clone(), Some("a".to_owned()), None]);
    assert_eq!(directory, std::path::Path::new("/proc"));
    let options = Process::options().env("OUTLIVE_TEST_A", "a").env_remove("PATH");
    let (values, ..) = options.start(look, names.clone()).unwrap().join().unwrap();
    assert_eq!(values, [None, Some("a".to_owned()), None]);
    let options = Process::options().env("LOST", "a").env_clear().env("OUTLIVE_TEST_A", "b");
    let (values, count, directory) = options.start(look, names).unwrap().join().unwrap();
    assert_eq!((values, count), (vec![None, Some("b".to_owned()), None], 1));
    assert_eq!(directory, std::env::current_dir().unwrap());
}

#[test]
fn what_cannot_be_started_is_an_error() {
    watchdog();
    let nowhere = Process::options().name("lost").current_dir("/nonexistent").start(|()| (), ());
    let Err(StartError::Os(error)) = nowhere else { panic!("{nowhere:?}") };
    assert_eq!(error.errno(), 2);
    assert!(error.to_string().contains("\"lost\""), "{error}");
    let zero = Process::options().env("A", "a\0b").start(|()| (), ()).unwrap_err();
    assert!(zero.to_string().contains("nul byte"), "{zero}");
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_and_no_signal() {
    watchdog();
    let mut process = Process::options()
        .stdout(Stream::Piped)
        .start(
            |()| {
                // Until the reader is gone.
                while std::io::stdout()
                    .write_all(&[b'.'; 4096])
                    .and_then(|()| std::io::stdout().flush())
                    .is_ok()
                {}
            },
            (),
        )
        .unwrap();
    drop(process.take_stdout());
    assert_eq!(process.join(), Ok(()));
    let process = Process::options().stdout(Stream::Null).start(|()| println!("unheard"), ());
    let result: Result<(), JoinError> = process.unwrap().join();
    assert_eq!(result, Ok(()));
}
