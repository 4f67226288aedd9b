//! The command line: ours, and what cargo's test runners pass.

pub(crate) struct Args {
    pub(crate) count: u64,
    pub(crate) seed: u64,
    pub(crate) json: bool,
    pub(crate) list: bool,
    /// Run as a worker of the segment of that name.
    pub(crate) worker: Option<(String, usize)>,
    pub(crate) filters: Vec<String>,
}

pub(crate) const USAGE: &str = "\
Processes hammer every primitive while they are killed and restarted at random moments.

  --count N   how many kills (300)
  --seed S    of the random moments (1)
  --json      one object of totals";

impl Args {
    /// Flags of libtest are accepted and ignored: `cargo test -- --nocapture` reaches all binaries.
    pub(crate) fn parse() -> Result<Self, String> {
        let mut args = Self {
            count: 300,
            seed: 1,
            json: false,
            list: false,
            worker: None,
            filters: Vec::new(),
        };
        let mut words = std::env::args().skip(1).flat_map(|word| match word.split_once('=') {
            Some((flag, value)) if word.starts_with("--") => {
                vec![flag.to_owned(), value.to_owned()]
            }
            _ => vec![word],
        });
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or(format!("{word} needs a value"));
            let number =
                |text: String| text.parse::<u64>().map_err(|_| format!("{text}: no number"));
            match word.as_str() {
                "--count" => args.count = number(next()?)?,
                "--seed" => args.seed = number(next()?)?,
                "--json" => args.json = true,
                "--list" => args.list = true,
                "--worker" => args.worker = Some((next()?, number(next()?)? as usize)),
                "--help" | "-h" => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                "--test-threads" | "--color" | "--format" | "--skip" | "-Z" | "--logfile" => {
                    let _ignored = next();
                }
                flag if flag.starts_with('-') => {}
                name => args.filters.push(name.to_owned()),
            }
        }
        Ok(args)
    }
}
