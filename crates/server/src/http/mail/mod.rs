//! The page behind the link of a mail that stops its reminders.

mod page;

pub use page::routes as pages;
