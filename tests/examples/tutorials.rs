//! The demos of every tutorial about processes: queues, pools, a shared map.

use crate::lines;

#[test]
fn a_producer_and_a_consumer() {
    let said = lines("producer_consumer", &[]);
    let expected = [
        "the producer made 10 items, and said that this was all",
        "the consumer took 10, in order: true",
        "from \"item 1\" to \"item 10\"",
    ];
    assert_eq!(said, expected);
    // More than the queue has room for.
    let said = lines("producer_consumer", &["--items", "5000"]);
    assert_eq!(said[1], "the consumer took 5000, in order: true");
}

#[test]
fn a_consumer_whose_producer_is_killed_before_the_sentinel() {
    for (items, taken) in [("10", 5), ("5000", 2500), ("1", 0)] {
        let said = lines("producer_consumer", &["--kill", "--items", items]);
        assert!(said[0].starts_with("process \"producer\" (pid "), "{said:?}");
        assert!(said[0].ends_with("was killed (signal: 9 (SIGKILL))"), "{said:?}");
        assert_eq!(said[1], format!("the consumer took {taken}, in order: true"));
    }
}

/// The number in a line, after these words.
fn number(line: &str, before: &str) -> u64 {
    let rest = line.strip_prefix(before).unwrap_or_else(|| panic!("{before:?} in {line:?}"));
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("a number after {before:?} in {line:?}"))
}

#[test]
fn a_queue_of_tasks_and_a_queue_of_results() {
    for workers in 1..=4_u64 {
        let arguments = ["--workers", &workers.to_string(), "--tasks", "300"];
        let said = lines("task_queue", &arguments);
        let counts =
            (1..=workers).zip(&said).map(|(n, line)| number(line, &format!("worker {n} did ")));
        assert_eq!(counts.sum::<u64>(), 300, "{said:?}");
        assert_eq!(
            said[workers as usize..][..2],
            ["300 of 300 results are there", "handed out once more, after a death: 0",]
        );
        assert_eq!(said.last().unwrap(), "the longest way to 1 is from 231: 127 steps");
    }
}

#[test]
fn a_task_of_a_killed_worker_is_done_by_another_one() {
    let said = lines("task_queue", &["--kill", "--workers", "2", "--tasks", "30"]);
    assert!(said[0].ends_with("was killed (signal: 9 (SIGKILL))"), "{said:?}");
    assert_eq!(said[3], "30 of 30 results are there");
    assert_eq!(said[4], "handed out once more, after a death: 1");
    assert_eq!(said[5], "the longest way to 1 is from 27: 111 steps");
}

#[test]
fn squares_and_a_cube() {
    let expected = [
        "squares of 1 to 10, by 4 workers: [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]",
        "squares of 1 to 5, by 2 workers: [1, 4, 9, 16, 25]",
        "the cube of 3: 27",
        "2 to the power of 10: 1024",
    ];
    assert_eq!(lines("pool", &[]), expected);
}

#[test]
fn a_killed_worker_costs_its_own_task_at_most() {
    let said = lines("killed_worker", &[]);
    assert_eq!(said.len(), 22, "{said:?}");
    for (n, line) in (1..=10).zip(&said[1..]) {
        let right = format!("  {n}: {}", n * n);
        let lost = "  5: its worker was killed (signal: 9 (SIGKILL))";
        assert_eq!(line, if n == 5 { lost } else { &right }, "{said:?}");
    }
    let all =
        |said: &[String]| said.iter().cloned().eq((1..=10).map(|n| format!("  {n}: {}", n * n)));
    assert!(all(&said[12..]), "{said:?}");
    let said = lines("killed_worker", &["--retries", "3"]);
    assert_eq!(said[0], "with 3 retries:");
    assert!(all(&said[1..]), "{said:?}");
}

#[test]
fn a_map_that_four_processes_write() {
    let words = |times: u64, processes: u64| {
        let all =
            [("and", 2), ("bird", 1), ("cat", 2), ("dog", 2), ("saw", 2), ("that", 1), ("the", 5)];
        let all = all.map(|(word, count)| format!("{:8} {word}", count * times * processes));
        let total = times * processes * 15;
        let right = format!("{total} words, counted by {processes} processes; {total} is right");
        all.into_iter().chain([right]).collect::<Vec<_>>()
    };
    assert_eq!(lines("shared_map", &[]), words(1000, 4));
    assert_eq!(lines("shared_map", &["--processes", "3", "--times", "7"]), words(7, 3));
}
