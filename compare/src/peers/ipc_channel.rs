//! The crate `ipc-channel`: a channel of bytes, whose other end is passed through a one-shot server.

use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender};
use serde::{Deserialize, Serialize};

use super::{Address, Peer};
use crate::message::{Inbox, Message, Outbox};
use crate::stage::processes;
use crate::support::{Result, failed, watchdog};
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[Peer {
    name: "ipc-channel",
    what: "`bytes_channel`; sleeps when it has to wait",
    package: Some("ipc-channel"),
    answer: super::answer::<Channel>,
    play: processes::play::<Channel>,
}];

/// What the process that attaches first passes to the channel's creator: the other end.
#[derive(Debug, Serialize, Deserialize)]
enum Hello {
    Sender(IpcBytesSender),
    Receiver(IpcBytesReceiver),
}

/// `name` is the path of a socket in a directory of its own.
struct Channel {
    server: Option<IpcOneShotServer<Hello>>,
    name: String,
}

/// What dropping the server does; best effort.
fn remove(name: &str) {
    let _ = std::fs::remove_file(name);
    let _ = std::path::Path::new(name).parent().map(std::fs::remove_dir);
}

impl Drop for Channel {
    fn drop(&mut self) {
        watchdog::removed(&self.name);
    }
}

impl Channel {
    fn accept(&mut self) -> Result<Hello> {
        let server = self.server.take().ok_or("the channel has only one end here")?;
        let (_, hello) = server.accept()?;
        Ok(hello)
    }
}

fn greet(address: &Address, hello: Hello) -> Result<()> {
    Ok(IpcSender::connect(address.name.clone())?.send(hello)?)
}

impl super::Channel for Channel {
    const VARYING: bool = true;

    type Sender = Sender;
    type Receiver = Receiver;

    fn create(_: &Setup) -> Result<Self> {
        let (server, name) = IpcOneShotServer::new()?;
        watchdog::on_abort(&name, remove);
        Ok(Self { server: Some(server), name })
    }

    fn address(&self) -> Address {
        Address::named(&self.name)
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Sender> {
        let (sender, receiver) = ipc::bytes_channel()?;
        greet(address, Hello::Receiver(receiver))?;
        Ok(Sender { sender, buffer: vec![0; setup.work.bytes] })
    }

    fn receiver(address: &Address, _: &Setup) -> Result<Receiver> {
        let (sender, receiver) = ipc::bytes_channel()?;
        greet(address, Hello::Sender(sender))?;
        Ok(Receiver(receiver))
    }

    fn own_sender(&mut self, setup: &Setup) -> Result<Sender> {
        match self.accept()? {
            Hello::Sender(sender) => Ok(Sender { sender, buffer: vec![0; setup.work.bytes] }),
            Hello::Receiver(_) => failed("the other process has the sending end, too"),
        }
    }

    fn own_receiver(&mut self, _: &Setup) -> Result<Receiver> {
        match self.accept()? {
            Hello::Receiver(receiver) => Ok(Receiver(receiver)),
            Hello::Sender(_) => failed("the other process has the receiving end, too"),
        }
    }
}

#[derive(Debug)]
struct Sender {
    sender: IpcBytesSender,
    buffer: Vec<u8>,
}

impl Outbox for Sender {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let bytes = &mut self.buffer[..message.length];
        message.write(bytes);
        Ok(self.sender.send(bytes)?)
    }
}

#[derive(Debug)]
struct Receiver(IpcBytesReceiver);

impl Inbox for Receiver {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read(&self.0.recv()?)
    }
}
