use indelible::prelude::*;

use crate::work::{after, flaky, refuse, work};

body! {
    on [4]
    async fn joined_steps(n: u32, step: Step) -> Result<u32, Failure> {
        let (a, b) = join!(step.run("a", work("a", n)), step.run("b", work("b", n * 2)));
        Ok(a? + b?)
    }
}

body! {
    on [4]
    async fn joined_steps_that_end_in_another_order(n: u32, step: Step) -> Result<u32, Failure> {
        let (a, b, c) = try_join!(
            step.run("a", after("c", "a", n)),
            step.run("b", after("a", "b", n + 1)),
            step.run("c", work("c", n + 2)),
        )?;
        Ok(a * b * c)
    }
}

body! {
    on [3]
    async fn joined_blocks(n: u32, step: Step) -> Result<(u32, String), Failure> {
        let mut log = Vec::new();
        let (sum, word) = join!(
            async {
                let mut sum = 0;
                for i in 0..n {
                    sum += step.run("add", work(format!("add {i}"), i)).await?;
                }
                Ok::<_, StepError>(sum)
            },
            async {
                let word = step.run("word", work("word", "w".to_owned())).await?;
                step.sleep("rest", "1 day").await;
                log.push(step.run("more", work("more", format!("{word}{word}"))).await?);
                Ok::<_, Failure>(word)
            },
        );
        Ok((sum?, word? + &log.concat()))
    }
}

body! {
    on [3]
    async fn nested_joins(n: u32, step: Step) -> Result<u32, Failure> {
        let (a, (b, c)) = try_join!(step.run("a", work("a", n)), async {
            let (b, c) = try_join!(step.run("b", work("b", n)), step.run("c", work("c", n)))?;
            let d = step.run("d", work("d", b + c)).await?;
            Ok((d, c))
        })?;
        Ok(a + b + c)
    }
}

body! {
    on [1, 2]
    async fn the_first_error_of_a_try_join(n: u32, step: Step) -> Result<u32, Failure> {
        let result = try_join!(
            step.run("good", work("good", n)),
            step.run("bad", refuse::<u32>("bad")).retries(0),
        );
        match result {
            Ok((a, b)) => Ok(a + b),
            Err(error) if n == 1 => Ok(step.run("repair", work(error.message(), 7)).await?),
            Err(error) => Err(error.into()),
        }
    }
}

body! {
    on [2]
    async fn retries_side_by_side(n: usize, step: Step) -> Result<usize, Failure> {
        let (a, b) = try_join!(
            step.run("a", || flaky("a", n, n)),
            step.run("b", || flaky("b", n + 1, n * 2)),
        )?;
        Ok(a + b)
    }
}

body! {
    on [2]
    async fn joined_sleeps(n: u32, step: Step) -> Result<u32, Failure> {
        join!(step.sleep("short", "1s"), step.sleep("long", "2h"), async {
            step.sleep("first", "1m").await;
            step.sleep("second", "1m").await;
        });
        Ok(step.run("after", work("after", n)).await?)
    }
}

body! {
    on [2]
    async fn blocks_that_are_awaited_later(n: u32, step: Step) -> Result<u32, Failure> {
        let double =
            async { Ok::<u32, Failure>(step.run("double", work("double", n * 2)).await? + 1) };
        let triple = async { step.run("triple", work("triple", n * 3)).await };
        let (double, triple) = join!(double, triple);
        Ok(double? * triple?)
    }
}

body! {
    on [true, false]
    async fn a_join_in_a_branch_of_a_loop(join: bool, step: Step) -> Result<Vec<u32>, Failure> {
        let mut found = vec![];
        for round in 0..2u32 {
            if join {
                let (a, b) = try_join!(
                    step.run("left", work(format!("left {round}"), round)),
                    step.run("right", work(format!("right {round}"), round + 10)),
                )?;
                found.extend([a, b]);
            } else {
                found.push(step.run("alone", work(format!("alone {round}"), round)).await?);
            }
        }
        Ok(found)
    }
}

body! {
    on [3]
    async fn joins_within_a_step(n: u32, step: Step) -> Result<u32, Failure> {
        let sum = step
            .run("inside", async {
                let (a, b) = tokio::join!(work("a", n), work("b", n));
                Ok::<_, std::io::Error>(a? + b?)
            })
            .await?;
        Ok(sum)
    }
}

body! {
    on [3]
    async fn joins_by_their_full_name(n: u32, step: Step) -> Result<u32, Failure> {
        let double = async { step.run("a", work("a", n)).await };
        let (a, b) = tokio::join!(double, async { step.run("b", work("b", n)).await });
        Ok(a? + b?)
    }
}

body! {
    on [3]
    async fn an_async_closure_for_each(n: u32, step: Step) -> Result<Vec<u32>, Failure> {
        let words: Vec<_> = (0..n).map(|i| format!("word {i}")).collect();
        let outcomes = step.join_all(words.iter().map(async |word| {
            let length = step.run("length", work(word, word.len() as u32)).key(word).await?;
            step.run("double", work(format!("double {word}"), length * 2)).key(word).await
        }));
        let triple = async |i: u32| step.run("triple", work(format!("triple {i}"), i * 3)).key(i).await;
        let tripled = step.join_all((0..n).map(triple));
        let all = outcomes.await.into_iter().chain(tripled.await);
        Ok(all.collect::<Result<_, _>>()?)
    }
}
