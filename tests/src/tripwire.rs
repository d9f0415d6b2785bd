//! Stops a worker process at a chosen line of the [`Ledger`]'s story, so that it can be killed there.
//!
//! The story is written by triggers on the runtime's own tables, in the transactions that write those:
//! each line of a journal, each end and each new beginning of a run.

use std::fs;

use sqlx::{Connection as _, PgConnection};

use crate::databases::Fresh;
use crate::eventually;
use crate::operations::Ledger;
use crate::process::Process;

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// While a step's future is in progress.
    Begun,
    /// In the middle of a commit, of which nothing is left.
    Torn,
    /// When a commit can no longer be taken back, and on a server before the process knows of it.
    Landed,
}

/// A line of the story, and the moment of it at which a process is killed.
#[derive(Debug, Clone)]
pub struct Point {
    /// The line.
    pub line: String,
    /// How often it stands in the story before.
    pub before: i64,
    /// The moment.
    pub moment: Moment,
}

const POSTGRES: &str = "
    CREATE TABLE story (place bigint GENERATED ALWAYS AS IDENTITY, line text NOT NULL);
    CREATE TABLE payments (paid bigint NOT NULL);
    CREATE TABLE tripwire (line text NOT NULL, before bigint NOT NULL, moment text NOT NULL);

    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_TABLE_NAME = 'journal' THEN
            INSERT INTO public.story (line)
            SELECT run.workflow || ' ' || run.generation || ': ' || NEW.key || ' ' || NEW.transition
            FROM indelible.runs run WHERE run.id = NEW.run_id;
        ELSE
            INSERT INTO public.story (line)
            VALUES (NEW.workflow || ' ' || NEW.generation || ': ' || NEW.status);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER lines AFTER INSERT ON indelible.journal FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE TRIGGER ends AFTER UPDATE ON indelible.runs FOR EACH ROW
        WHEN (NEW.ended_at IS DISTINCT FROM OLD.ended_at OR NEW.generation > OLD.generation)
        EXECUTE FUNCTION tell();

    CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM public.tripwire wire
            WHERE wire.moment = TG_ARGV[0] AND wire.line = NEW.line
              AND wire.before = (SELECT count(*) FROM public.story WHERE line = NEW.line) - 1
        ) THEN
            PERFORM pg_advisory_xact_lock(77);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER torn AFTER INSERT ON story FOR EACH ROW EXECUTE FUNCTION stop('torn');
    -- It comes last in the commit, when nobody can take it back any more.
    CREATE CONSTRAINT TRIGGER landed AFTER INSERT ON story DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION stop('landed');
";

const SQLITE: &str = "
    CREATE TABLE story (place INTEGER PRIMARY KEY, line TEXT NOT NULL);
    CREATE TABLE payments (paid INTEGER NOT NULL);
    CREATE TABLE tripwire (line TEXT NOT NULL, before INTEGER NOT NULL, moment TEXT NOT NULL);

    CREATE TRIGGER lines AFTER INSERT ON indelible_journal BEGIN
        INSERT INTO story (line)
        SELECT workflow || ' ' || generation || ': ' || NEW.key || ' ' || NEW.transition
        FROM indelible_runs WHERE id = NEW.run_id;
    END;
    CREATE TRIGGER ends AFTER UPDATE ON indelible_runs
    WHEN NEW.ended_at IS NOT OLD.ended_at OR NEW.generation > OLD.generation BEGIN
        INSERT INTO story (line)
        VALUES (NEW.workflow || ' ' || NEW.generation || ': ' || NEW.status);
    END;

    -- More than the page cache holds, so that part of the commit is in the log; and then more than
    -- anybody waits for.
    CREATE TABLE rubble (page BLOB);
    CREATE VIEW some AS
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 8000)
        SELECT n FROM numbers;
    CREATE VIEW many AS
        WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 2000000000
        )
        SELECT n FROM numbers;
    CREATE TRIGGER torn AFTER INSERT ON story WHEN EXISTS (
        SELECT 1 FROM tripwire
        WHERE moment = 'torn' AND line = NEW.line
          AND before = (SELECT count(*) FROM story WHERE line = NEW.line) - 1
    ) BEGIN
        INSERT INTO rubble SELECT randomblob(1000) FROM some;
        DELETE FROM rubble WHERE (SELECT count(*) FROM many) < 0;
    END;
";

/// A bit more than what the write-ahead log of an idle file ever holds.
const TORN_LOG: u64 = 6 * 1024 * 1024;

/// Counts the connections that the wire has stopped.
const STOPPED: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'";

/// The wire, with the database that it is stretched in.
pub struct Tripwire {
    database: Fresh,
    ledger: Ledger,
    /// On a server: holds what a process waits for when it has come to the wire.
    holder: Option<PgConnection>,
}

impl Tripwire {
    /// Makes the story's tables beside those of the runtime, which have to be there.
    ///
    /// # Panics
    ///
    /// When the database does not do as it is told. So it is with the methods below: a test that cannot
    /// go on fails.
    pub async fn beside_the_runs_of(database: Fresh) -> Self {
        let ledger = Ledger::at(&database.direct_url());
        let (tables, holder) = match &database {
            Fresh::Postgres(server) => {
                let holder = PgConnection::connect(server.direct_url()).await;
                (POSTGRES, Some(holder.expect("the server answers")))
            }
            Fresh::Sqlite(_) => (SQLITE, None),
        };
        ledger.execute(tables).await.expect("the tables and their triggers");
        let mut wire = Self { database, ledger, holder };
        wire.hold("SELECT pg_advisory_lock(77)").await;
        wire
    }

    /// Where it is.
    pub fn database(&self) -> &Fresh {
        &self.database
    }

    /// The tables.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stretches the wire, while no process runs.
    pub async fn stretch(&self, point: &Point) {
        let Point { line, before, moment } = point;
        let moment = format!("{moment:?}").to_lowercase();
        let stretch = format!("INSERT INTO tripwire VALUES ('{line}', {before}, '{moment}')");
        self.ledger.execute(stretch).await.expect("the wire");
        if let Fresh::Sqlite(_) = self.database {
            let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
            eventually("the log is empty", async || {
                self.ledger.execute(truncate).await.is_ok() && self.log() == 0
            })
            .await;
        }
    }

    /// Whether a process has come to it.
    pub async fn is_reached(&self, point: &Point) -> bool {
        match (point.moment, &self.database) {
            (Moment::Begun, _) | (Moment::Landed, Fresh::Sqlite(_)) => {
                self.times(&point.line).await > point.before
            }
            (Moment::Torn, Fresh::Sqlite(_)) => self.log() > TORN_LOG,
            (Moment::Torn | Moment::Landed, Fresh::Postgres(_)) => self.stopped().await > 0,
        }
    }

    /// Kills the process that has come to it and takes the wire away; what the process had under way is
    /// over then.
    pub async fn kill(&mut self, process: &mut Process, point: &Point) {
        process.kill();
        let is_stopped = self.holder.is_some() && point.moment != Moment::Begun;
        if is_stopped && point.moment == Moment::Torn {
            // As the server does by itself, once it has noticed.
            let end = STOPPED.replace("count(*)", "pg_terminate_backend(pid)");
            self.ledger.execute(end).await.expect("its connection is closed");
        }
        if is_stopped && point.moment == Moment::Landed {
            self.hold("SELECT pg_advisory_unlock(77)").await;
        }
        if is_stopped {
            eventually("the commit is over", async || self.stopped().await == 0).await;
        }
        if is_stopped && point.moment == Moment::Landed {
            eventually("it has landed", async || self.times(&point.line).await > point.before)
                .await;
            self.hold("SELECT pg_advisory_lock(77)").await;
        }
        self.ledger.execute("DELETE FROM tripwire").await.expect("the wire is gone");
        if self.holder.is_some() {
            // A server does not know who is alive: its lease would have to run out.
            let expire = "UPDATE indelible.workers SET expires_at = now()";
            self.ledger.execute(expire).await.expect("its lease is over");
        }
    }

    async fn hold(&mut self, statement: &'static str) {
        if let Some(holder) = &mut self.holder {
            sqlx::query(statement).execute(holder).await.expect("it is the only one");
        }
    }

    async fn stopped(&self) -> i64 {
        self.ledger.count(STOPPED).await.expect("the server answers")
    }

    /// How often a line stands in the story.
    pub async fn times(&self, line: &str) -> i64 {
        self.ledger.times(line).await.expect("the story can be read")
    }

    /// The bytes of the file's write-ahead log.
    fn log(&self) -> u64 {
        let url = self.database.url();
        let log = format!("{}-wal", url.trim_start_matches("sqlite://"));
        fs::metadata(log).map_or(0, |log| log.len())
    }
}
