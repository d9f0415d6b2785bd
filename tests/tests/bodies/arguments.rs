use indelible::prelude::*;

use crate::work::work;

fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
pub(crate) struct Parcel {
    id: u32,
    weight: f64,
    labels: Vec<String>,
}

body! {
    on [3]
    async fn steps_in_call_arguments(n: u32, step: Step) -> Result<u32, Failure> {
        Ok(add(
            step.run("left", work("left", n)).await?,
            add(step.run("right", work("right", n + 1)).await?, 1),
        ))
    }
}

body! {
    on [3]
    async fn steps_in_struct_literals(id: u32, step: Step) -> Result<Parcel, Failure> {
        let standard = Parcel { weight: 1.5, ..Default::default() };
        Ok(Parcel {
            id,
            labels: step.run("labels", work("labels", vec![format!("parcel {id}")])).await?,
            ..standard
        })
    }
}

body! {
    on [3]
    async fn steps_in_tuples_and_arrays(n: u8, step: Step) -> Result<(u8, [u8; 2], bool), Failure> {
        let array = [step.run("a", work("a", n)).await?, step.run("b", work("b", n * 2)).await?];
        Ok((
            array[step.run("index", work("index", 1usize)).await?],
            array,
            !step.run("no", work("no", false)).await?,
        ))
    }
}

body! {
    on [3]
    async fn steps_in_operators(n: i32, step: Step) -> Result<i32, Failure> {
        let mut x = -step.run("a", work("a", n)).await? + 2 * step.run("b", work("b", n)).await?;
        x += step.run("c", work("c", 10)).await?;
        x <<= step.run("d", work("d", 1)).await?;
        Ok(x as i32 % (step.run("e", work("e", 7u8)).await? as i32))
    }
}

body! {
    on [" Ada Lovelace ".to_owned()]
    async fn method_chains_after_a_step(name: String, step: Step) -> Result<Vec<String>, Failure> {
        let words = step
            .run("fetch", work("fetch", name.clone()))
            .await?
            .trim()
            .split_whitespace()
            .map(str::to_uppercase)
            .rev()
            .collect::<Vec<_>>();
        Ok(words)
    }
}

body! {
    on [5]
    async fn a_step_at_the_end_of_a_body(n: u32, step: Step) -> Result<u32, StepError> {
        step.run("only", work("only", n)).await
    }
}

body! {
    on [5]
    async fn a_step_that_waits_for_its_await(n: u32, step: Step) -> Result<u32, Failure> {
        let later = step.run("later", work("later", n)).retries(2).timeout("30s");
        let sooner = step.run("sooner", work("sooner", n + 1)).await?;
        let later = later.await?;
        Ok(later * sooner)
    }
}

body! {
    on [5]
    async fn every_form_of_a_steps_argument(n: u32, step: Step) -> Result<u32, Failure> {
        let text = n.to_string();
        let length = |text: &str| work("length", text.len());
        let a = step.run("call", work("call", n)).await?;
        let b = step.run("closure", || work("closure", n)).await?;
        let c = step.run("async-closure", async || work("async-closure", n).await).await?;
        let d = step.run("block", async { work("block", text.len()).await }).await?;
        let e = step.run("move-block", async move { work("move-block", n).await }).await?;
        let f = step.run("borrow", length(&format!("{text}{text}"))).await?;
        let g =
            step.run("conditional", if n > 3 { work("more", n) } else { work("less", n) }).await?;
        let h = step
            .run("early", async {
                let n = work("early", n).await?;
                if n > 3 {
                    return Ok(n);
                }
                Err(Failure::msg("less"))
            })
            .await?;
        Ok(a + b + c + d as u32 + e + f as u32 + g + h)
    }
}

body! {
    on [2]
    async fn ranges_and_indices(n: usize, step: Step) -> Result<String, Failure> {
        let text = step.run("text", work("text", "durable".to_owned())).await?;
        let end = step.run("end", work("end", n + 3)).await?;
        let part = &text[n..end];
        let bytes = &text.as_bytes()[..=step.run("last", work("last", 1)).await?];
        Ok(format!("{part}{}{}", bytes.len(), (n..end).rev().step_by(2).count()))
    }
}
