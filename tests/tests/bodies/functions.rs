use std::fmt::Display;
use std::future::Future;

use indelible::prelude::*;

use crate::work::work;

async fn generic<T: Display>(value: T) -> std::io::Result<String> {
    work("generic", value.to_string()).await
}

async fn borrowing(value: &str, others: &[u32]) -> std::io::Result<usize> {
    work("borrowing", value.len() + others.len()).await
}

async fn taking(
    values: impl IntoIterator<Item = u32>,
    by: impl Fn(u32) -> u32,
) -> std::io::Result<u32> {
    work("taking", values.into_iter().map(by).sum()).await
}

fn returning(n: u32) -> impl Future<Output = Result<u32, std::io::Error>> + Send {
    work("returning", n)
}

fn boxed<'a>(
    n: &'a u32,
) -> std::pin::Pin<Box<dyn Future<Output = std::io::Result<u32>> + Send + 'a>> {
    Box::pin(work("boxed", *n))
}

/// A trait that steps reach through an object.
pub(crate) trait Shape: Send + Sync {
    fn area(&self) -> f64;
    fn name(&self) -> String {
        "shape".to_owned()
    }
}

struct Square(f64);
struct Circle(f64);

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        (self.0 * self.0 * 3.0).round()
    }
    fn name(&self) -> String {
        "circle".to_owned()
    }
}

body! {
    on [7]
    async fn helpers_of_every_signature(n: u32, step: Step) -> Result<String, Failure> {
        let text = step.run("generic", generic(n)).await?;
        let length = step.run("borrowing", borrowing(&text, &[1, 2, 3])).await?;
        let sum = step.run("taking", taking([n, 1], |x| x + length as u32)).await?;
        let same = step.run("returning", returning(sum)).await?;
        let boxed = step.run("boxed", boxed(&same)).await?;
        Ok(format!("{text} {length} {sum} {boxed}"))
    }
}

body! {
    on [1.0, 2.0]
    async fn trait_objects_held_across_steps(size: f64, step: Step) -> Result<String, Failure> {
        let shape: Box<dyn Shape> =
            if size > 1.5 { Box::new(Circle(size)) } else { Box::new(Square(size)) };
        let area = step.run("area", work("area", shape.area())).await?;
        let borrowed: &dyn Shape = &*shape;
        let name = step.run("name", async { work(borrowed.name(), borrowed.name()).await }).await?;
        Ok(format!("{name} {area} {}", shape.area()))
    }
}

body! {
    on [3]
    async fn closures_between_steps(n: u32, step: Step) -> Result<u32, Failure> {
        let factor = step.run("factor", work("factor", n)).await?;
        let scale = |x: u32| x * factor;
        let mut count = 0;
        let mut counted = |x| {
            count += 1;
            scale(x)
        };
        let a = counted(2);
        let b = counted(3);
        let add: Box<dyn Fn(u32) -> u32 + Send + Sync> = Box::new(move |x| x + a);
        let c = step.run("apply", work("apply", add(b))).await?;
        Ok(c + count)
    }
}

body! {
    on [3]
    async fn functions_as_values(n: u32, step: Step) -> Result<u32, Failure> {
        fn double(n: u32) -> u32 {
            n * 2
        }
        let table: [fn(u32) -> u32; 2] = [double, |n| n + 1];
        let mut value = n;
        for function in table {
            value = step.run("apply", work(format!("apply {value}"), function(value))).await?;
        }
        Ok(value)
    }
}

body! {
    on [3]
    async fn generics_and_turbofish(n: u32, step: Step) -> Result<Vec<u64>, Failure> {
        fn largest<T: PartialOrd + Copy>(values: &[T]) -> Option<T> {
            values.iter().copied().reduce(|a, b| if a > b { a } else { b })
        }
        let values = step.run("values", work::<Vec<u64>>("values", vec![1, n.into()])).await?;
        let most = largest::<u64>(&values).unwrap_or_default();
        let text = step.run("text", work("text", most.to_string())).await?;
        Ok(vec![text.parse::<u64>()?, std::mem::size_of::<u64>() as u64, <u64>::from(n), u64::MAX])
    }
}

body! {
    on [3]
    async fn an_async_function_within_a_body(n: u32, step: Step) -> Result<u32, Failure> {
        async fn twice(n: u32) -> std::io::Result<u32> {
            let first = work("first", n).await?;
            work("second", first * 2).await
        }
        let n = step.run("twice", twice(n)).await?;
        Ok(step.run("again", async { twice(twice(n).await?).await }).await?)
    }
}

body! {
    on [3]
    async fn an_async_closure_with_steps(n: u32, step: Step) -> Result<Vec<String>, Failure> {
        let greeting = "dear".to_owned();
        let notify = async |name: &str, times: u32| {
            let text = step.run("write", work(name.to_owned(), format!("{greeting} {name}"))).await?;
            let mut sent = Vec::new();
            for time in 0..times {
                sent.push(step.run("send", work(format!("{text} {time}"), text.clone())).await?);
            }
            Ok::<_, Failure>(sent.concat())
        };
        let mut all = vec![notify("ann", 1).await?];
        if n > 2 {
            all.push(notify("mary", n).await?);
        }
        for name in ["tom", "sue"] {
            all.push(notify(name, 1).await?);
        }
        Ok(all)
    }
}

body! {
    on [3]
    async fn an_async_closure_side_by_side(n: u32, step: Step) -> Result<u32, Failure> {
        let square = async |value: u32| {
            step.run("square", work(format!("square {value}"), value * value)).key(value).await
        };
        let (a, b) = try_join!(square(n), square(n + 1))?;
        Ok(a + b)
    }
}
