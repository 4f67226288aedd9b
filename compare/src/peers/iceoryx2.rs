//! The crate `iceoryx2`: slices of bytes from one publisher to one subscriber, written and read in
//! place. What it keeps in files is kept apart from that of other programs, and removed.

// `assume_init` of what was just written.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe;

use super::{Address, Peer};
use crate::message::{Inbox, Message, Outbox};
use crate::stage::processes;
use crate::support::cpu::Patience;
use crate::support::{Result, watchdog};
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "iceoryx2",
        what: "publish-subscribe of byte slices, in place; asks again and again",
        package: Some("iceoryx2"),
        answer: super::answer::<Channel<false>>,
        play: processes::play::<Channel<false>>,
    },
    Peer {
        name: "iceoryx2-event",
        what: "the same with an event for each message, on which the subscriber sleeps",
        package: Some("iceoryx2"),
        answer: super::answer::<Channel<true>>,
        play: processes::play::<Channel<true>>,
    },
];

/// What the names of all its shared memory begin with, and the directory of its other files.
#[derive(Debug)]
struct Channel<const EVENT: bool> {
    name: String,
}

const SERVICE: &str = "channel";

fn directory(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(name)
}

/// Best effort; children that were killed leave what they had.
fn remove(name: &str) {
    let _ = std::fs::remove_dir_all(directory(name));
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(name.as_bytes()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// One process's part: its node, and the service of this channel.
#[derive(Debug)]
struct Attached {
    node: Node<ipc::Service>,
    service: publish_subscribe::PortFactory<ipc::Service, [u8], ()>,
}

impl Attached {
    fn new(address: &Address, setup: &Setup) -> Result<Self> {
        set_log_level(LogLevel::Error);
        let mut config = Config::default();
        config.global.prefix = FileName::new(format!("{}_", address.name).as_bytes())?;
        config
            .global
            .set_root_path(&Path::new(directory(&address.name).as_os_str().as_encoded_bytes())?);
        let node = NodeBuilder::new()
            // Ctrl-C is handled for all peers alike.
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .config(&config)
            .create::<ipc::Service>()?;
        let service = node
            .service_builder(&SERVICE.try_into()?)
            .publish_subscribe::<[u8]>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(setup.work.capacity())
            .open_or_create()?;
        Ok(Self { node, service })
    }

    fn event(&self) -> Result<iceoryx2::service::port_factory::event::PortFactory<ipc::Service>> {
        Ok(self.node.service_builder(&SERVICE.try_into()?).event().open_or_create()?)
    }
}

impl<const EVENT: bool> super::Channel for Channel<EVENT> {
    const VARYING: bool = true;

    type Sender = Sender;
    type Receiver = Receiver;

    fn create(_: &Setup) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("outlive-compare-{}-{number}", std::process::id());
        watchdog::on_abort(&name, remove);
        Ok(Self { name })
    }

    fn address(&self) -> Address {
        Address::named(&self.name)
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Sender> {
        let attached = Attached::new(address, setup)?;
        let publisher = attached
            .service
            .publisher_builder()
            .initial_max_slice_len(setup.work.bytes)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        let notifier =
            if EVENT { Some(attached.event()?.notifier_builder().create()?) } else { None };
        Ok(Sender { publisher, notifier, _attached: attached })
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Receiver> {
        let attached = Attached::new(address, setup)?;
        let subscriber = attached.service.subscriber_builder().create()?;
        let listener =
            if EVENT { Some(attached.event()?.listener_builder().create()?) } else { None };
        Ok(Receiver { subscriber, listener, patience: setup.patience, _attached: attached })
    }
}

impl<const EVENT: bool> Drop for Channel<EVENT> {
    fn drop(&mut self) {
        remove(&self.name);
        watchdog::removed(&self.name);
    }
}

#[derive(Debug)]
struct Sender {
    publisher: Publisher<ipc::Service, [u8], ()>,
    notifier: Option<Notifier<ipc::Service>>,
    _attached: Attached,
}

impl Outbox for Sender {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let mut sample = self.publisher.loan_slice_uninit(message.length)?;
        message.write_uninit(sample.payload_mut());
        // SAFETY: `write_uninit` writes all of the slice.
        unsafe { sample.assume_init() }.send()?;
        if let Some(notifier) = &self.notifier {
            notifier.notify()?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Receiver {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    listener: Option<Listener<ipc::Service>>,
    patience: Patience,
    _attached: Attached,
}

impl Receiver {
    #[inline]
    fn try_receive(&mut self) -> Option<Result<Message>> {
        match self.subscriber.receive() {
            Ok(sample) => sample.map(|sample| Message::read(sample.payload())),
            Err(error) => Some(Err(error.into())),
        }
    }
}

impl Inbox for Receiver {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        if self.listener.is_none() {
            return self.patience.until(|| self.try_receive());
        }
        loop {
            if let Some(message) = self.try_receive() {
                return message;
            }
            if let Some(listener) = &self.listener {
                listener.timed_wait_one(Duration::from_secs(1))?;
            }
        }
    }
}
