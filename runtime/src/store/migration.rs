//! Which migrations a database still needs, and which programs it no longer serves.

/// One step of the schema. Steps expand first and contract a version later, so that programs of two
/// versions can share a database during a deploy.
pub(super) struct Migration {
    /// The schema's version once this is applied; also the version of the program that brings it.
    pub(super) version: i32,
    /// The oldest program that may use the schema from then on.
    pub(super) oldest_program: i32,
    pub(super) sql: &'static str,
}

/// What a database says of its schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) version: i32,
    pub(super) oldest_program: i32,
}

/// The database is for newer programs than this one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooOld {
    pub(super) schema: i32,
    pub(super) needs: i32,
    pub(super) program: i32,
}

/// Why a database whose tables are to be left as they are cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unready {
    /// It has none.
    Missing,
    /// They are from before this program.
    Older,
    /// Rows were copied there without the sequences that number them.
    Uncounted,
}

/// The migrations that a database still needs.
pub(super) fn pending(
    recorded: Option<Recorded>,
    migrations: &'static [Migration],
) -> Result<impl Iterator<Item = &'static Migration>, TooOld> {
    let program = migrations.last().map_or(0, |migration| migration.version);
    let version = match recorded {
        Some(Recorded { version, oldest_program }) if oldest_program > program => {
            return Err(TooOld { schema: version, needs: oldest_program, program });
        }
        Some(Recorded { version, .. }) => version,
        None => 0,
    };
    Ok(migrations.iter().filter(move |migration| migration.version > version))
}

#[cfg(test)]
mod tests {
    use super::*;

    static MIGRATIONS: [Migration; 3] = [
        Migration { version: 1, oldest_program: 1, sql: "" },
        Migration { version: 2, oldest_program: 1, sql: "" },
        Migration { version: 3, oldest_program: 2, sql: "" },
    ];

    fn versions(recorded: Option<(i32, i32)>) -> Result<Vec<i32>, TooOld> {
        let recorded =
            recorded.map(|(version, oldest_program)| Recorded { version, oldest_program });
        Ok(pending(recorded, &MIGRATIONS)?.map(|migration| migration.version).collect())
    }

    #[test]
    fn an_empty_database_needs_all_and_a_known_one_the_rest() {
        assert_eq!(versions(None), Ok(vec![1, 2, 3]));
        assert_eq!(versions(Some((2, 1))), Ok(vec![3]));
        assert_eq!(versions(Some((3, 2))), Ok(vec![]));
    }

    #[test]
    fn a_newer_schema_is_used_as_long_as_it_serves_this_program() {
        assert_eq!(versions(Some((5, 3))), Ok(vec![]));
        assert_eq!(versions(Some((5, 4))), Err(TooOld { schema: 5, needs: 4, program: 3 }));
    }
}
