use indelible::prelude::*;

use crate::work::work;

body! {
    on [-3, 0, 7, 40]
    async fn if_and_else_if(n: i64, step: Step) -> Result<String, Failure> {
        let size = if n < 0 {
            step.run("negative", work("negative", "negative".to_owned())).await?
        } else if n == 0 {
            "zero".to_owned()
        } else if n > 10 {
            step.run("large", work("large", format!("large {n}"))).await?
        } else {
            step.run("small", work("small", "small".to_owned())).await?
        };
        Ok(size)
    }
}

body! {
    on [1, 2, 3]
    async fn a_step_in_a_condition(n: i64, step: Step) -> Result<i64, Failure> {
        if step.run("is-even", work("is-even", n % 2 == 0)).await? {
            return Ok(step.run("halve", work("halve", n / 2)).await?);
        }
        if !step.run("is-small", work("is-small", n < 2)).await?
            && step.run("is-three", work("is-three", n == 3)).await?
        {
            return Ok(-3);
        }
        Ok(n)
    }
}

body! {
    on [None, Some(3), Some(30)]
    async fn let_else(limit: Option<u32>, step: Step) -> Result<u32, Failure> {
        let Some(limit) = limit else {
            return Ok(step.run("default", work("default", 10)).await?);
        };
        let Ok(found @ 0..=9) = step.run("look", work("look", limit)).await else {
            return Err(Failure::msg("too many"));
        };
        Ok(found)
    }
}

body! {
    on [Some(1), Some(5), None]
    async fn if_let_chains(n: Option<i32>, step: Step) -> Result<String, Failure> {
        if let Some(n) = n
            && n > 2
            && let Ok(double) = step.run("double", work("double", n * 2)).await
            && double < 100
        {
            Ok(format!("{n} and {double}"))
        } else if let None = n {
            Ok("nothing".to_owned())
        } else {
            Ok("small".to_owned())
        }
    }
}

body! {
    on [0, 4, 5, 12, 300]
    async fn match_with_guards(n: u32, step: Step) -> Result<String, Failure> {
        let odd = step.run("parity", work("parity", n % 2 == 1)).await?;
        let word = match n {
            0 => "none".to_owned(),
            few @ 1..10 if odd => {
                step.run("few-odd", work("few-odd", format!("odd {few}"))).await?
            }
            1..10 => step.run("few-even", work("few-even", "even".to_owned())).await?,
            n if n > 100 => return Err(Failure::msg(format!("{n} are too many"))),
            _ => {
                step.sleep("think", "1h").await;
                "many".to_owned()
            }
        };
        Ok(word)
    }
}

body! {
    on [0, 3, 4, 30]
    async fn a_step_in_a_guard(n: u32, step: Step) -> Result<String, Failure> {
        let word = match n {
            0 => "none".to_owned(),
            few if step.run("is-few", work("is-few", few < 10)).await?
                && step.run("is-odd", work("is-odd", few % 2 == 1)).await? =>
            {
                step.run("odd", work("odd", format!("odd {few}"))).await?
            }
            _ if step.run("is-even", work("is-even", n % 4 == 0)).await? => "four times".to_owned(),
            _ => step.run("other", work("other", "other".to_owned())).await?,
        };
        Ok(word)
    }
}

body! {
    on [1, 2, 3]
    async fn a_step_as_a_scrutinee(n: u8, step: Step) -> Result<usize, Failure> {
        Ok(match step.run("toss", work("toss", (n, n % 2 == 0))).await? {
            (1, _) => "the one",
            (_, true) => "even",
            (_, false) => "odd",
        })
        .map(str::len)
    }
}

body! {
    on [1, 9]
    async fn nested_blocks(n: i32, step: Step) -> Result<i32, Failure> {
        let total = {
            let base = { step.run("base", work("base", n)).await? + 1 };
            let extra = {
                let inner = step.run("inner", work("inner", base * 2)).await?;
                inner - { base }
            };
            base + extra
        };
        { { Ok(total) } }
    }
}

body! {
    on [1, 2, 3]
    async fn labelled_blocks(n: i32, step: Step) -> Result<String, Failure> {
        let word = 'found: {
            if step.run("first", work("first", n == 1)).await? {
                break 'found "first";
            }
            if step.run("second", work("second", n == 2)).await? {
                break 'found "second";
            }
            "neither"
        };
        Ok(word.to_owned())
    }
}

body! {
    on [true, false]
    async fn early_returns(stop: bool, step: Step) -> Result<Vec<i32>, Failure> {
        let mut found = vec![step.run("one", work("one", 1)).await?];
        if stop {
            return Ok(found);
        }
        found.push(step.run("two", work("two", 2)).await?);
        return Ok(found);
    }
}

body! {
    on [3, 4]
    async fn branches_that_never_meet(n: i32, step: Step) -> Result<i32, Failure> {
        let n = match n {
            3 => step.run("three", work("three", n)).await?,
            _ => return Err(Failure::msg("not three")),
        };
        if n == 3 { Ok(n) } else { unreachable!() }
    }
}
