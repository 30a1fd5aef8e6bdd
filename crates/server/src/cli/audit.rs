//! `bonafide audit …`: its arguments.

use clap::{Args, Subcommand};
use jiff::Timestamp;

/// The audit log.
#[derive(Subcommand, Clone, Debug)]
pub enum AuditCommand {
    /// Check that no record was changed, removed, inserted or reordered
    Verify,
    /// Print records as JSON, one a line
    Export(ExportArguments),
}

/// Which records to print; without a range, all of them.
#[derive(Args, Clone, Debug, Default)]
pub struct ExportArguments {
    /// The first moment, for example 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// The moment to stop before
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
}
