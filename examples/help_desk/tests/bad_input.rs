//! What the help desk says to a database, a file or lines that are of no use.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs the help desk in a folder of its own.
fn help_desk(folder: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_help_desk"))
        .current_dir(folder.path())
        .args(args)
        .output()
        .expect("the program can be started")
}

/// What it says when it refuses to begin: one line, and nothing but that.
fn refusal(args: &[&str]) -> String {
    let output = help_desk(&folder(), args);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("it prints text");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_server_that_does_not_answer_is_named_without_the_password() {
    let text = refusal(&["--database-url", "postgres://ann:secret@127.0.0.1:1/desk"]);
    assert!(text.contains("postgres://ann:***@127.0.0.1:1/desk"), "{text}");
    assert!(text.contains("nothing answers") && text.contains("check that"), "{text}");
}

#[test]
fn what_is_no_database_is_answered_with_what_is() {
    for url in ["desk", "mysql://ann:secret@localhost/desk", "sqlite:///nowhere/at/all/desk.db"] {
        let text = refusal(&["--database-url", url]);
        assert!(text.starts_with("cannot open the database ") && text.contains("; "), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn events_that_cannot_be_read_are_named() {
    for path in ["missing.jsonl", "."] {
        let text = refusal(&["--events", path]);
        assert!(text.starts_with(&format!("cannot read the events in {path}: ")), "{text}");
    }
}

#[test]
fn a_bad_line_is_told_and_the_rest_goes_on() {
    let folder = folder();
    let lines = [
        r#"{"name": "user/signup", "data": {"email": "zoe.kravchenko@posteo.example"}}"#,
        r#"{"name": "user/signup", "data": {"email": 7}}"#,
        r#"{"name": "user/signups", "data": {"email": "zoe.kravchenko@posteo.example"}}"#,
        r#"{"name": "user/signup", "#,
        r#"{"name": "user/signup", "data": {"email": "nobody@posteo.example"}}"#,
    ];
    fs::write(folder.path().join("my.jsonl"), lines.join("\n")).expect("the folder is writable");

    let output = help_desk(&folder, &["--events", "my.jsonl"]);

    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    for told in [
        "my.jsonl:2    ┆ /data/email ┆ invalid type: integer `7`, expected a string",
        "my.jsonl:3    ┆ /name       ┆ no event is named `user/signups`; did you mean `user/signup`?",
        "my.jsonl:4    ┆             ┆ EOF while parsing a value at column 23",
        "there is no user with the address `nobody@posteo.example`",
        // The failure is handled by a run of its own.
        "runs completed: 2, failed: 1; tickets triaged: 0; mails sent: 1; lines rejected: 3",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    assert!(Path::exists(&folder.path().join("help_desk.db")), "the default is beside the program");
}
