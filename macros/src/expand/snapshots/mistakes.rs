#[allow(non_camel_case_types)]
struct on_ticket {}
#[doc(hidden)]
fn on_ticket() -> ::indelible::__private::Called<on_ticket> {
    ::indelible::__private::Called::of()
}
::indelible::__private::states! {
    #[doc = "The states of `on_ticket`: one for each of its steps."] enum OnTicketState
    {}
}
const _: () = {
    use ::indelible::__private;
    impl __private::Workflow for on_ticket {
        type Input = TicketCreated;
        type Output = <Result<(), Failure> as __private::Returns>::Output;
        type State = OnTicketState;
        __private::named! {
            on_ticket = "on-ticket"
        }
        const GRAPH: __private::Graph = __private::Graph::written("", "start end\n");
    }
    const _: () = __private::input_is_served::<on_ticket>();
    impl __private::Body for on_ticket {
        fn begin(context: __private::Context) -> __private::BodyFuture {
            #[allow(
                clippy::redundant_closure,
                reason = "a step's attempt is made into one"
            )]
            async fn __body(event: TicketCreated, step: Step) -> Result<(), Failure> {
                step.run(__private::NoState::in_place_of(&(name)), || fetch()).await?;
                Ok(())
            }
            __private::begin::<
                Self,
                _,
            >(
                context,
                |input, context| {
                    __body(input, __private::parameter::<Step>().make(context))
                },
            )
        }
    }
};
::core::compile_error! {
    "`#[workflow]` has no argument `retry`\n= help: did you mean `retries`?"
}
::core::compile_error! {
    "the id of a step is a string literal\n= note: a resumed run finds the outcome of a step by its id, so the id has to be known when the workflow is compiled\n= help: write the id itself: \"name-of-the-step\"; the same step in a loop is told apart by its occurrence"
}
