//! Whether the runtime leaves rows behind that nobody will look at again. The tests of the store ask the
//! same questions.

use crate::eventually;
use crate::tables::Tables;

const QUESTIONS: &str = include_str!("../../runtime/src/store/conformance/left_behind.sql");

/// Waits until nothing is left behind in a database whose runs are over, while a worker is there.
///
/// # Panics
///
/// When something still is after a minute.
pub async fn nothing_left_behind(tables: &Tables) {
    for question in QUESTIONS.split(';').filter(|text| text.contains("SELECT")) {
        let lines = || question.lines().map(str::trim).filter(|line| !line.is_empty());
        let what = lines().filter_map(|line| line.strip_prefix("-- ")).next_back();
        let asked: Vec<_> = lines().filter(|line| !line.starts_with("--")).collect();
        let asked = asked.join(" ");
        let none = async || tables.count(&asked).await.is_ok_and(|count| count == 0);
        eventually(&format!("no {}", what.unwrap_or("rows")), none).await;
    }
}
