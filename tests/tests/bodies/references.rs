use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use indelible::prelude::*;

use crate::work::work;

body! {
    on ["a b c".to_owned()]
    async fn references_held_across_steps(text: String, step: Step) -> Result<String, Failure> {
        let first = text.split(' ').next().unwrap_or_default();
        let rest: Vec<&str> = text.split(' ').skip(1).collect();
        let one = step.run("one", work(first, first.len())).await?;
        let borrowed = &rest;
        let two = step.run("two", async { work("two", borrowed.join("-")).await }).await?;
        Ok(format!("{first}{one}{two}{}", rest.len()))
    }
}

body! {
    on [vec![1, 2, 3]]
    async fn a_borrowed_element_across_steps(list: Vec<u32>, step: Step) -> Result<u32, Failure> {
        let largest = list.iter().max().unwrap_or(&0);
        let mut sum = 0;
        for n in &list {
            sum += step.run("scale", work(format!("scale {n}"), n * largest)).await?;
        }
        let [first, .., last] = list.as_slice() else { return Ok(sum) };
        Ok(sum + first + last)
    }
}

body! {
    on [1]
    async fn mutation_between_steps(n: u32, step: Step) -> Result<Vec<u32>, Failure> {
        let mut list = vec![n];
        let double = step.run("double", work("double", list[0] * 2)).await?;
        list.push(double);
        {
            let last = list.last_mut().ok_or(Failure::msg("empty"))?;
            *last += step.run("add", work("add", 1)).await?;
        }
        let length = step.run("count", work("count", list.len() as u32)).await?;
        list.insert(0, length);
        list.sort_unstable();
        Ok(list)
    }
}

body! {
    on ["abc".to_owned()]
    async fn strings_are_built(text: String, step: Step) -> Result<String, Failure> {
        let mut out = String::with_capacity(16);
        for c in text.chars().rev() {
            out.push(step.run("upper", work(c.to_string(), c.to_ascii_uppercase())).await?);
        }
        out += &step.run("suffix", work("suffix", "!".repeat(2))).await?;
        let out: Cow<'_, str> = if out.len() > 3 { Cow::Owned(out) } else { "short".into() };
        Ok(out.into_owned() + r#" "raw" "# + "\u{e9}\x41")
    }
}

body! {
    on [1]
    async fn shared_values(n: u32, step: Step) -> Result<u32, Failure> {
        let shared = Arc::new(Mutex::new(n));
        let other = Arc::clone(&shared);
        let value = *shared.lock().unwrap();
        let added = step.run("add", work("add", value + 1)).await?;
        *other.lock().unwrap() += added;
        let sum = *shared.lock().unwrap();
        Ok(step.run("sum", work("sum", sum)).await?)
    }
}

body! {
    on [2]
    async fn a_value_is_taken_and_put_back(
        n: u32,
        step: Step,
    ) -> Result<(Option<u32>, u32), Failure> {
        let mut slot = Some(n);
        let taken = slot.take();
        let next = step.run("next", work("next", taken.map(|n| n + 1))).await?;
        let old = std::mem::replace(&mut slot, next);
        let swapped = step.run("swapped", work("swapped", old.is_none())).await?;
        Ok((slot, u32::from(swapped)))
    }
}

body! {
    on [2]
    async fn the_handle_is_borrowed_and_cloned(n: u32, step: Step) -> Result<u32, Failure> {
        let _other = step.clone();
        let _borrowed = &step;
        let random = step.random("toss");
        assert!((0.0..1.0).contains(&random));
        let id = step.uuid("id");
        assert_ne!(id, Uuid::nil());
        Ok(step.run("after", work("after", n)).await?)
    }
}
