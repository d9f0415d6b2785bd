use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Postgres, Transaction};
use tokio::time::{sleep, timeout};

use super::migrate::{self, MigrateError};
use crate::store::open::{PATIENCE, Problem};

/// 13 brought what is used here, and is the oldest that its makers supported when this was written.
const OLDEST_SERVER: i32 = 130_000;

const SERVER: &str = "
    SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
           current_setting('synchronous_commit')";

/// At the isolation level that the database is set to, as all statements here hold at any.
pub(super) const BEGIN: &str = "BEGIN";

/// A connection that has been idle for longer is asked whether it still works.
const TRUSTED: Duration = Duration::from_secs(5);

/// What every connection is set to.
///
/// The tables grow from nothing while statements that were planned early stay in use, so the plans
/// are held to the indexes: a plan that scans or hashes an empty table is the best there is, and a
/// disaster an hour later. Every statement is written to be served by indexes.
pub(super) const SETTINGS: [(&str, &str); 8] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A look-up for each row of a batch is always better than going over a table once.
    ("random_page_cost", "0.1"),
    // Where there is no way around a scan, it counts as so expensive that the server would compile the
    // statement: for a second, to go over a table of ten rows.
    ("jit", "off"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
];

/// What a user's transaction is set to: one that is forgotten has an end.
const LENT_SETTINGS: [(&str, &str); 1] = [("idle_in_transaction_session_timeout", "60s")];

/// The connections of a store.
pub(super) struct Pools {
    pub(super) pool: PgPool,
    /// For the user's transactions: set up as the user's database is.
    pub(super) lent: PgPool,
}

/// Connects, checks the server and brings the schema up to date.
pub(super) async fn connect(url: &str) -> Result<Pools, Problem> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| {
            Problem::new(
                format!("the URL cannot be read ({error})"),
                "write it as `postgres://user:password@host/database`, with special characters \
                 percent-encoded",
            )
        })?
        .application_name("indelible")
        .disable_statement_logging();
    let lent = pool(options.clone().options(LENT_SETTINGS));
    let options = options.options(SETTINGS);
    within(PATIENCE, prepare(&options)).await?;
    Ok(Pools { pool: pool(options), lent })
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(PATIENCE)
        .idle_timeout(Duration::from_secs(10 * 60))
        // A busy connection has just shown that it works; asking each time would cost each statement
        // a second round trip.
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move { Ok(known.idle_for < TRUSTED || connection.ping().await.is_ok()) })
        })
        .connect_lazy_with(options)
}

/// Begins a transaction, by a statement.
///
/// One whose caller goes away meanwhile is still begun, and rolled back then. Left half way, it would
/// go back to the pool open, and take with it what the next one to use its connection writes.
pub(super) async fn begin(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    match tokio::spawn(async move { pool.begin_with(statement).await }).await {
        Ok(begun) => begun,
        // Nobody aborts it: the runtime is shutting down.
        Err(_) => Err(sqlx::Error::WorkerCrashed),
    }
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    timeout(patience, work).await.unwrap_or_else(|_| {
        Err(Problem::new(
            format!("it did not answer within {} seconds", patience.as_secs_f32()),
            "check the host and port, and that no firewall drops the connection",
        ))
    })
}

async fn prepare(options: &PgConnectOptions) -> Result<(), Problem> {
    let mut connection = first_connection(options).await?;
    check(&mut connection).await?;
    migrate::migrate(&mut connection).await.map_err(|error| match error {
        MigrateError::TooOld(too_old) => too_old.into(),
        MigrateError::Database(error) => problem(error, options),
    })?;
    // All is done; whether the server hears the farewell does not matter.
    let _ = connection.close().await;
    Ok(())
}

/// Waits for a server that is starting; any other refusal is final.
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection, Problem> {
    loop {
        match PgConnection::connect_with(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) if code(&error) == Some("57P03") => sleep(Duration::from_millis(100)).await,
            Err(error) => return Err(problem(error, options)),
        }
    }
}

async fn check(connection: &mut PgConnection) -> Result<(), Problem> {
    let (number, version, synchronous_commit): (i32, String, String) =
        sqlx::query_as(SERVER).fetch_one(connection).await.map_err(Problem::other)?;
    accept(number, &version, &synchronous_commit)
}

fn accept(number: i32, version: &str, synchronous_commit: &str) -> Result<(), Problem> {
    if number < OLDEST_SERVER {
        return Err(Problem::new(
            format!("the server is Postgres {version}, and 13 is the oldest that will do"),
            "upgrade it",
        ));
    }
    if synchronous_commit == "off" {
        return Err(Problem::new(
            "`synchronous_commit` is off, so that what is committed could still be lost",
            "set it to `on` for this database: `ALTER DATABASE … SET synchronous_commit = on`",
        ));
    }
    Ok(())
}

fn code(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<PgDatabaseError>()?.code())
}

fn problem(error: sqlx::Error, options: &PgConnectOptions) -> Problem {
    let place = match options.get_socket() {
        Some(folder) => format!("in {}", folder.display()),
        None => format!("at {}:{}", options.get_host(), options.get_port()),
    };
    let user = options.get_username();
    if let Some(code) = code(&error) {
        let message = error.as_database_error().map_or("", |error| error.message());
        return match code {
            "28P01" | "28000" => Problem::new(
                format!("the server does not let the user `{user}` in ({message})"),
                "check the user and the password",
            ),
            "3D000" => Problem::new(
                "there is no such database on the server",
                "create it with `createdb`, or name another one",
            ),
            "42501" => Problem::new(
                format!("the user `{user}` lacks a right ({message})"),
                "grant it: the user needs to create a schema in the database",
            ),
            "53300" => Problem::new(
                "the server has no connection left",
                "raise its `max_connections`, or close other programs' connections",
            ),
            _ => Problem::other(message),
        };
    }
    match &error {
        sqlx::Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionRefused => Problem::new(
                format!("nothing answers {place}"),
                "check that Postgres runs there and listens on that port",
            ),
            ErrorKind::NotFound => Problem::new(
                format!("there is no server {place}"),
                "check that Postgres runs and that its socket is in that folder",
            ),
            // Looking a name up has no kind of its own.
            _ if io.to_string().contains("lookup address") => Problem::new(
                format!("the host `{}` is not known", options.get_host()),
                "check its name",
            ),
            _ => Problem::new(
                format!("the connection failed ({io})"),
                "check the host and port, and the network between",
            ),
        },
        sqlx::Error::Tls(error) => Problem::new(
            format!("the connection cannot be encrypted ({error})"),
            "check the server's certificate, or choose another `sslmode` in the URL",
        ),
        _ => Problem::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{World, on_postgres};

    #[test]
    fn a_server_that_is_too_old_or_not_durable_is_refused() {
        assert!(accept(130_000, "13.0", "on").is_ok());
        assert!(accept(170_002, "17.2", "remote_write").is_ok());
        let old = accept(120_022, "12.22", "on").expect_err("12 is too old");
        assert!(old.cause.contains("12.22") && old.cause.contains("13"), "{}", old.cause);
        let lossy = accept(170_002, "17.2", "off").expect_err("it may lose commits");
        assert!(lossy.cause.contains("synchronous_commit"), "{}", lossy.cause);
    }

    async fn refusal(url: &str) -> String {
        crate::store::open(url).await.err().expect("it cannot be opened").to_string()
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_with_its_port() {
        // Bound and dropped: nothing listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = port.local_addr().expect("it is bound");
        drop(port);
        assert_eq!(
            refusal(&format!("postgres://ann:s3cret@{address}/desk")).await,
            format!(
                "cannot open the database postgres://ann:***@{address}/desk: nothing answers at \
                 {address}; check that Postgres runs there and listens on that port"
            )
        );
    }

    #[tokio::test]
    async fn an_unknown_host_is_named() {
        let refusal = refusal("postgres://ann:s3cret@nowhere.invalid/desk").await;
        assert!(refusal.contains("the host `nowhere.invalid` is not known"), "{refusal}");
        assert!(!refusal.contains("s3cret"), "{refusal}");
    }

    #[tokio::test]
    async fn a_missing_database_is_said_to_be_missing() {
        on_postgres(|world: World| async move {
            let url = world.database.url();
            let (server, _) = url.rsplit_once('/').expect("it names a database");
            let refusal = refusal(&format!("{server}/nothing_here")).await;
            assert!(refusal.contains("no such database"), "{refusal}");
            assert!(refusal.contains("create it"), "{refusal}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_database_that_may_lose_commits_is_refused() {
        on_postgres(|world: World| async move {
            let name = "DO $$ BEGIN EXECUTE format(
                'ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
            world.database.execute(name).await;
            let refusal = refusal(&world.database.url()).await;
            assert!(refusal.contains("`synchronous_commit` is off"), "{refusal}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = silent.local_addr().expect("it is bound");
        let options = format!("postgres://ann@{address}/desk").parse().expect("it is a URL");
        let problem = within(Duration::from_millis(100), prepare(&options)).await;
        let cause = problem.expect_err("it says nothing").cause;
        assert_eq!(cause, "it did not answer within 0.1 seconds");
    }
}
