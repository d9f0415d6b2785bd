use std::future::Future;

use super::Step;
use super::durable::{Awaited, Durable};
use crate::workflow::Graph;

/// The call of a helper under `#[durable]`; await it. Its steps are kept under its name.
#[must_use = "a helper does nothing until it is awaited"]
pub struct Call<F>(F);

impl<F: Future> Call<F> {
    /// Made by `#[durable]`, which has made sure that everything in the helper is durable.
    #[doc(hidden)]
    pub fn new(body: F) -> Self {
        Self(body)
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for Call<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Awaited for Call<F> {
    type Output = F::Output;
    type Fut = F;

    fn into_awaited(self) -> F {
        self.0
    }
}

/// The type beside a helper, of the same name, that carries its graph.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a helper under `#[durable]`",
    label = "it is given the step handle"
)]
pub trait DurableFn {
    /// Its states and how they follow one another.
    const GRAPH: Graph;
}

impl Step {
    /// The handle for one call of a helper: its steps are kept under the helper's name and the
    /// occurrence of the call. Claimed where the call is built, like any step.
    #[doc(hidden)]
    pub fn enter(&self, helper: &str) -> Self {
        let call = self.operations.lock().keys.claim(&self.path, helper);
        Self { operations: self.operations.clone(), path: format!("{call}/").into() }
    }
}
