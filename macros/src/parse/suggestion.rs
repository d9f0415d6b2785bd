/// The known word that an unknown one resembles, if one does.
pub(crate) fn closest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(unknown, known), *known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// What to write in place of an unknown word: the one that it resembles, or a list of all.
pub(crate) fn did_you_mean(unknown: &str, known: &[&str]) -> String {
    match closest(unknown, known) {
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
}
