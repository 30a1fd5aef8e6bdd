//! Does this person hold this mobile number?
//!
//! A session asks it once: a link with a one-time token goes to the number, and whoever holds the
//! token has a few attempts, for a short time, to name the number it was sent to. How a session
//! goes on, and when it has ended, is decided here and nowhere else.

mod id;
mod mobile;
mod session;
mod token;

pub use id::SessionId;
pub use mobile::{MobileError, MobileNumber, masked};
pub use session::{ATTEMPTS, Closed, Session, Status};
pub use token::LinkToken;
