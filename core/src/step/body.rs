use std::future::Future;
use std::pin::Pin;

use super::context::{Context, Requirement};
use super::error::{Failure, Unstorable};
use super::undo::Undo;
use crate::payload::{Outcome, Payload, Undecodable};
use crate::workflow::{
    Awaits, CancelOn, Config, Form, Graph, Input, OnChange, Trigger, Workflow, read_input,
};

/// A type that a workflow can return: a `Result`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a workflow returns a `Result`, not `{Self}`",
    label = "expected `Result<T, Failure>`",
    note = "the `Ok` value is the run's output; an `Err` fails the run"
)]
pub trait Returns {
    /// The run's output.
    type Output;
    /// Why it may fail.
    type Error;

    fn into_result(self) -> Result<Self::Output, Self::Error>;
}

impl<T: Outcome, E> Returns for Result<T, E> {
    type Output = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// A type that can be the error of a workflow.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a run cannot fail with `{Self}`",
    label = "expected `Failure`, or an error that becomes one",
    note = "a failed run stores the messages of its error and its causes, so the error has to be `std::error::Error + Send + Sync`",
    note = "return `Result<_, Failure>`: `?` turns every such error into a `Failure`, and `Failure::msg(\"..\")` makes one from a text"
)]
pub trait Fails {
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Failure>> Fails for E {
    fn into_failure(self) -> Failure {
        self.into()
    }
}

/// The body of a workflow, as `#[workflow]` compiles it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "a workflow is expected here",
    note = "write `#[workflow]` above the async function and give its name"
)]
pub trait Body: Workflow {
    /// The resources that its parameters need.
    fn requirements() -> Vec<Requirement> {
        Vec::new()
    }

    /// The JSON Schema of an input that is no event, if it has one.
    fn input_schema() -> Option<schemars::Schema> {
        None
    }

    /// What undoes its steps: it is there when the body is gone.
    const UNDOS: &'static [Undo] = &[];

    /// Begins it: see [`begin`].
    fn begin(context: Context) -> BodyFuture;
}

/// A body in progress. It gives its output as JSON.
#[doc(hidden)]
pub type BodyFuture = Pin<Box<dyn Future<Output = Result<Payload, Failure>> + Send>>;

/// Begins a body: a function of its input, which takes its other parameters from the context.
///
/// That the body may be driven by any thread is proved here, once: rustc would prove it of an
/// `impl Future + Send` that [`Body`] gave each time that it holds an `impl Body` against the trait.
#[doc(hidden)]
pub fn begin<W, F>(
    context: Context,
    body: impl FnOnce(W::Input, &Context) -> F + Send + 'static,
) -> BodyFuture
where
    W: Workflow,
    F: Future<Output: Returns<Output = W::Output, Error: Fails>> + Send + 'static,
{
    let limit = context.operations.lock().terms.limits.outcome;
    Box::pin(async move {
        let input = context.input().await;
        let body = body(input, &context);
        let output = body.await.into_result().map_err(Fails::into_failure)?;
        Ok(Payload::encode(&output, limit)
            .map_err(|cause| Unstorable { what: "the run's output", cause })?)
    })
}

/// A workflow without its types.
#[derive(Clone, Copy)]
pub struct Definition {
    #[doc(hidden)]
    pub id: &'static str,
    #[doc(hidden)]
    pub path: &'static str,
    #[doc(hidden)]
    pub triggers: &'static [Trigger],
    pub(crate) form: Form,
    #[doc(hidden)]
    pub waits: &'static [Awaits],
    #[doc(hidden)]
    pub cancels: &'static [CancelOn],
    #[doc(hidden)]
    pub config: Config,
    #[doc(hidden)]
    pub graph: Graph,
    #[doc(hidden)]
    pub undos: &'static [Undo],
    pub(crate) requirements: fn() -> Vec<Requirement>,
    pub(crate) input_schema: fn() -> Option<schemars::Schema>,
    pub(crate) reads: fn(&Payload) -> Result<(), Undecodable>,
    pub(crate) begin: fn(Context) -> BodyFuture,
}

impl Definition {
    /// The workflow's id.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// Whether only programs that have it in one shape go on with a run.
    #[doc(hidden)]
    pub fn is_pinned(&self) -> bool {
        self.config.on_change == OnChange::Pin
    }

    /// Its states and how they follow one another.
    pub const fn graph(&self) -> Graph {
        self.graph
    }

    /// The resources that its body and its undos need.
    #[doc(hidden)]
    pub fn requirements(&self) -> Vec<Requirement> {
        let mut requirements = (self.requirements)();
        requirements.extend(Undo::all_requirements(self.undos));
        requirements
    }

    /// Forgets a workflow's types.
    pub const fn of<W: Body>() -> Self {
        Self {
            id: W::ID,
            path: W::PATH,
            triggers: W::TRIGGERS,
            form: <W::Input as Input>::FORM,
            waits: W::WAITS,
            cancels: W::CANCELS,
            config: W::CONFIG,
            graph: W::GRAPH,
            undos: W::UNDOS,
            requirements: W::requirements,
            input_schema: W::input_schema,
            reads: |input| read_input::<W, ()>(input, |_| ()),
            begin: W::begin,
        }
    }
}
