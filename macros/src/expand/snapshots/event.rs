const _: () = {
    use ::indelible::__private;
    #[automatically_derived]
    impl __private::Event for TicketCreated {
        const NAME: &'static str = "ticket/created";
        const TYPE: &'static str = __private::concat!(
            __private::module_path!(), "::", __private::stringify!(TicketCreated)
        );
        type Fields = ();
    }
};
