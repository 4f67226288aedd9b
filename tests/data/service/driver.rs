//! A process that calls or serves as its parent tells it to.

use std::time::Duration;

use outlive::{
    CallError, Client, Redeliver, Request, Segment, ServeError, Server, Service, ServiceOptions,
    wait_any,
};

use crate::driver::{self, Role, obey};
use crate::observe::idle;
use crate::support::{listen, say};

/// For requests and replies of up to 20 bytes, two clients, two servers and three requests at a time.
pub(crate) fn options(redeliver: Redeliver) -> ServiceOptions {
    ServiceOptions::new(20, 20).clients(3).servers(2).requests(3).redeliver(redeliver)
}

/// A segment with a service `s`, and its name.
pub(crate) fn service(what: &str, redeliver: Redeliver) -> (Segment, Service, String) {
    let (segment, name) = crate::large_segment(what, 1 << 17);
    let service = segment.service("s", options(redeliver)).expect("service");
    (segment, service, name)
}

fn called(outcome: Result<Vec<u8>, CallError>) -> String {
    outcome
        .map_or_else(|error| format!("{error:?}"), |reply| String::from_utf8(reply).expect("text"))
}

/// Requests in hands, each until it is answered.
fn serve(server: &Server, command: &str, text: &str, limit: Duration) -> String {
    let accepted = match command {
        "accept" => server.accept(),
        "try-accept" => server.try_accept(),
        _ => server.accept_timeout(limit),
    };
    let mut request: Request<'_> = match accepted {
        Ok(request) => request,
        Err(error) => return format!("{error:?}"),
    };
    say(&format!("{} {}", String::from_utf8_lossy(&request), request.attempt()));
    match listen().expect("what becomes of it").as_str() {
        "drop" => "dropped".to_owned(),
        "client" => format!("{:?}", request.client_process()),
        reply => match request.reply(if text.is_empty() { reply } else { text }.as_bytes()) {
            Ok(()) => "replied".to_owned(),
            Err(error) => format!("{error:?}"),
        },
    }
}

#[derive(Default)]
struct Ends {
    client: Option<Client>,
    server: Option<Server>,
}

impl Ends {
    fn run(&mut self, service: &Service, command: &str, text: &str, limit: Duration) -> String {
        let client = || self.client.as_ref().expect("a client");
        let server = || self.server.as_ref().expect("a server");
        match command {
            "client" => {
                self.client = Some(service.client().expect("client"));
                "ready".to_owned()
            }
            "server" => {
                self.server = Some(service.server().expect("server"));
                "ready".to_owned()
            }
            "leave" => {
                (self.client, self.server) = (None, None);
                "left".to_owned()
            }
            "call" => called(client().call(text.as_bytes())),
            "call-timeout" => called(client().call_timeout(text.as_bytes(), limit)),
            "send-and-leak" => {
                std::mem::forget(client().send(text.as_bytes()).expect("send"));
                "sent".to_owned()
            }
            "accept" | "try-accept" | "accept-timeout" => serve(server(), command, text, limit),
            "wait" => match wait_any(&[server()], Some(limit)) {
                Ok(Some(_)) => "ready".to_owned(),
                Ok(None) => "not ready".to_owned(),
                Err(error) => format!("{error:?}"),
            },
            "close" => service.close().map_or_else(|e| format!("{e:?}"), |()| "closed".to_owned()),
            "idle-call" => idle(|| drop(client().call_timeout(b"idle", limit))),
            "idle-accept" => idle(|| drop(server().accept_timeout(limit))),
            other => panic!("no command {other:?}"),
        }
    }
}

/// The role. A command is a word, a text (`-` is an empty one) and a limit in milliseconds.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let service: Service = segment.find("s").expect("find");
    let mut ends = Ends::default();
    obey(|command, words| {
        let text = Some(words.text()).filter(|text| *text != "-").unwrap_or_default();
        let limit = words.limit();
        ends.run(&service, command, text, limit)
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "service driver";
}

impl Driver {
    pub(crate) fn client(segment: &str) -> Self {
        let mut driver = Self::new(segment);
        driver.does("client", "ready");
        driver
    }

    pub(crate) fn server(segment: &str) -> Self {
        let mut driver = Self::new(segment);
        driver.does("server", "ready");
        driver
    }

    /// A server accepts a request that is there, and keeps it in its hands.
    #[track_caller]
    pub(crate) fn takes(&mut self, request: &str) {
        self.does("accept", request);
    }

    /// Answers what it has, or drops it.
    #[track_caller]
    pub(crate) fn ends(&mut self, with: &str, answer: &str) {
        self.peer.tell(with);
        self.peer.expect(answer);
    }
}

/// This thread serves one request, which is to be there.
#[track_caller]
pub(crate) fn answer(server: &Server, request: &[u8], reply: &[u8]) {
    let mut accepted = server.try_accept().expect("a request");
    assert_eq!(&*accepted, request);
    accepted.reply(reply).expect("reply");
}

/// There is nothing to accept.
#[track_caller]
pub(crate) fn nothing(server: &Server) {
    assert_eq!(server.try_accept().err(), Some(ServeError::Empty));
}
