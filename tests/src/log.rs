//! What this process logs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use indelible::journal::RunId;
use tracing_subscriber::fmt::MakeWriter;

use crate::eventually;

/// All that is logged in this process.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen, if nobody does yet.
    #[must_use]
    pub fn begin() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let begin = || {
            let log = Self::default();
            tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).init();
            log
        };
        LOG.get_or_init(begin).clone()
    }

    /// All lines.
    ///
    /// # Panics
    ///
    /// When something else than text is logged.
    pub fn lines(&self) -> Vec<String> {
        let text = self.0.lock().expect("no writer panics").clone();
        String::from_utf8(text).expect("it is text").lines().map(str::to_owned).collect()
    }

    /// The lines of a run in which all of these words stand.
    pub fn of(&self, run: RunId, words: &[&str]) -> Vec<String> {
        let run = format!("run={run}");
        let is_asked =
            |line: &String| line.contains(&run) && words.iter().all(|word| line.contains(word));
        self.lines().into_iter().filter(is_asked).collect()
    }

    /// The one line of a run in which all of these words stand. What is said of a commit is said soon
    /// after it.
    ///
    /// # Panics
    ///
    /// When there are several, or still none after a minute.
    pub async fn one(&self, run: RunId, words: &[&str]) -> String {
        eventually(&format!("{words:?}"), async || !self.of(run, words).is_empty()).await;
        let [line] = self.of(run, words).try_into().expect("it is told once");
        line
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
