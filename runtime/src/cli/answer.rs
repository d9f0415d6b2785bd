use std::fmt::Write as _;

/// What a command has to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u8,
    pub(super) text: String,
    /// Whether it goes to standard error.
    pub(super) is_error: bool,
}

impl Answer {
    pub(super) fn failed(code: u8) -> Self {
        Self { code, text: String::new(), is_error: true }
    }

    /// Adds a text that has its own ends of lines.
    #[must_use]
    pub(super) fn text(mut self, text: impl std::fmt::Display) -> Self {
        let _ = write!(self.text, "{text}");
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self
    }

    /// Adds a line.
    #[must_use]
    pub(super) fn line(mut self, line: impl std::fmt::Display) -> Self {
        let _ = writeln!(self.text, "{line}");
        self
    }
}
