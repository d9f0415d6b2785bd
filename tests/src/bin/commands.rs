//! A program that has nothing but commands.

use std::process::ExitCode;

use indelible_tests::wakeups::Wakeups;

#[tokio::main]
async fn main() -> ExitCode {
    indelible::cli::run(Wakeups).unwrap_or(ExitCode::SUCCESS)
}
