//! A process that uses one pool as its parent tells it to.

use std::time::Duration;

use outlive::{Loan, LoanError, LoanHandle, LoanPool, Loaned, PoolLayout, Queue, Segment};

use crate::driver::{self, Role, obey};
use crate::observe::idle;
use crate::support::say;

/// A segment with a pool `p`, a queue `q` of 4 of its handles, and its name.
pub(crate) fn pool(
    what: &str,
    layout: &PoolLayout,
) -> (Segment, LoanPool, Queue<LoanHandle>, String) {
    let (segment, name) = crate::large_segment(what, 32 << 20);
    let pool = segment.loan_pool("p", layout).expect("pool");
    let queue = segment.queue("q", 4).expect("queue");
    (segment, pool, queue, name)
}

pub(crate) fn chunks(count: usize, size: usize) -> PoolLayout {
    PoolLayout::new().chunks(count, size)
}

fn told<G>(outcome: Result<G, LoanError>, held: &mut Vec<G>) -> String {
    match outcome {
        Ok(loan) => {
            held.push(loan);
            "loaned".to_owned()
        }
        Err(LoanError::TimedOut { .. }) => "timed out".to_owned(),
        Err(LoanError::Exhausted { .. }) => "exhausted".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// The role. A command is a word, and a number of bytes or of milliseconds.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    let queue: Queue<LoanHandle> = segment.find("q").expect("find");
    let mut loans: Vec<Loan<'_, [u8]>> = Vec::new();
    let mut loaned: Vec<Loaned<'_, [u8]>> = Vec::new();
    obey(|command, words| {
        let number = words.number();
        let limit = Duration::from_millis(number);
        match command {
            "loan" => told(pool.loan_bytes(number as usize), &mut loans),
            "visit" => {
                drop(pool.loan_bytes(number as usize).expect("loan"));
                "visited".to_owned()
            }
            "try-loan" => told(pool.try_loan_bytes(number as usize), &mut loans),
            "loan-timeout" => told(pool.loan_bytes_timeout(1, limit), &mut loans),
            "send" => {
                let mut loan = loans.pop().expect("a loan");
                loan.fill(number as u8);
                loan.send_to(&queue).expect("send");
                "sent".to_owned()
            }
            // Sent, and handed to nobody before it dies.
            "vanish" => {
                let _lost = loans.pop().expect("a loan").send_with(|_| -> Result<(), ()> {
                    say("sending");
                    crate::support::await_death()
                });
                unreachable!()
            }
            // Handed over, and nothing after that.
            "vanish-sent" => {
                let _sent = loans.pop().expect("a loan").send_with(|handle| -> Result<(), ()> {
                    queue.push(handle).expect("push");
                    say("sending");
                    crate::support::await_death()
                });
                unreachable!()
            }
            "receive" => match pool.receive_from::<[u8]>(&queue) {
                Ok(content) => {
                    let first = content[0].to_string();
                    loaned.push(content);
                    first
                }
                Err(error) => format!("{error:?}"),
            },
            // Received, and the handle not taken out of the queue yet.
            "vanish-receiving" => {
                let _gone = queue.pop_with(|handle| {
                    let _received = pool.receive::<[u8]>(*handle).expect("receive");
                    say("receiving");
                    crate::support::await_death()
                });
                unreachable!()
            }
            // In the hands of its receiver, who has not received it.
            "vanish-popped" => {
                let _handle = queue.pop().expect("pop");
                say("popped");
                crate::support::await_death()
            }
            "drop" => {
                drop(loans.pop());
                drop(loaned.pop());
                "dropped".to_owned()
            }
            "idle-loan" => idle(|| drop(pool.loan_bytes_timeout(1, limit))),
            other => panic!("no command {other:?}"),
        }
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "loans driver";
}
