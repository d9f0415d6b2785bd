use std::fmt::Write as _;

use super::{RunError, TestRun};
use crate::journal::{Row, Transition};
use crate::payload::Payload;
use crate::step::Body;

impl<W: Body> TestRun<W> {
    /// Checks that the workflow resumes correctly, wherever a crash hits it.
    ///
    /// Runs the workflow to its end, if it has not ended. Then resumes it from before the first commit and
    /// after each commit. Each time it has to write the rest of the journal as it was, and to come to the
    /// same end.
    ///
    /// # Panics
    ///
    /// When it does not. The message says after which commit the run was resumed, and shows both journals.
    pub async fn assert_resumes(&mut self) {
        while self.commit().await {}
        for commits in 0..=self.commits() {
            let mut resumed = self.resume_after(commits);
            while resumed.commit().await {}
            self.assert_same(&resumed, &format!("resumed after {commits} commits"));
        }
    }

    /// Checks that another run of the same workflow and input took the same way to the same end.
    ///
    /// # Panics
    ///
    /// When it did not. The message shows both journals, and `how` describes the other run.
    pub fn assert_same(&self, other: &Self, how: &str) {
        let [expected, found] = [self, other].map(|run| story(&run.journal(), run.end.as_ref()));
        assert!(
            expected == found,
            "`{}`, {how}, went another way\n--- the undisturbed run\n{expected}--- {how}\n{found}",
            W::ID
        );
    }
}

/// All that has to be the same of two runs of one input: everything but the times.
fn story(journal: &[Row], end: Option<&Result<Payload, RunError>>) -> String {
    let mut story = String::new();
    for row in journal {
        let what = match &row.transition {
            Transition::Retrying { attempt, error, .. } => format!("attempt {attempt}: {error}"),
            Transition::Succeeded { attempt, outcome, .. } => {
                format!("attempt {attempt}: {}", normalised(outcome))
            }
            Transition::Failed { attempt, error } => format!("attempt {attempt}: {error}"),
            _ => String::new(),
        };
        let kind = row.transition.kind();
        let _ = writeln!(story, "{} ({}) {kind:?} {what}", row.key, row.kind);
    }
    let _ = match end {
        Some(Ok(output)) => writeln!(story, "completed: {}", normalised(output)),
        Some(Err(error)) => writeln!(story, "{error}"),
        None => writeln!(story, "in progress"),
    };
    story
}

/// The same text for the same value: a map that was made again may write its keys in another order.
fn normalised(payload: &Payload) -> String {
    let value = payload.decode::<serde_json::Value>();
    value.map_or_else(|_| payload.as_str().to_owned(), |value| value.to_string())
}
