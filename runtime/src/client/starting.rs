use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

use serde::Serialize;
use serde_json::Value;

use super::{BATCH, Client, RunHandle, not_storable};
use crate::error::{Error, Result};
use crate::flow::NewRun;
use crate::journal::CancelKey;
use crate::trace::TraceContext;
use crate::workflow::{Input, Workflow, WorkflowFn};

/// A run to start; await it to get its handle. See [`Client::start`] and [`Client::start_by_name`].
#[must_use = "a run is started when this is awaited"]
pub struct Starting<'c, T> {
    client: &'c Client,
    run: Result<NewRun>,
    output: PhantomData<fn() -> T>,
}

impl Client {
    /// Starts a run directly. When the `.await` is over, the run is durable.
    ///
    /// The input is of the type of the workflow's first parameter. A workflow over `Received<E>` takes an `E`.
    ///
    /// # Errors
    ///
    /// When the app does not have the workflow, the input is too large, a key of the workflow's limits
    /// fails, or the database does not answer.
    pub fn start<W: Workflow>(
        &self,
        _workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> Starting<'_, W::Output> {
        self.starting(self.new_run::<W>(&input))
    }

    /// Starts many runs of a workflow, in order. Each batch of 500 is one commit.
    ///
    /// ```
    /// use indelible::workflow::Direct;
    /// use indelible::{Client, Result, RunHandle, Workflow, WorkflowFn};
    ///
    /// async fn start_for_each<W: Workflow<Input = Direct<u32>>>(
    ///     client: &Client,
    ///     workflow: impl WorkflowFn<W>,
    ///     tickets: Vec<u32>,
    /// ) -> Result<Vec<RunHandle<W::Output>>> {
    ///     client.start_all(workflow, tickets).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start). If one input is too large, or a key of it fails, no run starts. If the
    /// database does not answer, the batches before have started.
    pub async fn start_all<W: Workflow>(
        &self,
        _workflow: impl WorkflowFn<W>,
        inputs: impl IntoIterator<Item = <W::Input as Input>::Start>,
    ) -> Result<Vec<RunHandle<W::Output>>> {
        let trace = self.trace();
        let runs = inputs.into_iter().map(|input| {
            let run = self.new_run::<W>(&input)?;
            Ok(NewRun { trace: trace.clone(), ..run })
        });
        let runs = runs.collect::<Result<Vec<_>>>()?;
        self.start_runs(W::ID, &runs).await?;
        Ok(runs.iter().map(|run| self.handle(run.id)).collect())
    }

    /// Starts a run of a workflow of the app by the workflow's id, with an input that serialises to JSON. It is
    /// the input that [`start`](Self::start) takes. When the `.await` is over, the run is durable.
    ///
    /// The program need not have the app's code. A client that was [connected](Self::connect) without it
    /// cannot read the input, so a worker of the app does that before the run begins: it finds the run's
    /// limits and the events that cancel it. All of them hold as if the run had been started there. An event
    /// that cancels the run counts from the start on. If the input does not fit the workflow, the run is held,
    /// and its record says why. If it fits, but a key of a limit fails for it, the worker logs that as an
    /// error, and the limits of the workflow do not hold for this run.
    ///
    /// A client of a program that has the workflow finds all of this out before it starts the run.
    ///
    /// ```
    /// # async fn triage(client: indelible::Client) -> indelible::Result<()> {
    /// let desk = client.for_app("help-desk");
    /// let run = desk.start_by_name("triage", serde_json::json!({ "ticket_id": 7 })).await?;
    /// println!("{}", run.result().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchWorkflow`] if no program of the app has registered the workflow; [`Error::NoApp`];
    /// [`Error::NotStorable`] if the input is too large; [`Error::NotAdmitted`] if this program has the
    /// workflow, and the input or a key of a limit does not fit; or when the database does not answer.
    #[doc(alias = "trigger")]
    pub fn start_by_name(&self, workflow: &str, input: impl Serialize) -> Starting<'_, Value> {
        self.starting(self.named_run(workflow, &input))
    }

    fn starting<T>(&self, run: Result<NewRun>) -> Starting<'_, T> {
        Starting { client: self, run, output: PhantomData }
    }

    fn new_run<W: Workflow>(&self, input: &<W::Input as Input>::Start) -> Result<NewRun> {
        let input = <W::Input as Input>::encode(input, self.event_limit)
            .map_err(|cause| not_storable(format!("the input of `{}`", W::ID), cause))?;
        let cancels = CancelKey::all(W::CANCELS, &input);
        let passage = W::CONFIG
            .flow
            .passage(W::ID, &input)
            .map_err(|reason| Error::NotAdmitted { workflow: W::ID, reason })?;
        Ok(NewRun { cancels, ..NewRun::new(W::ID, None, input) }.passing(passage))
    }

    fn named_run(&self, workflow: &str, input: &impl Serialize) -> Result<NewRun> {
        let input = self.json(input, || format!("the input of `{workflow}`"))?;
        let run = NewRun::new(workflow, None, input);
        let Some(known) = self.program().and_then(|program| program.workflow(workflow)) else {
            return Ok(NewRun { unsettled: true, ..run });
        };
        let refused = |reason| Error::NotAdmitted { workflow: known.id, reason };
        known.check_input(&run.input).map_err(refused)?;
        let passage = known.config.flow.passage(workflow, &run.input).map_err(refused)?;
        let cancels = CancelKey::all(known.cancels, &run.input);
        Ok(NewRun { cancels, ..run }.passing(passage))
    }

    async fn start_runs(&self, workflow: &str, runs: &[NewRun]) -> Result<()> {
        self.check_workflow(workflow).await?;
        let app = self.app()?;
        for batch in runs.chunks(BATCH) {
            self.store.start_runs(app, batch).await?;
        }
        Ok(())
    }

    /// Checks that the app has a workflow: in this program, or in another that has registered it.
    pub(super) async fn check_workflow(&self, workflow: &str) -> Result<()> {
        if self.program().is_some_and(|program| program.workflow(workflow).is_some()) {
            return Ok(());
        }
        let app = self.app()?;
        let workflows = self.store.registered_workflows(app).await?;
        if workflows.iter().any(|known| known == workflow) {
            return Ok(());
        }
        Err(Error::NoSuchWorkflow { workflow: workflow.to_owned(), app: app.to_owned(), workflows })
    }
}

impl<T> Starting<'_, T> {
    /// Starts the run with the trace that it belongs to: see
    /// [`Step::trace_context`](crate::step::Step::trace_context).
    #[doc(alias("traceparent", "tracestate"))]
    pub fn trace_context(mut self, trace: TraceContext) -> Self {
        self.run = self.run.map(|run| NewRun { trace: Some(trace), ..run });
        self
    }

    async fn start(self) -> Result<RunHandle<T>> {
        let mut run = self.run?;
        run.trace = run.trace.or_else(|| self.client.trace());
        self.client.start_runs(&run.workflow, std::slice::from_ref(&run)).await?;
        Ok(self.client.handle(run.id))
    }
}

impl<'c, T: 'c> IntoFuture for Starting<'c, T> {
    type Output = Result<RunHandle<T>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
