//! What a process does that only seems to be one of the library's.

use std::process::{Command, Stdio};

use crate::support::{self, Peer, say};

/// `process env`: runs as any program.
pub(crate) fn environment(_arguments: &[String]) {
    say(&std::env::var("OUTLIVE_PROCESS").unwrap_or_else(|_| "none".to_owned()));
}

#[test]
fn another_processs_variable_is_nothing() {
    // Process 1 is nobody's starter here; the others are not what the library writes.
    for variable in ["1:0123456789abcdef", "", "x", ":", "12", "1:zz"] {
        let mut command = support::command("process env", &[]);
        command.env("OUTLIVE_PROCESS", variable);
        let mut peer = Peer::start("process env", command);
        peer.expect("none");
        peer.join();
    }
}

#[test]
fn a_process_that_gets_no_job_ends_and_does_not_run_the_program() {
    let own = format!("{}:0123456789abcdef", std::process::id());
    let (reader, _writer) = std::io::pipe().unwrap();
    for stdin in [Stdio::null(), reader.into()] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "intercept::program"])
            .env("OUTLIVE_PROCESS", &own)
            .stdin(stdin)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(71));
        assert!(output.stdout.is_empty(), "no test runner ran");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("gets no job"), "{said}");
    }
}

#[test]
fn statics_of_later_constructors_are_there() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MADE: AtomicU32 = AtomicU32::new(0);
    extern "C" fn make() {
        MADE.fetch_add(1, Ordering::Relaxed);
    }
    #[used]
    #[unsafe(link_section = ".init_array")]
    #[allow(unsafe_code)]
    static CONSTRUCTOR: extern "C" fn() = make;
    // Before the library's or after it: once in either case.
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
    let mut process =
        outlive::process::Process::start(|()| MADE.load(Ordering::Relaxed), ()).unwrap();
    assert_eq!(process.join(), Ok(1));
}
