//! Who is answered: listeners and services.

use std::fmt::{Debug, Display};
use std::hint::black_box;
use std::time::Duration;

use outlive::{Client, Listener, Pending, Server, Service, wait_any};

use super::channels::talk;
use super::{Others, SHORT, outcome, show, tried};

/// Longer than it takes a thread to start, mostly.
const MOMENT: Duration = Duration::from_millis(2);

pub(crate) fn read_listener(listener: &Listener) {
    let most = listener.options();
    assert!(listener.acceptors() <= most.acceptors && listener.connections() <= most.connections);
    show(listener.clone());
}

pub(crate) fn listener(listener: &Listener, others: Others) {
    read_listener(listener);
    let acceptor = outcome(listener.acceptor());
    drop(outcome(listener.acceptor()));
    if let Some(acceptor) = &acceptor {
        tried(acceptor.try_accept());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if let Some(end) = outcome(listener.connect_timeout(MOMENT)) {
                    talk(&end);
                }
            });
            if let Some(end) = outcome(acceptor.accept_timeout(MOMENT)) {
                talk(&end);
            }
        });
        tried(wait_any(&[acceptor], Some(Duration::ZERO)));
        drop(outcome(acceptor.accept_timeout(Duration::ZERO)));
        show((acceptor, acceptor.listener()));
    }
    drop(outcome(listener.connect_timeout(SHORT)));
    if others == Others::Quiet {
        // This thread alone accepts, and then nobody does.
        drop(outcome(listener.connect()));
        drop(acceptor);
        drop(outcome(listener.connect()));
    }
    read_listener(listener);
}

pub(crate) fn read_service(service: &Service) {
    black_box((service.is_closed(), service.waiting(), service.servers(), service.clients()));
    black_box((service.max_request(), service.max_reply()));
    show(service.clone());
}

pub(crate) fn service(service: &Service, others: Others) {
    read_service(service);
    let (server, client) = (outcome(service.server()), outcome(service.client()));
    drop(outcome(service.server()));
    drop(outcome(service.client()));
    if let (Some(server), Some(client)) = (&server, &client) {
        calls(server, client, others);
    }
    tried(service.close());
    if let Some(client) = &client {
        tried(client.call_timeout(b"closed", Duration::ZERO));
        if others == Others::Quiet && service.is_closed() {
            tried(client.call(b"closed"));
        }
    }
    if let Some(server) = &server {
        tried(wait_any(&[server], Some(Duration::ZERO)));
        tried(server.accept_timeout(SHORT));
        if others == Others::Quiet && service.is_closed() {
            // Nobody else has a request.
            tried(server.accept());
        }
    }
    drop((server, client));
    read_service(service);
}

fn calls(server: &Server, client: &Client, others: Others) {
    let largest = client.service().max_reply();
    tried(server.try_accept());
    tried(client.call_timeout(b"nobody answers", SHORT));
    tried(client.send(&vec![0; client.service().max_request() + 1]));
    let pending = outcome(client.send_timeout(&[], SHORT));
    answer(server.try_accept(), &vec![0xff; largest]);
    ended(pending, others);
    let pending = outcome(client.send_timeout(b"request", SHORT));
    let unwanted = outcome(client.send_timeout(b"unwanted", SHORT));
    tried(wait_any(&[server], Some(Duration::ZERO)));
    let first = outcome(server.accept_timeout(SHORT));
    drop(unwanted);
    answer(server.try_accept(), b"reply");
    drop(first);
    ended(pending, others);
    show((server, server.service(), client));
}

fn answer<E: Debug + Display>(request: Result<outlive::Request<'_>, E>, reply: &[u8]) {
    let Some(mut request) = outcome(request) else { return };
    let largest = request.len();
    assert!(largest <= 16, "a request of {largest} bytes");
    show((&*request, request.client_process(), request.attempt()));
    tried(request.reply(&[0; 100]));
    tried(request.reply(reply));
    tried(request.reply(reply));
}

fn ended(pending: Option<Pending<'_>>, others: Others) {
    let Some(pending) = pending else { return };
    let reply = if pending.is_over() && others == Others::Quiet {
        pending.wait()
    } else {
        pending.wait_timeout(SHORT)
    };
    let longest = outcome(reply).map_or(0, |reply| reply.len());
    assert!(longest <= 16, "a reply of {longest} bytes");
}
