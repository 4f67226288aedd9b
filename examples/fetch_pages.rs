//! Pages from a server, fetched by several processes at a time:
//! `cargo run --release --features process --example fetch_pages`. The server is a thread of this program,
//! on the loopback, and takes a while for each page, as servers do: more workers wait for it at the same
//! time.

#[path = "fetch_pages/server.rs"]
mod server;
#[path = "support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use outlive::process::Pool;
use support::{Result, say};

#[derive(Parser)]
#[command(about = "Fetches pages from a local server with several processes")]
struct Arguments {
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=32))]
    workers: u64,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pages: u32,
    /// Milliseconds that the server takes for a page.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    delay: u64,
}

/// A server that says more, or nothing for so long, is given up.
const LONGEST: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches a page: how many bytes it has, and its title.
fn fetch((server, page): (SocketAddr, u32)) -> Result<(usize, String), String> {
    let get = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(stream, "GET /{page} HTTP/1.0\r\nHost: {server}\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(LONGEST).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = get().map_err(|error| format!("page {page}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
    if !head.starts_with("HTTP/1.0 200 ") {
        return Err(format!("page {page}: {}", head.lines().next().unwrap_or_default()));
    }
    let title = body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    Ok((body.len(), title.map(|(title, _)| title.to_owned()).unwrap_or_default()))
}

fn demo(arguments: &Arguments) -> Result<()> {
    let server = server::start(arguments.pages, Duration::from_millis(arguments.delay))?;
    let pool = Pool::new(arguments.workers as usize)?;
    let pages: Vec<_> = (1..=arguments.pages).map(|page| (server, page)).collect();
    let began = Instant::now();
    let mut bytes = 0;
    // In the order of the pages, each as soon as it is there.
    for fetched in pool.imap(fetch, pages)? {
        let (length, title) = fetched??;
        say!("{length:6} bytes  {title}");
        bytes += length;
    }
    let took = began.elapsed().as_secs_f64();
    let alone = f64::from(arguments.pages) * arguments.delay as f64 / 1e3;
    say!(
        "{} pages, {bytes} bytes, by {} workers in {took:.2} s",
        arguments.pages,
        arguments.workers
    );
    say!("one after the other they take {alone:.2} s or more");
    match pool.apply(fetch, (server, arguments.pages + 1))? {
        Err(error) => say!("and one that is not there: {error}"),
        Ok((_, title)) => return Err(format!("a page that is not there: {title}").into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
