/// The longest name of an event, in bytes.
const LONGEST: usize = 128;

/// What is wrong with a name that comes as text. `#[derive(Event)]` keeps to the same rules.
pub(super) fn flaw(name: &str) -> Option<&'static str> {
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

/// The area of the events that Indelible itself sends.
const RESERVED: &[u8] = b"indelible/";

/// Whether events of this name are sent by Indelible alone. Nobody else may send one, by whichever door.
pub const fn is_reserved(name: &str) -> bool {
    let name = name.as_bytes();
    if name.len() < RESERVED.len() {
        return false;
    }
    let mut index = 0;
    while index < RESERVED.len() {
        if name[index] != RESERVED[index] {
            return false;
        }
        index += 1;
    }
    true
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

    #[test]
    fn the_area_alone_makes_a_name_reserved() {
        for reserved in ["indelible/run.failed", "indelible/"] {
            assert!(is_reserved(reserved), "{reserved}");
        }
        for free in ["", "indelible", "indelibly/said", "ink/indelible/x", "ticket/created"] {
            assert!(!is_reserved(free), "{free}");
        }
    }
}
