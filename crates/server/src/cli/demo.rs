//! `bonafide demo`: its arguments.

use clap::Args;

/// Show it all in one minute, in memory.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DemoArguments {
    /// The port to leave the server up on; without it, any free one
    #[arg(long)]
    pub port: Option<u16>,
}
