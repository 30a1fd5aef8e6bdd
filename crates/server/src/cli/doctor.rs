//! `bonafide doctor`: its arguments.

use clap::Args;

/// Check the installation and say what to put right.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorArguments {}
