//! What a body's steps are when it is a plain async function: the same words, nothing behind them.

use std::collections::HashMap;
use std::future::{Future, IntoFuture, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use indelible::event::{Event, EventId};
use indelible::journal::{ErrorKind, ErrorRecord};
use indelible::step::{BoxError, Permanent, StepError};
use uuid::Uuid;

/// Stands for `indelible::Step`.
#[derive(Clone, Default)]
pub(crate) struct Step {
    occurrences: Arc<Mutex<HashMap<String, u32>>>,
}

impl Step {
    pub(crate) fn run<'s, A: Attempt<'s, M>, M>(&self, id: &str, attempt: A) -> Run<'s, A::T, A::E>
    where
        A::E: Into<BoxError>,
    {
        let run = Run { key: self.key(id), retries: 4, retryable: None, attempt: None, next: None };
        attempt.into_attempt(run)
    }

    pub(crate) fn sleep<D>(&self, _id: &str, _duration: D) -> Ready<()> {
        ready(())
    }

    pub(crate) fn uuid(&self, id: &str) -> Uuid {
        Uuid::new_v5(&Uuid::nil(), self.key(id).as_bytes())
    }

    pub(crate) fn random(&self, _id: &str) -> f64 {
        0.5
    }

    pub(crate) fn send_event<E: Event>(
        &self,
        id: &str,
        _event: E,
    ) -> Ready<Result<EventId, StepError>> {
        ready(Ok(self.uuid(id).into()))
    }

    pub(crate) fn join_all<'s, I>(&self, all: I) -> JoinAll<'s, I::Item>
    where
        I: IntoIterator<Item: IntoFuture + 's>,
    {
        JoinAll(all.into_iter().collect(), PhantomData)
    }

    fn key(&self, id: &str) -> String {
        let mut occurrences = self.occurrences.lock().expect("no one panics while counting");
        let count = occurrences.entry(id.to_owned()).or_default();
        *count += 1;
        match *count {
            1 => id.to_owned(),
            n => format!("{id}#{}", n - 1),
        }
    }
}

/// Stands for `indelible::step::JoinAll`.
pub(crate) struct JoinAll<'s, D>(Vec<D>, PhantomData<&'s ()>);

impl<D> JoinAll<'_, D> {
    pub(crate) fn limit(self, _limit: usize) -> Self {
        self
    }
}

impl<'s, D> IntoFuture for JoinAll<'s, D>
where
    D: IntoFuture<Output: Send, IntoFuture: Send> + Send + 's,
{
    type Output = Vec<D::Output>;
    type IntoFuture = BoxFuture<'s, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut outcomes = Vec::new();
            for operation in self.0 {
                outcomes.push(operation.await);
            }
            outcomes
        })
    }
}

type BoxFuture<'s, T> = Pin<Box<dyn Future<Output = T> + Send + 's>>;

/// Stands for `indelible::step::Run`.
pub(crate) struct Run<'s, T, E> {
    key: String,
    retries: u32,
    retryable: Option<Box<dyn Fn(&E) -> bool + Send + 's>>,
    attempt: Option<BoxFuture<'s, Result<T, E>>>,
    /// Makes the next attempt, where what was written can be evaluated again.
    next: Option<Box<dyn FnMut() -> BoxFuture<'s, Result<T, E>> + Send + 's>>,
}

impl<'s, T, E> Run<'s, T, E> {
    pub(crate) fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    pub(crate) fn retry_if(self, retryable: impl Fn(&E) -> bool + Send + 's) -> Self {
        Self { retryable: Some(Box::new(retryable)), ..self }
    }

    pub(crate) fn timeout(self, _timeout: &str) -> Self {
        self
    }

    /// Tells steps apart as the journal does: `ship[7]`.
    pub(crate) fn key(mut self, name: impl std::fmt::Display) -> Self {
        let id = self.key.split('#').next().unwrap_or_default();
        self.key = format!("{id}[{name}]");
        self
    }
}

impl<'s, T: Send + 's, E: Into<BoxError> + Send + 's> IntoFuture for Run<'s, T, E> {
    type Output = Result<T, StepError>;
    type IntoFuture = BoxFuture<'s, Self::Output>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut attempts = 0;
            loop {
                let attempt = match (&mut self.attempt, &mut self.next) {
                    (attempt @ Some(_), _) => attempt.take().expect("it was just seen"),
                    (None, Some(next)) => next(),
                    (None, None) => panic!("`{}` cannot be tried again: write a closure", self.key),
                };
                attempts += 1;
                let error = match attempt.await {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                let refused = self.retryable.as_ref().is_some_and(|retryable| !retryable(&error));
                let error = error.into();
                let permanent = refused || error.downcast_ref::<Permanent>().is_some();
                if permanent || attempts > self.retries {
                    let kind = if permanent { ErrorKind::Permanent } else { ErrorKind::Error };
                    let record = ErrorRecord::of(kind, &*error);
                    return Err(step_error(&self.key, attempts, &record));
                }
            }
        })
    }
}

/// An error that only the machine can make otherwise.
fn step_error(key: &str, attempts: u32, record: &ErrorRecord) -> StepError {
    let error =
        serde_json::json!({ "key": key, "attempts": attempts, "record": record, "failures": [] });
    serde_json::from_value(error).expect("it reads as what it was written as")
}

/// What a step may be given: a future, or what makes one.
pub(crate) trait Attempt<'s, M> {
    type T;
    type E;
    fn into_attempt(self, run: Run<'s, Self::T, Self::E>) -> Run<'s, Self::T, Self::E>;
}

pub(crate) struct AFuture;

impl<'s, F, T, E> Attempt<'s, AFuture> for F
where
    F: Future<Output = Result<T, E>> + Send + 's,
{
    type T = T;
    type E = E;

    fn into_attempt(self, run: Run<'s, T, E>) -> Run<'s, T, E> {
        Run { attempt: Some(Box::pin(self)), ..run }
    }
}

pub(crate) struct AClosure;

impl<'s, F, G, T, E> Attempt<'s, (AClosure, G)> for F
where
    F: FnMut() -> G + Send + 's,
    G: Future<Output = Result<T, E>> + Send + 's,
{
    type T = T;
    type E = E;

    fn into_attempt(mut self, run: Run<'s, T, E>) -> Run<'s, T, E> {
        Run { next: Some(Box::new(move || Box::pin(self()))), ..run }
    }
}

macro_rules! join {
    ($($branch:expr),+ $(,)?) => {
        tokio::join!($(::std::future::IntoFuture::into_future($branch)),+)
    };
}

macro_rules! try_join {
    ($($branch:expr),+ $(,)?) => {
        tokio::try_join!($(::std::future::IntoFuture::into_future($branch)),+)
    };
}

/// Its branches are calls of steps, so that the macro need not read more.
macro_rules! race {
    ($($pattern:pat = $operation:expr => $body:expr),+ $(,)?) => {
        tokio::select! {
            biased;
            $($pattern = ::std::future::IntoFuture::into_future($operation) => { $body }),+
        }
    };
}

pub(crate) use {join, race, try_join};
