use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use super::Step;
use super::error::{Failure, Unstorable};
use super::operations::{Fault, Shared};
use super::transaction::Database;
use super::undo::Undo;
use crate::payload::{Outcome, Payload};
use crate::workflow::{
    Awaits, CancelOn, Config, Filter, Form, Graph, Input, Key, OnChange, Trigger, TriggerData,
    Workflow,
};

/// The resources of a program, by type.
#[derive(Default)]
pub struct Resources {
    lent: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    database: Option<Arc<dyn Database>>,
}

impl Resources {
    /// Adds a value. A second value of the same type replaces the first.
    pub fn insert<T: Send + Sync + 'static>(&mut self, resource: T) {
        self.lent.insert(TypeId::of::<T>(), Arc::new(resource));
    }

    /// Steps' transactions begin there.
    pub(crate) fn transact_in(&mut self, database: Arc<dyn Database>) {
        self.database = Some(database);
    }

    pub(crate) fn database(&self) -> Option<Arc<dyn Database>> {
        self.database.clone()
    }

    pub(crate) fn has(&self, requirement: &Requirement) -> bool {
        self.lent.contains_key(&requirement.id)
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.lent.get(&TypeId::of::<T>())?.clone().downcast().ok()
    }
}

/// Something that the program gives its workflows: a pool, a client, a mailer. The runtime finds it by its
/// type, and never stores it.
///
/// Add it with [`RuntimeBuilder::resource`](crate::RuntimeBuilder::resource), and take it as a parameter:
/// `Resource(desk): Resource<Desk>`.
pub struct Resource<T>(pub Arc<T>);

impl<T> Deref for Resource<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Resource<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A resource that a workflow needs.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Requirement {
    id: TypeId,
    /// The resource's type.
    pub name: &'static str,
}

/// What a body's parameters are made from.
#[doc(hidden)]
pub struct Context {
    pub(crate) operations: Shared,
    pub(crate) resources: Arc<Resources>,
    pub(crate) trigger: TriggerData,
}

impl Context {
    /// Makes the first parameter. A stored input that no longer fits its type holds the run: this
    /// then never returns.
    pub async fn input<I: Input>(&self) -> I {
        match I::decode(&self.trigger) {
            Ok(input) => input,
            Err(error) => {
                self.operations.lock().fail(Fault::undecodable_input(
                    std::any::type_name::<I>(),
                    &error,
                    &self.trigger.data,
                ));
                std::future::pending().await
            }
        }
    }

    /// Makes any other parameter.
    pub fn extract<T: FromContext>(&self) -> T {
        T::from_context(self)
    }
}

/// A type that can be a workflow's parameter after the first.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a workflow",
    label = "not something that a run can be given",
    note = "after what starts it, a workflow takes `step: Step` and resources: `Resource(desk): Resource<Desk>`"
)]
pub trait FromContext: Sized {
    /// The resource that it needs.
    #[doc(hidden)]
    fn requirement() -> Option<Requirement> {
        None
    }

    #[doc(hidden)]
    fn from_context(context: &Context) -> Self;
}

#[diagnostic::do_not_recommend]
impl FromContext for Step {
    fn from_context(context: &Context) -> Self {
        Self::new(context.operations.clone())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> FromContext for Resource<T> {
    fn requirement() -> Option<Requirement> {
        Some(Requirement { id: TypeId::of::<T>(), name: type_name::<T>() })
    }

    fn from_context(context: &Context) -> Self {
        let resource = context.resources.get();
        Self(resource.expect("a runtime starts only if every required resource was lent"))
    }
}

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
    let limit = context.operations.lock().limits().outcome;
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
    pub(crate) id: &'static str,
    pub(crate) path: &'static str,
    pub(crate) triggers: &'static [Trigger],
    pub(crate) form: Form,
    pub(crate) filters: &'static [Filter],
    pub(crate) batch_key: Option<Key>,
    pub(crate) waits: &'static [Awaits],
    pub(crate) cancels: &'static [CancelOn],
    pub(crate) config: Config,
    pub(crate) graph: Graph,
    pub(crate) undos: &'static [Undo],
    pub(crate) requirements: fn() -> Vec<Requirement>,
    pub(crate) input_schema: fn() -> Option<schemars::Schema>,
    pub(crate) begin: fn(Context) -> BodyFuture,
}

impl Definition {
    /// The workflow's id.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// Whether only programs that have it in one shape go on with a run.
    pub(crate) fn is_pinned(&self) -> bool {
        self.config.on_change == OnChange::Pin
    }

    /// Its states and how they follow one another.
    pub const fn graph(&self) -> Graph {
        self.graph
    }

    /// The resources that its body and its undos need.
    pub(crate) fn requirements(&self) -> Vec<Requirement> {
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
            filters: W::FILTERS,
            batch_key: W::BATCH_KEY,
            waits: W::WAITS,
            cancels: W::CANCELS,
            config: W::CONFIG,
            graph: W::GRAPH,
            undos: W::UNDOS,
            requirements: W::requirements,
            input_schema: W::input_schema,
            begin: W::begin,
        }
    }
}
