use indelible::prelude::*;

use crate::work::work;

body! {
    on [3]
    async fn items_of_every_kind(n: u32, step: Step) -> Result<String, Failure> {
        const LIMIT: u32 = 5;
        static GREETING: &str = "hello";
        type Count = u32;
        #[derive(Debug, Clone, Serialize, Deserialize)]
        enum Size {
            Small { by: u32 },
            Large(u32),
        }
        struct Meter;
        impl Meter {
            const UNIT: &'static str = "m";
            fn measure(&self, n: u32) -> Size {
                if n < LIMIT { Size::Small { by: LIMIT - n } } else { Size::Large(n) }
            }
        }
        trait Describe {
            fn describe(&self) -> String;
        }
        impl Describe for Size {
            fn describe(&self) -> String {
                format!("{self:?}")
            }
        }
        use std::collections::BTreeMap as Map;
        mod inner {
            pub(super) fn one() -> u32 {
                1
            }
        }
        macro_rules! plus_one {
            ($e:expr) => {
                $e + inner::one()
            };
        }
        let size = step.run("measure", work("measure", Meter.measure(n))).await?;
        let mut map: Map<&str, Count> = Map::new();
        map.insert(Meter::UNIT, plus_one!(n));
        let map = step.run("map", work("map", map.len())).await?;
        Ok(format!("{GREETING} {} {map}", size.describe()))
    }
}

body! {
    on [3]
    /// Documentation is kept.
    ///
    /// So are its examples: `1 + 1`.
    #[allow(unused_variables, unused_mut)]
    #[must_use]
    async fn attributes_and_documentation(n: u32, step: Step) -> Result<u32, Failure> {
        /// A comment on a constant.
        const ONE: u32 = 1;
        // A comment on nothing.
        #[allow(clippy::let_and_return)]
        let mut value = step.run("value", work("value", n)).await?;
        #[rustfmt::skip]
        let other   =   step.run("other", work("other", value + ONE)).await?;
        let unused = 1;
        match value {
            #[allow(unreachable_patterns)]
            3 | 3 => Ok(other),
            _ => Ok(value),
        }
    }
}

body! {
    on [3]
    async fn statements_under_cfg(n: u32, step: Step) -> Result<u32, Failure> {
        #[cfg(any())]
        let n = no_such_function();
        #[cfg(not(any()))]
        let n = step.run("present", work("present", n + 1)).await?;
        #[cfg(any())]
        {
            step.run("absent", no_such_function()).await?;
        }
        let array = [
            n,
            #[cfg(any())]
            no_such_variable,
        ];
        Ok(array.len() as u32 + n)
    }
}

body! {
    on [3]
    async fn constants_from_blocks(n: u32, step: Step) -> Result<u32, Failure> {
        const TABLE: [u32; 4] = {
            let mut table = [0; 4];
            let mut i = 0;
            while i < 4 {
                table[i] = (i * i) as u32;
                i += 1;
            }
            table
        };
        let square = const { TABLE[3] };
        Ok(step.run("look", work("look", TABLE[n as usize] + square)).await?)
    }
}
