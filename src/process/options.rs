//! How a process is started.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::child::ProcessHandle;
use super::entry::Entry;
use super::letter::{self, Job};
use super::parcel::Parcel;
use super::{Process, Streams, intercept, spawner};
use crate::error::{OsError, StartError};
use crate::os::channel;

/// Where a standard stream of a new process leads.
#[derive(Debug, Default)]
pub enum Stream {
    /// Where this process's own leads.
    Inherit,
    /// Nowhere.
    #[default]
    Null,
    /// To this process, which takes its end from the [`Process`].
    Piped,
    /// A file, a socket, one end of a pipe.
    To(OwnedFd),
}

impl Stream {
    /// Of anything that has a descriptor: a [`File`], a [`PipeWriter`], a socket.
    pub fn to(file: impl Into<OwnedFd>) -> Self {
        Self::To(file.into())
    }
}

/// Options of a process, from [`Process::options`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::process::{Process, Stream};
/// use std::io::Read;
///
/// let mut process = Process::options()
///     .name("greeter")
///     .env("GREETING", "hello")
///     .stdout(Stream::Piped)
///     .start(|name: String| println!("{}, {name}", std::env::var("GREETING").unwrap()), "you".into())?;
///
/// let mut said = String::new();
/// process.take_stdout().unwrap().read_to_string(&mut said)?;
/// assert_eq!(said, "hello, you\n");
/// process.join()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "options do nothing until start is called"]
pub struct ProcessOptions {
    name: Option<String>,
    daemon: bool,
    kill_on_drop: bool,
    clear: bool,
    /// Values that are set, and None for those that are not to be.
    environment: Vec<(OsString, Option<OsString>)>,
    directory: Option<PathBuf>,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            name: None,
            daemon: false,
            kill_on_drop: false,
            clear: false,
            environment: Vec::new(),
            directory: None,
            stdin: Stream::Null,
            stdout: Stream::Inherit,
            stderr: Stream::Inherit,
        }
    }
}

impl ProcessOptions {
    /// What it is called in errors, by [`current`](super::current), and, up to 15 bytes of it, by ps(1).
    /// `Process-1` and so on if it is not given.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether it dies with this process, however that ends: the kernel kills it. Otherwise it goes on
    /// by itself.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// Whether it is killed when its [`Process`] is dropped before it has ended.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.kill_on_drop = kill;
        self
    }

    /// Sets an environment variable for it. It has this process's others.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.environment.push((key.as_ref().to_owned(), value));
        self
    }

    /// Takes an environment variable away from it.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.as_ref().to_owned(), None));
        self
    }

    /// It has none of this process's environment, but what is set hereafter.
    pub fn env_clear(mut self) -> Self {
        self.clear = true;
        self.environment.clear();
        self
    }

    /// The directory that it starts in; this process's own if it is not given.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Its standard input; nothing unless it is given, as two processes that read from one terminal get
    /// half of it each.
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.stdin = stream;
        self
    }

    /// Its standard output; this process's own if it is not given.
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.stdout = stream;
        self
    }

    /// Its standard error; this process's own if it is not given.
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.stderr = stream;
        self
    }

    /// Starts a process that runs `function` with these arguments: see [`Process`]. May be called any
    /// number of times.
    ///
    /// # Errors
    ///
    /// [`StartError`]. There is no process then.
    pub fn start<F, A, R>(&self, function: F, arguments: A) -> Result<Process<R>, StartError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let parcel = Parcel::pack(&arguments).map_err(|what| StartError::Arguments { what })?;
        let process = self.launch(Entry::of(function), parcel);
        // Only now: if there is no process, the last handle of a segment may be among them, and leave as
        // such.
        drop(arguments);
        process
    }

    /// What there need not be for each function.
    fn launch<R>(&self, entry: &'static Entry, parcel: Parcel) -> Result<Process<R>, StartError> {
        if !intercept::works() {
            return Err(StartError::NotIntercepted);
        }
        let function = entry.name();
        let number = entry.number().ok_or(StartError::NotInExecutable { function })?;
        let (count, limit) = (parcel.segments.len(), letter::SEGMENTS);
        if count > limit {
            return Err(StartError::TooManySegments { count, limit });
        }
        let (channel, theirs) = channel::pair()?;
        let token = RandomState::new().build_hasher().finish();
        let name = self.name.clone().unwrap_or_else(next_name);
        let job = Job {
            entry: number,
            function: function.to_owned(),
            name: name.clone(),
            daemon: self.daemon,
        };
        let (stdin, their_stdin) = input(&self.stdin)?;
        letter::send(channel.as_fd(), token, &job, &[their_stdin.as_fd()], &parcel)?;
        drop((their_stdin, parcel));
        let (stdout, their_stdout) = output(&self.stdout)?;
        let (stderr, their_stderr) = output(&self.stderr)?;

        let mut command = self.command();
        let (variable, value) = intercept::variable(token);
        command.env(variable, value).stdin(theirs).stdout(their_stdout).stderr(their_stderr);
        let child = if self.daemon { spawner::spawn(command) } else { command.spawn() };
        let child = child.map_err(|error| {
            // Without a number, the text says what is wrong.
            let what =
                error.raw_os_error().map_or_else(|| format!(" ({error})"), |_| String::new());
            OsError::from_io("posix_spawn", &error).on(format!("process {name:?}{what}"))
        })?;
        let handle = ProcessHandle::new(name, self.daemon, child)?;
        Ok(Process::new(
            handle,
            channel,
            token,
            self.kill_on_drop,
            Streams { stdin, stdout, stderr },
        ))
    }

    /// The executable that this process runs, whatever has its name by now.
    fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        if self.clear {
            command.env_clear();
        }
        for (key, value) in &self.environment {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

fn next_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("Process-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn failed(call: &'static str) -> impl Fn(io::Error) -> OsError {
    move |error| OsError::from_io(call, &error)
}

/// Our end of what the process reads, if we are to have one, and its own.
fn input(stream: &Stream) -> Result<(Option<PipeWriter>, OwnedFd), OsError> {
    let copy = failed("fcntl(F_DUPFD_CLOEXEC)");
    Ok(match stream {
        Stream::Inherit => (None, io::stdin().as_fd().try_clone_to_owned().map_err(copy)?),
        Stream::Null => (None, File::open("/dev/null").map_err(failed("open"))?.into()),
        Stream::Piped => {
            let (reader, writer) = io::pipe().map_err(failed("pipe"))?;
            (Some(writer), reader.into())
        }
        Stream::To(file) => (None, file.try_clone().map_err(copy)?),
    })
}

/// Our end of what the process writes, if we are to have one, and its own.
fn output(stream: &Stream) -> Result<(Option<PipeReader>, Stdio), OsError> {
    Ok(match stream {
        Stream::Inherit => (None, Stdio::inherit()),
        Stream::Null => (None, Stdio::null()),
        Stream::Piped => {
            let (reader, writer) = io::pipe().map_err(failed("pipe"))?;
            (Some(reader), writer.into())
        }
        Stream::To(file) => {
            let copy = file.try_clone().map_err(failed("fcntl(F_DUPFD_CLOEXEC)"))?;
            (None, copy.into())
        }
    })
}
