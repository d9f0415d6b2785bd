//! The trace that a run belongs to, as W3C Trace Context has it (<https://www.w3.org/TR/trace-context-2/>).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The longest `tracestate`, in bytes: what the specification asks everybody to pass on.
const LONGEST_STATE: usize = 512;

/// The flags that the specification defines: sampled, and random trace id. All others are to be zero.
const FLAGS: u8 = 0b11;

/// Where an event or a run belongs in a distributed trace: a `traceparent`, and the `tracestate` beside it if there
/// is one. Both are headers of W3C Trace Context, levels 1 and 2.
///
/// Whoever sends an event gives its trace along, and the runs that the event starts go on with it. Trace context
/// is stored in the clear and shows up in logs, so it is no place for secrets.
///
/// As text, it is the `traceparent`, then a space and the `tracestate` if there is one.
///
/// ```
/// # extern crate indelible_core as indelible;
/// # use indelible::trace::{InvalidTraceContext, TraceContext};
/// let trace = TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
/// let trace = trace.with_state("rojo=00f067aa0ba902b7");
/// assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(trace.to_string().parse(), Ok(trace));
/// # Ok::<_, InvalidTraceContext>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[doc(alias("traceparent", "tracestate", "OpenTelemetry", "distributed tracing"))]
pub struct TraceContext(Arc<str>);

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTraceContext {
    /// It has another form.
    #[error(
        "a `traceparent` is `00-<trace id>-<parent id>-<flags>` with 32, 16 and 2 hexadecimal digits, in lower case"
    )]
    Form,
    /// Its version is `ff`.
    #[error("the version of a `traceparent` is never `ff`")]
    Version,
    /// Its trace id is zero.
    #[error("the trace id of a `traceparent` is never all zeros")]
    TraceId,
    /// Its parent id is zero.
    #[error("the parent id of a `traceparent` is never all zeros")]
    ParentId,
}

impl TraceContext {
    /// Reads a `traceparent`.
    ///
    /// What comes in a later version than `00` is read as `00`, without what stands behind the flags. Flags that the
    /// specification does not define are set to zero. It asks for both.
    ///
    /// # Errors
    ///
    /// When it is no `traceparent`. The specification then asks to go on without a trace.
    pub fn new(traceparent: &str) -> Result<Self, InvalidTraceContext> {
        read(traceparent).map(|text| Self(text.into()))
    }

    /// The same with a `tracestate`. One that is empty, longer than 512 bytes or not all printable ASCII is
    /// dropped, as the specification allows.
    #[must_use]
    pub fn with_state(self, tracestate: &str) -> Self {
        let state = tracestate.trim_matches(' ');
        let is_fit = (1..=LONGEST_STATE).contains(&state.len())
            && state.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let parent = self.traceparent();
        Self(if is_fit { format!("{parent} {state}").into() } else { parent.into() })
    }

    /// The `traceparent`: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    pub fn traceparent(&self) -> &str {
        self.parts().0
    }

    /// The `tracestate`, if there is one.
    pub fn state(&self) -> Option<&str> {
        self.parts().1
    }

    /// The id of the trace: 32 hexadecimal digits in lower case.
    pub fn trace_id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }

    /// All of it as it is stored.
    #[doc(hidden)]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, Option<&str>) {
        match self.0.split_once(' ') {
            Some((parent, state)) => (parent, Some(state)),
            None => (&self.0, None),
        }
    }
}

/// Reads a `traceparent` and writes it in version `00`.
fn read(traceparent: &str) -> Result<String, InvalidTraceContext> {
    let mut parts = traceparent.splitn(5, '-');
    let mut digits = |count| {
        let part = parts.next().unwrap_or_default();
        let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let fits = part.len() == count && part.bytes().all(is_lower_hex);
        if fits { Ok(part) } else { Err(InvalidTraceContext::Form) }
    };
    let (version, trace, parent, flags) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
    let is_zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    match version {
        "ff" => return Err(InvalidTraceContext::Version),
        // Only a later version may have more to say.
        "00" if parts.next().is_some() => return Err(InvalidTraceContext::Form),
        _ if is_zero(trace) => return Err(InvalidTraceContext::TraceId),
        _ if is_zero(parent) => return Err(InvalidTraceContext::ParentId),
        _ => {}
    }
    let flags = u8::from_str_radix(flags, 16).map_err(|_| InvalidTraceContext::Form)? & FLAGS;
    Ok(format!("00-{trace}-{parent}-{flags:02x}"))
}

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    /// Reads a `traceparent`, or what [`Display`](fmt::Display) has written.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(' ') {
            Some((parent, state)) => Ok(Self::new(parent)?.with_state(state)),
            None => Self::new(text),
        }
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace(text: &str) -> TraceContext {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_traceparent_is_read() {
        let read = TraceContext::new(PARENT).expect("it is one");
        assert_eq!((read.traceparent(), read.trace_id(), read.state()), (PARENT, TRACE, None));
        assert_eq!((read.to_string(), read.as_str()), (PARENT.to_owned(), PARENT));
        assert_eq!(trace(PARENT), read);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        use InvalidTraceContext::{Form, ParentId, TraceId, Version};
        let zeros = "0".repeat(32);
        for (text, error) in [
            (String::new(), Form),
            ("-".repeat(55), Form),
            (PARENT.to_uppercase(), Form),
            (PARENT.replace("4bf", "4bg"), Form),
            (PARENT.replace("4bf", "4b"), Form),
            (PARENT.replace("-00f", "-0f"), Form),
            (PARENT.replace("-01", "-1"), Form),
            (PARENT.replace("-01", ""), Form),
            (PARENT.replace("-01", "-0é"), Form),
            (PARENT.replace("00-4", "0-4"), Form),
            (format!("{PARENT}-"), Form),
            (format!("{PARENT}-more"), Form),
            (format!("{PARENT}1"), Form),
            (format!(" {PARENT}"), Form),
            (format!("{PARENT},{PARENT}"), Form),
            (PARENT.replace("00-4", "ff-4"), Version),
            (format!("00-{zeros}-00f067aa0ba902b7-01"), TraceId),
            (format!("00-{TRACE}-{}-01", &zeros[..16]), ParentId),
            (format!("cc-{TRACE}-{}-01", &zeros[..16]), ParentId),
        ] {
            assert_eq!(TraceContext::new(&text), Err(error), "{text}");
        }
        assert!(
            TraceContext::new(&format!("{PARENT} a=b")).is_err(),
            "the state is another header"
        );
    }

    #[test]
    fn a_later_version_is_read_as_the_first() {
        for later in
            ["cc-", "01-", "fe-"].map(|version| PARENT.replace("00-4", &format!("{version}4")))
        {
            assert_eq!(trace(&later).traceparent(), PARENT);
            assert_eq!(
                trace(&format!("{later}-what-the-future-will-be-like")).traceparent(),
                PARENT
            );
            assert_eq!(TraceContext::new(&format!("{later}.what")), Err(InvalidTraceContext::Form));
        }
    }

    #[test]
    fn only_known_flags_are_kept() {
        for (given, kept) in
            [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("08", "00")]
        {
            let read = trace(&PARENT.replace("-01", &format!("-{given}")));
            assert_eq!(read.traceparent(), PARENT.replace("-01", &format!("-{kept}")));
        }
    }

    #[test]
    fn a_tracestate_is_kept_beside_it() {
        let state = "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE";
        let with_state = trace(PARENT).with_state(state);
        assert_eq!((with_state.traceparent(), with_state.state()), (PARENT, Some(state)));
        assert_eq!(with_state.trace_id(), TRACE);
        assert_eq!(with_state.to_string(), format!("{PARENT} {state}"));
        assert_eq!(trace(&with_state.to_string()), with_state);
        assert_eq!(with_state.with_state(" a=b ").state(), Some("a=b"), "the last one counts");
    }

    #[test]
    fn a_tracestate_that_is_not_fit_is_dropped() {
        let longest = format!("a={}", "b".repeat(510));
        assert_eq!(trace(PARENT).with_state(&longest).state(), Some(&*longest));
        let too_long = format!("{longest}b");
        for unfit in ["", "  ", "a=\u{1}", "a=é", "a=b\nc=d", "a=b,\tc=d", "a=\0", &too_long] {
            assert_eq!(
                trace(PARENT).with_state("a=b").with_state(unfit),
                trace(PARENT),
                "{unfit:?}"
            );
            assert_eq!(trace(&format!("{PARENT} {unfit}")), trace(PARENT), "{unfit:?}");
        }
    }
}
