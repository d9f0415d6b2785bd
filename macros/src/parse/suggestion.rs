/// How much of a word stands where it should in one that was mistyped.
const MISTYPED: f64 = 0.5;

/// The known word that an unknown one was meant to be, if more than `likeness` of its letters, from 0 to 1,
/// stand where they should. The first letter is seldom mistyped: `rate` is not meant to be `crate`.
pub(super) fn closest<'k>(unknown: &str, known: &[&'k str], likeness: f64) -> Option<&'k str> {
    known
        .iter()
        .filter(|known| known.chars().next() == unknown.chars().next())
        .map(|known| (strsim::normalized_damerau_levenshtein(unknown, known), *known))
        .filter(|(found, _)| *found > likeness)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// What to write in place of an unknown word: the one that it was meant to be, or one of all.
pub(crate) fn did_you_mean(unknown: &str, known: &[&str]) -> String {
    match closest(unknown, known, MISTYPED) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("it takes `{}`", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["id", "retries", "backoff", "input"];
        assert_eq!(did_you_mean("retry", &known), "did you mean `retries`?");
        assert_eq!(did_you_mean("bakoff", &known), "did you mean `backoff`?");
        assert_eq!(did_you_mean("zzz", &["id", "input"]), "it takes `id`, `input`");
    }

    #[test]
    fn a_word_of_its_own_is_taken_for_no_other() {
        let known = [
            "id",
            "retries",
            "backoff",
            "on_change",
            "on",
            "cron",
            "batch",
            "concurrency",
            "throttle",
            "rate_limit",
            "debounce",
            "priority",
            "singleton",
            "idempotency",
            "cancel_on",
            "timeout",
            "on_failure",
            "on_cancel",
            "input",
            "allow",
            "crate",
        ];
        let others = ["rate", "delay", "parallelism", "dedupe", "catch", "on_success", "if"];
        for other in others {
            assert_eq!(closest(other, &known, MISTYPED), None, "{other}");
        }
    }
}
