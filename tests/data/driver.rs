//! A process that does to one object what its parent tells it to: the loop of its role, and the
//! parent's end.

use std::marker::PhantomData;

use nix::sys::signal::Signal;

use crate::observe::{await_sleep, await_stop, thread_id};
use crate::support::{Peer, listen, say};

/// The role: answers each command, which is a word, from the words behind it.
pub(crate) fn obey(mut answer: impl FnMut(&str, &mut Words<'_>) -> String) {
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let mut words = Words(line.split(' '));
        let command = words.text();
        say("going");
        say(&answer(command, &mut words));
    }
}

/// What stands behind a command.
pub(crate) struct Words<'a>(std::str::Split<'a, char>);

impl<'a> Words<'a> {
    /// The next word, empty if there is none.
    pub(crate) fn text(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }

    /// The next word, 0 if there is none.
    pub(crate) fn number(&mut self) -> u64 {
        self.0.next().map_or(0, |word| word.parse().expect("a number"))
    }

    /// The next word as milliseconds.
    pub(crate) fn limit(&mut self) -> std::time::Duration {
        std::time::Duration::from_millis(self.number())
    }
}

/// Which role it is.
pub(crate) trait Role {
    const NAME: &'static str;
}

/// The parent's end.
pub(crate) struct Driver<R> {
    pub(crate) peer: Peer,
    pub(crate) thread: u32,
    _role: PhantomData<R>,
}

impl<R: Role> Driver<R> {
    pub(crate) fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn(R::NAME, &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread, _role: PhantomData }
    }

    pub(crate) fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    /// Has a command started that has to block, and waits until it does.
    pub(crate) fn block(&mut self, command: &str) {
        self.start(command);
        await_sleep(self.thread);
    }

    #[track_caller]
    pub(crate) fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        self.peer.expect(answer);
    }

    pub(crate) fn stop(&self) {
        self.peer.signal(Signal::SIGSTOP);
        await_stop(self.thread);
    }

    pub(crate) fn go_on(&self) {
        self.peer.signal(Signal::SIGCONT);
    }
}
