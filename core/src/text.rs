//! Texts that are compared and put together while a program is compiled.

/// `==`, for constants.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A text that is put together while the program is compiled.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl Message {
    const LONGEST: usize = 1024;
    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::LONGEST], len: 0 };

    /// Adds what has room.
    pub(crate) const fn push(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut index = 0;
        while index < text.len() && self.len < Self::LONGEST {
            self.bytes[self.len] = text[index];
            self.len += 1;
            index += 1;
        }
        self
    }

    /// Adds a number.
    pub(crate) const fn push_number(self, number: u32) -> Self {
        let begun = if number >= 10 { self.push_number(number / 10) } else { self };
        let digits = "0123456789".split_at((number % 10) as usize).1;
        begun.push(digits.split_at(1).0)
    }

    #[track_caller]
    pub(crate) const fn panic(self) -> ! {
        let (text, _) = self.bytes.split_at(self.len);
        match std::str::from_utf8(text) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the program contradicts itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_and_put_together() {
        assert!(same("a/b", "a/b") && !same("a/b", "a/c") && !same("a", "a/b"));
        let message = Message::EMPTY.push("two ").push("words");
        assert_eq!(&message.bytes[..message.len], b"two words");
        let message = Message::EMPTY.push_number(0).push("-").push_number(1_020);
        assert_eq!(&message.bytes[..message.len], b"0-1020");
        let long = "x".repeat(2000);
        assert_eq!(Message::EMPTY.push(&long).len, Message::LONGEST);
    }
}
