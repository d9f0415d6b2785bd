use std::env;

use serde_json::json;

use super::answer::Answer;
use super::operation::{Asked, Operation};
use super::table::{Maybe, Table};
use crate::client::{Client, Delay};
use crate::error::{Error, Result};
use crate::workflow::Allowance;

/// `limits`
#[derive(Debug, Clone, clap::Args)]
pub struct Limits {
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Limits {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let limits = client.limits().await?;
        let names = ["LIMIT", "ALLOWS", "SET BY", "KEY", "HOLD", "WAIT", "SKIPPED"];
        let mut table = Table::new(names, "No workflow of the app has a limit.");
        for limit in &limits {
            let allows = limit.allows();
            let by = Maybe(limit.changed_by.as_ref().filter(|_| limit.set.is_some()));
            if limit.keys.is_empty() {
                table.row([&limit.name, &allows, &by, &"-", &0, &0, &0]);
            }
            for key in &limit.keys {
                let (name, shown) = (&limit.name, if key.key.is_empty() { "-" } else { &key.key });
                table.row([name, &allows, &by, &shown, &key.holding, &key.waiting, &key.skipped]);
            }
        }
        Ok(self.asked.answer(&limits, table))
    }
}

/// `set-limit`
#[derive(Debug, Clone, clap::Args)]
pub struct Set {
    /// The limit's name: on-ticket-created/concurrency
    limit: String,
    /// How many; 0 pauses each key of it
    allows: u32,
    /// In which time, of a throttle or a rate limit: "1m" [default: as it is]
    #[arg(long, value_name = "TIME")]
    per: Option<String>,
    /// How many more may start at once, of a throttle [default: as it is]
    #[arg(long, value_name = "RUNS")]
    burst: Option<u32>,
    /// Who changes it; this is kept [default: the environment variable USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Set {
    /// What is to hold in place of what holds now.
    fn changed(&self, now: Allowance) -> Result<Option<Allowance>> {
        let per = self.per.as_deref().map(Delay::read).transpose()?;
        let limit = self.allows;
        Ok(match (now, per, self.burst) {
            (Allowance::Slots(_), None, None) => Some(Allowance::Slots(limit)),
            (Allowance::Pace { per: was, burst, .. }, per, given) => Some(Allowance::Pace {
                limit,
                per: per.unwrap_or(was),
                burst: given.unwrap_or(burst),
            }),
            (Allowance::Window { per: was, .. }, per, None) => {
                Some(Allowance::Window { limit, per: per.unwrap_or(was) })
            }
            _ => None,
        })
    }
}

impl Operation for Set {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let Self { limit, by, .. } = self;
        let limits = client.limits().await?;
        let Some(now) = limits.iter().find(|known| known.name == *limit) else {
            let limits = limits.into_iter().map(|known| known.name).collect();
            return Err(Error::NoSuchLimit { limit: limit.clone(), limits });
        };
        let Some(allows) = self.changed(now.allows())? else {
            return Ok(Answer::failed(1).line(format_args!(
                "error: the limit `{limit}` allows {}; `--per` and `--burst` do not fit it",
                now.allows()
            )));
        };
        client.set_limit(limit, allows, &who(by)).await?;
        Ok(self.asked.answer(
            &json!({ "limit": limit, "set": allows }),
            format_args!("The limit `{limit}` allows {allows}."),
        ))
    }
}

/// `reset-limit`
#[derive(Debug, Clone, clap::Args)]
pub struct Reset {
    /// The limit's name: on-ticket-created/concurrency
    limit: String,
    /// Who changes it; this is kept [default: the environment variable USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Reset {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let Self { limit, by, .. } = self;
        client.reset_limit(limit, &who(by)).await?;
        Ok(self.asked.answer(
            &json!({ "limit": limit }),
            format_args!("The limit `{limit}` allows what the code says."),
        ))
    }
}

fn who(by: &Option<String>) -> String {
    by.clone().or_else(|| env::var("USER").ok()).unwrap_or_else(|| "the command line".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        set: Set,
    }

    const MINUTE: Duration = Duration::from_secs(60);

    fn changed(arguments: &[&str], now: Allowance) -> Option<Allowance> {
        let arguments = ["program", "a/limit"].iter().chain(arguments);
        let program = Program::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}"));
        program.set.changed(now).expect("the times are times")
    }

    #[test]
    fn what_is_not_said_stays_as_it_is() {
        let pace = Allowance::Pace { limit: 5, per: MINUTE, burst: 2 };
        assert_eq!(
            changed(&["7"], pace),
            Some(Allowance::Pace { limit: 7, per: MINUTE, burst: 2 })
        );
        assert_eq!(
            changed(&["7", "--per", "2m", "--burst", "0"], pace),
            Some(Allowance::Pace { limit: 7, per: 2 * MINUTE, burst: 0 })
        );
        assert_eq!(changed(&["0"], Allowance::Slots(3)), Some(Allowance::Slots(0)));
    }

    #[test]
    fn what_does_not_fit_the_limit_is_refused() {
        assert_eq!(changed(&["7", "--per", "1m"], Allowance::Slots(3)), None);
        let window = Allowance::Window { limit: 5, per: MINUTE };
        assert_eq!(changed(&["7", "--burst", "1"], window), None);
    }
}
