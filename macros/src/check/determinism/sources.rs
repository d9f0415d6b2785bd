use std::borrow::Cow;

use syn::{ExprPath, Ident, Path, Type};

/// A way for a body to do something else the next time.
pub(super) struct Source {
    /// Ends of paths (`Utc::now`), or beginnings (`rand::`), or names (`thread_rng`).
    paths: &'static [&'static str],
    /// What such a function is called, whatever the type before it: what a module imports under
    /// another name cannot be seen from one of its functions.
    methods: &'static [&'static str],
    /// What it is called where it stands alone.
    functions: &'static [&'static str],
    /// What it is called on a value, and with how many arguments.
    on_values: &'static [(&'static str, usize)],
    pub(super) why: &'static str,
    pub(super) instead: &'static str,
}

/// A source that nothing leads to.
const NONE: Source =
    Source { paths: &[], methods: &[], functions: &[], on_values: &[], why: "", instead: "" };

static SOURCES: &[Source] = &[
    Source {
        paths: &[
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "Local::now",
            "OffsetDateTime::now_utc",
            "OffsetDateTime::now_local",
            "UtcDateTime::now",
            "Timestamp::now",
            "Zoned::now",
            "Utc::today",
            "Local::today",
        ],
        methods: &["now", "now_utc", "now_local"],
        on_values: &[("now", 0), ("now_utc", 0), ("elapsed", 0)],
        why: "reads the clock, which shows another time when the run resumes",
        instead: "`step.now()` is the time of the last checkpoint, the same on every resume",
        ..NONE
    },
    Source {
        paths: &[
            "Uuid::new_v1",
            "Uuid::new_v4",
            "Uuid::new_v6",
            "Uuid::new_v7",
            "Uuid::now_v1",
            "Uuid::now_v6",
            "Uuid::now_v7",
            "Ulid::new",
            "Ulid::generate",
            "Ulid::from_datetime",
            "ObjectId::new",
            "cuid2::",
            "nanoid::",
            "nanoid",
        ],
        methods: &["new_v1", "new_v4", "new_v6", "new_v7", "now_v1", "now_v6", "now_v7"],
        why: "makes a new id each time the run resumes",
        instead: "`step.uuid(\"name-of-the-id\")` is the same on every resume",
        ..NONE
    },
    Source {
        paths: &[
            "rand::",
            "thread_rng",
            "fastrand::",
            "getrandom::",
            "oorandom::",
            "RandomState::new",
            "RandomState::default",
            "ThreadRng::default",
            "OsRng",
        ],
        methods: &["from_entropy", "from_os_rng"],
        functions: &["random", "random_range", "rng"],
        why: "is random, so it gives something else when the run resumes",
        instead: "`step.random(\"name-of-the-draw\")` is a number in 0..1, the same on every resume",
        ..NONE
    },
    Source {
        paths: &[
            "std::env::",
            "env::var",
            "env::var_os",
            "env::vars",
            "env::args",
            "env::current_dir",
            "env::set_current_dir",
            "env::set_var",
            "env::remove_var",
            "env::vars_os",
            "env::args_os",
            "env::temp_dir",
            "env::home_dir",
            "env::current_exe",
            "path::absolute",
            "dotenvy::",
            "hostname::get",
            "num_cpus::",
            "available_parallelism",
        ],
        why: "reads the environment, which may differ in the process that resumes the run",
        instead: "take the setting as a resource, `Resource(settings): Resource<Settings>`, or read it in a step",
        ..NONE
    },
    Source {
        paths: &[
            "std::fs::",
            "fs::read",
            "fs::read_dir",
            "fs::read_to_string",
            "fs::write",
            "fs::metadata",
            "fs::canonicalize",
            "fs::exists",
            "fs::copy",
            "fs::rename",
            "fs::create_dir",
            "fs::create_dir_all",
            "fs::remove_file",
            "fs::remove_dir",
            "fs::remove_dir_all",
            "OpenOptions::new",
            "io::stdin",
            "tokio::fs::",
            "File::open",
            "File::create",
            "std::net::",
            "std::os::unix::net::",
            "UnixStream::connect",
            "UnixListener::bind",
            "TcpListener::bind",
            "TcpStream::connect",
            "UdpSocket::bind",
            "reqwest::",
            "ureq::",
        ],
        on_values: &[
            ("read_dir", 0),
            ("read_link", 0),
            ("try_exists", 0),
            ("symlink_metadata", 0),
            ("to_socket_addrs", 0),
        ],
        why: "reaches out of the body, again on every resume",
        instead: "put it in a step: `step.run(\"name-of-the-step\", ..).await`",
        ..NONE
    },
    Source {
        paths: &[
            "std::process::",
            "tokio::process::",
            "process::Command::new",
            "process::exit",
            "process::abort",
            "process::id",
        ],
        why: "starts or ends a process, again on every resume",
        instead: "put it in a step: `step.run(\"name-of-the-step\", ..).await`",
        ..NONE
    },
    Source {
        paths: &[
            "thread::sleep",
            "thread::park",
            "thread::park_timeout",
            "tokio::time::",
            "time::sleep",
            "time::timeout",
            "time::interval",
        ],
        functions: &["sleep"],
        why: "waits in this process only, and again on every resume",
        instead: "`step.sleep(\"name-of-the-wait\", \"30s\").await` goes on while no process runs; a step takes `.timeout(\"30s\")`",
        ..NONE
    },
    Source {
        paths: &[
            "std::thread::",
            "thread::spawn",
            "thread::scope",
            "thread::Builder::new",
            "tokio::spawn",
            "tokio::task::",
            "task::spawn",
            "task::spawn_blocking",
            "rayon::",
        ],
        functions: &["spawn", "spawn_blocking"],
        on_values: &[("spawn", 1), ("spawn_blocking", 1), ("par_iter", 0), ("into_par_iter", 0)],
        why: "starts work that no checkpoint knows of, again on every resume",
        instead: "run steps side by side with `join!`, or spawn inside of a step",
        ..NONE
    },
    Source {
        paths: &["block_on", "block_in_place", "tokio::runtime::", "now_or_never"],
        on_values: &[("block_on", 1), ("now_or_never", 0)],
        why: "polls a future that no checkpoint knows of, again on every resume",
        instead: "put it in a step, and await that: `step.run(\"name-of-the-step\", ..).await`",
        ..NONE
    },
];

pub(super) static UNORDERED: Source = Source {
    why: "is iterated over in an order that differs from process to process",
    instead: "use a `BTreeMap` or `BTreeSet`, or sort the items first",
    ..NONE
};

/// Types, modules and functions of plain values among what does something.
const VALUES: &[&str] = &[
    "Duration",
    "Ipv4Addr",
    "Ipv6Addr",
    "IpAddr",
    "SocketAddr",
    "ExitCode",
    "StatusCode",
    "Url",
    "Method",
    "header",
    "consts",
    "distr",
    "distributions",
    "seed_from_u64",
    "from_seed",
    "with_seed",
];

impl Source {
    /// The one that a path leads to.
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        let leads_to = |source: &&Self| source.paths.iter().any(|known| matches(path, known));
        let is_value = |name: &str| VALUES.contains(&name) || name.ends_with("Error");
        SOURCES.iter().find(leads_to).filter(|_| !path.split("::").any(is_value))
    }

    /// The one that a function is by its name alone.
    pub(super) fn by_name(ty: Option<&Ident>, function: &Ident) -> Option<&'static Self> {
        let function = function.to_string();
        let is_a_type =
            |name: &Ident| name.to_string().starts_with(|first: char| first.is_ascii_uppercase());
        SOURCES.iter().find(|source| match ty {
            Some(ty) => source.methods.contains(&function.as_str()) && is_a_type(ty),
            None => source.functions.contains(&function.as_str()),
        })
    }

    /// The one that a method of a value is by its name alone.
    pub(super) fn by_method(name: &str, arguments: usize) -> Option<&'static Self> {
        SOURCES.iter().find(|source| source.on_values.contains(&(name, arguments)))
    }
}

fn matches(path: &str, known: &str) -> bool {
    if known.ends_with("::") {
        path.starts_with(known)
    } else {
        path.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    }
}

/// `<Type>::function` as `Type::function`.
pub(super) fn unqualified(path: &ExprPath) -> Cow<'_, Path> {
    match path.qself.as_ref().map(|of| (&*of.ty, of.position)) {
        Some((Type::Path(of), 0)) => {
            let mut full = of.path.clone();
            full.segments.extend(path.path.segments.iter().cloned());
            Cow::Owned(full)
        }
        _ => Cow::Borrowed(&path.path),
    }
}
