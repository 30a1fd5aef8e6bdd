//! The conversation with a mail server (RFC 5321), step by step, so that a failure names its stage.
//!
//! Guarantees: nothing but the greeting is said in the clear to a server that is not on this
//! machine; credentials are sent after encryption was agreed on, or to this machine.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use domain::mail::{Outcome, Stage};
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::failure::outcome;
use super::server::MailServer;

/// The ways to log in that we know: both tell the password, so both need encryption.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Why a conversation cannot go on.
#[derive(Debug)]
pub struct Trouble {
    /// What it means for the mail.
    pub outcome: Outcome,
    /// Whether the conversation is in order and can be used for another mail.
    goes_on: bool,
}

impl Trouble {
    fn at(stage: Stage, error: &Error) -> Self {
        Self {
            outcome: outcome(stage, error),
            goes_on: error.status().is_some_and(|code| u16::from(code) != 421),
        }
    }

    const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            goes_on: false,
        }
    }
}

/// A mail server that listens to us.
pub struct Conversation {
    connection: AsyncSmtpConnection,
    /// Whether the last mail came to its end, one way or the other.
    in_order: bool,
}

impl Conversation {
    /// Connects, agrees on encryption and logs in.
    ///
    /// # Errors
    /// What that means for whoever has a mail to send.
    pub async fn open(
        server: &MailServer,
        hello: &ClientId,
        patience: Duration,
    ) -> Result<Self, Trouble> {
        let greeting = |error: Error| Trouble::at(Stage::Greeting, &error);
        let implicit = server.is_encrypted.then(|| server.tls.clone());
        let addresses = addresses_of(server).await;
        let addresses = addresses.map_err(|_| Trouble::of(Outcome::Unreachable))?;
        let connected = AsyncSmtpConnection::connect_tokio1(
            addresses.as_slice(),
            Some(patience),
            hello,
            implicit,
            None,
        );
        let mut connection = connected.await.map_err(greeting)?;
        if connection.can_starttls() {
            let agreed = connection.starttls(server.tls.clone(), hello).await;
            agreed.map_err(greeting)?;
        }
        if !connection.is_encrypted() && !are_of_this_machine(&addresses) {
            connection.abort().await;
            return Err(Trouble::of(Outcome::PlainText));
        }
        if let Some(credentials) = &server.credentials {
            log_in(&mut connection, credentials).await?;
        }
        Ok(Self {
            connection,
            in_order: true,
        })
    }

    /// Hands one mail over; returns when the server has taken it.
    ///
    /// # Errors
    /// What became of the mail instead.
    pub async fn send(&mut self, from: &Address, to: &Address, mail: &[u8]) -> Result<(), Trouble> {
        self.in_order = false;
        let handed_over = self.hand_over(from, to, mail).await;
        self.in_order = match &handed_over {
            Ok(()) => true,
            // What was begun has to be taken back before the next.
            Err(trouble) => trouble.goes_on && self.connection.command("RSET\r\n").await.is_ok(),
        };
        handed_over
    }

    async fn hand_over(
        &mut self,
        from: &Address,
        to: &Address,
        mail: &[u8],
    ) -> Result<(), Trouble> {
        let stage = |stage| move |error: Error| Trouble::at(stage, &error);
        let parameters = self.parameters(to, mail)?;
        let begin = Mail::new(Some(from.clone()), parameters);
        let said = self.connection.command(begin).await;
        said.map_err(stage(Stage::Sender))?;
        let said = self
            .connection
            .command(Rcpt::new(to.clone(), Vec::new()))
            .await;
        said.map_err(stage(Stage::Recipient))?;
        let said = self.connection.command(Data).await;
        said.map_err(stage(Stage::Content))?;
        let said = self.connection.message(mail).await;
        said.map_err(stage(Stage::Content))?;
        Ok(())
    }

    /// What has to be said beforehand of a mail or an address that is not ASCII.
    fn parameters(&self, to: &Address, mail: &[u8]) -> Result<Vec<MailParameter>, Trouble> {
        let info = self.connection.server_info();
        let unsendable = Trouble {
            outcome: Outcome::Unsendable,
            goes_on: true,
        };
        let mut parameters = Vec::new();
        for (is_needed, extension, parameter) in [
            (
                !to.to_string().is_ascii(),
                Extension::SmtpUtfEight,
                MailParameter::SmtpUtfEight,
            ),
            (
                !mail.is_ascii(),
                Extension::EightBitMime,
                MailParameter::Body(MailBodyParameter::EightBitMime),
            ),
        ] {
            match (is_needed, info.supports_feature(extension)) {
                (false, _) => {}
                (true, true) => parameters.push(parameter),
                (true, false) => return Err(unsendable),
            }
        }
        Ok(parameters)
    }

    /// Whether it can be used for another mail.
    pub async fn goes_on(&mut self) -> bool {
        self.in_order && !self.connection.has_broken() && self.connection.test_connected().await
    }

    /// How it is held, in words.
    #[must_use]
    pub fn manner(&self) -> &'static str {
        if self.connection.is_encrypted() {
            "takes mails, encrypted"
        } else {
            "takes mails, in the clear on this machine"
        }
    }

    /// Takes leave.
    pub async fn close(mut self) {
        // Good manners; there is nothing left to lose.
        let _ = self.connection.quit().await;
    }
}

async fn log_in(
    connection: &mut AsyncSmtpConnection,
    credentials: &Credentials,
) -> Result<(), Trouble> {
    let info = connection.server_info();
    if info.get_auth_mechanism(&MECHANISMS).is_none() {
        connection.abort().await;
        return Err(Trouble::of(Outcome::NotServed { code: None }));
    }
    let logged_in = connection.auth(&MECHANISMS, credentials).await;
    logged_in.map_err(|error| Trouble::at(Stage::Login, &error))?;
    Ok(())
}

/// Where it is. It is looked up once for each conversation: a second answer could be another one, and
/// what is said in the clear is said to the first.
async fn addresses_of(server: &MailServer) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((server.host.as_str(), server.port)).await?;
    Ok(found.collect())
}

/// Whether what is sent stays here, whichever of the addresses is taken.
fn are_of_this_machine(addresses: &[SocketAddr]) -> bool {
    let mut all = addresses.iter();
    !addresses.is_empty() && all.all(|address| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_this_machine_that_may_be_another() {
        let addresses = |texts: &str| -> Vec<SocketAddr> {
            let texts = texts.split_whitespace();
            texts.map(|text| text.parse().unwrap()).collect()
        };
        for (texts, expected) in [
            ("127.0.0.1:25", true),
            ("127.0.0.1:25 [::1]:25", true),
            ("127.0.0.1:25 192.0.2.1:25", false),
            ("[::ffff:127.0.0.1]:25", false),
            ("0.0.0.0:25", false),
            ("", false),
        ] {
            assert_eq!(are_of_this_machine(&addresses(texts)), expected, "{texts}");
        }
    }
}
