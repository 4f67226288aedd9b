//! Values as requests and replies.

use std::thread;
use std::time::Duration;

use outlive::{
    CallError, ReplyError, Segment, ServeError, Service, ServiceOptions, TypedCallError,
    TypedRecvError, TypedSendError,
};
use serde::{Deserialize, Serialize};

use crate::support::watchdog;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Question {
    Sum(Vec<i64>),
    Length { of: String },
}

fn service(request: usize, reply: usize) -> Service {
    watchdog();
    let segment = Segment::anonymous().expect("a segment");
    segment.service("typed", ServiceOptions::new(request, reply)).expect("a service")
}

fn answer(question: Question) -> i64 {
    match question {
        Question::Sum(numbers) => numbers.iter().sum(),
        Question::Length { of } => i64::try_from(of.len()).expect("a short one"),
    }
}

#[test]
fn values_are_asked_and_answered() {
    let service = service(100, 100);
    thread::scope(|scope| {
        scope.spawn(|| {
            let server = service.server().expect("server");
            let (first, mut request) = server.accept_typed().expect("accept");
            request.reply_typed(&answer(first)).expect("reply");
            drop(request);
            let (second, mut request) = server.accept_typed_timeout(Duration::MAX).expect("accept");
            request.reply_typed(&answer(second)).expect("reply");
        });
        let client = service.client().expect("client");
        let sum: i64 = client.call_typed(&Question::Sum(vec![1, 2, -5])).expect("call");
        assert_eq!(sum, -2);
        let length = Question::Length { of: "four".into() };
        assert_eq!(client.call_typed_timeout::<_, i64>(&length, Duration::MAX), Ok(4));
    });
}

#[test]
fn a_request_that_is_none_is_handed_back_and_its_client_hears_of_it() {
    let service = service(100, 100);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let server = service.server().expect("server");
            server.accept_typed::<Question>().map(|(question, _)| question)
        });
        let client = service.client().expect("client");
        assert_eq!(client.call(b"\xff\xff"), Err(CallError::Unanswered));
        let refused = server.join().expect("join").expect_err("no question");
        let said = refused.to_string();
        assert!(said.contains("2 bytes") && said.contains("Question"), "{said}");
        let TypedRecvError::Decode { bytes, .. } = refused else { panic!("{refused}") };
        assert_eq!(bytes, b"\xff\xff");
    });
}

#[test]
fn a_reply_that_is_none_is_handed_back() {
    let service = service(100, 100);
    thread::scope(|scope| {
        scope.spawn(|| {
            let server = service.server().expect("server");
            let (_, mut request) = server.accept_typed::<Question>().expect("accept");
            request.reply(b"\x02abc").expect("reply");
        });
        let client = service.client().expect("client");
        let reply = client.call_typed::<_, u8>(&Question::Sum(Vec::new()));
        let Err(error @ TypedCallError::Decode { .. }) = reply else { panic!("{reply:?}") };
        let said = error.to_string();
        assert!(said.contains("4 bytes") && said.contains("3 bytes are left over"), "{said}");
    });
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let service = service(8, 8);
    let client = service.client().expect("client");
    let long = Question::Length { of: "x".repeat(50) };
    let refused = client.call_typed::<_, i64>(&long);
    let too_long = matches!(refused, Err(TypedCallError::Call(CallError::TooLong { .. })));
    assert!(too_long, "{refused:?}");
    assert_eq!(service.waiting(), 0);
    let server = service.server().expect("server");
    let _under_way = client.send(b"").expect("send");
    let mut request = server.try_accept().expect("accept");
    let reply = request.reply_typed("too long for its place");
    let too_long = matches!(reply, Err(TypedSendError::Send(ReplyError::TooLong { .. })));
    assert!(too_long, "{reply:?}");
    request.reply_typed("short").expect("still unanswered");
}

#[test]
fn timeouts_and_ends_are_those_of_bytes() {
    let service = service(100, 100);
    let client = service.client().expect("client");
    let question = Question::Sum(Vec::new());
    // Before there is the first server, it is waited for.
    let early = client.call_typed_timeout::<_, i64>(&question, Duration::from_millis(20));
    assert_eq!(early, Err(TypedCallError::Call(CallError::TimedOut)));
    let server = service.server().expect("server");
    let early = server.accept_typed_timeout::<Question>(Duration::from_millis(20));
    assert!(matches!(early, Err(TypedRecvError::Recv(ServeError::TimedOut))), "{early:?}");
    service.close().expect("close");
    let refused = client.call_typed::<_, i64>(&question);
    assert_eq!(refused, Err(TypedCallError::Call(CallError::Closed)));
}
