use heck::ToKebabCase as _;

/// The most bytes in a name that the store keeps.
const LONGEST: usize = 128;

/// Whether a name is words of lower-case letters and digits, joined by single hyphens.
pub(crate) fn is_kebab_case(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(|word| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
}

/// What a name would be in kebab-case; empty if nothing of it can be kept.
pub(crate) fn to_kebab_case(name: &str) -> String {
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '-' }).collect();
    let kebab = ascii.to_kebab_case();
    kebab.trim_start_matches(|first: char| !first.is_ascii_lowercase()).to_owned()
}

/// The enum variant of a step id: `fetch-ticket` gives `FetchTicket`.
///
/// Different ids in kebab-case give different variants: a hyphen that camel case would lose, before
/// a digit, stays as an underscore.
pub(crate) fn variant_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    let mut begins_a_word = true;
    for c in id.chars() {
        if !c.is_ascii_alphanumeric() {
            begins_a_word = true;
            continue;
        }
        if begins_a_word && c.is_ascii_digit() {
            name.push('_');
        }
        name.push(if begins_a_word { c.to_ascii_uppercase() } else { c });
        begins_a_word = false;
    }
    name
}

/// What keeps a name from being an event's, if anything does.
pub(crate) fn event_name_flaw(name: &str) -> Option<&'static str> {
    let parts: Vec<_> = name.split('/').collect();
    let character = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > LONGEST {
        Some("it is longer than 128 bytes")
    } else if name.chars().any(|c| c.is_ascii_uppercase()) {
        Some("it has upper-case letters")
    } else if !name.chars().all(|c| c == '/' || character(c)) {
        Some("it has characters other than `a-z`, `0-9`, `-`, `_`, `.` and `/`")
    } else if parts.len() != 2 {
        Some("it needs exactly one `/` between an area and what happened there")
    } else if parts.iter().any(|part| part.is_empty()) {
        Some("nothing stands on one side of the `/`")
    } else if parts.iter().any(|part| {
        !part.starts_with(|first: char| first.is_ascii_alphanumeric())
            || !part.ends_with(|last: char| last.is_ascii_alphanumeric())
            || part.contains("..")
    }) {
        Some("each side of the `/` has to begin and end with a letter or a digit, without `..`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_case_is_recognised() {
        for good in ["a", "fetch-ticket", "step-2", "v2"] {
            assert!(is_kebab_case(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "fetchTicket", "fetch_ticket", "2nd", "é", "a b"] {
            assert!(!is_kebab_case(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_brought_into_kebab_case() {
        assert_eq!(to_kebab_case("fetchTicket"), "fetch-ticket");
        assert_eq!(to_kebab_case("Fetch the ticket!"), "fetch-the-ticket");
        assert_eq!(to_kebab_case("on_ticket_created"), "on-ticket-created");
        assert_eq!(to_kebab_case("42"), "");
    }

    #[test]
    fn different_ids_have_different_variants() {
        assert_eq!(variant_name("fetch-ticket"), "FetchTicket");
        assert_eq!(variant_name("a1"), "A1");
        assert_eq!(variant_name("a-1"), "A_1");
    }

    #[test]
    fn event_names_in_use_are_well_formed() {
        for good in [
            "ticket/created",
            "app/comment.posted",
            "app/account.password-changed",
            "product/out_of_stock",
            "mux/asset.ready",
        ] {
            assert_eq!(event_name_flaw(good), None, "{good}");
        }
    }

    #[test]
    fn malformed_event_names_are_told_apart() {
        for (bad, flaw) in [
            ("", "empty"),
            ("ticket", "exactly one `/`"),
            ("a/b/c", "exactly one `/`"),
            ("Ticket/created", "upper-case"),
            ("ticket created/x", "characters other"),
            ("/created", "one side"),
            ("ticket/.created", "begin and end"),
        ] {
            let found = event_name_flaw(bad).unwrap_or_default();
            assert!(found.contains(flaw), "{bad}: {found}");
        }
    }
}
