//! Nothing but the tests in `ui.rs`: `fail/` holds what must not compile with what rustc says about
//! it, and `pass/` the same programs put right.
