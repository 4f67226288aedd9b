//! `Stream` and `Sink`.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use outlive::{PushError, RecvError, Segment, Slow, Start};

use crate::runtime::{block_on, many, one, poll_once};
use crate::support::watchdog;

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

async fn send<T, S: Sink<T> + Unpin>(sink: &mut S, message: T) -> Result<(), S::Error> {
    poll_fn(|context| Pin::new(&mut *sink).poll_ready(context)).await?;
    Pin::new(&mut *sink).start_send(message)
}

async fn flush<T, S: Sink<T> + Unpin>(sink: &mut S) -> Result<(), S::Error> {
    poll_fn(|context| Pin::new(&mut *sink).poll_flush(context)).await
}

#[test]
fn a_stream_ends_when_the_queue_is_closed() {
    let queue = Segment::anonymous().expect("segment").queue::<u64>("q", 2).expect("queue");
    let runtime = many();
    let sum = runtime.spawn({
        let mut stream = queue.stream();
        async move {
            let mut sum = 0;
            while let Some(message) = next(&mut stream).await {
                sum += message.expect("pop");
            }
            assert!(stream.is_terminated());
            assert_eq!(next(&mut stream).await, None);
            sum
        }
    });
    runtime.block_on(async {
        let mut sink = queue.sink();
        for number in 1..=100 {
            send(&mut sink, number).await.expect("send");
        }
        flush(&mut sink).await.expect("flush");
    });
    queue.close().expect("close");
    assert_eq!(runtime.block_on(sum).expect("join"), 5050);
}

#[test]
fn a_sink_holds_one_message_until_there_is_room() {
    watchdog();
    let queue = Segment::anonymous().expect("segment").queue::<u64>("q", 1).expect("queue");
    one().block_on(async {
        let mut sink = queue.sink();
        send(&mut sink, 1).await.expect("send");
        send(&mut sink, 2).await.expect("send");
        assert_eq!(Pin::new(&mut sink).start_send(3), Err(PushError::Full(3)));
        {
            let mut flushed = Box::pin(flush(&mut sink));
            assert!(poll_once(&mut flushed).is_pending());
        }
        assert_eq!(queue.pop_async().await, Ok(1));
        flush(&mut sink).await.expect("there is room");
        assert_eq!(queue.len(), 1);
        send(&mut sink, 4).await.expect("send");
        queue.close().expect("close");
        assert_eq!(flush(&mut sink).await, Err(PushError::Closed(4)));
        assert_eq!(flush(&mut sink).await, Ok(()));
    });
}

#[test]
fn a_byte_queue_a_ring_and_a_subscriber_are_streams() {
    watchdog();
    let segment = Segment::anonymous().expect("segment");
    let bytes = segment.byte_queue("b", 256).expect("byte queue");
    bytes.push(b"one").expect("push");
    bytes.close().expect("close");
    let ring = segment.spsc::<u64>("r", 4).expect("ring");
    let mut producer = ring.producer().expect("free");
    producer.push_slice(&[1, 2]).expect("push");
    producer.close();
    let channel = segment.broadcast::<u64>("c", 2, Slow::Overwrite).expect("broadcast");
    let subscriber = channel.subscribe(Start::Newest).expect("a place");
    (0..5).for_each(|number| channel.publish(number).expect("publish"));
    channel.close().expect("close");
    block_on(async {
        let mut stream = bytes.stream();
        assert_eq!(next(&mut stream).await, Some(Ok(b"one".to_vec())));
        assert_eq!(next(&mut stream).await, None);
        let mut stream = ring.consumer().expect("free").into_stream();
        assert_eq!(next(&mut stream).await, Some(Ok(1)));
        assert_eq!(next(&mut stream).await, Some(Ok(2)));
        assert_eq!(next(&mut stream).await, None);
        drop(stream.into_inner());
        let mut stream = subscriber.into_stream();
        assert_eq!(next(&mut stream).await, Some(Err(RecvError::Lagged { missed: 3 })));
        assert_eq!(next(&mut stream).await, Some(Ok(3)));
        assert_eq!(next(&mut stream).await, Some(Ok(4)));
        assert_eq!(next(&mut stream).await, None);
    });
}
