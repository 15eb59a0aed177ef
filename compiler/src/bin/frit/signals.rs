//! INT, TERM and HUP: what is unfinished is removed, and the exit status says which signal it was.

use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

/// What asks a process to end.
const ENDING: [c_int; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Files and folders under temporary names. Whoever holds the list keeps signals waiting.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// From now on a signal that ends the process removes the unfinished files first, and the exit status is 128 and its number.
pub(crate) fn watch() {
    let (ready, registered) = mpsc::channel::<()>();
    let watcher = move || {
        let signals = register();
        drop(ready);
        if let Some(signal) = signals.ok().and_then(|mut signals| signals.forever().next()) {
            let unfinished = hold();
            for path in unfinished.iter() {
                // One that is finished meanwhile has this name no more.
                let _ = std::fs::remove_file(path).or_else(|_| std::fs::remove_dir_all(path));
            }
            low_level::exit(128 + signal);
        }
    };
    // Where no thread is to be had, signals end the process as they do without this.
    if thread::Builder::new().name("signals".to_owned()).spawn(watcher).is_ok() {
        // The only message is that the other end is gone.
        let _ = registered.recv();
    }
}

/// Keeps signals waiting while the guard lives, in which files under temporary names are made, listed and renamed.
pub(crate) fn hold() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register() -> std::io::Result<Signals> {
    let ignored = ignored();
    let heard = |signal: &c_int| ignored >> (signal - 1) & 1 == 0;
    if heard(&SIGINT) {
        // The order matters: the first interrupt finds the flag down and raises it, the second one finds it up.
        let interrupted = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(SIGINT, 128 + SIGINT, Arc::clone(&interrupted))?;
        flag::register(SIGINT, interrupted)?;
    }
    // A file that grows beyond its limit is then an error of the write, as a full disk is.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Signals::new(ENDING.iter().filter(|signal| heard(signal)))
}

/// The signals that this process was started to ignore, a bit each from signal 1 on: under `nohup`, or in the background of a
/// shell's script. They stay ignored.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
