//! The sessions of one model: as many as calls that run at once.

use std::sync::{Mutex, PoisonError};

use frit_compiler::execute;
use frit_ir::Faults;
use frit_runtime::{Model, Session};

/// Sessions that no call uses now.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Threads of each.
    pub(crate) threads: usize,
    idle: Mutex<Idle>,
}

#[derive(Debug)]
struct Idle {
    /// The process whose threads they have: a fork has none of them.
    process: u32,
    sessions: Vec<Session>,
}

impl Sessions {
    /// None yet; each that is made has `threads` threads.
    pub(crate) fn new(threads: usize) -> Sessions {
        let idle = Idle { process: std::process::id(), sessions: Vec::new() };
        Sessions { threads, idle: Mutex::new(idle) }
    }

    /// What `run` makes of a session that nobody else has meanwhile; the next call finds it again.
    ///
    /// # Errors
    /// The system refuses memory or threads for another session.
    pub(crate) fn with<T>(&self, model: &Model, run: impl FnOnce(&mut Session) -> T) -> Result<T, Faults> {
        let mut session = match self.idle().sessions.pop() {
            Some(session) => session,
            None => Session::new(model, self.threads).map_err(|error| execute::refused(&error))?,
        };
        let result = run(&mut session);
        self.idle().sessions.push(session);
        Ok(result)
    }

    /// The idle sessions of this process. Those that a fork inherits have no threads: to drop one would wait for them.
    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if idle.process != process {
            idle.process = process;
            std::mem::forget(std::mem::take(&mut idle.sessions));
        }
        idle
    }
}
