use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor as _, Row as _};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::database::{Database, Reach};
use super::migrate::{self, MigrateError};
use super::pool::{SETTINGS, pool, pool_of_one};
use crate::store::StoreError;
use crate::store::hints::Hints;
use crate::store::problem::{PATIENCE, Problem};
use crate::store::tables::Tables;

/// 13 brought what is used here, and is the oldest that its makers supported when this was written.
const OLDEST_SERVER: i32 = 130_000;

/// Tells databases apart: a server is known by when it was started.
macro_rules! which {
    () => {
        "extract(epoch FROM pg_postmaster_start_time())::text || ' ' || oid
    FROM pg_database WHERE datname = current_database()"
    };
}
pub(super) use which;

const SERVER: &str = concat!(
    "
    SELECT current_setting('server_version_num'), current_setting('server_version'),
           current_setting('synchronous_commit'), ",
    which!()
);

/// The connections of a store.
pub(super) struct Connected {
    pub(super) database: Database,
    /// For the user's transactions: set up as the user's database is.
    pub(super) lent: PgPool,
    /// Where hints of other processes can be heard, if anywhere.
    pub(super) listening: Option<PgPool>,
}

/// Connects, checks the server, and makes or checks the tables. A second URL is for hearing hints.
pub(super) async fn connect(
    url: &str,
    hints_url: Option<&str>,
    tables: Tables,
    hints: Arc<Hints>,
) -> Result<Connected, Problem> {
    let plain = parse(url)?;
    let direct = hints_url.map(parse).transpose()?;
    let Way { reach, options, which } = within(PATIENCE, way(&plain)).await?;
    let sessions = match reach {
        Reach::Session => pool(8).after_connect(check_settings).connect_lazy_with(options.clone()),
        Reach::Transaction => pool(8).connect_lazy_with(options.clone()),
    };
    let database = Database::new(sessions.clone(), reach, hints);
    within(PATIENCE, migrate(&database, tables, &options)).await?;
    let listening = match direct {
        Some(direct) => {
            within(PATIENCE, check_direct(&direct, &which)).await?;
            Some(pool_of_one(direct))
        }
        None => (reach == Reach::Session).then_some(sessions),
    };
    if listening.is_none() {
        info!(
            "the database is behind a pooler, so this process learns only by polling what other \
             processes have done; to be quicker, give `.hints_database(..)` a URL past the pooler"
        );
    }
    let lent = if reach == Reach::Session { plain } else { options };
    Ok(Connected { database, lent: pool(8).connect_lazy_with(lent), listening })
}

fn parse(url: &str) -> Result<PgConnectOptions, Problem> {
    let options = PgConnectOptions::from_str(url).map_err(|error| {
        Problem::new(
            format!("the URL cannot be read ({error})"),
            "write it as `postgres://user:password@host/database`, with special characters \
             percent-encoded",
        )
    })?;
    Ok(options.application_name("indelible").disable_statement_logging())
}

/// How a database is reached.
struct Way {
    reach: Reach,
    options: PgConnectOptions,
    /// Which database it is.
    which: String,
}

/// Finds out whether there is a pooler between: one that may mix sessions does not take their settings,
/// or does not pass them on.
async fn way(plain: &PgConnectOptions) -> Result<Way, Problem> {
    let session = plain.clone().options(SETTINGS);
    match first_connection(&session).await {
        Ok(mut connection) => {
            let is_set =
                settings(&mut connection).await.map_err(|error| problem(error, &session))?;
            if is_set == SETTINGS.map(|(_, value)| value) {
                let which = check(connection).await?;
                return Ok(Way { reach: Reach::Session, options: session, which });
            }
        }
        Err(error) if code(&error) == Some(UNSUPPORTED) => {}
        Err(error) => return Err(problem(error, &session)),
    }
    let options = plain.clone().extra_float_digits(None).statement_cache_capacity(0);
    let connection = first_connection(&options).await.map_err(|error| problem(error, &options))?;
    let which = check(connection).await?;
    Ok(Way { reach: Reach::Transaction, options, which })
}

/// How PgBouncer refuses a setting that comes with a connection.
const UNSUPPORTED: &str = "08P01";

/// What a session is set to, of all that it ought to be.
async fn settings(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    static ASK: LazyLock<String> = LazyLock::new(|| {
        let names = SETTINGS.map(|(name, _)| format!("current_setting('{name}')"));
        format!("SELECT {}", names.join(", "))
    });
    let row = connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(ASK.as_str()))).await?;
    (0..SETTINGS.len()).map(|at| row.try_get(at)).collect()
}

/// Holds every later session to what the first one has shown.
fn check_settings(
    connection: &mut PgConnection,
    _: PoolConnectionMetadata,
) -> BoxFuture<'_, Result<(), sqlx::Error>> {
    Box::pin(async {
        let Some(lost) = lost_setting(connection).await? else { return Ok(()) };
        // The pool goes on trying, and does not tell what it hears.
        warn!("{lost}");
        Err(sqlx::Error::Configuration(lost.into()))
    })
}

async fn lost_setting(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let is_set = settings(connection).await?;
    let lost = SETTINGS.iter().zip(is_set).find(|((_, value), is_set)| value != is_set);
    Ok(lost.map(|((name, value), is_set)| {
        format!(
            "a session on the server has `{name}` set to `{is_set}` and not to `{value}`, as it was \
             asked to: something between drops settings now, so the session is not used"
        )
    }))
}

/// Whether a URL leads past any pooler to this database.
async fn check_direct(options: &PgConnectOptions, which: &str) -> Result<(), Problem> {
    let direct = way(options).await.map_err(|Problem { cause, remedy }| {
        Problem::new(format!("its URL for hints does not work: {cause}"), remedy)
    })?;
    if direct.reach != Reach::Session {
        return Err(Problem::new(
            "its URL for hints leads to a pooler, too, and hints do not pass a pooler",
            "give a URL that leads straight to the server, or none",
        ));
    }
    if direct.which != which {
        return Err(Problem::new(
            "its URL for hints leads to another database",
            "give a URL that leads to the same database on the same server, past the pooler",
        ));
    }
    Ok(())
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

async fn migrate(
    database: &Database,
    tables: Tables,
    options: &PgConnectOptions,
) -> Result<(), Problem> {
    let migrated = match tables {
        Tables::Migrate => migrate::migrate(database).await,
        Tables::Expect => migrate::expect(database).await,
    };
    migrated.map_err(|error| match error {
        MigrateError::TooOld(too_old) => too_old.into(),
        MigrateError::Unready(unready) => unready.into(),
        MigrateError::Database(
            StoreError::Unavailable(error)
            | StoreError::Refused(error)
            | StoreError::Conflict(error),
        ) => problem(error, options),
        MigrateError::Database(error) => Problem::other(error),
    })
}

/// Waits for a server that is starting; any other refusal is final.
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    loop {
        match PgConnection::connect_with(options).await {
            Err(error) if code(&error) == Some("57P03") => sleep(Duration::from_millis(100)).await,
            connected => return connected,
        }
    }
}

/// Checks the server; gives which database it is.
async fn check(mut connection: PgConnection) -> Result<String, Problem> {
    let server = connection.fetch_one(sqlx::raw_sql(SERVER)).await.map_err(Problem::other)?;
    let text = |at: usize| server.try_get::<String, _>(at).map_err(Problem::other);
    accept(text(0)?.parse().map_err(Problem::other)?, &text(1)?, &text(2)?)?;
    let which = text(3)?;
    // All is done; whether the server hears the farewell does not matter.
    let _ = connection.close().await;
    Ok(which)
}

fn accept(number: i32, version: &str, synchronous_commit: &str) -> Result<(), Problem> {
    if number < OLDEST_SERVER {
        return Err(Problem::new(
            format!("the server is Postgres {version}, but 13 is the oldest supported version"),
            "upgrade the server",
        ));
    }
    if synchronous_commit == "off" {
        return Err(Problem::new(
            "`synchronous_commit` is off, so a crash could lose what was committed",
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
                "grant it: the program needs to create the schema `indelible` once, and then to read and \
                 write its tables",
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
    use crate::store::conformance::{POOLER, SESSION_POOLER, World, on_pooled, on_postgres};

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
        crate::store::open(url, None).await.err().expect("it cannot be opened").to_string()
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

    async fn connected(world: &World, hints_url: Option<&str>) -> Result<Connected, Problem> {
        connect(&world.database.url(), hints_url, Tables::Migrate, Arc::default()).await
    }

    /// As one statement after another finds it.
    async fn isolation(database: &Database) -> [String; 2] {
        const SHOW: &str = "SELECT current_setting('transaction_isolation')";
        let mut link = database.acquire().await.expect("it answers");
        let alone = sqlx::query_scalar(SHOW).fetch_one(&mut link).await.expect("it answers");
        let mut tx = database.begin().await.expect("it begins");
        let begun = sqlx::query_scalar(SHOW).fetch_one(&mut *tx).await.expect("it answers");
        [alone, begun]
    }

    async fn the_isolation_is_the_stores_own(world: World) {
        let serializable = "DO $$ BEGIN EXECUTE format(
            'ALTER DATABASE %I SET default_transaction_isolation = serializable',
            current_database()); END $$";
        world.database.execute(serializable).await;
        world.database.end_pooled_sessions().await;
        let connected = connected(&world, None).await.unwrap_or_else(|it| panic!("{}", it.cause));
        let levels = isolation(&connected.database).await;
        assert_eq!(levels, ["read committed", "read committed"]);
        connected.database.close().await;
    }

    #[tokio::test]
    async fn the_isolation_is_the_stores_own_in_a_session() {
        on_postgres(the_isolation_is_the_stores_own).await;
    }

    #[tokio::test]
    async fn the_isolation_is_the_stores_own_behind_a_pooler() {
        on_pooled(POOLER, the_isolation_is_the_stores_own).await;
    }

    #[tokio::test]
    async fn without_a_pooler_settings_are_the_sessions_and_hints_are_heard() {
        on_postgres(|world: World| async move {
            let connected =
                connected(&world, None).await.map_err(|it| it.cause).expect("it connects");
            assert_eq!(connected.database.reach(), Reach::Session);
            assert!(connected.listening.is_some());
        })
        .await;
    }

    async fn is_noticed(world: World) {
        let connected = connected(&world, None).await.map_err(|it| it.cause).expect("it connects");
        assert_eq!(connected.database.reach(), Reach::Transaction);
        assert!(connected.listening.is_none());
        let mut link = connected.database.acquire().await.expect("it answers");
        let scans = sqlx::query_scalar::<_, String>("SELECT current_setting('enable_seqscan')");
        assert_eq!(scans.fetch_one(&mut link).await.expect("it answers"), "off");
    }

    #[tokio::test]
    async fn a_pooler_that_mixes_sessions_is_noticed() {
        on_pooled(POOLER, is_noticed).await;
    }

    #[tokio::test]
    async fn a_pooler_that_drops_settings_is_noticed() {
        on_pooled(SESSION_POOLER, is_noticed).await;
    }

    #[tokio::test]
    async fn a_session_that_loses_its_settings_later_is_noticed() {
        on_postgres(|world: World| async move {
            let mut unset =
                PgConnection::connect(&world.database.url()).await.expect("it is there");
            let lost = lost_setting(&mut unset).await.expect("it answers").expect("nothing is set");
            assert!(lost.contains("`enable_seqscan` set to `on` and not to `off`"), "{lost}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_url_for_hints_has_to_lead_to_the_same_database_past_the_pooler() {
        on_pooled(POOLER, |world: World| async move {
            let direct = world.database.hints_url().expect("there is a pooler");
            let heard =
                connected(&world, Some(&direct)).await.map_err(|it| it.cause).expect("it is right");
            assert!(heard.listening.is_some());
            let pooled = world.database.url();
            let refused = connected(&world, Some(&pooled)).await.err().expect("it is the same way");
            assert!(refused.cause.contains("leads to a pooler, too"), "{}", refused.cause);
            let (server, _) = direct.rsplit_once('/').expect("it names a database");
            let other = format!("{server}/postgres");
            let refused = connected(&world, Some(&other)).await.err().expect("it is another");
            assert!(refused.cause.contains("leads to another database"), "{}", refused.cause);
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = silent.local_addr().expect("it is bound");
        let options = format!("postgres://ann@{address}/desk").parse().expect("it is a URL");
        let problem = within(Duration::from_millis(100), way(&options)).await;
        let cause = problem.err().expect("it says nothing").cause;
        assert_eq!(cause, "it did not answer within 0.1 seconds");
    }
}
