//! POSIX message queues.

use std::sync::atomic::{AtomicU32, Ordering};

use nix::mqueue::{MQ_OFlag, MqAttr, MqdT, mq_close, mq_open, mq_receive, mq_send, mq_unlink};
use nix::sys::stat::Mode;

use super::{Address, Peer};
use crate::message::{Inbox, Message, Outbox};
use crate::stage::processes;
use crate::support::{Result, watchdog};
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[Peer {
    name: "mqueue",
    what: "a POSIX message queue, of as many messages as everybody may have (`msg_max`)",
    package: None,
    answer: super::answer::<Channel>,
    play: processes::play::<Channel>,
}];

#[derive(Debug)]
struct Channel {
    name: String,
}

/// What everybody may ask for; root may ask for more, but few programs are root.
fn limit(name: &str) -> std::result::Result<usize, String> {
    let path = format!("/proc/sys/fs/mqueue/{name}");
    let text = std::fs::read_to_string(path);
    let limit = text.ok().and_then(|text| text.trim().parse().ok());
    limit.ok_or_else(|| "this kernel has no POSIX message queues".into())
}

/// Best effort.
fn remove(name: &str) {
    let _ = mq_unlink(name);
}

impl super::Channel for Channel {
    const MANY: bool = true;
    const VARYING: bool = true;

    type Sender = End;
    type Receiver = End;

    fn longest() -> std::result::Result<usize, String> {
        limit("msgsize_max")
    }

    fn create(setup: &Setup) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("/outlive-compare-{}-{number}", std::process::id());
        let messages = setup.work.capacity().min(limit("msg_max")?);
        let attributes = MqAttr::new(0, messages as i64, setup.work.bytes as i64, 0);
        let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR;
        watchdog::on_abort(&name, remove);
        let queue =
            mq_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR, Some(&attributes))?;
        mq_close(queue)?;
        Ok(Self { name })
    }

    fn address(&self) -> Address {
        Address::named(&self.name)
    }

    fn sender(address: &Address, setup: &Setup) -> Result<End> {
        End::attach(address, setup)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<End> {
        End::attach(address, setup)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        remove(&self.name);
        watchdog::removed(&self.name);
    }
}

#[derive(Debug)]
struct End {
    queue: Option<MqdT>,
    buffer: Vec<u8>,
}

impl End {
    fn attach(address: &Address, setup: &Setup) -> Result<Self> {
        let queue = mq_open(address.name.as_str(), MQ_OFlag::O_RDWR, Mode::empty(), None)?;
        Ok(Self { queue: Some(queue), buffer: vec![0; setup.work.bytes] })
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            // The descriptor is gone whatever this says.
            let _ = mq_close(queue);
        }
    }
}

impl Outbox for End {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let queue = self.queue.as_ref().ok_or("the queue is closed")?;
        let bytes = &mut self.buffer[..message.length];
        message.write(bytes);
        Ok(mq_send(queue, bytes, 0)?)
    }
}

impl Inbox for End {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        let queue = self.queue.as_ref().ok_or("the queue is closed")?;
        let length = mq_receive(queue, &mut self.buffer, &mut 0)?;
        Message::read(&self.buffer[..length])
    }
}
