//! The program against `indelible.lock`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use similar::{Algorithm, ChangeTag, DiffOp, capture_diff_slices, group_diff_ops};

use super::answer::Answer;
use crate::workflow::shape::{Change, ParseError, Shapes, Subject};

const PREFACE: &str = "\
# What unfinished runs need to resume. `check` compares the program with it, and `lock` writes it.
# Commit it. The documentation of `indelible::cli` explains each line.

";

/// How many unchanged lines stand around a changed one.
const CONTEXT: usize = 2;

/// The ids of the workflows under `on_change = pin`: no run of theirs meets a program that has changed.
pub(super) type Pinned = BTreeSet<&'static str>;

/// Whether unfinished runs survive what changed since the file was written.
pub(super) fn check(path: &Path, program: &Shapes, pinned: &Pinned) -> Answer {
    match read(path) {
        Ok(text) => compare(&name(path), text.as_deref(), program, pinned),
        Err(error) => unreadable(path, &error),
    }
}

/// Writes the file, and says what it accepts.
pub(super) fn lock(path: &Path, program: &Shapes) -> Answer {
    let before = match read(path) {
        Ok(text) => text,
        Err(error) => return unreadable(path, &error),
    };
    let text = format!("{PREFACE}{program}");
    let content = content(program);
    if before.as_deref() == Some(&text) {
        return Answer::default().line(format!("`{}` is up to date: {content}", name(path)));
    }
    if let Err(error) = fs::write(path, text) {
        return Answer::failed(2).line(format!("error: cannot write {}: {error}", path.display()));
    }
    let known = before.and_then(|before| before.parse::<Shapes>().ok());
    let changes = known.map(|known| known.changes_to(program)).unwrap_or_default();
    let answer = Answer::default().line(format!("wrote `{}`: {content}", path.display()));
    changes.into_iter().fold(answer, |answer, (subject, change)| {
        let accepted = if change.is_breaking() { "accepted" } else { "recorded" };
        answer.line(format!("{accepted}: {subject}: {change}"))
    })
}

/// `None` if there is no file.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Answer {
    Answer::failed(2)
        .line(format!("error: cannot read {}: {error}", path.display()))
        .line("  = help: name a file with --lock")
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn content(shapes: &Shapes) -> String {
    let count = |number, what| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    format!(
        "{}, {}",
        count(shapes.events.len(), "event"),
        count(shapes.workflows.len(), "workflow")
    )
}

fn compare(name: &str, text: Option<&str>, program: &Shapes, pinned: &Pinned) -> Answer {
    let Some(text) = text else { return missing(name) };
    let known: Shapes = match text.parse() {
        Ok(known) => known,
        Err(error) => return malformed(name, &error),
    };
    let changes = known.changes_to(program);
    let breaking =
        changes.iter().filter(|(subject, change)| breaks(subject, change, pinned)).count();
    match (changes.is_empty(), breaking) {
        (true, _) => {
            Answer::default().line(format!("`{name}` is up to date: {}", content(program)))
        }
        (false, 0) => {
            let answer = changes
                .iter()
                .fold(Answer::default(), |answer, (subject, change)| note(answer, subject, change));
            answer.line(format!(
                "unfinished runs survive these changes; run `lock` to record them in `{name}`, and commit it"
            ))
        }
        (false, breaking) => broken(name, &known, program, pinned, &changes, breaking),
    }
}

/// Whether unfinished runs may not survive a change.
fn breaks(subject: &Subject, change: &Change, pinned: &Pinned) -> bool {
    let is_pinned = matches!(subject, Subject::Workflow(id) if pinned.contains(id.as_str()));
    change.is_breaking() && !is_pinned
}

fn note(answer: Answer, subject: &Subject, change: &Change) -> Answer {
    let answer = answer.line(format!("note: {subject}: {change}"));
    // It breaks nothing only because the workflow is pinned.
    match change.is_breaking() {
        true => answer.line(
            "  = note: the workflow is pinned, so its unfinished runs need workers of the version before",
        ),
        false => answer,
    }
}

fn missing(name: &str) -> Answer {
    Answer::failed(1)
        .line(format!("error: there is no `{name}`"))
        .line("  = note: without this file nothing can tell whether unfinished runs survive a change of the program")
        .line("  = help: run `lock` to write the file, and commit it")
}

fn malformed(name: &str, error: &ParseError) -> Answer {
    Answer::failed(1)
        .line(format!("error: `{name}` cannot be read: {}", error.reason))
        .line(format!(" --> {name}:{}", error.line))
        .line("  = help: restore the file from version control, or run `lock` to write it again and review what changed")
}

fn broken(
    name: &str,
    known: &Shapes,
    program: &Shapes,
    pinned: &Pinned,
    changes: &[(Subject, Change)],
    breaking: usize,
) -> Answer {
    let mut answer = Answer::failed(1);
    for group in changes.chunk_by(|(one, _), (other, _)| one == other) {
        let subject = &group[0].0;
        for (_, change) in group {
            answer = match change.harm() {
                Some(harm) if breaks(subject, change, pinned) => answer
                    .line(format!("error: {subject}: {change}"))
                    .line(format!("  = note: {}", harm.why))
                    .line(format!("  = help: {}", harm.instead)),
                _ => note(answer, subject, change),
            };
        }
        if group.iter().any(|(_, change)| breaks(subject, change, pinned)) {
            answer = diff(answer, name, known, program, subject);
        }
        answer = answer.line("");
    }
    let changes = if breaking == 1 { "this change" } else { "these changes" };
    answer
        .line(format!("error: unfinished runs may not survive {changes}"))
        .line(format!(
            "  = help: if there are no unfinished runs, or they may be held, run `lock` and commit `{name}`"
        ))
}

/// Shows an entry as it was and as it is.
fn diff(answer: Answer, name: &str, known: &Shapes, program: &Shapes, subject: &Subject) -> Answer {
    let (before, after) = (known.entry(subject), program.entry(subject));
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let ops = capture_diff_slices(Algorithm::Myers, &before, &after);
    let mut answer = answer.line(format!(" --> {name}, {subject}")).line("  |");
    for (index, group) in group_diff_ops(ops, CONTEXT).iter().enumerate() {
        if index > 0 {
            answer = answer.line("  | ...");
        }
        answer = group.iter().flat_map(|op| lines(op, &before, &after)).fold(answer, Answer::line);
    }
    answer.line("  |")
}

fn lines<'t>(
    op: &'t DiffOp,
    before: &'t [&str],
    after: &'t [&str],
) -> impl Iterator<Item = String> + 't {
    op.iter_changes(before, after).map(|change| {
        let sign = match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        format!("  | {sign} {}", change.value().trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = include_str!("golden/indelible.lock");

    /// A program that is as the file says, but for this.
    fn program(edits: &[(&str, &str)]) -> Shapes {
        let text = edits.iter().fold(LOCK.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the lock has no `{from}`");
            text.replace(from, to)
        });
        text.parse().unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// What `check` says is what stands in the file. `TRYBUILD=overwrite` writes it anew.
    fn assert_golden(found: &Answer, code: u8, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/golden").join(name);
        if std::env::var_os("TRYBUILD").is_some_and(|mode| mode == "overwrite") {
            fs::write(&path, &found.text).expect("the golden text is writable");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(found.text == expected, "{} differs:\n{}", path.display(), found.text);
        assert_eq!(found.code, code, "{name}");
    }

    fn assert_breaks(edits: &[(&str, &str)], name: &str) {
        let answer = compare("indelible.lock", Some(LOCK), &program(edits), &Pinned::new());
        assert_golden(&answer, 1, name);
    }

    fn assert_passes(edits: &[(&str, &str)], name: &str) {
        let answer = compare("indelible.lock", Some(LOCK), &program(edits), &Pinned::new());
        assert_golden(&answer, 0, name);
    }

    #[test]
    fn a_lock_that_is_up_to_date_passes() {
        assert_passes(&[], "up_to_date.txt");
    }

    #[test]
    fn a_missing_lock_is_to_be_written() {
        assert_golden(
            &compare("indelible.lock", None, &program(&[]), &Pinned::new()),
            1,
            "missing.txt",
        );
    }

    #[test]
    fn a_malformed_lock_is_answered_with_its_line() {
        let text = LOCK.replace("run fetch-ticket", "jump fetch-ticket");
        let answer = compare("indelible.lock", Some(&text), &program(&[]), &Pinned::new());
        assert_golden(&answer, 1, "malformed.txt");
    }

    #[test]
    fn a_renamed_step_breaks() {
        assert_breaks(&[("mark-todo", "set-todo")], "renamed.txt");
    }

    #[test]
    fn a_renamed_step_breaks_whether_it_has_an_undo_or_not() {
        let lock = LOCK.replace("    (start) -> fetch", "    undo mark-todo\n    (start) -> fetch");
        for (text, name) in
            [(&*lock, "renamed_with_its_undo.txt"), (LOCK, "renamed_without_its_undo.txt")]
        {
            let renamed = text.replace("mark-todo", "set-todo");
            let program = renamed.parse().expect("it is well-formed");
            let answer = compare("indelible.lock", Some(&lock), &program, &Pinned::new());
            assert_golden(&answer, 1, name);
        }
    }

    #[test]
    fn a_removed_step_breaks() {
        let edits = [("-> mark-todo\n", "-> triage\n"), ("    run mark-todo -> triage\n", "")];
        assert_breaks(&edits, "removed.txt");
    }

    #[test]
    fn reordered_steps_break() {
        let order = "\
    run fetch-ticket -> mark-todo
    run mark-todo -> triage
    run triage -> notify, (end)
";
        let other = "\
    run fetch-ticket -> triage
    run triage -> mark-todo
    run mark-todo -> notify, (end)
";
        assert_breaks(&[(order, other)], "reordered.txt");
    }

    #[test]
    fn a_step_of_another_kind_breaks() {
        assert_breaks(&[("run mark-todo", "sleep mark-todo")], "kind.txt");
    }

    #[test]
    fn a_wait_for_another_event_breaks() {
        assert_breaks(&[("of ticket/reopened", "of ticket/created")], "event.txt");
    }

    #[test]
    fn a_step_before_one_that_may_be_recorded_breaks() {
        let edits = [("-> triage\n", "-> translate\n    run translate -> triage\n")];
        assert_breaks(&edits, "inserted.txt");
    }

    #[test]
    fn a_step_behind_an_if_breaks() {
        assert_breaks(&[("-> mark-todo\n", "-> mark-todo, triage\n")], "rewired.txt");
    }

    #[test]
    fn a_renamed_value_breaks() {
        assert_breaks(&[("letter", "mail")], "value.txt");
    }

    #[test]
    fn a_trigger_that_is_gone_breaks() {
        assert_breaks(&[("    on ticket/reopened\n", "")], "trigger.txt");
    }

    #[test]
    fn triggers_that_are_stored_in_another_form_break() {
        let edits = [
            ("    as one of several\n", ""),
            ("    condition on ticket/created\n", "    as a list\n    batch of 100, 5s\n"),
        ];
        assert_breaks(&edits, "form.txt");
    }

    #[test]
    fn an_event_or_a_workflow_that_is_gone_breaks() {
        let edits = [
            ("event ticket/created\n    note?: string | null\n", ""),
            ("    priority: \"high\" | \"low\"\n    ticket_id: uuid\n\n", ""),
            (
                "\nworkflow remind\n    on ticket/created\n    condition on ticket/created\n    (start) -> await-answer\n",
                "",
            ),
            ("    wait_for_event await-answer of ticket/reopened -> (end)\n", ""),
        ];
        assert_breaks(&edits, "gone.txt");
    }

    #[test]
    fn fields_that_stored_events_do_not_have_break() {
        let edits = [
            ("    note?: string | null\n", "    language: string\n"),
            ("\"high\" | \"low\"", "\"high\" | \"normal\""),
            ("reason?", "reason"),
        ];
        assert_breaks(&edits, "fields.txt");
    }

    #[test]
    fn another_app_breaks() {
        assert_breaks(&[("app help-desk", "app desk")], "app.txt");
    }

    #[test]
    fn what_unfinished_runs_do_not_notice_passes() {
        let edits = [
            ("run notify -> (end)", "run notify -> survey, (end)\n    run survey -> (end)"),
            ("note?: string | null", "language?: string\n    note?: string | null"),
            ("\"high\" | \"low\"", "\"high\" | \"low\" | \"normal\""),
            ("reason?: string", "reason?: string | null"),
            (
                "\nevent ticket/reopened",
                "\nevent user/signup\n    email: string\n\nevent ticket/reopened",
            ),
            ("    as one of several", "    on user/signup\n    as one of several"),
            ("    condition on ticket/created\n", "    cron \"0 9 * * *\" in UTC, catch_up one\n"),
            (
                "\nworkflow remind",
                "\nworkflow greet\n    on user/signup\n    (start) -> (end)\n\nworkflow remind",
            ),
        ];
        assert_passes(&edits, "compatible.txt");
    }

    #[test]
    fn lock_writes_what_check_then_accepts() {
        let path = std::env::temp_dir().join(format!("{}.lock", uuid::Uuid::new_v4()));
        let (old, new) = (program(&[]), program(&[("mark-todo", "set-todo")]));
        assert_eq!(check(&path, &old, &Pinned::new()).code, 1);
        assert!(lock(&path, &old).text.ends_with(": 2 events, 2 workflows\n"));
        assert_eq!(check(&path, &old, &Pinned::new()).code, 0);
        assert_eq!(check(&path, &new, &Pinned::new()).code, 1);
        let accepted = lock(&path, &new);
        assert!(accepted.text.contains("accepted: workflow `on-ticket`: "), "{}", accepted.text);
        assert_eq!(check(&path, &new, &Pinned::new()).code, 0);
        assert!(lock(&path, &new).text.contains("is up to date"));
        fs::remove_file(&path).expect("the lock was written");
    }
}
