//! Processes that are joined where they were started.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Process, ProcessOptions};
use crate::error::{JoinError, ScopeError, StartError};
use crate::sync::{Waitable, wait_any};

/// Starts processes, waits for all of them, and returns their results in the order in which they were
/// started. As soon as one fails, the others are killed; they are, too, if `body` fails or panics. None
/// is left when this returns, and none survives this process.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::process::scope;
///
/// let squares = scope(|scope| {
///     for n in 1..=3_u64 {
///         scope.start(|n| n * n, n)?;
///     }
///     Ok(())
/// })?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// What `body` returns; [`Join`](ScopeError::Join) with the first process that failed, in time.
///
/// # Crash behaviour
///
/// The processes are [daemons](ProcessOptions::daemon): if this one is killed, they are.
pub fn scope<R: Serialize + DeserializeOwned>(
    body: impl FnOnce(&mut Scope<R>) -> Result<(), StartError>,
) -> Result<Vec<R>, ScopeError> {
    let mut scope = Scope { processes: Vec::new(), results: Vec::new() };
    body(&mut scope)?;
    let mut missing = scope.processes.len();
    while missing > 0 {
        scope.fetch()?;
        missing = scope.results.iter().filter(|result| result.is_none()).count();
    }
    Ok(std::mem::take(&mut scope.results).into_iter().flatten().collect())
}

/// Where [`scope`] starts processes.
#[derive(Debug)]
pub struct Scope<R> {
    processes: Vec<Process<R>>,
    /// As many, in the same order.
    results: Vec<Option<R>>,
}

impl<R: Serialize + DeserializeOwned> Scope<R> {
    /// Starts a process that belongs to the scope: see [`Process::start`].
    ///
    /// # Errors
    ///
    /// Those of [`Process::start`].
    pub fn start<F, A>(&mut self, function: F, arguments: A) -> Result<(), StartError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
    {
        self.start_with(Process::options(), function, arguments)
    }

    /// The same with options. Whatever they say, the process is a daemon.
    ///
    /// # Errors
    ///
    /// Those of [`ProcessOptions::start`].
    pub fn start_with<F, A>(
        &mut self,
        options: ProcessOptions,
        function: F,
        arguments: A,
    ) -> Result<(), StartError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
    {
        self.processes.push(options.daemon(true).start(function, arguments)?);
        self.results.push(None);
        Ok(())
    }

    /// The processes started so far.
    #[must_use]
    pub fn processes(&mut self) -> &mut [Process<R>] {
        &mut self.processes
    }

    /// Waits for one more process, and takes its result.
    fn fetch(&mut self) -> Result<(), JoinError> {
        let waiting = self.processes.iter().zip(&self.results);
        let waiting = waiting.enumerate().filter(|(_, (_, result))| result.is_none());
        let (places, sentinels): (Vec<usize>, Vec<&dyn Waitable>) = waiting
            .map(|(place, (process, _))| (place, process.sentinel() as &dyn Waitable))
            .unzip();
        let ended = match wait_any(&sentinels, None) {
            Ok(ended) => ended.and_then(|index| places.get(index)).copied(),
            Err(crate::WaitError::Os(error)) => return Err(error.into()),
            // Descriptors have no other errors.
            Err(_) => places.first().copied(),
        };
        let place = ended.unwrap_or_default();
        if let Some(process) = self.processes.get_mut(place)
            && let Some(result) = self.results.get_mut(place)
        {
            *result = Some(process.join()?);
        }
        Ok(())
    }
}

/// None stays, whichever way the scope ends.
impl<R> Drop for Scope<R> {
    fn drop(&mut self) {
        for process in self.processes.iter().filter(|process| process.is_own()) {
            let _ended = process.kill();
        }
        for process in self.processes.iter().filter(|process| process.is_own()) {
            // What was killed ends.
            let _status = process.wait(None).map(|_| process.exit_status());
        }
    }
}
