//! Small files that ask for much: each is answered at once and within a little memory, with a code and no signal.
//!
//! The command runs under `ulimit`: 2 GiB of addresses, a few seconds of the processor. `FRIT_COSTLY=PATH` measures another
//! binary instead, and only tells what it found.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Folder;

#[path = "costly/keras.rs"]
mod keras;
#[path = "costly/onnx.rs"]
mod onnx;

/// Kilobytes of addresses that the command may have.
const ADDRESSES: usize = 2 << 20;
/// Seconds of the processor after which the system ends it.
const SECONDS: u64 = 10;
/// Kilobytes of memory that it may take beyond the files that it reads.
const MEMORY: usize = 256 << 10;
/// What it may take of the processor, in a build with checks, on a machine that does other things too.
const TIME: Duration = Duration::from_secs(3);

/// A file that asks for much.
struct Costly {
    /// Its kind, which is also the name of its file.
    name: &'static str,
    /// The code that it gets; none where it is a network that is read in a moment.
    code: Option<&'static str>,
    /// The ending of its name.
    ending: &'static str,
    content: Vec<u8>,
}

/// What the command made of it.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    signal: Option<i32>,
    stderr: String,
    /// Of the processor.
    took: Duration,
    /// Kilobytes, at most.
    memory: usize,
}

/// Runs `frit check` on `file`.
fn check(folder: &Folder, file: &str) -> Answer {
    let binary = std::env::var_os("FRIT_COSTLY").unwrap_or_else(|| env!("CARGO_BIN_EXE_frit").into());
    let script = format!("ulimit -v {ADDRESSES}; ulimit -t {SECONDS}; ulimit -c 0; exec \"$0\" check \"$1\"");
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .arg(binary)
        .arg(file)
        .current_dir(folder.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let (mut took, mut memory) = (Duration::ZERO, 0);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        took = processor(child.id()).unwrap_or(took);
        memory = peak(child.id()).unwrap_or(memory).max(memory);
        if started.elapsed() > 12 * Duration::from_secs(SECONDS) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Answer { code: status.code(), signal: status.signal(), stderr: reader.join().unwrap(), took, memory }
}

/// What a process took of the processor so far.
fn processor(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold anything: the times are the twelfth and thirteenth word, in hundredths of a second.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || words.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}

/// Kilobytes of memory that a process had at most.
fn peak(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Tries them all; tells what each took.
fn answered(files: Vec<Costly>) {
    let folder = Folder::new();
    let only_told = std::env::var_os("FRIT_COSTLY").is_some();
    let mut wrong = Vec::new();
    println!("| kind | file, KB | answer | s | MB |");
    for Costly { name, code, ending, content } in files {
        let file = format!("{name}.{ending}");
        folder.write(&file, &content);
        let answer = check(&folder, &file);
        std::fs::remove_file(folder.path(&file)).unwrap();
        let kilobytes = content.len() >> 10;
        let said = answer.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default();
        let said = match (answer.signal, answer.code) {
            (Some(signal), _) => format!("signal {signal}"),
            (None, Some(0)) => "read".to_owned(),
            (None, code) => format!("{} {}", code.unwrap_or(-1), said.get(..13).unwrap_or(said)),
        };
        let (seconds, megabytes) = (answer.took.as_secs_f32(), answer.memory >> 10);
        println!("| {name} | {kilobytes} | {said} | {seconds:.2} | {megabytes} |");
        let expected = match code {
            None => answer.code == Some(0),
            Some(code) => answer.code == Some(1) && answer.stderr.contains(&format!("error[{code}]: ")),
        };
        let panicked = answer.stderr.contains("panicked");
        if !expected || panicked || answer.took > TIME || answer.memory > MEMORY + kilobytes {
            let begin: String = answer.stderr.chars().take(600).collect();
            wrong.push(format!("{name}: {said}, {seconds:.2} s, {megabytes} MB: {begin}"));
        }
    }
    assert!(only_told || wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn onnx_files_that_ask_for_much() {
    answered(onnx::files());
}

#[test]
fn keras_files_that_ask_for_much() {
    answered(keras::files());
}
