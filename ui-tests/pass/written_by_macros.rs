use indelible::prelude::*;

async fn tell(name: u32) -> Result<u32, Failure> {
    Ok(name)
}

// All that a repetition writes has one position in the source.
macro_rules! tells {
    ($name:ident: $($id:literal to $each:ident),*) => {
        #[workflow(input)]
        async fn $name(_input: u32, step: Step) -> Result<u32, Failure> {
            let mut sum = 0;
            $(
                let mut calls = Vec::new();
                for $each in [1, 2] {
                    calls.push(step.run($id, tell($each)).key($each));
                }
                for told in step.join_all(calls).await {
                    sum += told?;
                }
            )*
            Ok(sum)
        }
    };
}

tells!(tells_all: "tell-first" to first, "tell-second" to second);

fn main() {
    assert_eq!(tells_all::GRAPH.states().len(), 2);
}
