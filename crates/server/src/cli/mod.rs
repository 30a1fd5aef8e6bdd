//! The command line: which commands there are, how they are asked for, how they fail.
//!
//! Exit codes: 0 fine; 1 failed, or a check that found something; 2 usage or configuration. An error
//! is one line with a hint below it, on the standard error output.

pub mod ages;
pub mod archive;
pub mod audit;
pub mod backup;
pub mod companies;
pub mod customers;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod failure;
pub mod first_start;
pub mod health;
pub mod inbox;
pub mod keys;
pub mod lightspeed;
pub mod migrate;
pub mod output;
pub mod seal;
pub mod serve;
pub mod session;
pub mod square;
pub mod style;
pub mod tokens;
pub mod veriff;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use failure::Failure;
use output::Output;

use crate::config::environment;
use crate::http::{self, openapi};

/// The words after the program's name.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "bonafide",
    version,
    about = "Is this customer bona fide? A verification server you run yourself.",
    long_about = "Bonafide answers one question for a business that may not sell to just anyone: \
                  is this customer bona fide?\n\nWithout a command it starts the server on \
                  http://localhost:3000, with everything it needs in ./data.",
    after_help = "First steps:\n  bonafide demo       a tour of a minute, of which nothing is kept\n  \
                  bonafide            start the server\n  bonafide doctor     check the installation\n\n\
                  All commands work beside a running server, in the same directory and with the same \
                  settings.\n\
                  Settings are variables of the environment, or lines of `.env`: see .env.example."
)]
pub struct CommandLine {
    /// Print results as JSON, for programs
    #[arg(long, global = true, display_order = 999)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Start the server (this is what happens without a command)
    Serve(serve::ServeArguments),
    /// Bring the database up to date
    Migrate(migrate::MigrateArguments),
    /// Copy an SQLite database into a new file, beside a running server
    Backup(backup::BackupArguments),
    /// Manage companies, their webhook address and its secret
    #[command(subcommand)]
    Companies(companies::CompaniesCommand),
    /// Tell what is known of a customer, erase one, or keep one from being erased
    #[command(subcommand)]
    Customers(customers::CustomersCommand),
    /// Manage API keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Sign tokens (JWT), for callers that come without a key
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    /// Look after the statistics of age verifications
    #[command(subcommand)]
    Ages(ages::AgesCommand),
    /// Look at outgoing webhooks, and make them again
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Look at what came in by hooks, and process it again
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    /// Take in the orders of Lightspeed eCom that no hook told of
    #[command(subcommand)]
    Lightspeed(lightspeed::LightspeedCommand),
    /// Tie the customers of Square that no hook told of
    #[command(subcommand)]
    Square(square::SquareCommand),
    /// Ask Veriff for the decisions that no hook brought
    #[command(subcommand)]
    Veriff(veriff::VeriffCommand),
    /// Copy to the archive what was there before it, and see to what it did not take
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    /// Check the audit log, prove what stands in it, or export it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Put what is sealed under another master key
    #[command(subcommand)]
    Seal(seal::SealCommand),
    /// Check configuration, database and surroundings, and say what to put right
    Doctor(doctor::DoctorArguments),
    /// Ask the server on this machine how it is, for images and supervisors
    Health(health::HealthArguments),
    /// Take a tour of a server of its own, over real HTTP; nothing of it is kept
    Demo(demo::DemoArguments),
    /// Print the OpenAPI document
    Openapi,
    /// Print the completions of a shell, for example: source <(bonafide completions bash)
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

impl CommandLine {
    /// The command; starting the server if there is none.
    pub fn into_command(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Serve(serve::ServeArguments::default()))
    }
}

/// What an argument list asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A command.
    For(Box<CommandLine>),
    /// This text: the help or the version.
    Text(String),
}

/// Reads the arguments of the program, its name first.
///
/// # Errors
/// A [`Failure`] of usage, in one line with a hint.
pub fn parse<A>(arguments: impl IntoIterator<Item = A>) -> Result<Asked, Failure>
where
    A: Into<OsString> + Clone,
{
    match CommandLine::try_parse_from(arguments) {
        Ok(line) => Ok(Asked::For(Box::new(line))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Asked::Text(error.render().to_string()))
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let names = subcommands_in(&error.render().to_string());
                Err(Failure::usage("a command is missing").with_hint(format!("one of: {names}")))
            }
            _ => Err(Failure::of_arguments(&error)),
        },
    }
}

/// The names that a help text lists under "Commands:".
fn subcommands_in(help: &str) -> String {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect::<Vec<_>>()
        .join(", ")
}

/// The completions of `shell` as a script.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "bonafide", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Does what the command line asks.
///
/// # Errors
/// Why it was not done.
pub async fn run(line: CommandLine) -> Result<(), Failure> {
    let output = Output::new(line.json);
    match line.into_command() {
        Command::Completions { shell } => output::print_line(&completions(shell)),
        Command::Openapi => output::print_line(&openapi::render(&http::document())),
        Command::Serve(arguments) => serve::run(&arguments, environment::load()?).await,
        Command::Migrate(_) => migrate::run(output, &environment::load()?).await,
        Command::Backup(arguments) => backup::run(&arguments, output, &environment::load()?).await,
        Command::Companies(command) => companies::run(command, output, &environment::load()?).await,
        Command::Customers(command) => customers::run(command, output, &environment::load()?).await,
        Command::Keys(command) => keys::run(command, output, &environment::load()?).await,
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Doctor(_) => doctor::run(output).await,
        Command::Health(arguments) => {
            health::run(&arguments, output, &environment::look()?.config).await
        }
        Command::Tokens(command) => tokens::run(&command, output, &environment::load()?).await,
        Command::Ages(command) => ages::run(command, output, &environment::load()?).await,
        Command::Deliveries(command) => {
            deliveries::run(command, output, &environment::load()?).await
        }
        Command::Inbox(command) => inbox::run(command, output, &environment::load()?).await,
        Command::Lightspeed(command) => {
            lightspeed::run(command, output, &environment::load()?).await
        }
        Command::Square(command) => square::run(command, output, &environment::load()?).await,
        Command::Veriff(command) => veriff::run(command, output, &environment::load()?).await,
        Command::Archive(command) => archive::run(command, output, &environment::load()?).await,
        Command::Seal(command) => seal::run(command, output, &environment::load()?).await,
        Command::Audit(command) => audit::run(command, output).await,
    }
}

/// The longest name of a company or a key, in characters.
const LONGEST_NAME: usize = 200;

/// Reads a name that people read.
fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "it must be one line of 1 to {LONGEST_NAME} characters"
        ))
    }
}

/// A failed use case, with what the operator may know of its cause.
#[allow(clippy::needless_pass_by_value, reason = "it is what map_err calls")]
fn of_app(error: app::Error) -> Failure {
    match error.cause() {
        Some(cause) => Failure::failed(format!("{error} ({cause})")),
        None => Failure::failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &str) -> CommandLine {
        match parse(std::iter::once("bonafide").chain(arguments.split_whitespace())) {
            Ok(Asked::For(line)) => *line,
            other => panic!("{arguments}: {other:?}"),
        }
    }

    fn failure(arguments: &str) -> String {
        let failure =
            parse(std::iter::once("bonafide").chain(arguments.split_whitespace())).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        failure.to_string()
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serving_is_the_default() {
        assert!(matches!(
            line("").into_command(),
            Command::Serve(arguments) if arguments.role == serve::Role::All
        ));
        assert!(matches!(
            line("serve --role worker").into_command(),
            Command::Serve(arguments) if arguments.role == serve::Role::Worker
        ));
    }

    #[test]
    fn json_may_stand_anywhere() {
        assert!(line("--json companies list").json);
        assert!(line("companies list --json").json);
        assert!(!line("companies list").json);
    }

    #[test]
    fn a_key_is_described_in_full() {
        let line = line(
            "keys create --company acme --name shop --scope customers:read --scope \
             customers:write --limit customers=6000/1m --expires 90d",
        );
        let Command::Keys(keys::KeysCommand::Create(key)) = line.into_command() else {
            panic!("another command");
        };
        assert_eq!(key.company.as_str(), "acme");
        assert_eq!(key.scopes.len(), 2);
        assert_eq!(key.limits.len(), 1);
        assert_eq!(key.expires.unwrap().to_string(), "90d");
    }

    #[test]
    fn mistakes_are_one_line_with_a_hint() {
        for (arguments, expected) in [
            ("keys create --company acme --name x", "required arguments"),
            (
                "keys create --company acme --name x --scope all",
                "unknown scope",
            ),
            ("companies update acme", "required arguments"),
            ("serv", "hint: a similar subcommand exists: 'serve'"),
            ("keys", "hint: one of: create, list, rotate, revoke"),
            ("tokens issue --subject u --ttl soon", "90s, 10m, 24h"),
            ("serve --role none", "possible values"),
        ] {
            let text = failure(arguments);
            assert!(
                text.starts_with("error: ") && text.contains(expected),
                "{text}"
            );
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(text.contains("\nhint: "), "{text}");
        }
    }

    #[test]
    fn help_and_version_are_no_failure() {
        for (arguments, expected) in [
            (&["bonafide", "--help"][..], "First steps:"),
            (
                &["bonafide", "keys", "create", "--help"],
                "customers=6000/1m",
            ),
            (&["bonafide", "--version"], env!("CARGO_PKG_VERSION")),
        ] {
            let Ok(Asked::Text(text)) = parse(arguments) else {
                panic!("{arguments:?}");
            };
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn completions_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = completions(shell);
            assert!(script.contains("companies") && script.contains("rotate-secret"));
        }
    }
}
