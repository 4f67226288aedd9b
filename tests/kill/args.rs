//! The command line: ours, and what cargo's test runners pass.

use std::path::PathBuf;

use crate::round::Situation;

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) full: bool,
    pub(crate) json: bool,
    pub(crate) list: bool,
    pub(crate) case: Option<String>,
    pub(crate) situation: Option<Situation>,
    pub(crate) at: Option<usize>,
    pub(crate) then: Option<usize>,
    pub(crate) stride: Option<usize>,
    pub(crate) jobs: Option<usize>,
    /// The file whose table of results is brought up to date.
    pub(crate) write: Option<PathBuf>,
    /// Run by the supervisor: one case and situation, which talks in JSON.
    pub(crate) worker: bool,
    /// A part of a case's name, as with other test binaries.
    pub(crate) filters: Vec<String>,
}

pub(crate) const USAGE: &str = "\
The kill matrix: every operation, killed at every instruction.

  --full           every instruction (default: a spread of each operation)
  --stride N       every Nth instruction
  --case NAME      one case (--list shows them)
  --situation S    alone, blocked-waiter, stopped-peer or second-death
  --at N           one instruction
  --then M         with --at: where the peer is stopped or the repairer killed
  --jobs N         how many cases at once (default: one a core)
  --json           one object a case and situation
  --write FILE     puts the rows into a table in a Markdown file, in place of those of the same
                   cases and situations; as each is ready, so the whole can be made in parts
  NAME...          cases whose names contain one of these";

impl Args {
    /// Flags of libtest are accepted and ignored: `cargo test -- --nocapture` reaches all binaries.
    pub(crate) fn parse() -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = std::env::args().skip(1).flat_map(|word| match word.split_once('=') {
            Some((flag, value)) if word.starts_with("--") => {
                vec![flag.to_owned(), value.to_owned()]
            }
            _ => vec![word],
        });
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or(format!("{word} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{text}: no number"));
            match word.as_str() {
                "--full" => args.full = true,
                "--json" => args.json = true,
                "--list" => args.list = true,
                "--worker" => args.worker = true,
                "--case" => args.case = Some(next()?),
                "--situation" => {
                    let name = next()?;
                    let found = Situation::ALL.into_iter().find(|s| s.name() == name);
                    args.situation = Some(found.ok_or(format!("no situation {name}"))?);
                }
                "--at" => args.at = Some(number(next()?)?),
                "--then" => args.then = Some(number(next()?)?),
                "--stride" => args.stride = Some(number(next()?)?.max(1)),
                "--jobs" => args.jobs = Some(number(next()?)?.max(1)),
                "--write" => args.write = Some(next()?.into()),
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
        if args.write.is_some() && args.at.is_some() {
            return Err("--write is for whole operations, not for one instruction".to_owned());
        }
        if args.write.is_some() && cfg!(debug_assertions) {
            return Err("--write is for the release build".to_owned());
        }
        Ok(args)
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.case.as_ref().is_none_or(|wanted| wanted == case)
            && (self.filters.is_empty() || self.filters.iter().any(|part| case.contains(part)))
    }
}
