//! The tests that the table of races names are there.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the tests are that it may name.
const FOLDERS: &[&str] = &["core/src", "runtime/src", "tests/tests"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in the workspace")
}

/// The sources below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the folder is readable").path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Whether a file is what a table calls by this name: `waits.rs`, or `simulation/mod.rs`.
fn is_called(path: &Path, name: &str) -> bool {
    let path = if path.ends_with("mod.rs") { path.parent().unwrap_or(path) } else { path };
    path.file_stem().is_some_and(|stem| stem == name)
}

#[test]
fn every_test_of_the_table_of_races_is_there() {
    let table = fs::read_to_string(root().join("docs/races.md")).expect("the table is readable");
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let tests: Vec<_> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter_map(|name| name.split_once("::"))
        .collect();
    assert!(tests.len() > 50, "the table is read: {tests:?}");
    let sources: Vec<_> = FOLDERS.iter().flat_map(|folder| sources(&root().join(folder))).collect();
    let missing: Vec<_> = tests
        .into_iter()
        .filter(|(file, test)| {
            let function = format!("fn {test}(");
            let named = sources.iter().filter(|path| is_called(path, file));
            !named.into_iter().any(|path| {
                fs::read_to_string(path).expect("the source is readable").contains(&function)
            })
        })
        .collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:#?}");
}
