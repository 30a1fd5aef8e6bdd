//! Customers: found by address or number, shown masked until more is asked for, changed with a
//! reason, exported, erased.
//!
//! Whom somebody looks for is sent in a form and stands in no address; a customer's page is named by
//! the keyed hash that the database knows them by.

use app::customers::{self, Evidence, Metadata, Person, Reveal, Update};
use app::forget::{self, Whom};
use app::idempotency::Reply;
use app::{App, Code, Error};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER;
use domain::access::KeyId;
use domain::contact::{E164, Email};
use domain::seal::BlindIndex;
use domain::standing::Proof;
use http::header;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::door::{Act, Staff, Task};
use super::frame::Section;
use super::{orders, words};
use crate::http::Shared;
use crate::http::conventions::failure::Failure;
use crate::http::conventions::fields::LONGEST;

/// What somebody types who means to erase a person.
const SURE: &str = "erase";

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/console/customers", get(ask))
        .route("/console/customers/find", post(find))
        .route("/console/customers/{customer}", get(show))
        .route("/console/customers/{customer}/reveal", post(reveal))
        .route("/console/customers/{customer}/change", post(change))
        .route("/console/customers/{customer}/export", post(export))
        .route("/console/customers/{customer}/erase", post(erase))
}

/// Where a customer's page is, from the root of the server.
fn path_of(index: BlindIndex) -> String {
    format!("console/customers/{}", HEXLOWER.encode(index.as_bytes()))
}

/// The customer that a path names.
fn named(text: &str) -> Result<BlindIndex, Failure> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok();
    let index = bytes.and_then(|bytes| BlindIndex::from_bytes(&bytes));
    index.ok_or_else(|| Error::new(Code::NotFound, "There is no such customer.").into())
}

struct Ask;
impl Task for Ask {
    const ACTION: &'static str = "console.customer.ask";
}

async fn ask(staff: Staff<Ask>) -> Result<Response, Failure> {
    form(&staff, "", "")
}

/// The form to find somebody, with what was wrong and what was typed.
fn form<T: Task>(staff: &Staff<T>, problem: &str, typed: &str) -> Result<Response, Failure> {
    let values = context! { problem, typed };
    staff.page(Section::Customers, "console/customers.html", values)
}

struct Find;
impl Task for Find {
    const ACTION: &'static str = "console.customer.find";
}

async fn find(State(server): State<Shared>, act: Act<Find>) -> Result<Response, Failure> {
    let staff = &act.staff;
    let typed = act.form.get("whom").unwrap_or_default().trim();
    let again = |error: Error, problem: &str| {
        let shown = form(staff, problem, typed)?;
        Ok(Failure::from(error).shown_as(shown))
    };
    let Some(whom) = whom(typed) else {
        let problem = "Neither an e-mail address nor a phone number with + and the country code.";
        return again(Error::invalid_field("whom", problem), problem);
    };
    match customers::find(&server.app, &staff.ctx, &whom).await {
        Ok(index) => Ok(staff.lead_to(&path_of(index))),
        Err(error) if matches!(error.problem().code, Code::NotFound | Code::Conflict) => {
            let problem = error.problem().message.clone();
            again(error, &problem)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whom a text names: an address has an @, a number begins with +.
fn whom(text: &str) -> Option<Whom> {
    let (email, phone) = match text.contains('@') {
        true => (Some(Email::parse(text).ok()?), None),
        false => (None, Some(E164::parse(text).ok()?)),
    };
    Some(Whom { email, phone })
}

struct Show;
impl Task for Show {
    const ACTION: &'static str = "console.customer.show";
}

async fn show(
    State(server): State<Shared>,
    staff: Staff<Show>,
    Path(customer): Path<String>,
) -> Result<Response, Failure> {
    page(
        &server,
        &staff,
        named(&customer)?,
        Reveal::Masked,
        &Tried::default(),
    )
    .await
}

struct ShowAll;
impl Task for ShowAll {
    const ACTION: &'static str = "console.customer.reveal";
}

async fn reveal(
    State(server): State<Shared>,
    Path(customer): Path<String>,
    act: Act<ShowAll>,
) -> Result<Response, Failure> {
    let index = named(&customer)?;
    page(&server, &act.staff, index, Reveal::Full, &Tried::default()).await
}

/// What was wrong with the last form.
#[derive(Default)]
struct Tried<'a> {
    /// With the reason of a change.
    change: &'a str,
    /// With the word that means it.
    erase: &'a str,
    /// The reason as it was typed.
    reason: &'a str,
}

async fn page<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    index: BlindIndex,
    reveal: Reveal,
    tried: &Tried<'_>,
) -> Result<Response, Failure> {
    let person = customers::see(&server.app, &staff.ctx, index, reveal).await?;
    let now = server.app.clock.now();
    let values = context! {
        customer => shown(&server.app, &person, now),
        is_masked => reveal == Reveal::Masked,
        wrong_change => tried.change,
        wrong_erase => tried.erase,
        reason => tried.reason,
        longest => LONGEST,
        sure => SURE,
    };
    staff.page(Section::Customers, "console/customer.html", values)
}

fn shown(app: &App, person: &Person, now: Timestamp) -> Value {
    let checked = &person.checked;
    let proofs = Proof::ALL.into_iter().map(|proof| {
        let state = checked.standing.proof(proof);
        context! {
            name => proof.as_str(),
            title => words::proof(proof),
            is_given => state.given,
            since => state.date.map(|at| words::moment(at, now)),
        }
    });
    let orders = person.orders.iter().map(|order| orders::order(order, now));
    let evidence = person.evidence.iter().map(|piece| told(app, piece, now));
    context! {
        path => Value::from_safe_string(path_of(person.index)),
        subject => HEXLOWER.encode(person.index.as_bytes()),
        email => person.email.as_str(),
        phone => person.phone.as_deref(),
        is_verified => checked.all_verified,
        age_until => person.age_verified_until.map(|end| words::moment(end, now)),
        proofs => proofs.collect::<Vec<_>>(),
        created => words::moment(person.created_at, now),
        updated => words::moment(person.updated_at, now),
        held_since => person.legal_hold_at.map(|at| words::moment(at, now)),
        orders => orders.collect::<Vec<_>>(),
        evidence => evidence.collect::<Vec<_>>(),
    }
}

fn told(app: &App, piece: &Evidence, now: Timestamp) -> Value {
    let title = match (Proof::parse(&piece.proof), piece.proof.as_str()) {
        (Ok(proof), _) => words::proof(proof),
        (Err(_), "order") => "An order came",
        (Err(_), "age") => "An age was verified",
        (Err(_), other) => other,
    };
    let is_proof = Proof::parse(&piece.proof).is_ok();
    let (word, tone) = match (is_proof, piece.applied, piece.given) {
        (false, ..) => ("", ""),
        (true, false, _) => ("told, but older than what was known", ""),
        (true, true, true) => ("given", "good"),
        (true, true, false) => ("withdrawn", "bad"),
    };
    context! {
        title,
        word,
        tone,
        assurance => piece.assurance.replace('_', " "),
        source => teller(app, &piece.source),
        at => words::moment(piece.occurred_at, now),
        metadata => piece.metadata.iter()
            .map(|(name, value)| context! { name => name.replace('_', " "), value })
            .collect::<Vec<_>>(),
    }
}

/// Who told of something: a key by what people call it, if it has a name.
fn teller(app: &App, source: &str) -> String {
    let key = source.strip_prefix("key:").map(KeyId::parse);
    let name = key
        .and_then(Result::ok)
        .map(|key| app.directory.name_of(key));
    match name {
        Some(name) if !name.is_empty() => format!("{name} ({source})"),
        _ => source.to_owned(),
    }
}

struct Change;
impl Task for Change {
    const ACTION: &'static str = "console.customer.change";
}

async fn change(
    State(server): State<Shared>,
    Path(customer): Path<String>,
    act: Act<Change>,
) -> Result<Response, Failure> {
    let (app, staff, index) = (&server.app, &act.staff, named(&customer)?);
    let word = act.form.get("proof").unwrap_or_default();
    let proof =
        Proof::parse(word).map_err(|error| Error::invalid_field("proof", error.to_string()))?;
    let status = match act.form.get("status") {
        Some("given") => true,
        Some("withdrawn") => false,
        _ => return Err(Error::invalid_field("status", "must be given or withdrawn").into()),
    };
    let reason = act.form.get("reason").unwrap_or_default().trim();
    let problem = match reason.chars().count() {
        0 => "Say why: the reason stays with the evidence.",
        count if count > LONGEST => "The reason is too long.",
        _ => {
            let update = Update {
                email: customers::address_of(app, staff.ctx.caller.company_id(), index).await?,
                phone: None,
                proof,
                status,
                metadata: Metadata {
                    reason: Some(reason.to_owned()),
                    ..Metadata::default()
                },
                occurred_at: None,
            };
            customers::update(app, &staff.ctx, update, Reply::unkept()).await?;
            return Ok(staff.lead_to(&path_of(index)));
        }
    };
    let tried = Tried {
        change: problem,
        reason,
        ..Tried::default()
    };
    let shown = page(&server, staff, index, Reveal::Masked, &tried).await?;
    Ok(Failure::from(Error::invalid_field("reason", problem)).shown_as(shown))
}

struct Export;
impl Task for Export {
    const ACTION: &'static str = "console.customer.export";
}

async fn export(
    State(server): State<Shared>,
    Path(customer): Path<String>,
    act: Act<Export>,
) -> Result<Response, Failure> {
    let (ctx, index) = (&act.staff.ctx, named(&customer)?);
    let whom = whom_of(&server, &act.staff, index).await?;
    let company = ctx.caller.company_id();
    let document = forget::export(&server.app, &ctx.exchange, company, &whom).await?;
    let body = serde_json::to_vec_pretty(&document).map_err(Error::internal)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"customer.json\"",
        ),
    ];
    Ok((headers, body).into_response())
}

struct Erase;
impl Task for Erase {
    const ACTION: &'static str = "console.customer.erase";
}

async fn erase(
    State(server): State<Shared>,
    Path(customer): Path<String>,
    act: Act<Erase>,
) -> Result<Response, Failure> {
    let (staff, index) = (&act.staff, named(&customer)?);
    if act.form.get("sure").map(str::trim) != Some(SURE) {
        let problem = "Type the word erase, if you mean it.";
        let tried = Tried {
            erase: problem,
            ..Tried::default()
        };
        let shown = page(&server, staff, index, Reveal::Masked, &tried).await?;
        return Ok(Failure::from(Error::invalid_field("sure", problem)).shown_as(shown));
    }
    let whom = whom_of(&server, staff, index).await?;
    let (exchange, company) = (&staff.ctx.exchange, staff.ctx.caller.company_id());
    let receipt = forget::erase(&server.app, exchange, company, &whom, Reply::unkept()).await?;
    if let Some(list) = &server.erasure_list {
        list.keep_up_or_warn(&server.app).await;
    }
    let counts = receipt.erased;
    let values = context! {
        id => receipt.erasure_id.to_string(),
        at => words::moment(receipt.erased_at, receipt.erased_at),
        record => receipt.audit_record.map(|place| place.id()),
        counts => [
            ("Pieces of evidence", counts.evidence),
            ("Orders that lead to nobody now", counts.orders),
            ("Open orders cancelled", counts.orders_cancelled),
            ("Messages not sent any more", counts.deliveries),
            ("Data keys destroyed", counts.keys),
        ].map(|(name, count)| context! { name, count }),
    };
    staff.page(Section::Customers, "console/erased.html", values)
}

async fn whom_of<T: Task>(
    server: &Shared,
    staff: &Staff<T>,
    index: BlindIndex,
) -> Result<Whom, Failure> {
    let company = staff.ctx.caller.company_id();
    let email = customers::address_of(&server.app, company, index).await?;
    Ok(Whom {
        email: Some(email),
        phone: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_number_are_told_apart() {
        assert!(whom("Ann@Example.com").unwrap().email.is_some());
        assert!(whom("+1 415 555 0123").unwrap().phone.is_some());
        for text in ["", "ann", "@", "415 555 0123", "+", "a@b@c"] {
            assert!(whom(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_path_names_a_customer_or_nobody() {
        let index = BlindIndex::from_bytes(&[7; 16]).unwrap();
        let path = path_of(index);
        let name = path.rsplit('/').next().unwrap();
        assert_eq!(named(name).unwrap(), index);
        for text in ["", "07", "zz", &"0".repeat(34), &name.replace('0', "A")] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
