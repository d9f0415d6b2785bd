use indelible::prelude::*;

use crate::work::work;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Point {
    x: i32,
    y: i32,
    name: Option<String>,
}

body! {
    on [(1, "one".to_owned(), [1, 2])]
    async fn a_pattern_as_a_parameter(
        (n, name, [a, b]): (i32, String, [i32; 2]),
        step: Step,
    ) -> Result<String, Failure> {
        let sum = step.run("sum", work("sum", n + a + b)).await?;
        Ok(format!("{name} {sum}"))
    }
}

body! {
    on [(1, 2), (0, 0), (5, 0)]
    async fn struct_patterns(xy: (i32, i32), step: Step) -> Result<String, Failure> {
        let point = Point { x: xy.0, y: xy.1, name: None };
        let Point { x, y: height, .. } = step.run("move", work("move", point.clone())).await?;
        Ok(match (Point { x, ..point }) {
            Point { x: 0, y: 0, .. } => "origin".to_owned(),
            Point { x, y: 0, name: None } => {
                step.run("axis", work("axis", format!("axis {x}"))).await?
            }
            Point { name: Some(name), .. } => name,
            p @ Point { .. } => format!("{} {height}", p.x),
        })
    }
}

body! {
    on [vec![], vec![1], vec![1, 2, 3, 4]]
    async fn slice_patterns(list: Vec<i32>, step: Step) -> Result<i32, Failure> {
        let list = step.run("list", work("list", list.clone())).await?;
        Ok(match &list[..] {
            [] => 0,
            [only] => step.run("only", work("only", *only)).await?,
            [first, middle @ .., last] => {
                let sum = step.run("middle", work("middle", middle.iter().sum::<i32>())).await?;
                first * 100 + sum * 10 + last
            }
        })
    }
}

body! {
    on [(1, (2, 3))]
    async fn nested_tuple_patterns(input: (i32, (i32, i32)), step: Step) -> Result<i32, Failure> {
        let (a, (b, _)) = step.run("tuple", work("tuple", input)).await?;
        let ((ref c, mut d), ..) = ((a, b), "rest");
        d += *c;
        let (mut e, f);
        (e, f) = step.run("pair", work("pair", (d, a))).await?;
        (e, _) = (f + e, 0);
        [_, d] = [0, e];
        Ok(d)
    }
}

body! {
    on [Some(Ok(1)), Some(Err("bad".to_owned())), None]
    async fn nested_enum_patterns(
        input: Option<Result<i32, String>>,
        step: Step,
    ) -> Result<i32, Failure> {
        match step.run("look", work("look", input.clone())).await? {
            Some(Ok(n)) => Ok(n),
            Some(Err(text)) if text.is_empty() => Ok(0),
            Some(Err(text)) => Ok(step.run("length", work("length", text.len() as i32)).await?),
            None => Ok(-1),
        }
    }
}

body! {
    on ['a', 'Z', '5', '?']
    async fn ranges_constants_and_alternatives(c: char, step: Step) -> Result<u8, Failure> {
        const MARK: char = '?';
        let c = step.run("char", work("char", c)).await?;
        Ok(match c {
            'a'..='z' | 'A'..='Z' => 1,
            '0'.. if c.is_ascii_digit() => step.run("digit", work("digit", c as u8 - b'0')).await?,
            MARK => 3,
            _ => 4,
        })
    }
}
