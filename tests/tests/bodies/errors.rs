use std::fmt;
use std::num::ParseIntError;

use indelible::prelude::*;

use crate::work::{flaky, refuse, work};

body! {
    on [1]
    async fn an_error_ends_the_run(n: u32, step: Step) -> Result<u32, Failure> {
        let n = step.run("first", work("first", n)).await?;
        step.run("second", async || refuse::<()>("second").await).retries(1).await?;
        Ok(n)
    }
}

body! {
    on [1]
    async fn an_error_is_caught(n: u32, step: Step) -> Result<String, Failure> {
        let result = step.run("risky", async || refuse::<u32>("risky").await).retries(2).await;
        match result {
            Ok(value) => Ok(format!("{value} {n}")),
            Err(error) if error.attempts() > 5 => Err(error.into()),
            Err(error) => {
                let told = step.run("tell", work("tell", error.message().to_owned())).await?;
                Ok(format!("{}: {told} after {}", error.step(), error.attempts()))
            }
        }
    }
}

body! {
    on [0, 2, 4, 7]
    async fn attempts_are_made_until_one_succeeds(n: usize, step: Step) -> Result<usize, Failure> {
        let value = step.run("flaky", || flaky("flaky", n, n * 2)).await?;
        Ok(step.run("after", work("after", value + 1)).await?)
    }
}

body! {
    on [1]
    async fn only_some_errors_are_worth_another_attempt(
        n: u32,
        step: Step,
    ) -> Result<u32, Failure> {
        let fatal = step
            .run("fatal", || refuse::<u32>("fatal"))
            .retry_if(|error| error.kind() != std::io::ErrorKind::Other)
            .await;
        let permanent: Result<u32, StepError> = step
            .run("permanent", async {
                work("permanent", ()).await?;
                Err(Failure::from(Permanent("gone".into())))
            })
            .retries(9)
            .await;
        let attempts = [fatal, permanent].map(|result| result.map_or_else(|e| e.attempts(), |_| 0));
        Ok(attempts.iter().sum::<u32>() + n)
    }
}

body! {
    on ["12".to_owned(), "twelve".to_owned()]
    async fn question_marks_of_several_error_types(
        text: String,
        step: Step,
    ) -> Result<i64, Failure> {
        let text = step.run("fetch", work("fetch", text.clone())).await?;
        let number: i64 = text.parse()?;
        let byte = u8::try_from(number)?;
        let utf8 = String::from_utf8(vec![byte])?;
        Ok(step.run("length", work("length", utf8.len() as i64)).await? + number)
    }
}

/// An error of a user's own.
#[derive(Debug)]
pub(crate) enum OrderError {
    Step(StepError),
    Number(ParseIntError),
    Empty { order: u32 },
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(error) => write!(f, "the order failed: {}", error.message()),
            Self::Number(error) => write!(f, "no number: {error}"),
            Self::Empty { order } => write!(f, "order {order} is empty"),
        }
    }
}

impl std::error::Error for OrderError {}

impl From<StepError> for OrderError {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

impl From<ParseIntError> for OrderError {
    fn from(error: ParseIntError) -> Self {
        Self::Number(error)
    }
}

body! {
    on [(1, "5".to_owned()), (2, "0".to_owned()), (3, "five".to_owned()), (4, "13".to_owned())]
    async fn an_error_type_of_its_own(order: (u32, String), step: Step) -> Result<u32, OrderError> {
        let (order, amount) = order;
        let amount: u32 = step.run("read", work("read", amount.clone())).await?.parse()?;
        if amount == 0 {
            return Err(OrderError::Empty { order });
        }
        if amount == 13 {
            step.run("unlucky", || refuse::<()>("unlucky")).retries(0).await?;
        }
        Ok(step.run("double", work("double", amount * 2)).await?)
    }
}

body! {
    on [Some(4), None]
    async fn options_become_errors(n: Option<u32>, step: Step) -> Result<u32, Failure> {
        let n = n.ok_or_else(|| Failure::msg("there is none"))?;
        let half = step
            .run("halve", work("halve", n.checked_div(2)))
            .await?
            .ok_or("odd")
            .map_err(Failure::msg)?;
        let found =
            step.run("find", work("find", Some(half))).await.ok().flatten().unwrap_or_default();
        Ok(found)
    }
}

body! {
    on [1, 2]
    async fn a_fallback_after_an_error(n: u32, step: Step) -> Result<u32, Failure> {
        let first =
            step.run("primary", async || {
                if n == 1 { work("primary", n).await } else { refuse("primary").await }
            })
            .retries(1)
            .await;
        let value = match first {
            Ok(value) => value,
            Err(_) => step.run("secondary", work("secondary", 99)).await?,
        };
        Ok(value)
    }
}

body! {
    on [3, 5]
    async fn errors_within_an_async_block(n: u32, step: Step) -> Result<u32, Failure> {
        let checked = async {
            let n = step.run("check", work("check", n)).await?;
            if n > 4 {
                return Err(Failure::msg("above four"));
            }
            let text = step.run("text", work("text", n.to_string())).await?;
            Ok::<u32, Failure>(text.parse()?)
        }
        .await;
        match checked {
            Ok(n) => Ok(n),
            Err(error) => Ok(step.run("repair", work(error.to_string(), 4)).await?),
        }
    }
}
