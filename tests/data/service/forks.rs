//! The copies of a client, a server and what they have that a forked child has are none.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{CallError, LockError, Redeliver, ReplyError, Segment, ServeError, Service};

use super::driver::service;
use crate::support::{Peer, say};

/// Runs `inside` in a forked child and waits for it: it is not to panic.
fn in_child(inside: impl FnOnce()) {
    // SAFETY: the watchdog, the only other thread, holds no lock that the child needs, and the child
    // leaves without returning to the test runner.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside));
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).expect("wait"), WaitStatus::Exited(child, 0));
        }
    }
}

/// The role: forks with a request that it has sent, and one that it has accepted.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let service: Service = segment.find("s").expect("find");
    let ends = (service.server().expect("server"), service.client().expect("client"));
    let ends = Box::into_raw(Box::new(ends));
    // SAFETY: freed at the end, once in each process.
    let (server, client) = unsafe { &*ends };
    let mut pending = Some(client.send(b"one").expect("send"));
    let mut request = Some(server.accept().expect("accept"));
    let mut second = Some(client.send(b"two").expect("send"));
    in_child(|| {
        assert_eq!(client.call(b"x"), Err(CallError::Lock(LockError::WouldBlock)));
        assert_eq!(server.accept().err(), Some(ServeError::Lock(LockError::WouldBlock)));
        let mut request = request.take().expect("the copy");
        assert_eq!(request.reply(b"x"), Err(ReplyError::Lock(LockError::WouldBlock)));
        drop(request);
        let refused = pending.take().expect("the copy").wait();
        assert_eq!(refused, Err(CallError::Lock(LockError::WouldBlock)));
        drop(second.take());
        assert_eq!((service.clients(), service.servers(), service.waiting()), (1, 1, 1));
        // As another process it serves.
        let mine = service.server().expect("server");
        let mut request = mine.accept().expect("accept");
        assert_eq!(&*request, b"two");
        request.reply(b"by the child").expect("reply");
    });
    request.take().expect("the request").reply(b"by the parent").expect("reply");
    assert_eq!(pending.take().expect("the call").wait(), Ok(b"by the parent".to_vec()));
    assert_eq!(second.take().expect("the call").wait(), Ok(b"by the child".to_vec()));
    in_child(|| {
        // Without effect: they are the parent's.
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(ends) });
        assert_eq!((service.clients(), service.servers()), (1, 1));
    });
    // SAFETY: as above.
    drop(unsafe { Box::from_raw(ends) });
    assert_eq!((service.clients(), service.servers()), (0, 0));
    say("done");
}

#[test]
fn a_childs_copies_are_refused_and_take_nothing_from_its_parent() {
    let (_segment, _service, name) = service("fork", Redeliver::Never);
    let mut peer = Peer::spawn("service fork", &[&name]);
    peer.expect("done");
    peer.join();
}
