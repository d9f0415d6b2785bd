use async_trait::async_trait;
use indelible::prelude::*;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::outbox::Outbox;
use super::{Letter, Mailer};

const DEFAULT_FROM: &str = "Northlight Help Desk <help@northlight.example>";

/// Sends mails through an SMTP server.
///
/// SMTP knows no idempotency key. A letter that is in the outbox is not sent again; one that was
/// handed over in the instant before a crash is, with the same `Message-ID`, by which mail servers
/// and mail programs recognise a repetition.
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    outbox: Outbox,
}

impl Smtp {
    /// Prepares to use the server of a URL (`smtps://user:password@host`).
    pub(crate) fn new(url: &str, from: Option<String>, outbox: Outbox) -> Result<Self, Failure> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|error| Failure::msg(format!("HELP_DESK_SMTP_URL is of no use: {error}")))?
            .build();
        let from =
            from.as_deref().unwrap_or(DEFAULT_FROM).parse().map_err(|error| {
                Failure::msg(format!("HELP_DESK_MAIL_FROM is of no use: {error}"))
            })?;
        Ok(Self { transport, from, outbox })
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, letter: &Letter) -> Result<(), Failure> {
        let to = letter.mailbox()?;
        if self.outbox.contains(letter).await? {
            return Ok(());
        }
        let message = Message::builder()
            .message_id(Some(format!("<{}@{}>", letter.key, self.from.email.domain())))
            .from(self.from.clone())
            .to(to)
            .subject(&letter.subject)
            .body(letter.body.clone())?;
        match self.transport.send(message).await {
            Err(error) if error.is_permanent() => return Err(Permanent(error.into()).into()),
            result => result?,
        };
        Ok(self.outbox.put(letter).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use super::*;
    use crate::desk::{Database, testing};
    use crate::mail::Kind;

    /// Speaks enough SMTP to take one mail a connection, and hands on its text.
    fn serve(connection: TcpStream, mails: &Sender<String>) -> std::io::Result<()> {
        let mut answers = connection.try_clone()?;
        let mut lines = BufReader::new(connection).lines();
        answers.write_all(b"220 test\r\n")?;
        while let Some(line) = lines.next().transpose()? {
            match line.split([' ', ':']).next().unwrap_or_default() {
                "DATA" => {
                    answers.write_all(b"354 go on\r\n")?;
                    let text: Vec<String> = lines
                        .by_ref()
                        .map_while(Result::ok)
                        .take_while(|line| line != ".")
                        .collect();
                    // Nobody listens any more when the test has failed.
                    let _ = mails.send(text.join("\n"));
                    answers.write_all(b"250 taken\r\n")?;
                }
                "QUIT" => return answers.write_all(b"221 bye\r\n"),
                _ => answers.write_all(b"250 ok\r\n")?,
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_letter_goes_out_once_and_is_named_by_its_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (sender, mails) = channel();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if serve(connection, &sender).is_err() {
                    return;
                }
            }
        });
        let database: Database = testing::database().await;
        let smtp = Smtp::new(&url, None, Outbox::new(database)).unwrap();
        let letter = Letter {
            key: Uuid::from_u128(7),
            kind: Kind::Welcome,
            to: "zoe@example.com".to_owned(),
            name: "Zoë".to_owned(),
            subject: "Hello".to_owned(),
            body: "Good to have you here.".to_owned(),
        };

        smtp.send(&letter).await.unwrap();
        smtp.send(&letter).await.unwrap();

        let mail = mails.recv().unwrap();
        assert!(mail.contains(&format!("Message-ID: <{}@northlight.example>", letter.key)));
        assert!(mail.contains("Good to have you here."), "{mail}");
        assert!(mails.try_recv().is_err(), "the second time it was in the outbox");
        assert!(smtp.outbox.contains(&letter).await.unwrap());
    }
}
