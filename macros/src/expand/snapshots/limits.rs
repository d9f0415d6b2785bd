#[allow(non_camel_case_types)]
struct on_edit {}
#[doc(hidden)]
fn on_edit() -> ::indelible::__private::Called<on_edit> {
    ::indelible::__private::Called::of()
}
::indelible::__private::states! {
    #[doc = "The states of `on_edit`: one for each of its steps."] enum OnEditState {}
}
const _: () = {
    use ::indelible::__private;
    impl __private::Workflow for on_edit {
        type Input = Edited;
        type Output = <Result<(), Failure> as __private::Returns>::Output;
        type State = OnEditState;
        __private::named! {
            on_edit = "on-edit"
        }
        const CONFIG: __private::Config = __private::Config::DEFAULT
            .flow(
                __private::Flow::DEFAULT
                    .concurrency(
                        __private::Concurrency::new(5u32)
                            .by(
                                __private::Key::new(
                                    "event.user",
                                    |data| __private::read_input::<
                                        on_edit,
                                        _,
                                    >(
                                        data,
                                        |event: &__private::Subject<on_edit>| __private::key_text(
                                            &(event.user),
                                        ),
                                    ),
                                ),
                            ),
                    )
                    .concurrency(
                        __private::Concurrency::new(100u32)
                            .within(__private::Scope::Named("llm"))
                            .held(__private::Hold::Run),
                    )
                    .throttle(
                        __private::Throttle::new(
                            10u32,
                            __private::Duration::new(60u64, 0u32),
                            5u32,
                        ),
                    )
                    .debounce(
                        __private::Debounce::new(__private::Duration::new(30u64, 0u32))
                            .at_most(__private::Duration::new(300u64, 0u32))
                            .by(
                                __private::Key::new(
                                    "event.page",
                                    |data| __private::read_input::<
                                        on_edit,
                                        _,
                                    >(
                                        data,
                                        |event: &__private::Subject<on_edit>| __private::key_text(
                                            &(event.page),
                                        ),
                                    ),
                                ),
                            ),
                    )
                    .priority(
                        __private::Priority::new(
                            "ifevent.urgent{600 }else{0 }",
                            |data| __private::read_input::<
                                on_edit,
                                _,
                            >(
                                data,
                                |event: &__private::Subject<on_edit>| __private::seconds(
                                    if event.urgent { 600 } else { 0 },
                                ),
                            ),
                        ),
                    ),
            );
        const GRAPH: __private::Graph = __private::Graph::written("", "start end\n");
    }
    const _: () = __private::events_start_it(
        <on_edit as __private::Workflow>::TRIGGERS,
        "debounce",
    );
    const _: () = __private::input_is_served::<on_edit>();
    impl __private::Body for on_edit {
        fn begin(context: __private::Context) -> __private::BodyFuture {
            #[allow(
                clippy::redundant_closure,
                reason = "a step's attempt is made into one"
            )]
            async fn __body(event: Edited) -> Result<(), Failure> {
                Ok(())
            }
            __private::begin::<Self, _>(context, |input, context| { __body(input) })
        }
    }
};
