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
    fn the_area_alone_makes_a_name_reserved() {
        for reserved in ["indelible/run.failed", "indelible/"] {
            assert!(is_reserved(reserved), "{reserved}");
        }
        for free in ["", "indelible", "indelibly/said", "ink/indelible/x", "ticket/created"] {
            assert!(!is_reserved(free), "{free}");
        }
    }
}
