//! What the macros cost those who use them: a crate of workflows against the same crate of plain
//! async functions, each checked anew beside dependencies that are ready.

mod generate;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

use self::generate::Kind;
use crate::Problem;
use crate::cargo::Stopped;

/// How many workflows the crate has, of ten steps each.
const WORKFLOWS: usize = 200;

/// The compiler as `cargo` calls it for these crates alone. It says how long its passes take, which
/// the stable one has to be asked for in this way.
const TIMED_COMPILER: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec \"$@\" -Ztime-passes\n";

/// One `cargo check` of one crate.
struct Check {
    /// From its start to its end, which other work on the machine makes longer.
    whole: Duration,
    /// What the processors spent on it, which other work changes little.
    work: Duration,
    expansion: Duration,
}

/// Measures both crates in turn and prints the best of each: what disturbs a measurement only ever
/// adds to it.
pub(crate) fn measure(repetitions: usize) -> Result<(), Stopped> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let folder = target.join("macro-cost");
    let failed = |error: std::io::Error| Problem(format!("cannot write {folder:?}: {error}"));
    generate::workspace(&folder, &root, WORKFLOWS).map_err(failed)?;
    let compiler = folder.join("timed-compiler");
    fs::write(&compiler, TIMED_COMPILER).map_err(failed)?;
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).map_err(failed)?;

    eprintln!("building the dependencies");
    check(&folder, Kind::Plain)?;
    check(&folder, Kind::Durable)?;
    let (mut plain, mut durable) = (Vec::new(), Vec::new());
    for repetition in 1..=repetitions {
        eprintln!("measuring {repetition}/{repetitions}");
        plain.push(check(&folder, Kind::Plain)?);
        durable.push(check(&folder, Kind::Durable)?);
    }
    let whole = [&plain, &durable].map(|checks| best(checks, |check| check.whole));
    let work = [&plain, &durable].map(|checks| best(checks, |check| check.work));
    let expansion = [&plain, &durable].map(|checks| best(checks, |check| check.expansion));
    println!("cargo check of {WORKFLOWS} workflows of 10 steps, and of as many plain functions:");
    for (what, [plain, durable]) in [("processor time", work), ("elapsed time", whole)] {
        let [plain, durable] = [plain, durable].map(|time| time.as_secs_f64());
        println!("  {what}: {durable:.2} s and {plain:.2} s, {:.2} times", durable / plain);
    }
    let each = expansion[1].saturating_sub(expansion[0]) / WORKFLOWS as u32;
    println!("expansion: {:.2} ms a workflow", each.as_secs_f64() * 1e3);
    Ok(())
}

/// Checks a crate as if its source had just been written.
fn check(folder: &Path, kind: Kind) -> Result<Check, Stopped> {
    let unable = |error: std::io::Error| Problem(format!("cannot run cargo: {error}"));
    let source = folder.join(kind.name()).join("src/lib.rs");
    let text = fs::read(&source).and_then(|text| fs::write(&source, text));
    text.map_err(|error| Problem(format!("cannot write {source:?}: {error}")))?;
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command
        .args(["check", "--package", kind.name()])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTC_WORKSPACE_WRAPPER", folder.join("timed-compiler"))
        .stdin(Stdio::null());
    let (begun, before) = (Instant::now(), work_of_children()?);
    let output = command.output().map_err(unable)?;
    let (whole, work) = (begun.elapsed(), work_of_children()?.saturating_sub(before));
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{said}");
        return Err(Stopped::Failed(1));
    }
    let expansion = said.lines().find_map(expansion_of).ok_or_else(|| {
        Problem("the compiler does not say how long the expansion of macros took".to_owned())
    })?;
    Ok(Check { whole, work, expansion })
}

/// Reads `time:   0.702; rss: .. macro_expand_crate`.
fn expansion_of(line: &str) -> Option<Duration> {
    let passes = line.strip_prefix("time:")?;
    let (seconds, _) = passes.split_once(';').filter(|_| line.ends_with("macro_expand_crate"))?;
    seconds.trim().parse().ok().map(Duration::from_secs_f64)
}

/// The processor time of all processes that were started from here and have ended.
fn work_of_children() -> Result<Duration, Problem> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|error| Problem(format!("cannot read what processes have used: {error}")))?;
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or_default();
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

fn best(checks: &[Check], of: impl Fn(&Check) -> Duration) -> Duration {
    checks.iter().map(of).min().unwrap_or_default()
}
