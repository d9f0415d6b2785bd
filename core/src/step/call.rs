use std::future::{Future, IntoFuture, Ready};

use super::durable::Durable;
use super::path::Path;
use super::undo::Undo;
use super::{Failure, Step};
use crate::given::{LONGEST_KEY, must_be_fit};
use crate::workflow::{Awaits, Called, Graph, Workflow};

/// The call of a helper with `#[durable]`. Await it where you call the helper, or give it to `join!` or
/// [`Step::join_all`] there. The journal keeps the helper's steps under its name.
///
/// A call is not [`Durable`] by itself. The program has to know the helper's states and waits before any run
/// begins, so the compiler has to see which helper it is. A call that the compiler sees is [`Seen`].
#[must_use = "a helper does nothing until it is awaited"]
pub struct Call<F> {
    entered: Step,
    body: F,
}

impl<F: Future> Call<F> {
    /// Made by `#[durable]`, which has made sure that everything in the helper is durable.
    #[doc(hidden)]
    pub fn new(entered: Step, body: F) -> Self {
        Self { entered, body }
    }

    /// Names this call. Calls of the same helper that run side by side need different names. The journal
    /// keeps the steps under the name: `notify[mary]/send-mail`.
    ///
    /// # Panics
    ///
    /// If the name is longer than 1 KiB or has a NUL character (U+0000). The panic fails the run.
    #[track_caller]
    pub fn key(self, name: impl std::fmt::Display) -> Self {
        self.entered.rename(&name);
        self
    }
}

/// A helper's call that is part of its caller's graph.
#[must_use = "a helper does nothing until it is awaited"]
pub struct Seen<C>(C);

/// Written by the macros around each call that is given the step handle and is awaited, alone or with
/// others.
#[doc(hidden)]
pub fn seen<C: Helper>(call: C) -> Seen<C> {
    Seen(call)
}

/// What the call of a helper gives.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a function that is given the step handle has to be a durable helper",
    label = "not under `#[durable]`",
    note = "a helper's steps are states of the workflow that calls it: the compiler checks them, and the program knows them before any run begins",
    note = "write `#[durable]` above the function; or, if it has no steps of its own, leave out the handle and call it in a step: `step.run(\"name-of-the-step\", ..).await`",
    note = "a workflow is started by its name, not called: `step.invoke(\"name-of-the-step\", workflow, input).await`"
)]
pub trait Helper {}

#[diagnostic::do_not_recommend]
impl<F> Helper for Call<F> {}

impl<F: Future> Seen<Call<F>> {
    /// Names this call; see [`Call::key`].
    #[track_caller]
    pub fn key(self, name: impl std::fmt::Display) -> Self {
        Self(self.0.key(name))
    }
}

#[diagnostic::do_not_recommend]
impl<C: IntoFuture> Durable for Seen<C> {}

#[diagnostic::do_not_recommend]
impl<C: IntoFuture> IntoFuture for Seen<C> {
    type Output = C::Output;
    type IntoFuture = C::IntoFuture;

    fn into_future(self) -> C::IntoFuture {
        self.0.into_future()
    }
}

/// So that rustc knows what the run of a workflow gives, and says of its call only that it is none.
#[diagnostic::do_not_recommend]
impl<W: Workflow> Durable for Seen<Called<W>> {}

#[diagnostic::do_not_recommend]
impl<W: Workflow> IntoFuture for Seen<Called<W>> {
    type Output = Result<W::Output, Failure>;
    type IntoFuture = Ready<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        unreachable!("a program that calls a workflow does not compile")
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> IntoFuture for Call<F> {
    type Output = F::Output;
    type IntoFuture = F;

    fn into_future(self) -> F {
        self.body
    }
}

/// The type beside a helper, of the same name, that carries its graph.
#[doc(hidden)]
pub trait DurableFn {
    /// Its states and how they follow one another.
    const GRAPH: Graph;
    /// What it waits for.
    const WAITS: &'static [Awaits];
    /// What undoes its steps.
    const UNDOS: &'static [Undo];
}

impl Step {
    /// The handle for one call of a helper: its steps are kept under the helper's name and the
    /// occurrence of the call. Claimed where the call is built, like any step.
    #[doc(hidden)]
    pub fn enter(&self, helper: &str) -> Self {
        let call = self.operations.lock().keys.claim(&self.path.get(), helper);
        let path = Path::of_call(&self.path, helper, &call);
        Self { operations: self.operations.clone(), path, trace: self.trace.clone() }
    }

    /// Takes a name of the user's in place of the call's occurrence. The body of a helper begins only
    /// when it is awaited, so nothing was claimed under the path yet.
    #[track_caller]
    fn rename(&self, name: &dyn std::fmt::Display) {
        let Some((outer, helper)) = self.path.call() else { return };
        // The user's `Display` may do anything, also with the step handle.
        let name = name.to_string();
        must_be_fit(&name, LONGEST_KEY, format_args!("the key of the helper `{helper}`"));
        let call = self.operations.lock().keys.rename(outer, helper, &name);
        self.path.set(&call);
    }
}
