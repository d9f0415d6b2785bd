use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use crate::error::{Error, Result};

/// How long: a [`Duration`], or a text with units, such as `"250ms"`, `"30s"`, `"1h 30m"`, `"3 days"`. A day
/// has 24 hours.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not how long something takes",
    note = "give a `std::time::Duration`, or a text with units: \"30s\", \"1h 30m\", \"3 days\""
)]
pub trait Delay {
    #[doc(hidden)]
    fn read(self) -> Result<Duration>;
}

impl Delay for Duration {
    fn read(self) -> Result<Duration> {
        Ok(self)
    }
}

impl Delay for &str {
    fn read(self) -> Result<Duration> {
        let refused = |reason: String| Error::NotADuration { text: self.to_owned(), reason };
        let span: Span = self.parse().map_err(|error: jiff::Error| refused(error.to_string()))?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(refused("years and months are not equally long".to_owned()));
        }
        let whole = span.to_duration(SpanRelativeTo::days_are_24_hours());
        let whole = whole.map_err(|error| refused(error.to_string()))?;
        Duration::try_from(whole).map_err(|_| refused("it is less than nothing".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_in_workflows() {
        for (text, seconds) in [
            ("30s", 30.0),
            ("250ms", 0.25),
            ("5m", 300.0),
            ("1h 30m", 5400.0),
            ("1h30m", 5400.0),
            ("3 days", 259_200.0),
            ("1 day", 86_400.0),
            ("2 weeks", 1_209_600.0),
            ("10 mins", 600.0),
            ("0s", 0.0),
        ] {
            let read = text.read().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.as_secs_f64(), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "30", "soon", "5 moons", "-1s", "1 month", "2 years"] {
            let error = text.read().expect_err("it is no duration").to_string();
            assert!(error.contains(&format!("`{text}` is not a duration")), "{error}");
        }
    }
}
