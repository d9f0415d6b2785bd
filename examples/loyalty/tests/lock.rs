//! What unfinished runs rest on is committed, and up to date.

use std::process::Command;

#[test]
fn the_committed_lock_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_loyalty"))
        .arg("check")
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("is up to date"),
        "`cargo run -p loyalty -- lock` records what changed:\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
