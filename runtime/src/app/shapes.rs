use super::App;
use crate::workflow::Trigger;
use crate::workflow::shape::{Fields, Shapes, WorkflowShape};

impl Shapes {
    /// The shapes of all that an app has.
    pub(crate) fn of<A: App>() -> Self {
        let events = A::events().into_iter();
        let workflows = A::workflows().into_iter().map(|definition| {
            let triggers = definition.triggers.iter().map(Trigger::name);
            let input = (definition.input_schema)();
            let input = input.as_ref().map(|schema| schema.as_value());
            let shape = WorkflowShape::new(triggers, input, &definition.graph);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Payment {
        order: Uuid,
        cents: u32,
    }

    #[derive(Serialize, Deserialize)]
    struct Unknown;

    #[workflow(input)]
    async fn pay(_payment: Payment, step: Step) -> Result<(), Failure> {
        step.sleep("wait", "1h").await;
        Ok(())
    }

    #[workflow(input)]
    async fn guess(_input: Unknown) -> Result<(), Failure> {
        Ok(())
    }

    crate::app! { Shop = "shop"; events: [], workflows: [pay, guess], }

    #[test]
    fn an_input_is_in_the_shape_if_it_has_a_schema() {
        let expected = "\
format 1
app shop

workflow guess
    (start) -> (end)

workflow pay
    input cents: uint32
    input order: uuid
    (start) -> wait
    sleep wait -> (end)
";
        assert_eq!(Shapes::of::<Shop>().to_string(), expected);
    }
}
