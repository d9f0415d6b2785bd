use indelible::prelude::*;
use std::collections::BTreeMap;
use std::io;

use indelible_ui_tests::{Desk, Ticket, TicketCreated};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Low,
    High(u32),
}

trait Mailer: Send + Sync {
    fn name(&self) -> String;
}

struct Loud;

impl Mailer for Loud {
    fn name(&self) -> String {
        "loud".to_owned()
    }
}

async fn kind(of: &Ticket) -> io::Result<Kind> {
    Ok(if of.id > 1 { Kind::High(of.id) } else { Kind::Low })
}

async fn find(name: &str) -> io::Result<Option<String>> {
    Ok(Some(name.to_owned()))
}

/// A step in every place that Rust has for an expression.
#[workflow(retries = 1)]
#[allow(clippy::too_many_lines)]
async fn on_ticket(
    TicketCreated { ticket: number }: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<Vec<String>, Failure> {
    let mut out = vec![];
    // Shadowing, references held across steps, method chains behind them.
    let number = number + 1;
    let ticket = step.run("ticket", desk.ticket(number)).await?;
    let subject = &ticket.subject;
    let words: Vec<&str> = subject.split(' ').collect();
    let upper = step.run("upper", find(subject)).await?.map(|s| s.to_uppercase()).unwrap_or_default();
    out.push(upper);
    // Conditions, chains, patterns.
    if step.run("is-high", kind(&ticket)).await? != Kind::Low && words.len() > 1 {
        out.push(step.run("mail-high", desk.mail(words[0])).await?.to_string());
    } else if let Some(word) = words.first() {
        step.run("mail-low", desk.mail(word)).await?;
    }
    if let Ok(Some(name)) = step.run("found", find("x")).await
        && !name.is_empty()
    {
        out.push(name);
    }
    let Some(name) = step.run("let-else", find("y")).await? else {
        return Ok(out);
    };
    match step.run("match", kind(&ticket)).await? {
        Kind::High(n) if n > 100 => return Err(Failure::msg("too high")),
        Kind::High(n @ 1..=50) => out.push(format!("{n} {}", step.run("in-arm", find(&name)).await?.unwrap())),
        Kind::Low | Kind::High(_) => {}
    }
    // Loops with labels and values.
    let mut left = 3;
    let broke = 'outer: loop {
        while left > 0 {
            left -= 1;
            if step.run("count-down", async { Ok(left) }).await? == 1 {
                break 'outer left;
            }
        }
    };
    'words: for (index, word) in words.iter().enumerate() {
        if index == broke {
            continue 'words;
        }
        step.run("each-word", desk.mail(word)).await?;
    }
    let mut queue = vec![1u32, 2];
    while let Some(next) = queue.pop() {
        let Ticket { id, .. } = step.run("queued", desk.ticket(next)).retries(1).await?;
        out.push(id.to_string());
    }
    // Blocks, tuples, arrays, structs, casts, ranges, macros, arguments.
    let value = {
        let inner = step.run("in-block", desk.mail("block")).await?;
        inner + 1
    };
    let pair = (step.run("left-of-pair", desk.mail("a")).await?, value as u64);
    let array = [step.run("in-array", desk.mail("b")).await?; 2];
    let map: BTreeMap<_, _> = [(pair.0, array[0])].into_iter().collect();
    let made = Ticket { id: step.run("in-struct", desk.mail("c")).await? as u32, ..ticket.clone() };
    let sum: usize = (0..step.run("in-range", desk.mail("d")).await?).map(|x| x * 2).sum();
    assert!(step.run("in-assert", desk.mail("e")).await? > 0, "never {}", sum);
    let text = format!("{} {made:?} {name}", step.run("in-format", desk.mail("f")).await?, name = "n");
    println!("{text} {map:?} {}", matches!(step.run("in-matches", kind(&made)).await?, Kind::Low));
    let list = vec![step.run("in-vec", desk.mail("g")).await?, 1];
    out.extend(list.iter().map(ToString::to_string));
    #[cfg(any())]
    step.run("configured-out", nowhere()).await?;
    // Closures and `async` blocks as what a step does.
    let total = step.run("closure", || desk.mail("h")).timeout("5s").await?;
    let moved = name.clone();
    step.run("async-move", async move {
        let moved = moved.len();
        if moved > 3 {
            return Ok(moved + total);
        }
        Ok(total)
    })
    .retry_if(|error| !error.to_string().is_empty())
    .await?;
    step.run("questions", async {
        let n: u32 = "7".parse()?;
        desk.mail("i").await?;
        Ok(n)
    })
    .await?;
    step.run("typed-error", async { Err::<u32, _>(io::Error::other("no")) }).await.ok();
    step.run("either", async {
        match number {
            0 => Ok(1),
            _ => Err(Permanent("gone".into())),
        }
    })
    .await
    .unwrap_or_default();
    // Trait objects, generics, concurrency.
    let mailer: Box<dyn Mailer> = Box::new(Loud);
    let said = step.run("dyn", find(&mailer.name())).await?;
    let (a, b, c) = join!(
        step.run("branch-a", desk.mail("j")),
        async {
            let first = step.run("branch-b", desk.mail("k")).await?;
            Ok::<_, StepError>(first + step.run("branch-b-again", desk.mail("l")).await?)
        },
        step.sleep("branch-c", "1s"),
    );
    let later = step.run("held", desk.mail("m"));
    let (d, e) = tokio_like::try_join!(later, step.run("beside", desk.mail("n")))?;
    let () = c;
    out.push(format!("{said:?} {} {d} {e}", a? + b?));
    step.sleep_until("until", step.now()).await;
    let id = step.uuid("id");
    let toss = step.random("toss");
    out.push(format!("{} {}", id.is_nil(), toss < 1.0));
    let result: Result<_, Failure> = async { Ok(step.run("tried", desk.mail("o")).await? + 1) }.await;
    out.push(result?.to_string());
    unsafe_free(step.run("argument", desk.mail("p")).await?, &mut out);
    Ok(out)
}

fn unsafe_free(n: usize, out: &mut Vec<String>) {
    out.push(n.to_string());
}

fn main() {}
