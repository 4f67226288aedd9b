//! What is refused, and in which words.

use outlive::{
    CallError, LockError, ObjectError, Queue, Redeliver, ReplyError, Segment, Service,
    ServiceError, ServiceOptions,
};

use super::driver::{options, service};

#[test]
fn another_type_is_refused_by_name() {
    let (segment, _service, _name) = service("type", Redeliver::Never);
    let text = segment.find::<Queue<u8>>("s").unwrap_err().to_string();
    assert!(text.contains("Service") && text.contains("Queue<u8>"), "{text}");
}

#[test]
fn another_shape_is_refused_with_both_numbers() {
    let (segment, _service, _name) = service("shape", Redeliver::Never);
    let refused = |options: ServiceOptions| {
        let error = segment.service("s", options).unwrap_err();
        let ObjectError::ShapeMismatch { what, found, expected, .. } = error else {
            panic!("{error:?}");
        };
        (what, found, expected)
    };
    let same = options(Redeliver::Never);
    assert_eq!(refused(same.clients(4)), ("number of clients", 3, 4));
    assert_eq!(refused(same.servers(4)), ("number of servers", 2, 4));
    assert_eq!(refused(same.requests(4)), ("number of requests", 3, 4));
    let limit = "limit of deliveries (0 is none)";
    assert_eq!(refused(same.redeliver(Redeliver::Always)), (limit, 1, 0));
    let other =
        |request, reply| ServiceOptions::new(request, reply).clients(3).servers(2).requests(3);
    assert_eq!(refused(other(21, 20)), ("length of requests", 20, 21));
    assert_eq!(refused(other(20, 9)), ("length of replies", 20, 9));
    segment.service("s", same).expect("the same shape");
}

#[test]
fn impossible_shapes_are_refused() {
    let (segment, _name) = crate::segment("impossible");
    let usual = ServiceOptions::new(8, 8);
    for options in [
        usual.clients(0),
        usual.servers(0),
        usual.requests(0),
        usual.clients(250).servers(7),
        usual.clients(usize::MAX),
        usual.servers(usize::MAX),
        usual.requests(usize::MAX),
        ServiceOptions::new(1 << 40, 8),
        ServiceOptions::new(8, usize::MAX),
    ] {
        let error = segment.service("other", options).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{options:?}: {error:?}");
    }
    let error = segment.service("other", ServiceOptions::new(1 << 30, 8)).unwrap_err();
    assert!(matches!(error, ObjectError::SegmentFull { .. }), "{error:?}");
}

#[test]
fn read_only_handles_can_only_look() {
    let (_segment, service, name) = service("read-only", Redeliver::Never);
    let client = service.client().expect("client");
    let _pending = client.send(b"x").expect("send");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Service = reader.find("s").expect("find");
    let refused = Some(ServiceError::Lock(LockError::ReadOnly));
    assert_eq!(seen.client().err(), refused);
    assert_eq!(seen.server().err(), refused);
    assert_eq!(seen.close(), Err(LockError::ReadOnly));
    assert_eq!((seen.clients(), seen.servers(), seen.waiting()), (1, 0, 1));
    assert!(format!("{seen:?}").contains("clients: 1"), "{seen:?}");
}

#[test]
fn errors_say_what_happened() {
    let text = CallError::TooLong { length: 17, largest: 13 }.to_string();
    assert!(text.contains("17") && text.contains("13"), "{text}");
    let text = ReplyError::TooLong { length: 17, largest: 13 }.to_string();
    assert!(text.contains("17") && text.contains("13"), "{text}");
    let text = ServiceError::NoPlace { role: "client", limit: 23 }.to_string();
    assert!(text.contains("23 clients"), "{text}");
    let lock = LockError::ReadOnly;
    assert_eq!(CallError::Lock(lock.clone()).to_string(), lock.to_string());
}
