/// One field of a cron expression.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) least: u8,
    pub(super) most: u8,
    /// The names of its values, from the least on.
    pub(super) names: &'static [&'static str],
}

impl Field {
    /// The values that a field's text stands for, each once and in order.
    pub(super) fn values(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut values = Vec::new();
        for part in text.split(',') {
            values.extend(self.part(part)?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// The values that a part between two commas stands for.
    pub(super) fn part(&self, part: &str) -> Result<Vec<u8>, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, self.step(range, step)?),
            None => (part, 1),
        };
        let (from, to) = if range == "*" {
            (self.least, self.most)
        } else if let Some((from, to)) = range.split_once('-') {
            (self.value(from)?, self.end(to)?)
        } else {
            let value = self.value(range)?;
            (value, value)
        };
        if from > to {
            return Err(format!("the {} `{range}` ends before it begins", self.name));
        }
        Ok((from..=to).step_by(step.into()).collect())
    }

    fn step(&self, range: &str, step: &str) -> Result<u8, String> {
        if range != "*" && !range.contains('-') {
            return Err(format!("the {} `{range}/{step}` has a step and no range", self.name));
        }
        let is_step = |step: &u8| (1..=self.most).contains(step);
        number(step).filter(is_step).ok_or_else(|| {
            format!("the step `{step}` of the {} is not from 1 to {}", self.name, self.most)
        })
    }

    pub(super) fn value(&self, text: &str) -> Result<u8, String> {
        let by_name = self.names.iter().zip(self.least..);
        let named = by_name.filter(|(name, _)| name.eq_ignore_ascii_case(text));
        let value = named.map(|(_, value)| value).next().or_else(|| number(text));
        let is_value = |value: &u8| (self.least..=self.most).contains(value);
        value.filter(is_value).ok_or_else(|| {
            format!("the {} `{text}` is not from {} to {}", self.name, self.least, self.most)
        })
    }

    /// The end of a range: a week may end with Sunday.
    fn end(&self, text: &str) -> Result<u8, String> {
        if self.most == 7 && text.eq_ignore_ascii_case("SUN") { Ok(7) } else { self.value(text) }
    }
}

/// Digits alone: `parse` would take a sign, too.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
