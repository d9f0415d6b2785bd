//! The chat of those who run the desk. Every message stands in a table under its key. If the address of a
//! webhook is configured, it is posted there as well.

use std::env;
use std::time::Duration;

use indelible::prelude::*;
use serde_json::json;
use ureq::Agent;

use crate::desk::{Database, on};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Served by the primary key.
const CONTAINS: &str = "select count(*) from chat where key = $1";

const KEEP: &str = "insert into chat (key, text) values ($1, $2) on conflict (key) do nothing";

/// Takes messages to the chat.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    database: Database,
    /// Where messages are posted, as `{"text": ..}`.
    webhook: Option<String>,
}

impl Chat {
    /// The chat that the environment asks for.
    pub(crate) fn from_env(database: Database) -> Self {
        Self::new(database, env::var("HELP_DESK_CHAT_URL").ok())
    }

    pub(crate) fn new(database: Database, webhook: Option<String>) -> Self {
        Self { database, webhook }
    }

    /// Posts a message. Posted again under the same key it is the same message.
    ///
    /// A webhook knows no such key. A message that is in the table is not posted again. One that was posted
    /// in the instant before a crash is.
    pub(crate) async fn post(&self, key: Uuid, text: String) -> Result<(), Failure> {
        if let Some(webhook) = self.webhook.clone() {
            let (count,): (i64,) = on!(self.database, pool => {
                sqlx::query_as(CONTAINS).bind(key).fetch_one(pool).await
            })?;
            if count > 0 {
                return Ok(());
            }
            let message = json!({ "text": text });
            tokio::task::spawn_blocking(move || {
                let agent: Agent =
                    Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
                agent.post(webhook).send_json(message)
            })
            .await??;
        }
        on!(self.database, pool => {
            sqlx::query(KEEP).bind(key).bind(&text).execute(pool).await.map(drop)
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::desk::testing;

    #[tokio::test]
    async fn a_message_is_posted_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let webhook = format!("http://{}/hook", listener.local_addr().unwrap());
        // It answers one request: a second one would fail.
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            drop(listener);
            let mut request = String::new();
            let mut bytes = [0; 1024];
            while !request.ends_with('}') {
                let length = connection.read(&mut bytes).unwrap();
                request += str::from_utf8(&bytes[..length]).unwrap();
            }
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            request
        });
        let chat = Chat::new(testing::database().await, Some(webhook));
        for _ in 0..2 {
            chat.post(Uuid::from_u128(1), "All is well.".to_owned()).await.unwrap();
        }
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
        let body = request.split("\r\n\r\n").nth(1).unwrap();
        let message: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(message, json!({ "text": "All is well." }));
    }

    #[tokio::test]
    async fn a_webhook_that_does_not_answer_is_an_error() {
        let webhook = Some("http://127.0.0.1:1/hook".to_owned());
        let chat = Chat::new(testing::database().await, webhook);
        chat.post(Uuid::from_u128(1), "Hello?".to_owned()).await.unwrap_err();
    }
}
