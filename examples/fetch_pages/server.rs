//! A small web server on the loopback, for this demo only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// No request is longer, and none takes longer to arrive.
const LONGEST: u64 = 8192;
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves so many pages, on a port that the system chooses, for as long as this program runs.
pub(crate) fn start(pages: u32, delay: Duration) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        // One thread for each connection: there are as many as the demo has workers.
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // Who is asking hears of it by the end of the connection.
                let _failed = answer(stream, pages, delay);
            });
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, pages: u32, delay: Duration) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = String::new();
    let mut lines = BufReader::new(stream.try_clone()?.take(LONGEST));
    lines.read_line(&mut request)?;
    // The rest of the head: a connection that is closed before it was read is an error to the other end.
    let mut line = String::new();
    while lines.read_line(&mut line)? > 2 {
        line.clear();
    }
    let page = request.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()?.parse().ok());
    thread::sleep(delay);
    match page.filter(|page| (1..=pages).contains(page)) {
        Some(page) => {
            let text = format!("This is page {page}. ").repeat(10 + page as usize % 90);
            let body = format!("<html><title>Page {page}</title><p>{text}</p></html>\n");
            let length = body.len();
            write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
        }
        None => write!(stream, "HTTP/1.0 404 Not Found\r\n\r\n"),
    }
}
