//! What the macros cost those who use them: a crate of workflows against the same crate of plain
//! async functions, each checked anew beside dependencies that are ready.

mod generate;

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use analyzeme::ProfilingData;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

use self::generate::Kind;
use crate::Problem;
use crate::cargo::Stopped;

/// How many workflows the crate has, of ten steps each.
const WORKFLOWS: usize = 200;

/// The compiler as `cargo` calls it for these crates alone. It writes down how long its passes take,
/// which the stable one has to be asked for in this way, and nothing else, which would take time of
/// its own.
const PROFILED_COMPILER: &str = "#!/bin/sh
RUSTC_BOOTSTRAP=1 exec \"$@\" -Zself-profile=\"$PROFILES\" -Zself-profile-events=generic-activity
";

/// One `cargo check` of one crate.
struct Check {
    /// From its start to its end, which other work on the machine makes longer.
    whole: Duration,
    /// What the processors spent on it, which other work changes little.
    work: Duration,
    expansion: Expansion,
}

/// What the expansion of macros took.
struct Expansion {
    /// In attributes and macros that are called as functions; derives are apart.
    macros: Duration,
    /// In rustc itself, which reads what they give and resolves the names in it.
    rustc: Duration,
}

/// Measures both crates in turn. What disturbs a measurement only ever adds to it, so the best of each
/// is printed. A machine whose speed changes meanwhile shows each at another one, so there is also the
/// median of how two neighbours compare.
pub(crate) fn measure(repetitions: u16) -> Result<(), Stopped> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let folder = target.join("macro-cost");
    let failed = |error: std::io::Error| Problem(format!("cannot write {folder:?}: {error}"));
    generate::workspace(&folder, &root, WORKFLOWS).map_err(failed)?;
    let compiler = folder.join("profiled-compiler");
    fs::write(&compiler, PROFILED_COMPILER).map_err(failed)?;
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
    println!("cargo check of {WORKFLOWS} workflows of 10 steps, and of as many plain functions:");
    report("processor time", &plain, &durable, |check| check.work);
    report("elapsed time", &plain, &durable, |check| check.whole);
    let each = |of: fn(&Expansion) -> Duration| {
        let [plain, durable] =
            [&plain, &durable].map(|checks| best(checks, |check| of(&check.expansion)));
        durable.saturating_sub(plain).as_secs_f64() * 1e3 / WORKFLOWS as f64
    };
    println!(
        "expansion: {:.2} ms a workflow, and {:.2} ms of rustc's own",
        each(|expansion| expansion.macros),
        each(|expansion| expansion.rustc)
    );
    Ok(())
}

/// Checks a crate as if its source had just been written.
fn check(folder: &Path, kind: Kind) -> Result<Check, Stopped> {
    let unable = |error: std::io::Error| Problem(format!("cannot run cargo: {error}"));
    let source = folder.join(kind.name()).join("src/lib.rs");
    let text = fs::read(&source).and_then(|text| fs::write(&source, text));
    text.map_err(|error| Problem(format!("cannot write {source:?}: {error}")))?;
    let profiles = folder.join("profiles");
    let failed = |error| Problem(format!("cannot make {profiles:?} anew: {error}"));
    if profiles.exists() {
        fs::remove_dir_all(&profiles).map_err(failed)?;
    }
    fs::create_dir(&profiles).map_err(failed)?;
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command
        .args(["check", "--package", kind.name()])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTC_WORKSPACE_WRAPPER", folder.join("profiled-compiler"))
        .env("PROFILES", &profiles)
        .stdin(Stdio::null());
    let (begun, before) = (Instant::now(), work_of_children()?);
    let output = command.output().map_err(unable)?;
    let (whole, work) = (begun.elapsed(), work_of_children()?.saturating_sub(before));
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Stopped::Failed(1));
    }
    Ok(Check { whole, work, expansion: Expansion::read(&profiles, kind)? })
}

impl Expansion {
    /// Reads the profile of a crate. Others are of what `cargo` asks the compiler beforehand.
    fn read(profiles: &Path, kind: Kind) -> Result<Self, Problem> {
        let unreadable = |error: &dyn Display| {
            let name = kind.name();
            Problem(format!("no profile of `{name}` can be read in {profiles:?}: {error}"))
        };
        let is_profile = |file: &Path| {
            let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            name.starts_with(&format!("{}-", kind.name())) && name.ends_with(".mm_profdata")
        };
        let mut files = fs::read_dir(profiles)
            .map_err(|error| unreadable(&error))?
            .filter_map(|file| file.ok().map(|file| file.path()));
        let file =
            files.find(|file| is_profile(file)).ok_or_else(|| unreadable(&"none is there"))?;
        let profile = ProfilingData::new(&file).map_err(|error| unreadable(&error))?;
        let activities = profile.perform_analysis().query_data;
        let time_of = |label: &str| {
            let activity = activities.iter().find(|activity| activity.label == label);
            let time = activity.map(|activity| activity.self_time);
            time.ok_or_else(|| unreadable(&format!("it does not tell of `{label}`")))
        };
        Ok(Self { macros: time_of("expand_proc_macro")?, rustc: time_of("expand_crate")? })
    }
}

/// The processor time of all processes that were started from here and have ended.
fn work_of_children() -> Result<Duration, Problem> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|error| Problem(format!("cannot read what processes have used: {error}")))?;
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or_default();
    Ok(Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

fn report(what: &str, plain: &[Check], durable: &[Check], of: impl Fn(&Check) -> Duration) {
    let [less, more] = [plain, durable].map(|checks| best(checks, &of).as_secs_f64());
    let pairs = plain.iter().zip(durable);
    let mut ratios: Vec<_> =
        pairs.map(|(less, more)| of(more).as_secs_f64() / of(less).as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let median = f64::midpoint(ratios[(ratios.len() - 1) / 2], ratios[ratios.len() / 2]);
    println!(
        "  {what}: {more:.2} s and {less:.2} s, {:.2} times; of pairs, {median:.2} times",
        more / less
    );
}

fn best(checks: &[Check], of: impl Fn(&Check) -> Duration) -> Duration {
    checks.iter().map(of).min().unwrap_or_default()
}
