//! What every statement keeps to, so that a distributed Postgres (Citus) accepts it as well, and what
//! is written once only, for SQLite too.
//!
//! The statements are read from the source files of this crate, so that nobody can forget to list one.
//! Every string counts, also those of tests.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use super::plans::STATEMENTS;

/// What is told of a statement that breaks a rule, and whether it does.
type Rule = (&'static str, fn(&str) -> bool);

const RULES: [Rule; 4] = [
    (
        "ends in an INSERT and has a CTE that writes: make the INSERT a CTE, and end with a SELECT",
        ends_in_an_insert_with_writing_ctes,
    ),
    ("takes an element of an array in SET: take it in a CTE, or join unnest(..)", |sql| {
        assignments(sql).iter().any(|assigned| has_subscript(assigned))
    }),
    ("has a SELECT without columns: write SELECT 1", |sql| {
        ["select from ", "select where ", "select)"].iter().any(|bare| sql.contains(bare))
    }),
    ("calls a volatile function in SET: take the value from a CTE or a parameter", |sql| {
        assignments(sql).iter().any(|assigned| VOLATILE.iter().any(|call| assigned.contains(call)))
    }),
];

/// Beginnings of calls whose result is another each time, or another on each server.
const VOLATILE: [&str; 10] = [
    "clock_timestamp(",
    "timeofday(",
    "random",
    "uuid(",
    "nextval(",
    "setval(",
    "currval(",
    "pg_current_",
    "pg_snapshot_",
    "txid_",
];

/// How a run is made, becomes claimable and leaves its worker, and the files where that is written, once
/// for each time that they are named. What has to hold for every run that goes this way is said there.
const DOORS: [(&str, &[&str]); 9] = [
    ("INSERT INTO indelible.runs", &["store/postgres/queue.rs"]),
    ("INSERT INTO indelible.ready", &["store/postgres/queue.rs"]),
    ("INSERT INTO indelible_runs", &["store/sqlite/runs.rs"]),
    ("INSERT INTO indelible_ready", &["store/sqlite/runs.rs"]),
    // What a run has to pass is said in one place. Where it stands changes as it waits and passes, and as it
    // parks and ends.
    ("INSERT INTO indelible.slots", &["store/postgres/gates.rs"]),
    ("INSERT INTO indelible_slots", &["store/sqlite/gates.rs"]),
    (
        "UPDATE indelible.slots slot SET state = ''",
        &[
            "store/postgres/flush.rs",
            "store/postgres/flush.rs",
            "store/postgres/gates.rs",
            "store/postgres/gates.rs",
        ],
    ),
    (
        "UPDATE indelible_slots SET state = ''",
        &[
            "store/sqlite/gates.rs",
            "store/sqlite/gates.rs",
            "store/sqlite/opener.rs",
            "store/sqlite/opener.rs",
        ],
    ),
    // A flush lets a run go in one place, whatever becomes of it. The leases put back what is held by a
    // worker that is gone, and what a worker holds and does not drive.
    (
        "worker = NULL",
        &[
            "store/postgres/flush.rs",
            "store/postgres/leases.rs",
            "store/postgres/leases.rs",
            "store/sqlite/flush.rs",
            "store/sqlite/leases.rs",
            "store/sqlite/leases.rs",
        ],
    ),
];

/// Tests that fill tables by themselves.
const TESTS: [&str; 2] = ["store/postgres/plans.rs", "store/postgres/looks.rs"];

/// The file with statements that break the rules.
const THIS: &str = "store/postgres/statements.rs";

#[test]
fn a_distributed_postgres_accepts_all_statements() {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    find_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for file in files.iter().filter(|file| !file.ends_with(THIS)) {
        let texts = texts_in(file).into_iter().map(|parts| parts.join(" "));
        faults.extend(texts.filter_map(|text| fault(&file.display().to_string(), &text)));
    }
    // As they are sent: some are put together from parts.
    faults.extend(STATEMENTS.iter().filter_map(|(name, sql, _)| fault(name, sql)));
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What is wrong with a statement.
fn fault(place: &str, text: &str) -> Option<String> {
    let sql = normal(text);
    let (said, _) = RULES.iter().find(|(_, breaks)| breaks(&sql))?;
    Some(format!("{place}: this statement {said}\n{text}"))
}

#[test]
fn each_door_is_written_once() {
    let (source, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Vec::new());
    find_files(&source, &mut files);
    files.retain(|file| ![THIS].iter().chain(&TESTS).any(|test| file.ends_with(test)));
    files.sort();
    let texts =
        files.iter().flat_map(|file| texts_in(file).into_iter().map(move |text| (file, text)));
    let texts: Vec<_> = texts.map(|(file, parts)| (file, normal(&parts.join(" ")))).collect();
    for (door, expected) in DOORS {
        let door = normal(door);
        let found = texts.iter().flat_map(|(file, text)| text.matches(&door).map(|_| *file));
        let found: Vec<_> =
            found.map(|file| file.strip_prefix(&source).expect("it is in there")).collect();
        let expected: Vec<_> = expected.iter().map(Path::new).collect();
        assert_eq!(found, expected, "{door}");
    }
}

#[test]
fn each_rule_finds_its_fault() {
    let faulty = [
        "WITH gone AS (DELETE FROM a RETURNING id) INSERT INTO b SELECT id FROM gone RETURNING id",
        "WITH new AS MATERIALIZED (
             UPDATE a SET n = 1 RETURNING id
         )
         INSERT INTO b SELECT id FROM new",
        "UPDATE a SET shape = ($1::uuid[])[array_position($2, name)] WHERE id = 1",
        "WITH b AS (UPDATE a SET n = 1, shape = shapes [1] RETURNING id) SELECT id FROM b",
        "INSERT INTO a SELECT 1 ON CONFLICT (id) DO UPDATE SET n = excluded.ns[1]",
        "SELECT id FROM a WHERE EXISTS (SELECT FROM b)",
        "SELECT id FROM a, LATERAL (
             SELECT -- nothing
             FROM b
         ) c",
        "SELECT EXISTS (SELECT WHERE $1)",
        "UPDATE a SET at = clock_timestamp() WHERE id = 1",
        "UPDATE a SET n = CASE WHEN m IS DISTINCT FROM 1 THEN nextval('s') END WHERE id = 1",
        "UPDATE a SET (n, m) = (SELECT 1, id FROM b WHERE at < clock_timestamp())",
        "INSERT INTO a SELECT 1 ON CONFLICT (id) DO UPDATE SET id = gen_random_uuid()",
        "update a set seen = pg_current_snapshot()::text",
    ];
    for (number, sql) in faulty.iter().enumerate() {
        assert!(fault("a sample", sql).is_some(), "number {number} is not found: {sql}");
    }
}

#[test]
fn what_is_accepted_has_no_fault() {
    let sound = [
        "WITH gone AS (DELETE FROM a RETURNING id), kept AS (INSERT INTO b SELECT id FROM gone)
         SELECT id FROM gone",
        "INSERT INTO a SELECT clock_timestamp(), (b.ids)[1], gen_random_uuid() FROM b
         ON CONFLICT (id) DO UPDATE SET at = now()",
        "WITH old AS (SELECT id FROM a) INSERT INTO b SELECT id FROM old",
        "WITH clock AS (SELECT clock_timestamp() AS at), b AS (
             UPDATE a SET at = clock.at, n = 'random()' FROM clock
             WHERE id = ANY ($1::bigint[]) AND clock_timestamp() > at RETURNING id
         )
         SELECT id FROM b",
    ];
    for sql in sound {
        assert_eq!(fault("a sample", sql), None);
    }
}

#[test]
fn statements_are_found_in_source_files() {
    let source = r##"
        /// WITH a comment: "no statement".
        const A: &str = "SELECT \"a\"
            FROM b"; // "nor this"
        const C: &str = concat!("SELECT ", last!("inner"), "c");
        #[doc = "not this"]
        fn d<'a>(c: char) { if c == '"' { sqlx::query(r#"SELECT "d""#) } }
        macro_rules! e { ($more:literal) => { concat!("WITH e ", $more, " SELECT 1") }; }
    "##;
    let mut texts = Vec::new();
    collect(source.parse().expect("it is Rust"), &mut texts);
    let texts: Vec<Vec<_>> =
        texts.iter().map(|parts| parts.iter().map(|part| normal(part)).collect()).collect();
    let expected: [&[&str]; 4] = [
        &[r#"select "a" from b"#],
        &["select", "inner", "c"],
        &[r#"select "d""#],
        &["with e", "select 1"],
    ];
    assert_eq!(texts, expected);
}

/// Of each statement that is listed elsewhere the beginning or the end is found, if not all of it: some
/// are put together from parts.
#[test]
fn no_statement_is_overlooked() {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    find_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/postgres"), &mut files);
    for file in files {
        found.extend(texts_in(&file).iter().flatten().map(|part| normal(part)));
    }
    found.retain(|part| part.len() > 20);
    for (name, sql, _) in STATEMENTS {
        let sql = normal(sql);
        let is_found = found.iter().any(|part| sql.starts_with(&**part) || sql.ends_with(&**part));
        assert!(is_found, "{name} is not found: {sql}");
    }
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            find_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The texts in a source file, each in parts: the strings of one `concat!` are one text.
fn texts_in(file: &Path) -> Vec<Vec<String>> {
    let source = fs::read_to_string(file).expect("it can be read");
    let mut texts = Vec::new();
    collect(source.parse().expect("it is Rust"), &mut texts);
    texts
}

fn collect(tokens: TokenStream, texts: &mut Vec<Vec<String>>) {
    let mut before = [None, None];
    for token in tokens {
        let name = |token: &Option<TokenTree>| token.as_ref().map(ToString::to_string);
        match &token {
            TokenTree::Literal(literal) => {
                texts.extend(text(&literal.to_string()).map(|text| vec![text]));
            }
            TokenTree::Group(group) => {
                let [last_but_one, last] = before.each_ref().map(name);
                match (last_but_one.as_deref(), last.as_deref()) {
                    // Doc comments and the like.
                    (_, Some("#")) | (Some("#"), Some("!")) => {}
                    (Some("concat"), Some("!")) => {
                        let mut parts = Vec::new();
                        collect(group.stream(), &mut parts);
                        texts.push(parts.concat());
                    }
                    _ => collect(group.stream(), texts),
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
        let [_, last] = before;
        before = [last, Some(token)];
    }
}

/// What a string literal says, if it is one.
fn text(literal: &str) -> Option<String> {
    let quoted = literal.trim_start_matches('r').trim_matches('#');
    let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(if literal.starts_with('r') { text.to_owned() } else { text.replace('\\', "") })
}

/// A statement in small letters, with single spaces, and without comments and the texts in it.
fn normal(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let spaced = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    let outside = spaced.split('\'').step_by(2).collect::<Vec<_>>().join("''");
    outside.to_lowercase().replace("( ", "(").replace(" )", ")")
}

fn ends_in_an_insert_with_writing_ctes(sql: &str) -> bool {
    let mut depth = 0;
    let outside = |c: &char| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0
    };
    let last: String = sql.chars().filter(outside).collect();
    last.contains("insert into ")
        && ["(insert into ", "(update ", "(delete from "].iter().any(|cte| sql.contains(cte))
}

/// What each `SET` of a statement says.
fn assignments(sql: &str) -> Vec<&str> {
    let begun = sql.match_indices(" set ").map(|(at, set)| &sql[at + set.len()..]);
    begun.map(|rest| &rest[..end_of_assignments(rest)]).collect()
}

fn end_of_assignments(rest: &str) -> usize {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            ' ' if depth == 0 => {
                let is_part = rest[..at].ends_with("distinct");
                let ends = ["from ", "where ", "returning "];
                if !is_part && ends.iter().any(|end| rest[at + 1..].starts_with(end)) {
                    return at;
                }
            }
            _ => {}
        }
    }
    rest.len()
}

/// Whether there is a bracket that is neither a type's nor a constructor's.
fn has_subscript(sql: &str) -> bool {
    let mut brackets = sql.match_indices('[');
    brackets.any(|(at, _)| !sql[at + 1..].starts_with(']') && !sql[..at].ends_with("array"))
}
