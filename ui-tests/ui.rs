//! What must compile and what must not. `TRYBUILD=overwrite` writes the messages anew.

#[test]
fn mistakes_are_refused_and_their_corrections_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*.rs");
    cases.pass("pass/*.rs");
}
