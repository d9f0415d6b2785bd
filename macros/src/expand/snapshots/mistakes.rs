#[allow(non_camel_case_types)]
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
struct on_ticket;
///The states of `on_ticket`: one for each of its steps.
#[allow(missing_docs, non_camel_case_types)]
#[derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash,
)]
enum OnTicketState {}
const _: () = {
    use ::indelible::__private;
    impl __private::State for OnTicketState {
        const ALL: &'static [Self] = &[];
        fn id(self) -> &'static str {
            match self {}
        }
    }
    impl __private::fmt::Display for OnTicketState {
        fn fmt(&self, f: &mut __private::fmt::Formatter<'_>) -> __private::fmt::Result {
            f.pad(__private::State::id(*self))
        }
    }
    impl __private::FromStr for OnTicketState {
        type Err = __private::UnknownState;
        fn from_str(id: &str) -> __private::Result<Self, Self::Err> {
            __private::UnknownState::or_find(id)
        }
    }
    impl __private::Serialize for OnTicketState {
        fn serialize<S: __private::Serializer>(
            &self,
            serializer: S,
        ) -> __private::Result<S::Ok, S::Error> {
            serializer.serialize_str(__private::State::id(*self))
        }
    }
    impl<'de> __private::Deserialize<'de> for OnTicketState {
        fn deserialize<D: __private::Deserializer<'de>>(
            deserializer: D,
        ) -> __private::Result<Self, D::Error> {
            __private::deserialize_state(deserializer)
        }
    }
    impl __private::Workflow for on_ticket {
        type Input = TicketCreated;
        type Output = <Result<(), Failure> as __private::Returns>::Output;
        type State = OnTicketState;
        const ID: &'static str = "on-ticket";
        const PATH: &'static str = __private::concat!(
            __private::module_path!(), "::", __private::stringify!(on_ticket)
        );
        const CONFIG: __private::Config = __private::Config::DEFAULT;
        const GRAPH: __private::Graph = __private::Graph {
            states: &[],
            edges: {
                use __private::{Edge, Node::*};
                &[Edge::new(Start, End, "")]
            },
            allowed: &[],
        };
        const WAITS: &'static [__private::Awaits] = &[];
    }
    const _: () = __private::input_is_served::<on_ticket>();
    impl __private::Body for on_ticket {
        const UNDOS: &'static [__private::Undo] = &[];
        fn requirements() -> __private::Vec<__private::Requirement> {
            __private::requirements([__private::parameter::<Step>().requirement()])
        }
        fn begin(context: __private::Context) -> __private::BodyFuture {
            #[allow(
                clippy::redundant_closure,
                reason = "a step's attempt is made into one"
            )]
            async fn __body(event: TicketCreated, step: Step) -> Result<(), Failure> {
                __private::durable(
                        step.run(__private::NoState::in_place_of(&(name)), || fetch()),
                    )
                    .await?;
                Ok(())
            }
            __private::begin::<
                Self,
                _,
            >(
                context,
                |input, context| __body(
                    input,
                    __private::parameter::<Step>().make(context),
                ),
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
