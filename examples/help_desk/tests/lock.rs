//! What unfinished runs rest on is committed, and up to date.

use std::path::Path;
use std::process::{Command, Output};

fn help_desk(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_help_desk"))
        .args(args)
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program can be started")
}

#[test]
fn the_committed_lock_is_up_to_date() {
    let output = help_desk(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("is up to date"),
        "`cargo run -p help_desk -- lock` records what changed:\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_lock_that_the_program_does_not_fit_fails_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("other.lock");
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("indelible.lock");
    let text = std::fs::read_to_string(committed).expect("the lock is committed");
    std::fs::write(&path, text.replace("mark-todo", "set-todo")).expect("it can be written");

    let output = help_desk(&["check", "--lock", path.to_str().expect("a path in UTF-8")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the step `set-todo` was renamed to `mark-todo`"), "{said}");
}

#[test]
fn a_workflow_is_drawn() {
    let output = help_desk(&["graph", "on-user-signup"]);
    let drawn = String::from_utf8_lossy(&output.stdout);
    assert!(drawn.starts_with("stateDiagram-v2\n") && drawn.contains("fetch-user"), "{drawn}");
    let all = help_desk(&["graph", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_slice(&all.stdout).expect("it is JSON");
    assert_eq!(all["on-user-signup"]["states"][0]["id"], "fetch-user");
    let unknown = help_desk(&["graph", "on-user-signu"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean `on-user-signup`?"));
}
