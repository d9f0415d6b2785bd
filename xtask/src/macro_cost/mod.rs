//! What the macros cost those who use them: a crate of workflows against the same crate of plain
//! async functions, each checked anew beside dependencies that are ready.

mod generate;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
    whole: Duration,
    expansion: Duration,
}

/// Measures both crates in turn and prints the medians.
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
    let whole = [&plain, &durable].map(|checks| median(checks, |check| check.whole));
    let expansion = [&plain, &durable].map(|checks| median(checks, |check| check.expansion));
    let seconds = |duration: Duration| duration.as_secs_f64();
    println!(
        "cargo check of {WORKFLOWS} workflows of 10 steps: {:.2} s; of plain functions: {:.2} s; {:.2} times",
        seconds(whole[1]),
        seconds(whole[0]),
        seconds(whole[1]) / seconds(whole[0]),
    );
    let each = expansion[1].saturating_sub(expansion[0]) / WORKFLOWS as u32;
    println!("expansion: {:.2} ms a workflow", seconds(each) * 1e3);
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
    let begun = Instant::now();
    let output = command.output().map_err(unable)?;
    let whole = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{said}");
        return Err(Stopped::Failed(1));
    }
    let expansion = said.lines().find_map(expansion_of).ok_or_else(|| {
        Problem("the compiler does not say how long the expansion of macros took".to_owned())
    })?;
    Ok(Check { whole, expansion })
}

/// Reads `time:   0.702; rss: .. macro_expand_crate`.
fn expansion_of(line: &str) -> Option<Duration> {
    let passes = line.strip_prefix("time:")?;
    let (seconds, _) = passes.split_once(';').filter(|_| line.ends_with("macro_expand_crate"))?;
    seconds.trim().parse().ok().map(Duration::from_secs_f64)
}

fn median(checks: &[Check], of: impl Fn(&Check) -> Duration) -> Duration {
    let mut times: Vec<_> = checks.iter().map(of).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
