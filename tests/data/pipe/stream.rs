//! `Read` and `Write`.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};

use outlive::PipeRecvError;

use super::driver::pipe;

#[test]
fn reads_are_of_any_length_and_the_rest_stays() {
    let (_segment, pipe, _name) = pipe("partial", 256);
    let (mut first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    second.send_bytes(b"abcdef").expect("send");
    second.send_bytes(b"").expect("send");
    second.send_bytes(b"ghi").expect("send");
    let mut buffer = [0; 4];
    assert_eq!(first.read(&mut []).expect("read"), 0);
    assert_eq!(first.read(&mut buffer).expect("read"), 4);
    assert_eq!(&buffer, b"abcd");
    assert_eq!(first.read(&mut buffer).expect("read"), 2);
    assert_eq!(&buffer[..2], b"ef");
    // The empty one is no end of file.
    assert_eq!(first.read(&mut buffer).expect("read"), 3);
    assert_eq!(&buffer[..3], b"ghi");
    drop(second);
    assert_eq!(first.read(&mut buffer).expect("read"), 0);
    assert_eq!(first.read(&mut buffer).expect("read"), 0);
}

#[test]
fn the_rest_of_a_message_can_be_received() {
    let (_segment, pipe, _name) = pipe("mixed", 256);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let mut some = [0; 2];
    second.send_bytes(b"abcd").expect("send");
    second.send_bytes(b"efgh").expect("send");
    (&first).read_exact(&mut some).expect("read");
    assert_eq!(first.recv_bytes().as_deref(), Ok(&b"cd"[..]));
    (&first).read_exact(&mut some).expect("read");
    // In place it is whole again.
    let message = first.read_message().expect("a message");
    assert_eq!(&*message, b"efgh");
    message.keep();
    assert_eq!(first.recv_bytes().as_deref(), Ok(&b"efgh"[..]));
    assert_eq!(first.try_recv_bytes(), Err(PipeRecvError::Empty));
}

/// A successor gets the whole of a message of which a part was read.
#[test]
fn a_part_that_was_read_is_not_taken() {
    let (_segment, pipe, _name) = pipe("whole", 256);
    let (mut first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    second.send_bytes(b"abcd").expect("send");
    first.read_exact(&mut [0; 3]).expect("read");
    drop(first);
    let first = pipe.first().expect("first");
    assert_eq!(first.recv_bytes().as_deref(), Ok(&b"abcd"[..]));
}

#[test]
fn more_than_there_is_room_for_is_written_in_parts() {
    crate::support::watchdog();
    let pipe = outlive::pipe(100).expect("pipe");
    let theirs = pipe.clone();
    let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number * 7) as u8).collect();
    let expected = bytes.clone();
    let writer = std::thread::spawn(move || {
        let mut second = theirs.second().expect("second");
        second.write_all(&bytes).expect("write");
        second.flush().expect("flush");
    });
    let mut all = Vec::new();
    pipe.first().expect("first").read_to_end(&mut all).expect("read");
    assert!(all == expected, "{} bytes", all.len());
    writer.join().expect("join");
}

#[test]
fn lines_and_a_broken_pipe() {
    let (_segment, pipe, _name) = pipe("lines", 256);
    let (first, mut second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    writeln!(second, "one\ntwo").expect("write");
    let mut lines = BufReader::new(&first).lines();
    assert_eq!(lines.next().expect("a line").expect("read"), "one");
    assert_eq!(lines.next().expect("a line").expect("read"), "two");
    drop(first);
    assert_eq!(second.write(b"").expect("nothing"), 0);
    let error = second.write_all(b"three").expect_err("nobody reads");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(error.to_string().contains("broken pipe"), "{error}");
}
