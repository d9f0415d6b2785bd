use std::fmt;

/// Texts in columns, with a name over each.
pub(super) struct Table<const N: usize> {
    names: [&'static str; N],
    rows: Vec<[String; N]>,
    /// What is said where there are no rows.
    none: &'static str,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(names: [&'static str; N], none: &'static str) -> Self {
        Self { names, rows: Vec::new(), none }
    }

    pub(super) fn row(&mut self, row: [&dyn fmt::Display; N]) {
        // Whoever wrote the text does not decide what the terminal does.
        self.rows.push(row.map(|cell| one_line(&cell.to_string())));
    }
}

/// A text without control characters, on one line.
fn one_line(text: &str) -> String {
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return writeln!(f, "{}", self.none);
        }
        let names = self.names.map(str::to_owned);
        let lines = || std::iter::once(&names).chain(&self.rows);
        let width = |column: usize| {
            lines().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; N] = std::array::from_fn(width);
        for line in lines() {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(widths) {
                text.push_str(&format!("{cell:width$}  "));
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// What may not be there.
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(there) => there.fmt(f),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_in_columns() {
        let mut table = Table::new(["NAME", "RUNS", "WHY"], "there is none");
        assert_eq!(table.to_string(), "there is none\n");
        table.row([&"triage", &1, &Maybe(Some("late"))]);
        table.row([&"ask", &1_000, &Maybe::<u32>(None)]);
        assert_eq!(table.to_string(), "NAME    RUNS  WHY\ntriage  1     late\nask     1000  -\n");
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        let mut table = Table::new(["WHY"], "");
        table.row([&"red \u{1b}[31m\nand a second line\n"]);
        assert_eq!(table.to_string(), "WHY\nred  [31m and a second line\n");
    }
}
