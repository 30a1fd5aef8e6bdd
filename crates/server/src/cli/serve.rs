//! `bonafide serve`: its arguments.

use clap::{Args, ValueEnum};

/// Start the server.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeArguments {
    /// Which part of the work this process does
    #[arg(long, value_enum, default_value_t, value_name = "ROLE")]
    pub role: Role,
}

/// Which part of the work a process does.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Answers requests
    Api,
    /// Delivers what leaves the building and keeps the deadlines
    Worker,
    /// Both
    #[default]
    All,
}
