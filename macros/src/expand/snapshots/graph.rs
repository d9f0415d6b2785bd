/**
# States

```text
start -> tell
tell -> answer
answer -> end
```*/
#[allow(non_camel_case_types)]
struct remind {}
#[doc(hidden)]
fn remind() -> ::indelible::__private::Called<remind> {
    ::indelible::__private::Called::of()
}
::indelible::__private::states! {
    #[doc = "The states of `remind`: one for each of its steps."] enum RemindState {
    Answer = "answer" }
}
const _: () = {
    use ::indelible::__private;
    impl __private::Workflow for remind {
        type Input = __private::Direct<u32>;
        type Output = <Result<(), Failure> as __private::Returns>::Output;
        type State = RemindState;
        __private::named! {
            remind = "remind"
        }
        const GRAPH: __private::Graph = __private::Graph::written(
                "1 helper tell\n1 wait_for_event answer\n",
                "start 0\n0 1\n1 end\n",
            )
            .with_events(
                &[
                    (
                        1,
                        {
                            #[allow(unused_imports)]
                            use __private::NameOfNoEvent as _;
                            __private::NameOf::<Answered>::NAME
                        },
                    ),
                ],
            )
            .with_helpers(
                &[
                    (
                        0,
                        {
                            #[allow(unused_imports)]
                            use __private::NoHelper as _;
                            __private::Known::<tell>::GRAPH
                        },
                    ),
                ],
            )
            .with_allowed(
                &[
                    __private::Allowed {
                        rule: "determinism",
                        reason: "it is logged",
                        line: 1u32,
                    },
                ],
            );
        const WAITS: &'static [__private::Awaits] = &[
            __private::Awaits::Helper({
                #[allow(unused_imports)]
                use __private::NoHelper as _;
                __private::Known::<tell>::WAITS
            }),
            __private::Awaits::Event {
                event: {
                    #[allow(unused_imports)]
                    use __private::NameOfNoEvent as _;
                    __private::NameOf::<Answered>::NAME
                },
                fields: &[<Answered as __private::Event>::FIELDS.user.name()],
            },
        ];
    }
    impl __private::Body for remind {
        const UNDOS: &'static [__private::Undo] = &[
            __private::Undo::Helper {
                id: "tell",
                undos: {
                    #[allow(unused_imports)]
                    use __private::NoHelper as _;
                    __private::Known::<tell>::UNDOS
                },
            },
        ];
        __private::input_schema! {}
        fn begin(context: __private::Context) -> __private::BodyFuture {
            #[allow(
                clippy::redundant_closure,
                reason = "a step's attempt is made into one"
            )]
            async fn __body(user: u32, step: Step) -> Result<(), Failure> {
                __private::durable(__private::seen(tell(&step, user))).await?;
                __private::durable(
                        step
                            .wait_for_event::<Answered>(RemindState::Answer)
                            .on_field(|__fields| __fields.user)
                            .equals(user),
                    )
                    .await;
                Ok(())
            }
            __private::begin::<
                Self,
                _,
            >(
                context,
                |__private::Direct(input), context| {
                    __body(input, __private::parameter::<Step>().make(context))
                },
            )
        }
    }
};
