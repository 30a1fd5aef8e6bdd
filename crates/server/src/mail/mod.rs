//! Mail as it leaves: its words, its form, and the conversation with the mail server.
//!
//! Guarantees: credentials and mails cross a network only encrypted, to a server that proved who it
//! is; an attempt ends within its time; without a mail server, mails go to the log and nowhere else.
//! Must not: write an address, a password or a mail server's words to the log.

mod conversation;
mod failure;
mod message;
mod printed;
mod server;
mod smtp;
mod words;

pub use conversation::{Conversation, Trouble};
pub use message::Sender;
pub use printed::PrintedMail;
pub use server::MailServer;
pub use smtp::SmtpMailer;
pub(crate) use smtp::hello;
pub use words::render;
