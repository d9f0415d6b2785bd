#![allow(clippy::todo, clippy::unimplemented, reason = "macros of a kind that bodies may call")]

use indelible::prelude::*;

use crate::work::work;

body! {
    on [3]
    async fn steps_in_format(n: u32, step: Step) -> Result<String, Failure> {
        let width = 6;
        let text = format!(
            "{}-{named:>width$}-{n:?}",
            step.run("positional", work("positional", n)).await?,
            named = step.run("named", work("named", "x".to_owned())).await?,
        );
        Ok(text)
    }
}

body! {
    on [3]
    async fn steps_in_vec(n: u32, step: Step) -> Result<Vec<u32>, Failure> {
        let mut list = vec![step.run("a", work("a", n)).await?, step.run("b", work("b", n)).await?];
        list.extend(vec![step.run("c", work("c", 9)).await?; n as usize]);
        Ok(list)
    }
}

body! {
    on [3, 8]
    async fn steps_in_matches(n: u32, step: Step) -> Result<bool, Failure> {
        let small =
            matches!(step.run("look", work("look", Some(n))).await?, Some(0 | 1..=5) if n != 4);
        let small = small
            && matches!(Some(n), Some(x) if step.run("guard", work("guard", x)).await? == x);
        Ok(small || matches!(step.run("again", work("again", n)).await, Ok(8)))
    }
}

body! {
    on [3]
    async fn steps_in_assertions(n: u32, step: Step) -> Result<u32, Failure> {
        assert!(step.run("positive", work("positive", n > 0)).await?, "{n} is not positive");
        assert_eq!(step.run("same", work("same", n)).await?, n);
        assert_ne!(n, step.run("other", work("other", n + 1)).await?, "the same as {}", n);
        Ok(n)
    }
}

body! {
    on [3]
    async fn tracing_macros(n: u32, step: Step) -> Result<u32, Failure> {
        tracing::info!("begun");
        tracing::debug!(n, double = %(n * 2), list = ?[n], "with fields");
        let value = step.run("value", work("value", n)).await?;
        tracing::warn!(target: "bodies", value, "half {} of {value}", value / 2);
        let span = tracing::info_span!("inner", value);
        let length = span.in_scope(|| value + 1);
        tracing::trace!(name: "named", found = length, "in a macro of another syntax");
        step.run("told", work("told", ())).await?;
        Ok(length)
    }
}

body! {
    on [3]
    async fn printing_and_writing(n: u32, step: Step) -> Result<String, Failure> {
        use std::fmt::Write as _;
        let mut text = String::new();
        write!(text, "{}", step.run("write", work("write", n)).await?)?;
        writeln!(&mut text, " and {n:03}")?;
        text += concat!("a", "b", 1);
        text += stringify!(step.run("not-a-step", ..));
        Ok(text)
    }
}

body! {
    on [3]
    async fn macros_with_their_own_syntax(n: u32, step: Step) -> Result<u32, Failure> {
        macro_rules! largest {
            ($first:expr $(; $rest:expr)* $(;)?) => {{
                let mut most = $first;
                $(if $rest > most { most = $rest; })*
                most
            }};
        }
        let a = step.run("a", work("a", n)).await?;
        let most = largest!(a; 2; 7);
        let json = serde_json::json!({ "most": most, "list": [a, null], "nested": { "a": a } });
        let text = step.run("json", work("json", json.to_string())).await?;
        Ok(text.len() as u32)
    }
}

body! {
    on [3]
    async fn steps_in_macros_in_macros(n: u32, step: Step) -> Result<String, Failure> {
        Ok(format!(
            "{:?}",
            vec![
                format!("{}", step.run("inner", work("inner", n)).await?),
                format!(
                    "{}",
                    if matches!(n, 3) { step.run("three", work("three", 3)).await? } else { 0 }
                ),
            ]
        ))
    }
}

body! {
    on [3]
    async fn panics_that_are_never_reached(n: u32, step: Step) -> Result<u32, Failure> {
        let value = match step.run("value", work("value", n)).await? {
            0 => panic!("{n} is nothing"),
            1 => unreachable!(),
            2 => unimplemented!("two"),
            value => value,
        };
        let found = if value > 100 { todo!() } else { value };
        Ok(found)
    }
}
