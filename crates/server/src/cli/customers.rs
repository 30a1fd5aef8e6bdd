//! `bonafide customers …`: telling, erasing, holding; and the erasure list.

use std::path::PathBuf;

use app::forget::{self, Again, Receipt, Whom};
use app::idempotency::Reply;
use app::{App, Code};
use clap::{Args, Subcommand};
use domain::access::CompanyId;
use domain::contact::{E164, Email};

use super::failure::Failure;
use super::output::{self, Output, counted};
use super::session::{exchange, with_app};
use super::{name, of_app};
use crate::config::Config;
use crate::erasure_list::{self, ErasureList, Line};
use crate::http::customers::ReceiptDocument;

/// Customers, as people.
#[derive(Subcommand, Clone, Debug)]
pub enum CustomersCommand {
    /// Print everything that is stored about a customer, as one JSON document
    Export(Person),
    /// Erase a customer, for good; `--json` prints the receipt, which `audit check` checks
    Erase(Person),
    /// Put a customer under legal hold: nobody can erase them
    Hold(HoldArguments),
    /// End a legal hold
    ReleaseHold(Person),
    /// Print the erasure list, one erasure a line, as JSON; it names nobody
    Erasures,
    /// Forget again, in a restored backup, whom a list says was erased
    Forget(ForgetArguments),
}

/// Who.
#[derive(Args, Clone, Debug)]
#[group(id = "person", required = true, multiple = true, args = ["address", "email", "phone"])]
pub struct Person {
    /// The e-mail address
    #[arg(value_parser = Email::parse, value_name = "EMAIL", conflicts_with = "email")]
    pub address: Option<Email>,
    /// The e-mail address, by name
    #[arg(long, value_parser = Email::parse, value_name = "ADDRESS")]
    pub email: Option<Email>,
    /// The phone number, for example +12345678900
    #[arg(long, value_parser = E164::parse, value_name = "NUMBER")]
    pub phone: Option<E164>,
    /// Whose customer
    #[arg(long, value_parser = CompanyId::parse, default_value = "default", value_name = "ID")]
    pub company: CompanyId,
}

impl Person {
    fn whom(&self) -> Whom {
        Whom {
            email: self.address.as_ref().or(self.email.as_ref()).cloned(),
            phone: self.phone.clone(),
        }
    }
}

/// Who, and why.
#[derive(Args, Clone, Debug)]
pub struct HoldArguments {
    #[command(flatten)]
    person: Person,
    /// Why; kept sealed
    #[arg(long, value_parser = name)]
    reason: String,
}

/// Which list.
#[derive(Args, Clone, Debug)]
pub struct ForgetArguments {
    /// What `bonafide customers erasures` printed, or the file of ERASURE_LIST_FILE
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
}

/// Does what is asked.
///
/// # Errors
/// Why it was not done.
pub async fn run(
    command: CustomersCommand,
    output: Output,
    config: &Config,
) -> Result<(), Failure> {
    with_app(config, async |app| match command {
        CustomersCommand::Export(person) => export(app, &person).await,
        CustomersCommand::Erase(person) => erase(app, &person, output, config).await,
        CustomersCommand::Hold(held) => hold(app, &held.person, Some(held.reason), output).await,
        CustomersCommand::ReleaseHold(person) => hold(app, &person, None, output).await,
        CustomersCommand::Erasures => erasures(app).await,
        CustomersCommand::Forget(arguments) => forget_list(app, &arguments, output).await,
    })
    .await
}

/// Why nothing was done about a person, and what can be done about that.
fn of_person(error: app::Error) -> Failure {
    let hint = match error.problem().code {
        Code::NotFound => "--company says whose customer it is; --phone finds who has no address",
        Code::Conflict => "name the address with --email",
        Code::LegalHold => "`bonafide customers release-hold` ends the hold",
        _ => return of_app(error),
    };
    of_app(error).with_hint(hint)
}

async fn export(app: &App, person: &Person) -> Result<(), Failure> {
    let exchange = exchange(app, "customer.export");
    let document = forget::export(app, &exchange, &person.company, &person.whom()).await;
    let document = document.map_err(of_person)?;
    app.recorder
        .record(&exchange, "ok", 0)
        .await
        .map_err(of_app)?;
    let text = serde_json::to_string_pretty(&document);
    output::print_line(&text.map_err(|error| Failure::failed(error.to_string()))?)
}

async fn erase(app: &App, person: &Person, output: Output, config: &Config) -> Result<(), Failure> {
    let exchange = exchange(app, "customer.erase");
    let receipt = forget::erase(
        app,
        &exchange,
        &person.company,
        &person.whom(),
        Reply::unkept(),
    )
    .await;
    let receipt = receipt.map_err(of_person)?;
    if let Some(path) = config.erasure_list.clone() {
        ErasureList::at(path).keep_up_or_warn(app).await;
    }
    output.print(&ReceiptDocument::of(&receipt), || in_words(&receipt))
}

fn in_words(receipt: &Receipt) -> String {
    let record = receipt.audit_record.map(|place| place.id());
    let keys = counted(receipt.erased.keys, "data key");
    let evidence = counted(receipt.erased.evidence, "piece");
    format!(
        "Erased: {keys} destroyed, {evidence} of evidence deleted, {} cancelled.\n\
         Erasure {}, audit record {}.",
        counted(receipt.erased.orders_cancelled, "order"),
        receipt.erasure_id,
        record.as_deref().unwrap_or("unknown"),
    )
}

async fn hold(
    app: &App,
    person: &Person,
    reason: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let exchange = exchange(app, "customer.legal_hold");
    let (whom, unkept) = (person.whom(), Reply::unkept());
    let held = forget::hold(app, &exchange, &person.company, &whom, reason, unkept).await;
    let held = held.map_err(of_person)?;
    output.print(&held, || match held.since {
        Some(since) => format!("Under legal hold since {since:.0}."),
        None => "Not under legal hold.".to_owned(),
    })
}

async fn erasures(app: &App) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = forget::list(app, after).await.map_err(of_app)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for erasure in page {
            let line = serde_json::to_string(&Line::from(erasure));
            output::print_line(&line.map_err(|error| Failure::failed(error.to_string()))?)?;
        }
    }
}

async fn forget_list(
    app: &App,
    arguments: &ForgetArguments,
    output: Output,
) -> Result<(), Failure> {
    let unreadable =
        |problem: String| Failure::failed(format!("the erasure list cannot be read: {problem}"));
    let text = tokio::fs::read_to_string(&arguments.list).await;
    let text = text.map_err(|error| unreadable(error.to_string()))?;
    let listed = erasure_list::parse(&text).map_err(unreadable)?;
    let exchange = exchange(app, "customer.forget");
    let again = forget::forget_again(app, &exchange, &listed).await;
    let again = again.map_err(of_app)?;
    output.print(&again, || words_of(&again))
}

fn words_of(again: &Again) -> String {
    format!(
        "{} forgotten again, and {}; {} taken into the list.",
        counted(again.customers, "customer"),
        counted(again.other_keys, "other key"),
        counted(again.taken_in, "erasure"),
    )
}

/// Forgets again whom the list's file says was erased, and writes down what is missing there.
///
/// # Errors
/// When the file is there and cannot be read: a backup that remembers must not be served.
pub async fn catch_up(app: &App, list: &ErasureList) -> Result<(), Failure> {
    let listed = list.read().map_err(|problem| {
        Failure::failed(format!("ERASURE_LIST_FILE cannot be read: {problem}"))
            .with_hint("without it a restored backup would remember whom it had forgotten")
    })?;
    let exchange = exchange(app, "customer.forget");
    let again = forget::forget_again(app, &exchange, &listed).await;
    let again = again.map_err(of_app)?;
    if again.found_any() {
        let (customers, other_keys) = (again.customers, again.other_keys);
        tracing::warn!(customers, other_keys, "a backup has forgotten again");
    }
    list.keep_up_or_warn(app).await;
    Ok(())
}
