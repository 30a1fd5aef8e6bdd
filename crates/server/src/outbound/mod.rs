//! What leaves over HTTP: deliveries to receivers, and requests to the services we work with.
//!
//! Receivers are named by companies, so they may be anything: slow, endless, hostile, or an address
//! inside the operator's own network. Guarantees: an attempt ends within its time; what is read of
//! an answer is bounded; no redirect is followed and no proxy asked; a connection is made to public
//! addresses only, and the address that was judged is the one connected to.
//! Must not: try again, or write a URL, a body or an answer to the log.

pub mod addresses;
mod bigquery;
mod failure;
mod lightspeed;
pub mod openid;
mod otlp;
pub mod resolver;
mod retry_after;
mod sender;
mod sentry;
mod square;
mod veriff;

pub use bigquery::{Account, AccountUnusable, BigQueryClient, BigQueryUnusable};
pub use lightspeed::{LightspeedClient, Unusable};
pub use openid::{OpenIdClient, ProviderProblem};
pub use otlp::{OtlpClient, OtlpUnusable};
pub use sender::{HttpSender, Settings};
pub use sentry::{SentryClient, SentryUnusable};
pub use square::{SquareClient, SquareUnusable};
pub use veriff::{VeriffClient, VeriffUnusable};
