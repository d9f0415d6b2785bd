use std::io::{self, Write};
use std::time::{Duration, Instant};

use indelible::{RunCount, RunStatus};
use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::workflows::DIGESTS;

/// How far the runs are: a bar on a terminal, else a line now and then.
pub(crate) struct Progress {
    bar: ProgressBar,
    said: Option<(Instant, Tally)>,
}

/// How many runs of the job stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Running, or waiting for their turn or for a time.
    pub(crate) waiting: u64,
    /// Stopped until a program comes that fits them.
    pub(crate) held: u64,
}

impl Tally {
    pub(crate) fn of(counts: &[RunCount]) -> Self {
        let mut tally = Self::default();
        for count in counts.iter().filter(|count| !DIGESTS.contains(&&*count.workflow)) {
            match count.status {
                RunStatus::Completed => tally.done += count.runs,
                RunStatus::Failed | RunStatus::Cancelled => tally.failed += count.runs,
                RunStatus::Held => tally.held += count.runs,
                _ => tally.waiting += count.runs,
            }
        }
        tally
    }

    fn over(&self) -> u64 {
        self.done + self.failed + self.held
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} done, {} failed, {} waiting", self.done, self.failed, self.waiting)?;
        if self.held > 0 {
            write!(f, ", {} held", self.held)?;
        }
        Ok(())
    }
}

impl Progress {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}  {elapsed}")
            .expect("the template is well-formed");
        Self { bar: ProgressBar::new(0).with_style(style), said: None }
    }

    /// Where log lines go, so that they do not tear the bar.
    pub(crate) fn log(&self) -> Log {
        Log(self.bar.clone())
    }

    pub(crate) fn show(&mut self, tally: Tally) {
        self.bar.set_message(tally.to_string());
        self.bar.set_length(tally.over() + tally.waiting);
        self.bar.set_position(tally.over());
        if self.bar.is_hidden() {
            let due = match self.said {
                Some((at, said)) => said != tally && at.elapsed() >= Duration::from_secs(1),
                None => true,
            };
            if due {
                self.say(tally);
            }
        }
    }

    /// Shows where everything stood in the end.
    pub(crate) fn finish(&mut self, tally: Tally) {
        self.show(tally);
        if self.bar.is_hidden() && self.said.is_none_or(|(_, said)| said != tally) {
            self.say(tally);
        }
        self.bar.abandon();
    }

    fn say(&mut self, tally: Tally) {
        eprintln!("{tally}");
        self.said = Some((Instant::now(), tally));
    }
}

/// Writes to standard error, past the bar.
#[derive(Clone)]
pub(crate) struct Log(ProgressBar);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
