//! `bonafide migrate`: its arguments.

use clap::Args;

/// Bring the database up to date.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateArguments {}
