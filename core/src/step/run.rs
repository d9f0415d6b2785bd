use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use tracing::error_span;
use tracing::instrument::{Instrument, Instrumented};

use super::Step;
use super::durable::{Durable, StepFuture};
use super::error::{
    BoxError, Caught, Failure, Permanent, RetryAfter, StepError, caught, chain, find,
};
use super::held::{Held, Written};
use super::operations::{Instruction, Open, Resolution, Rollback};
use super::undo::UndoFn;
use crate::journal::{Change, ErrorKind, ErrorRecord, StateKey};
use crate::panic;
use crate::payload::{EncodeError, Outcome, Payload};
use crate::workflow::{Backoff, State, StepKind};

pub(super) type Attempt<'s, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 's>>;
type Retryable<'s, E> = Box<dyn Fn(&E) -> bool + Send + 's>;

impl Step {
    /// Runs a future and stores its outcome. A resumed run gets the stored outcome, and does not run the
    /// future again.
    ///
    /// The future runs **at least once**: if the process dies after the future has ended, but before its
    /// outcome is committed, it runs again.
    ///
    /// A step that fails is tried again with exponential backoff, as often as the workflow's `retries`
    /// says. A [`Permanent`] error is not tried again. A [`RetryAfter`] error says itself when to try
    /// again. A panic counts as an error. The error can be of any type that converts into a
    /// [`BoxError`], such as `anyhow::Error`. After the last attempt the `.await` gives a [`StepError`].
    ///
    /// In a workflow the second argument is simply a future: `desk.ticket(id)`. `#[workflow]` makes it
    /// lazy and repeatable.
    #[doc(alias = "activity")]
    pub fn run<'s, S, F, Fut, T, E>(&self, state: S, attempt: S::Of<F>) -> S::Of<Run<'s, T, E>>
    where
        S: State,
        F: FnMut() -> Fut + Send + 's,
        Fut: IntoFuture<Output = Result<T, E>, IntoFuture: Send + 's>,
        T: Outcome,
        E: Into<BoxError> + Send + 's,
    {
        let held = Held::claim(self, state, StepKind::Run);
        let mut attempt = attempt.into();
        Run::of(held, move || Box::pin(attempt().into_future())).into()
    }
}

impl Step {
    /// As [`run`](Self::run), for a step that outlives what its future uses: it holds `values`, and
    /// each attempt gets a clone of them.
    #[doc(hidden)]
    pub fn run_with<'s, S, A, F, Fut, T, E>(
        &self,
        state: S,
        values: A,
        mut attempt: F,
    ) -> Run<'s, T, E>
    where
        S: State,
        A: Clone + Send + 's,
        F: FnMut(A) -> Fut + Send + 's,
        Fut: IntoFuture<Output = Result<T, E>, IntoFuture: Send + 's>,
        T: Outcome,
        E: Into<BoxError> + Send + 's,
    {
        self.run(state, (move || attempt(values.clone())).into()).into()
    }

    /// As [`run`](Self::run), for a step whose errors are caught as what they are.
    #[doc(hidden)]
    pub fn run_caught<'s, S, F, Fut, T>(
        &self,
        state: S,
        attempt: S::Of<F>,
    ) -> S::Of<Run<'s, T, Failure>>
    where
        S: State,
        F: FnMut() -> Fut + Send + 's,
        Fut: IntoFuture<Output = Result<T, Caught>, IntoFuture: Send + 's>,
        T: Outcome,
    {
        let held = Held::claim(self, state, StepKind::Run);
        let mut attempt = attempt.into();
        Run::of(held, move || Box::pin(attempt().into_future().map(caught))).into()
    }
}

/// A step that runs a future; await it. See [`Step::run`] and [`Step::transaction`].
#[must_use = "a step does nothing until it is awaited"]
pub struct Run<'s, T, E> {
    held: Held,
    retries: u32,
    backoff: Backoff,
    timeout: Option<Duration>,
    retryable: Option<Retryable<'s, E>>,
    /// Where its transaction is, if it is one.
    open: Option<Open>,
    attempt: Box<dyn FnMut() -> Attempt<'s, T, E> + Send + 's>,
    conversions: Conversions<T, E>,
}

/// What `run` knows of its types. Kept as functions, as a bound on [`Run`]'s own traits would make
/// rustc say of an outcome that cannot be stored that the step cannot be awaited either.
struct Conversions<T, E> {
    encode: fn(&T, usize) -> Result<Written, EncodeError>,
    decode: Decode<T>,
    error: fn(E) -> BoxError,
    keep: Option<Keep<E>>,
}

/// Gives the body what was committed, as it was read back if this attempt has written it.
type Decode<T> = fn(&Held, Resolution, Option<Written>) -> Poll<Result<T, StepError>>;

/// How a step's error is kept as what it is.
struct Keep<E> {
    encode: fn(&E, usize) -> Result<Payload, EncodeError>,
    /// Whether a kept error still fits; if not, it holds the run.
    check: fn(&Held, &ErrorRecord) -> bool,
}

impl<'s, T, E> Run<'s, T, E> {
    /// A step with the workflow's retries.
    pub(super) fn of(held: Held, attempt: impl FnMut() -> Attempt<'s, T, E> + Send + 's) -> Self
    where
        T: Outcome,
        E: Into<BoxError>,
    {
        let config = held.operations().terms.config;
        Self {
            held,
            retries: config.retries,
            backoff: config.backoff,
            timeout: None,
            retryable: None,
            open: None,
            attempt: Box::new(attempt),
            conversions: Conversions {
                encode: Written::of,
                decode: Held::decode_written,
                error: E::into,
                keep: None,
            },
        }
    }

    /// Its attempts are transactions, which pass through `open`.
    pub(super) fn transacted(mut self, open: Open) -> Self {
        self.timeout = self.held.operations().terms.transaction_limit();
        self.open = Some(open);
        self
    }

    /// How often the step is tried again after its first attempt. Replaces the workflow's `retries`.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long to wait between attempts. Replaces the workflow's `backoff`.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long one attempt may take. A longer attempt is dropped and counts as failed.
    ///
    /// In a workflow write a literal, `.timeout("30s")`; it is checked at compile time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        let limit = self.open.as_ref().and(self.held.operations().terms.transaction_limit());
        self.timeout = Some(limit.map_or(timeout, |limit| limit.min(timeout)));
        self
    }

    /// Names this occurrence of the step. Steps with the same id that run side by side need different
    /// names, as in [`join_all`](Step::join_all). The name is part of the key in the journal, so it has to
    /// be the same on every resume.
    ///
    /// # Panics
    ///
    /// If the name is longer than 1 KiB or has a NUL character (U+0000). The panic fails the run.
    #[track_caller]
    pub fn key(mut self, name: impl std::fmt::Display) -> Self {
        self.held.rename(&name);
        self
    }

    /// Names the function that undoes the step if the run fails or is cancelled later.
    ///
    /// It is a named `async` function. Its first parameter is what the step gave; resources can follow. It
    /// cannot be a closure, because it runs without the body.
    ///
    /// When the run fails or is cancelled, the runtime first drops the futures in progress and waits until
    /// the attached children have stopped. Then it runs the undos of all steps that succeeded, in reverse
    /// order of their commits. Each undo is a durable step with the workflow's `retries`. The run's end is
    /// committed after the undos. If an undo fails for good, the others still run, and the run ends as
    /// failed. Its [error](crate::journal::ErrorRecord::undone) lists what was undone and what was not.
    ///
    /// An undo runs **at least once**, so it must tolerate being repeated. It runs only for **committed**
    /// outcomes. An attempt that failed, or that was in progress when the run ended, may have done
    /// something, too, and is not undone. If that matters, use two steps: the first notes what the second
    /// is about to do, and the undo belongs to the first.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "order/placed")]
    /// # struct Placed { order: u32 }
    /// # struct Stock;
    /// # impl Stock {
    /// #     async fn reserve(&self, order: u32) -> Result<u32, Failure> { Ok(order) }
    /// #     async fn release(&self, reservation: u32) -> Result<(), Failure> { Ok(()) }
    /// # }
    /// # async fn charge(order: u32) -> Result<(), Failure> { Ok(()) }
    /// async fn release(reservation: u32, Resource(stock): Resource<Stock>) -> Result<(), Failure> {
    ///     stock.release(reservation).await
    /// }
    ///
    /// #[workflow]
    /// async fn on_placed(
    ///     event: Placed,
    ///     step: Step,
    ///     Resource(stock): Resource<Stock>,
    /// ) -> Result<(), Failure> {
    ///     step.run("reserve", stock.reserve(event.order)).undo(release).await?;
    ///     step.run("charge", charge(event.order)).await?;
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias("compensation", "compensate", "saga", "rollback"))]
    pub fn undo<A>(mut self, function: impl UndoFn<T, A>) -> Self {
        // It is called through the table that the macro makes of the source.
        let _ = function;
        self.held.entering.undo = true;
        self
    }

    /// Stores the step's error with its type, so that the body can get it back with
    /// [`StepError::downcast`], on every resume, too. Without this call, only the messages of the error and
    /// its causes are stored.
    ///
    /// The error is stored as JSON in the journal, like an outcome. If the code changes so that a stored
    /// error no longer fits the type, the run is held.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// use indelible::prelude::*;
    ///
    /// #[derive(Debug, thiserror::Error, Serialize, Deserialize)]
    /// enum PaymentError {
    ///     #[error("the card was declined: {code}")]
    ///     Declined { code: u32 },
    ///     #[error("the bank does not answer")]
    ///     Away,
    /// }
    ///
    /// async fn charge(cents: u64) -> Result<(), PaymentError> {
    ///     Err(PaymentError::Declined { code: cents as u32 })
    /// }
    ///
    /// #[workflow(input)]
    /// async fn pay(cents: u64, step: Step) -> Result<String, Failure> {
    ///     let charged = step
    ///         .run("charge", charge(cents))
    ///         .retry_if(|error| matches!(error, PaymentError::Away))
    ///         .keep_error()
    ///         .await;
    ///     match charged {
    ///         Ok(()) => Ok("paid".to_owned()),
    ///         Err(error) => match error.downcast() {
    ///             Some(PaymentError::Declined { code }) => Ok(format!("declined: {code}")),
    ///             _ => Err(error.into()),
    ///         },
    ///     }
    /// }
    /// ```
    pub fn keep_error(mut self) -> Self
    where
        E: Outcome,
    {
        let check = |held: &Held, record: &ErrorRecord| held.error_fits::<E>(record);
        self.conversions.keep = Some(Keep { encode: Payload::encode, check });
        self
    }

    /// Decides which errors are tried again. Without this call, all errors that are not [`Permanent`] are.
    pub fn retry_if(mut self, retryable: impl Fn(&E) -> bool + Send + 's) -> Self {
        self.retryable = Some(Box::new(retryable));
        self
    }
}

impl<T, E> Run<'_, T, E> {
    /// The key that it has claimed.
    #[doc(hidden)]
    pub fn state_key(&self) -> &StateKey {
        self.held.key()
    }
}

#[diagnostic::do_not_recommend]
impl<'s, T: 's, E: 's> Durable for Run<'s, T, E> {}

#[diagnostic::do_not_recommend]
impl<'s, T: 's, E: 's> IntoFuture for Run<'s, T, E> {
    type Output = Result<T, StepError>;
    type IntoFuture = StepFuture<'s, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let mut running = Running { run: self, current: None, written: None, conflicts: 0 };
        StepFuture::new(move |cx| running.poll(cx))
    }
}

/// A [`Run`] that is awaited.
struct Running<'s, T, E> {
    run: Run<'s, T, E>,
    current: Option<(u32, Instrumented<Attempt<'s, T, E>>)>,
    /// What the last attempt has handed in.
    written: Option<Written>,
    /// How often in a row its transaction was in the way of another.
    conflicts: u32,
}

/// How often a transaction is run again at once before a conflict counts as a failed attempt.
const MAX_CONFLICTS: u32 = 10;

/// How an attempt ended that did not end well.
struct Unsuccessful {
    record: Box<ErrorRecord>,
    again: Again,
}

impl Unsuccessful {
    fn new(record: ErrorRecord, again: Again) -> Self {
        Self { record: Box::new(record), again }
    }
}

enum Again {
    /// At once, as the same attempt.
    Anew,
    Never,
    Backoff,
    After(Duration),
}

impl<T, E> Running<'_, T, E> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, StepError>> {
        loop {
            // A transaction's time counts from its beginning, not while it waits for a connection.
            let timeout = if self.run.open.is_some() { None } else { self.run.timeout };
            match self.run.held.poll(timeout, cx) {
                Instruction::Take(resolution) => {
                    let Run { held, conversions, .. } = &self.run;
                    if let (Some(keep), Err(record)) = (&conversions.keep, &resolution.outcome)
                        && !(keep.check)(held, record)
                    {
                        return Poll::Pending;
                    }
                    let written = self.written.take();
                    return (self.run.conversions.decode)(&self.run.held, resolution, written);
                }
                Instruction::Consider(_) | Instruction::Wait => return Poll::Pending,
                Instruction::Begin { attempt } => self.begin(attempt),
                Instruction::Continue { expired } => {
                    let (attempt, result) = ready!(self.drive(expired, cx));
                    self.end(attempt, result);
                }
                Instruction::BeginAgain { attempt, rollback } => {
                    let (record, again) = match rollback {
                        Rollback::Undeserved(record) => (record, self.after_conflict()),
                        Rollback::Deserved(record) if record.kind == ErrorKind::Permanent => {
                            (record, Again::Never)
                        }
                        Rollback::Deserved(record) => (record, Again::Backoff),
                    };
                    self.end(attempt, Err(Unsuccessful::new(record, again)));
                }
            }
        }
    }

    fn begin(&mut self, attempt: u32) {
        // Whatever is logged at any level is to say which attempt it comes from.
        let span = error_span!("attempt", step = %self.run.held.key(), attempt);
        match panic::catch(|| span.in_scope(&mut self.run.attempt)) {
            Ok(future) => self.current = Some((attempt, future.instrument(span))),
            Err(record) => self.end(attempt, Err(Unsuccessful { record, again: Again::Backoff })),
        }
    }

    /// Polls the attempt in progress.
    fn drive(
        &mut self,
        expired: bool,
        cx: &mut Context<'_>,
    ) -> Poll<(u32, Result<Payload, Unsuccessful>)> {
        let Some((attempt, future)) = &mut self.current else {
            return Poll::Pending;
        };
        let attempt = *attempt;
        let polled = panic::catch(|| Pin::new(future).poll(cx));
        if let Some(open) = &self.run.open
            && open.has_begun()
        {
            self.run.held.operations().set_deadline(self.run.held.key(), self.run.timeout);
        }
        let result = match polled {
            Ok(Poll::Ready(Ok(value))) => panic::catch(|| self.encode(&value))
                .unwrap_or_else(|record| Err(Unsuccessful { record, again: Again::Backoff })),
            Ok(Poll::Ready(Err(error))) => Err(self.classify(error)),
            Ok(Poll::Pending) if expired => {
                let timeout = self.run.timeout.unwrap_or_default();
                let message = format!("the attempt took longer than its timeout of {timeout:?}");
                let record = ErrorRecord::new(ErrorKind::Timeout, message);
                Err(Unsuccessful::new(record, Again::Backoff))
            }
            Ok(Poll::Pending) => return Poll::Pending,
            Err(record) => Err(Unsuccessful { record, again: Again::Backoff }),
        };
        Poll::Ready((attempt, result))
    }

    fn encode(&mut self, value: &T) -> Result<Payload, Unsuccessful> {
        let limit = self.run.held.operations().terms.limits.outcome;
        match (self.run.conversions.encode)(value, limit) {
            Ok(written) => Ok(self.written.insert(written).payload.clone()),
            Err(error) => {
                let message = format!("the step's outcome cannot be stored: {error}");
                let record = ErrorRecord::new(ErrorKind::Unstorable, message);
                Err(Unsuccessful::new(record, Again::Never))
            }
        }
    }

    fn classify(&mut self, error: E) -> Unsuccessful {
        let refused = self.run.retryable.as_ref().is_some_and(|retryable| !retryable(&error));
        let limit = self.run.held.operations().terms.limits.outcome;
        let kept = self.run.conversions.keep.as_ref().map(|keep| (keep.encode)(&error, limit));
        let error = (self.run.conversions.error)(error);
        let value = match kept {
            None => None,
            Some(Ok(payload)) => Some(payload.as_str().to_owned()),
            Some(Err(reason)) => {
                let message = format!("the step's error cannot be stored: {reason}: {error}");
                let record = ErrorRecord::new(ErrorKind::Unstorable, message);
                return Unsuccessful::new(record, Again::Never);
            }
        };
        let (kind, again) = if self.run.open.is_some() && self.was_in_the_way(&error) {
            (ErrorKind::Error, self.after_conflict())
        } else if refused || find::<Permanent>(&error).is_some() {
            (ErrorKind::Permanent, Again::Never)
        } else if let Some(RetryAfter(_, wait)) = find(&error) {
            (ErrorKind::Error, Again::After(*wait))
        } else {
            (ErrorKind::Error, Again::Backoff)
        };
        Unsuccessful::new(ErrorRecord { value, ..ErrorRecord::of(kind, &*error) }, again)
    }

    /// Whether the database says with an error that another transaction was in the way.
    fn was_in_the_way(&self, error: &BoxError) -> bool {
        let database = self.run.held.operations().terms.database.clone();
        database.is_some_and(|database| chain(error).any(|error| database.conflicts(error)))
    }

    /// Another transaction was in the way: that is no failure of this one, unless it happens again and
    /// again.
    fn after_conflict(&mut self) -> Again {
        self.conflicts += 1;
        if self.conflicts > MAX_CONFLICTS { Again::Backoff } else { Again::Anew }
    }

    /// Hands in how the attempt ended, or makes it anew.
    fn end(&mut self, attempt: u32, result: Result<Payload, Unsuccessful>) {
        self.current = None;
        let result = match (&self.run.open, result) {
            (Some(open), Ok(outcome)) if open.is_given_back() => {
                return self.run.held.hand_in_transaction(attempt, outcome, open.clone());
            }
            (Some(_), Ok(_)) => {
                let message = "the transaction was kept beyond the end of its closure";
                let record = ErrorRecord::new(ErrorKind::Permanent, message);
                Err(Unsuccessful::new(record, Again::Never))
            }
            (Some(open), Err(unsuccessful)) => {
                open.roll_back();
                Err(unsuccessful)
            }
            (None, result) => result,
        };
        if let Err(Unsuccessful { again: Again::Anew, .. }) = result {
            return self.begin(attempt);
        }
        self.conflicts = 0;
        let held = &self.run.held;
        let change = match result {
            Ok(outcome) => Change::succeeded(attempt, outcome),
            Err(Unsuccessful { record, again }) => {
                let error = *record;
                let of = self.run.retries.saturating_add(1);
                let wait = match again {
                    _ if attempt > self.run.retries => None,
                    Again::Never | Again::Anew => None,
                    Again::After(wait) => Some(wait),
                    Again::Backoff => {
                        Some(held.operations().keys.backoff(&self.run.backoff, held.key(), attempt))
                    }
                };
                match wait {
                    Some(after) => Change::Retry { attempt, of, after, error },
                    None => Change::Fail { attempt, of, error, cancelled: None },
                }
            }
        };
        held.hand_in(change);
    }
}
