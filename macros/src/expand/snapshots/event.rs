const _: () = {
    use ::indelible::__private;
    #[allow(dead_code, reason = "what is matched on is for the workflows to say")]
    pub struct TicketCreatedFields {
        id: __private::EventField<TicketCreated, u32>,
    }
    #[automatically_derived]
    impl __private::Event for TicketCreated {
        const NAME: &'static str = "ticket/created";
        const TYPE: &'static str = __private::concat!(
            __private::module_path!(), "::", __private::stringify!(TicketCreated)
        );
        type Fields = TicketCreatedFields;
        const FIELDS: TicketCreatedFields = TicketCreatedFields {
            id: __private::EventField::<
                TicketCreated,
                u32,
            >::new("id", |value: &u32| __private::written(__private::to_value(value))),
        };
    }
};
