//! Demos that put processes to work: arithmetic, images, a server.

use std::path::PathBuf;

use crate::{lines, support};

/// A directory of a test's own, which is gone afterwards.
struct Place(PathBuf);

impl Place {
    fn new(what: &str) -> Self {
        let path = std::env::temp_dir().join(support::unique(what));
        std::fs::create_dir(&path).expect("create a directory");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn primes_that_survive_a_killed_counter() {
    let said = lines("process", &[]);
    assert!(said[0].ends_with("was killed (signal: 9 (SIGKILL))"), "{said:?}");
    assert_eq!(said.last().unwrap(), "there are 148933 primes below 2000000");
}

#[test]
fn factorials_and_their_chart() {
    let place = Place::new("factorial");
    let chart = place.file("chart.svg");
    let said = lines("factorial", &["--rounds", "1", "--chart", &chart]);
    assert_eq!(said[0], "5000! has 16326 digits; 4 of them, by 4 workers");
    let svg = std::fs::read_to_string(&chart).expect("the chart");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(svg.contains("5000!, 4 times"), "{svg}");
    for (name, line) in ["one thread", "threads", "processes", "pool"].iter().zip(&said[1..]) {
        // What was measured is what the chart shows.
        assert!(line.starts_with(name), "{said:?}");
        let (_, rest) = line.split_once(" ms ").expect("a time");
        let faster = rest.trim_start().split(' ').next().expect("a ratio");
        assert!(faster.parse::<f64>().expect("a ratio") > 0.0, "{line}");
        for text in [*name, faster] {
            assert!(svg.lines().any(|line| line.trim() == text), "{text} in {svg}");
        }
    }
    assert_eq!(said[6], format!("the chart is in {chart}"));
}

#[test]
fn images_that_are_equal_whoever_resized_them() {
    let place = Place::new("images");
    let arguments = ["--images", "7", "--width", "160", "--workers", "3", "--keep"];
    let said = lines("resize_images", &[&arguments[..], &[&place.file("kept")]].concat());
    assert_eq!(said[0], "made 7 images of 160 pixels across");
    let counts =
        said[1..4].iter().map(|line| line.split(' ').nth(3).unwrap().parse::<u32>().unwrap());
    assert_eq!(counts.sum::<u32>(), 7, "{said:?}");
    assert_eq!(said[4], "all 7 are equal, byte for byte, to those that one process made");
    for image in 0..7 {
        let read = |name: String| image::open(place.file(&name)).expect("an image");
        let original = read(format!("kept/{image}.png"));
        assert_eq!((original.width(), original.height()), (160, 120));
        for by in ["processes", "alone"] {
            let small = read(format!("kept/{image}-small-{by}.png"));
            assert_eq!((small.width(), small.height()), (40, 30));
        }
    }
}

#[test]
fn images_leave_nothing_behind() {
    support::watchdog();
    let place = Place::new("tmp");
    let output = std::process::Command::new(crate::example("resize_images"))
        .args(["--images", "2", "--width", "16"])
        .env("TMPDIR", &place.0)
        .output()
        .expect("run the example");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(std::fs::read_dir(&place.0).expect("read_dir").count(), 0);
}

#[test]
fn pages_in_their_order() {
    let said = lines("fetch_pages", &["--pages", "9", "--workers", "3", "--delay", "1"]);
    for (page, line) in (1..=9).zip(&said) {
        assert!(line.ends_with(&format!(" bytes  Page {page}")), "{said:?}");
    }
    assert!(said[9].starts_with("9 pages, ") && said[9].contains(" by 3 workers in "), "{said:?}");
    let missing = said.last().unwrap();
    assert!(missing.ends_with("page 10: HTTP/1.0 404 Not Found"), "{said:?}");
}

#[test]
fn pi_is_the_same_for_any_number_of_workers() {
    let estimate = |workers: &str, seed: &str| {
        let mut said = lines("pi", &["--millions", "2", "--workers", workers, "--seed", seed]);
        said.swap_remove(0)
    };
    let first = estimate("1", "7");
    assert_eq!(first, estimate("3", "7"));
    assert_ne!(first, estimate("2", "8"));
    let pi: f64 = first.rsplit(' ').next().unwrap().parse().unwrap();
    // Ten times as far off as is to be expected.
    assert!((pi - std::f64::consts::PI).abs() < 0.012, "{first}");
}
