//! What users call their things, when these are also names that the attribute might have used.

use indelible::prelude::*;

use crate::work::work;

body! {
    on [3]
    async fn raw_identifiers(r#in: u32, step: Step) -> Result<u32, Failure> {
        let r#type = step.run("type", work("type", r#in)).await?;
        let r#match = |r#fn: u32| r#fn + r#type;
        Ok(step.run("match", work("match", r#match(1))).await?)
    }
}

body! {
    on [3]
    async fn a_handle_of_another_name(n: u32, durable: Step) -> Result<u32, Failure> {
        let step = durable.run("first", work("first", n)).await?;
        Ok(durable.run("second", work("second", step + 1)).await?)
    }
}

body! {
    on [3]
    async fn locals_that_the_expansion_uses(context: u32, step: Step) -> Result<u32, Failure> {
        let input = step.run("input", work("input", context)).await?;
        let argument1 = step.run("argument", work("argument", input + 1)).await?;
        let (join, durable, finish, parameter, run) = (1, 2, 3, 4, 5);
        let step_ = step.run("step", work("step", argument1 + join)).await?;
        let state = step.run("state", work("state", durable + finish + parameter + run)).await?;
        Ok(step_ + state)
    }
}

body! {
    on [3]
    async fn variables_of_the_workflows_name(n: u32, step: Step) -> Result<u32, Failure> {
        let variables_of_the_workflows_name = step.run("first", work("first", n)).await?;
        let add = |variables_of_the_workflows_name: u32| variables_of_the_workflows_name + 1;
        Ok(add(variables_of_the_workflows_name))
    }
}

body! {
    on [3]
    async fn step(n: u32, step: Step) -> Result<u32, Failure> {
        Ok(step.run("step", work("step", n)).await?)
    }
}

// What the expansion calls its own variables.
body! {
    on [3]
    async fn f(context: u32, step: Step) -> Result<u32, Failure> {
        Ok(step.run("f", work("f", context)).await?)
    }
}

body! {
    on [3]
    async fn context(input: u32, step: Step) -> Result<u32, Failure> {
        Ok(step.run("context", work("context", input)).await?)
    }
}

body! {
    on [3]
    async fn input(n: u32, step: Step) -> Result<u32, Failure> {
        Ok(step.run("input", work("input", n)).await?)
    }
}

body! {
    on [3]
    async fn shadowed_locals(n: u32, step: Step) -> Result<u32, Failure> {
        let n = step.run("first", work("first", n + 1)).await?;
        let n = {
            let n = step.run("second", work("second", n * 2)).await?;
            n + 1
        };
        let n = n.to_string();
        let n = step.run("third", work("third", n.len())).await?;
        Ok(if let n @ 1.. = n as u32 { n } else { 0 })
    }
}

/// A user's own types, named as the standard library's.
mod own {
    #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
    pub(super) struct Option(pub(super) u32);
    pub(super) type Result<T> = std::result::Result<T, indelible::prelude::Failure>;
    #[allow(non_camel_case_types, non_snake_case, dead_code, reason = "made to be confused")]
    pub(super) struct Box;
    pub(super) trait Send {
        fn send(&self) -> u32 {
            1
        }
    }
    impl Send for u32 {}
    pub(super) trait Future {
        fn await_it(&self) -> u32 {
            2
        }
    }
    impl Future for u32 {}
}

body! {
    on [3]
    async fn shadowed_types_and_traits(n: u32, step: Step) -> own::Result<u32> {
        use own::{Box, Future, Option, Result, Send};
        struct Vec;
        struct String;
        enum Clone {}
        #[allow(non_upper_case_globals)]
        const None: u32 = 4;
        let option = step.run("option", work("option", Option(n))).await?;
        let _: Result<(Box, Vec, String)> = Ok((Box, Vec, String));
        let _: std::option::Option<Clone> = std::option::Option::None;
        Ok(step.run("sum", work("sum", option.0 + n.send() + n.await_it() + None)).await?)
    }
}

body! {
    on [3]
    async fn shadowed_crates_and_modules(n: u32, step: Step) -> Result<u32, Failure> {
        mod core {}
        mod std {}
        mod indelible {}
        let _ = {
            mod alloc {}
        };
        let (a, b) = try_join!(step.run("a", work("a", n)), step.run("b", work("b", n)))?;
        Ok(step.run("sum", work("sum", a + b)).timeout("5s").await?)
    }
}

body! {
    on [3]
    async fn shadowed_constructors(n: u32, step: Step) -> Result<u32, Failure> {
        let n = step.run("first", work("first", n)).await?;
        fn Ok(n: u32) -> Result<u32, Failure> {
            Result::Ok(n + 1)
        }
        let m = step.run("second", async { work("second", n).await }).await?;
        Ok(m)
    }
}

body! {
    on [3]
    async fn methods_of_the_same_names_on_other_things(n: u32, step: Step) -> Result<u32, Failure> {
        struct Runner;
        impl Runner {
            fn run(&self, id: &str, n: u32) -> u32 {
                id.len() as u32 + n
            }
            fn sleep(&self, id: &str) -> usize {
                id.len()
            }
            fn timeout(self, text: &str) -> String {
                text.to_owned()
            }
        }
        let runner = Runner;
        let n = runner.run("Not A Step", n) + runner.sleep("neither") as u32;
        let n = step.run("step", work("step", n)).await?;
        Ok(n + runner.timeout("5s").len() as u32)
    }
}
