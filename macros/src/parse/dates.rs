//! The days on which a cron expression is due.

use super::field::Field;

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const DAY: Field = Field { name: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { name: "month", least: 1, most: 12, names: MONTHS };
const WEEKDAY: Field = Field { name: "day of the week", least: 0, most: 7, names: DAYS };

/// The lengths of the months in a common year.
const LENGTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// After 28 years each date falls on the same day of the week again. That they begin as the year 2000 did,
/// on a Saturday, makes no difference.
const CYCLE: u32 = 28;
const DAYS_OF_CYCLE: u32 = CYCLE * 365 + CYCLE / 4;
const FIRST_WEEKDAY: u8 = 6;

/// The fields of a cron expression that speak of days.
pub(super) struct Dates {
    days: Vec<u8>,
    /// `L`
    last_day: bool,
    /// With both restricted, either will do.
    any_day: bool,
    months: Vec<u8>,
    weekdays: Vec<u8>,
    /// `FRI#2`
    nth_weekdays: Vec<(u8, u8)>,
    /// `FRIL`
    last_weekdays: Vec<u8>,
    any_weekday: bool,
}

impl Dates {
    pub(super) fn read(days: &str, months: &str, weekdays: &str) -> Result<Self, String> {
        let mut dates = Self {
            days: Vec::new(),
            last_day: false,
            any_day: days == "*",
            months: MONTH.values(months)?,
            weekdays: Vec::new(),
            nth_weekdays: Vec::new(),
            last_weekdays: Vec::new(),
            any_weekday: weekdays == "*",
        };
        for part in days.split(',') {
            match part {
                "L" | "l" => dates.last_day = true,
                _ => dates.days.extend(DAY.part(part)?),
            }
        }
        for part in weekdays.split(',') {
            dates.weekday(part)?;
        }
        Ok(dates)
    }

    fn weekday(&mut self, part: &str) -> Result<(), String> {
        let value = |text| WEEKDAY.value(text).map(|day| day % 7);
        if let Some((day, nth)) = part.split_once('#') {
            let nth = match nth.as_bytes() {
                [nth @ b'1'..=b'5'] => nth - b'0',
                _ => return Err(format!("a month has no day `{part}`: `#` is followed by 1 to 5")),
            };
            self.nth_weekdays.push((value(day)?, nth));
        } else if let Some(day) = part.strip_suffix(['L', 'l']).filter(|day| !day.is_empty()) {
            self.last_weekdays.push(value(day)?);
        } else {
            self.weekdays.extend(WEEKDAY.part(part)?.into_iter().map(|day| day % 7));
        }
        Ok(())
    }

    /// Whether it is due on a day of a month of this length.
    fn has(&self, month: u8, day: u8, length: u8, weekday: u8) -> bool {
        let by_day = || self.days.contains(&day) || (self.last_day && day == length);
        let by_weekday = || {
            self.weekdays.contains(&weekday)
                || self.nth_weekdays.contains(&(weekday, (day - 1) / 7 + 1))
                || (self.last_weekdays.contains(&weekday) && day + 7 > length)
        };
        self.months.contains(&month)
            && match (self.any_day, self.any_weekday) {
                (true, true) => true,
                (true, false) => by_weekday(),
                (false, true) => by_day(),
                (false, false) => by_day() || by_weekday(),
            }
    }

    /// The shortest time from a day on which it is due to the next, in days; `None` if there is no such day.
    pub(super) fn shortest_interval(&self) -> Option<u32> {
        let due = self.of_cycle();
        let (first, last) = (due.first()?, due.last()?);
        let around = first + DAYS_OF_CYCLE - last;
        due.windows(2).map(|pair| pair[1] - pair[0]).chain([around]).min()
    }

    /// The days of a cycle on which it is due, counted from its first.
    pub(super) fn of_cycle(&self) -> Vec<u32> {
        let mut due = Vec::new();
        let (mut count, mut weekday) = (0, FIRST_WEEKDAY);
        for year in 0..CYCLE {
            for (month, length) in (1..).zip(LENGTHS) {
                let length = length + u8::from(month == 2 && year % 4 == 0);
                for day in 1..=length {
                    if self.has(month, day, length, weekday) {
                        due.push(count);
                    }
                    count += 1;
                    weekday = (weekday + 1) % 7;
                }
            }
        }
        due
    }
}
