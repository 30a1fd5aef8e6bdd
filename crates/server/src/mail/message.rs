//! A mail in the form of RFC 5322: text and HTML side by side, and the headers of a mail that a
//! program sends.

use std::time::SystemTime;

use app::mail::Letter;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use uuid::Uuid;

/// Who mails come from: `MAIL_FROM`.
#[derive(Clone, Debug)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads `Name <address@example.com>`.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mailbox = text.parse::<Mailbox>();
        mailbox.map(Self).map_err(|error| error.to_string())
    }

    /// A name for a mail that nobody else gives.
    fn message_id(&self, id: Uuid) -> String {
        format!("<{}@{}>", id.simple(), self.0.email.domain())
    }
}

/// A mail ready to be sent.
pub(super) struct Formed {
    pub from: Address,
    pub to: Address,
    pub bytes: Vec<u8>,
}

/// Puts a letter into its form; `None` when it has none.
pub(super) fn form(letter: &Letter, sender: &Sender) -> Option<Formed> {
    let to: Address = letter.to.as_str().parse().ok()?;
    let envelope = Envelope::new(Some(sender.0.email.clone()), vec![to.clone()]).ok()?;
    let content = &letter.content;
    let stop = letter.links.stop.as_str();
    let mut builder = Message::builder()
        .envelope(envelope)
        .from(sender.0.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(content.subject.as_str())
        .date(SystemTime::from(letter.at))
        .message_id(Some(sender.message_id(letter.id)))
        // No answering machine shall answer (RFC 3834).
        .header(AutoSubmitted);
    if letter.occasion.is_reminder() {
        builder = builder.header(ListUnsubscribe(format!("<{stop}>")));
        // Mail programs may stop the reminders by themselves (RFC 8058), by HTTPS only.
        if stop.starts_with("https://") {
            builder = builder.header(ListUnsubscribePost);
        }
    }
    let part = |media_type, body: &str| {
        SinglePart::builder()
            .header(media_type)
            .body(body.to_owned())
    };
    let both = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, &content.text))
        .singlepart(part(ContentType::TEXT_HTML, &content.html));
    let message = builder.multipart(both).ok()?;
    Some(Formed {
        from: sender.0.email.clone(),
        bytes: message.formatted(),
        to,
    })
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

macro_rules! header {
    ($(#[$doc:meta])* $header:ident($value:expr) = $name:literal) => {
        $(#[$doc])*
        #[derive(Clone)]
        struct $header;

        impl Header for $header {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }

            fn parse(_: &str) -> Result<Self, BoxError> {
                Ok(Self)
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), $value.to_owned())
            }
        }
    };
}

header! {
    /// That a program sent it (RFC 3834).
    AutoSubmitted("auto-generated") = "Auto-Submitted"
}

header! {
    /// That a POST to the first link of `List-Unsubscribe` is enough (RFC 8058).
    ListUnsubscribePost("List-Unsubscribe=One-Click") = "List-Unsubscribe-Post"
}

/// Where to go for being left alone (RFC 2369).
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, BoxError> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}
