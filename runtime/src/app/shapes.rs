use super::App;
use crate::workflow::Trigger;
use crate::workflow::shape::{Fields, Shapes, WorkflowShape};

impl Shapes {
    /// The shapes of all that an app has.
    pub(crate) fn of<A: App>() -> Self {
        let events = A::events().into_iter();
        let workflows = A::workflows().into_iter().map(|definition| {
            let triggers = definition.triggers.iter().map(|Trigger::Event(name)| *name);
            let shape = WorkflowShape::new(triggers, None, &definition.graph);
            (definition.id.to_owned(), shape)
        });
        Self {
            app: A::NAME.to_owned(),
            events: events
                .map(|event| (event.name.to_owned(), Fields::of(event.schema().as_value())))
                .collect(),
            workflows: workflows.collect(),
        }
    }
}
