//! Runs that nobody had to drive: copies of one that was, row for row as the store has it.

use std::error::Error;

use indelible::prelude::*;
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Row};

/// A database, beside the runtime that uses it.
pub(crate) enum Database {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// A copy to be made.
#[derive(Serialize)]
pub(crate) struct Copy {
    pub(crate) run: RunId,
    /// Its input, as JSON.
    pub(crate) input: String,
    /// What its wait is for.
    pub(crate) hash: Uuid,
}

impl Database {
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        Ok(match url.starts_with("sqlite:") {
            true => Self::Sqlite(SqlitePool::connect(url).await?),
            false => Self::Postgres(PgPool::connect(url).await?),
        })
    }

    /// Copies a run, with its rows of these tables.
    pub(crate) async fn copy(
        &self,
        tables: &[&str],
        template: RunId,
        copies: &[Copy],
    ) -> Result<(), Box<dyn Error>> {
        for table in tables {
            let columns = self.columns(table).await?;
            let listed = columns.join(", ");
            let of = if *table == "runs" { "id" } else { "run_id" };
            for copies in copies.chunks(10_000) {
                self.insert(table, &columns, &listed, of, template, copies).await?;
            }
        }
        Ok(())
    }

    async fn insert(
        &self,
        table: &str,
        columns: &[String],
        listed: &str,
        of: &str,
        template: RunId,
        copies: &[Copy],
    ) -> Result<(), Box<dyn Error>> {
        let selected = |copied: fn(&str) -> &str| {
            let each = columns.iter().map(|column| match column.as_str() {
                "hash" => copied("hash").to_owned(),
                "input" => copied("input").to_owned(),
                column if column == of => copied("run").to_owned(),
                column => format!("t.{column}"),
            });
            each.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Postgres(pool) => {
                let selected = selected(|column| match column {
                    "input" => "c.input::json",
                    "hash" => "c.hash",
                    _ => "c.run",
                });
                let insert = format!(
                    "INSERT INTO indelible.{table} ({listed})
                     SELECT {selected}
                     FROM indelible.{table} t,
                          unnest($2::uuid[], $3::text[], $4::uuid[]) AS c (run, input, hash)
                     WHERE t.{of} = $1"
                );
                sqlx::query(AssertSqlSafe(insert))
                    .bind(template.as_uuid())
                    .bind(copies.iter().map(|copy| copy.run.as_uuid()).collect::<Vec<_>>())
                    .bind(copies.iter().map(|copy| copy.input.clone()).collect::<Vec<_>>())
                    .bind(copies.iter().map(|copy| copy.hash).collect::<Vec<_>>())
                    .execute(pool)
                    .await?;
            }
            Self::Sqlite(pool) => {
                let selected = selected(|column| match column {
                    "input" => "c.value ->> 'input'",
                    "hash" => "c.value ->> 'hash'",
                    _ => "c.value ->> 'run'",
                });
                let insert = format!(
                    "INSERT INTO indelible_{table} ({listed})
                     SELECT {selected} FROM json_each(?2) c CROSS JOIN indelible_{table} t
                     WHERE t.{of} = ?1"
                );
                sqlx::query(AssertSqlSafe(insert))
                    .bind(template.to_string())
                    .bind(serde_json::to_string(copies)?)
                    .execute(pool)
                    .await?;
            }
        }
        Ok(())
    }

    async fn columns(&self, table: &str) -> Result<Vec<String>, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let columns = "SELECT column_name::text FROM information_schema.columns
                               WHERE table_schema = 'indelible' AND table_name = $1";
                sqlx::query_scalar(columns).bind(table).fetch_all(pool).await
            }
            Self::Sqlite(pool) => {
                let columns = format!("PRAGMA table_info(indelible_{table})");
                let rows = sqlx::query(AssertSqlSafe(columns)).fetch_all(pool).await?;
                rows.iter().map(|row| row.try_get("name")).collect()
            }
        }
    }

    /// Makes it look as if a run were in this iteration of its carried loop, of which nothing but the
    /// first line is there.
    pub(crate) async fn iterate(
        &self,
        run: RunId,
        iteration: u32,
        variables: &str,
    ) -> Result<(), sqlx::Error> {
        let set = "attempt = $2, outcome = $3";
        match self {
            Self::Postgres(pool) => {
                let update = format!(
                    "UPDATE indelible.journal SET {} WHERE run_id = $1 AND transition = 'carried'",
                    set.replace("$3", "$3::json")
                );
                let update = sqlx::query(AssertSqlSafe(update)).bind(run.as_uuid());
                update.bind(i64::from(iteration)).bind(variables).execute(pool).await?;
            }
            Self::Sqlite(pool) => {
                let update = format!(
                    "UPDATE indelible_journal SET {set} WHERE run_id = $1 AND transition = 'carried'"
                );
                let update = sqlx::query(AssertSqlSafe(update)).bind(run.to_string());
                update.bind(iteration).bind(variables).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// How large the tables are in which rows come and go, with their indexes, in bytes. Of a SQLite file only the
    /// whole is known.
    pub(crate) async fn sizes(&self) -> Result<Vec<(String, i64)>, sqlx::Error> {
        const SIZES: &str = "
            SELECT relname, pg_total_relation_size(oid) FROM pg_class
            WHERE relnamespace = 'indelible'::regnamespace AND relname IN (
                'ready', 'slots', 'openings', 'counters', 'timers', 'inbox', 'waits', 'deliveries'
            )
            ORDER BY relname";
        match self {
            Self::Postgres(pool) => sqlx::query_as(SIZES).fetch_all(pool).await,
            Self::Sqlite(pool) => {
                const SIZE: &str =
                    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
                let size = sqlx::query_scalar(SIZE).fetch_one(pool).await?;
                Ok(vec![("all tables".to_owned(), size)])
            }
        }
    }
}
