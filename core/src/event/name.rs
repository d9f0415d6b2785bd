use super::InvalidEvent;

/// The longest name of an event, in bytes.
const LONGEST: usize = 128;

/// Checks that an event can have a name that comes as text. `#[derive(Event)]` keeps to the same rules.
///
/// # Errors
///
/// [`InvalidEvent::MalformedName`], with the rule that it breaks.
pub fn check_name(name: &str) -> Result<(), InvalidEvent> {
    flaw(name)
        .map_or(Ok(()), |flaw| Err(InvalidEvent::MalformedName { name: name.to_owned(), flaw }))
}

fn flaw(name: &str) -> Option<&'static str> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
    let begins_or_ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let sides: Vec<_> = name.split('/').collect();
    if name.len() > LONGEST {
        return Some("it is longer than 128 bytes");
    }
    if !name.chars().all(known) {
        return Some("it has characters other than `a-z`, `0-9`, `-`, `_`, `.` and `/`");
    }
    if sides.len() != 2 {
        return Some("it needs exactly one `/` between an area and what happened there");
    }
    let is_fit = |side: &&str| {
        side.starts_with(begins_or_ends) && side.ends_with(begins_or_ends) && !side.contains("..")
    };
    match sides.iter().all(is_fit) {
        true => None,
        false => {
            Some("each side of the `/` has to begin and end with a letter or a digit, without `..`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_derive_takes_are_taken() {
        for good in ["ticket/created", "a/b", "order-2/line_item.paid"] {
            assert_eq!(flaw(good), None, "{good}");
        }
    }

    #[test]
    fn malformed_names_are_refused() {
        let long = format!("ticket/{}", "x".repeat(LONGEST));
        for bad in [
            "",
            "ticket",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "Ticket/created",
            "ticket/cre ated",
            "a/b..c",
            "-a/b",
            "a/b\0",
            "a/\u{e9}",
            &long,
        ] {
            assert!(flaw(bad).is_some(), "{bad:?}");
        }
    }
}
