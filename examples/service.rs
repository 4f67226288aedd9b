//! Requests and replies: clients ask, servers answer, and a server that is killed is an error at once.
//!
//! ```text
//! cargo run --release --example service
//! ```
//!
//! Two servers, programs of their own that find the service by its name, share the requests of three
//! clients, which are threads here and might be processes as well. One server is killed with a request
//! in its hands: its client hears of it at once and asks again. Every client gets the replies to its
//! own requests.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use outlive::{CallError, Client, Segment, ServeError, Service, ServiceOptions};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const CLIENTS: u64 = 3;
const REQUESTS: u64 = 100;
/// The request that the first server is killed with.
const FATAL: u64 = 42;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match (arguments.next(), arguments.next()) {
        (Some(segment), fatal) => serve(&segment, fatal.is_some()),
        (None, _) => ask(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn service(segment: &Segment) -> Result<Service> {
    // A request may have 8 bytes, a reply 16.
    Ok(segment.service("square", ServiceOptions::new(8, 16))?)
}

/// A server.
fn serve(segment: &str, dies: bool) -> Result<()> {
    let server = service(&Segment::open(segment)?)?.server()?;
    println!("ready");
    loop {
        let mut request = match server.accept() {
            Ok(request) => request,
            Err(ServeError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let number = u64::from_ne_bytes(request[..].try_into()?);
        if dies && number == FATAL {
            println!("has {number}");
            thread::park(); // killed here, with the request in its hands
        }
        // A client that does not wait any more is none of its concern.
        let _gone = request.reply(&(u128::from(number) * u128::from(number)).to_ne_bytes());
    }
}

fn start_server(segment: &str, more: &[&str]) -> Result<(Child, impl BufRead + use<>)> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    let mut child = command.arg(segment).args(more).stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(child.stdout.take().ok_or("no standard output")?);
    said.read_line(&mut String::new())?; // "ready"
    Ok((child, said))
}

/// Asks for the squares of some numbers. How often a server died of it.
fn squares(client: &Client, numbers: impl Iterator<Item = u64>) -> Result<u32> {
    let mut deaths = 0;
    for number in numbers {
        let reply = loop {
            match client.call(&number.to_ne_bytes()) {
                Err(CallError::ServerDied) => deaths += 1,
                other => break other?,
            }
        };
        let square = u128::from_ne_bytes(reply[..].try_into()?);
        if square != u128::from(number) * u128::from(number) {
            return Err(format!("{number} was answered with {square}").into());
        }
    }
    Ok(deaths)
}

/// The clients.
fn ask() -> Result<()> {
    let name = format!("service-{}", std::process::id());
    let segment = Segment::create(&name)?;
    let service = service(&segment)?;
    // One for which the fatal request is fatal; the other one comes when that is dead, so that nobody
    // else takes it.
    let (mut first, mut said) = start_server(&name, &["fatal"])?;
    let deaths = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let service = &service;
                let numbers = (0..REQUESTS).map(move |n| n * CLIENTS + client);
                scope.spawn(move || squares(&service.client()?, numbers))
            })
            .collect();
        let mut line = String::new();
        said.read_line(&mut line)?;
        println!("the first server {}, and is killed", line.trim_end());
        let (mut second, _said) = start_server(&name, &[])?;
        first.kill()?;
        first.wait()?;
        let mut deaths = 0;
        for client in clients {
            deaths += client.join().map_err(|_| "a client panicked")??;
        }
        service.close()?;
        second.wait()?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(deaths)
    })?;
    println!("clients that were told that their server had died: {deaths}");
    println!("{} requests, each with its own reply", CLIENTS * REQUESTS);
    Ok(())
}
