//! From a URL to a store.

use std::sync::Arc;

#[cfg(feature = "postgres")]
use super::postgres::PostgresStore;
use super::problem::Problem;
#[cfg(feature = "sqlite")]
use super::sqlite::SqliteStore;
use super::tables::Tables;
use super::{OpenError, Store};

/// Opens the database that a URL names, and brings its schema up to date.
///
/// # Errors
///
/// When there is no such database, it cannot be used, or it is for newer programs. The message is
/// one sentence that says what to try, and never shows the password.
pub(crate) async fn open(url: &str, hints_url: Option<&str>) -> Result<Arc<dyn Store>, OpenError> {
    open_with(url, hints_url, Tables::Migrate).await
}

/// Opens a database that programs with workers use, and changes nothing of its schema.
///
/// # Errors
///
/// As [`open`], and when there are no tables of Indelible or older ones.
pub(crate) async fn open_existing(
    url: &str,
    hints_url: Option<&str>,
) -> Result<Arc<dyn Store>, OpenError> {
    open_with(url, hints_url, Tables::Expect).await
}

async fn open_with(
    url: &str,
    hints_url: Option<&str>,
    tables: Tables,
) -> Result<Arc<dyn Store>, OpenError> {
    let opened: Result<Arc<dyn Store>, Problem> = match url.split_once(':') {
        Some(("sqlite", _)) if hints_url.is_some() => Err(Problem::new(
            "there is a URL for hints, but a file needs none",
            "leave `.hints_database(..)` out",
        )),
        #[cfg(feature = "sqlite")]
        Some(("sqlite", _)) => {
            SqliteStore::open(url, tables).await.map(|store| Arc::new(store) as Arc<dyn Store>)
        }
        #[cfg(not(feature = "sqlite"))]
        Some(("sqlite", _)) => Err(left_out("SQLite", "sqlite")),
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => PostgresStore::open(url, hints_url, tables)
            .await
            .map(|store| Arc::new(store) as Arc<dyn Store>),
        #[cfg(not(feature = "postgres"))]
        Some(("postgres" | "postgresql", _)) => Err(left_out("Postgres", "postgres")),
        Some((scheme, _)) => Err(Problem::new(
            format!("Indelible does not know databases of the kind `{scheme}`"),
            KNOWN_SCHEMES,
        )),
        None => Err(Problem::new("it is not a URL", KNOWN_SCHEMES)),
    };
    opened.map_err(|Problem { cause, remedy }| OpenError { url: redacted(url), cause, remedy })
}

const KNOWN_SCHEMES: &str =
    "use `postgres://user@host/database` or `sqlite://file.db` (a file on this machine)";

/// The program can be compiled without a kind of database.
#[cfg(not(all(feature = "postgres", feature = "sqlite")))]
fn left_out(database: &str, feature: &str) -> Problem {
    Problem::new(
        format!("the program was compiled without {database}"),
        format!("enable the feature `{feature}` of the crate `indelible`, or use another database"),
    )
}

/// The URL without its password, wherever it stands.
pub(super) fn redacted(url: &str) -> String {
    let mut shown = url.to_owned();
    let authority = shown.find("://").map_or(0, |at| at + 3);
    // A password that was not percent-encoded may hold any of `@/?`; better hide too much.
    if let Some(end) = shown.rfind('@')
        && let Some(colon) = shown.get(authority..end).and_then(|user| user.find(':'))
    {
        shown.replace_range(authority + colon + 1..end, "***");
    }
    for parameter in ["?password=", "&password=", "?sslpassword=", "&sslpassword="] {
        if let Some(at) = shown.find(parameter) {
            let start = at + parameter.len();
            let end = shown[start..].find('&').map_or(shown.len(), |length| start + length);
            shown.replace_range(start..end, "***");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://ann:s3cret@db/desk", "postgres://ann:***@db/desk"),
            ("postgres://ann:s@c/r?et@db/desk", "postgres://ann:***@db/desk"),
            ("postgres://ann@db:5432/desk", "postgres://ann@db:5432/desk"),
            ("postgres:///desk?host=/tmp&password=x", "postgres:///desk?host=/tmp&password=***"),
            ("postgres:///desk?password=x&user=y", "postgres:///desk?password=***&user=y"),
            ("sqlite://desk.db", "sqlite://desk.db"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[tokio::test]
    async fn an_unknown_scheme_is_one_clear_sentence() {
        let error =
            open("mysql://ann:pw@db/desk", None).await.err().expect("MySQL is not supported");
        assert_eq!(
            error.to_string(),
            "cannot open the database mysql://ann:***@db/desk: Indelible does not know databases of \
             the kind `mysql`; use `postgres://user@host/database` or `sqlite://file.db` (a file on this \
             machine)"
        );
    }
}
