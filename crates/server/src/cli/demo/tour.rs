//! The scenes of the tour: customers, ages and numbers, each by the requests that a shop makes; then
//! what guards them, limits, keys and the audit log.

use app::idempotency::Reply;
use app::keys::{self, NewKey};
use app::limits;
use app::{App, audit};
use domain::access::{ApiKey, CompanyId, Scope, Scopes};
use http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::narrator::{Answer, Narrator};
use crate::cli::audit::in_words;
use crate::cli::failure::Failure;
use crate::cli::output::print_line;
use crate::cli::{of_app, session};

/// The customer of the tour.
const ANN: &str = "ann@example.com";

/// Her number, which nobody can have.
const NUMBER: &str = "+14155550123";

/// The paths of the tour.
const CHECK: &str = "/api/v1/customer/check-verification";
const UPDATE: &str = "/api/v1/customer/update-verification";
const BULK: &str = "/api/v1/customer/bulk-check";
const AGE: &str = "/api/age-verification/verify";
const INITIATE: &str = "/api/v1/verification/initiate";
const SUBMIT: &str = "/api/v1/verification/submit";
const STATUS: &str = "/api/v1/verification/status";

/// What the keys of the tour may do: what a shop does, and nothing else.
const SCOPES: [Scope; 6] = [
    Scope::CustomersRead,
    Scope::CustomersWrite,
    Scope::AgesRead,
    Scope::AgesWrite,
    Scope::NumbersRead,
    Scope::NumbersWrite,
];

/// A key that may ask twice a minute.
const SMALL_LIMIT: &str = "customers=2/1m";

/// Plays all scenes and returns a key that works, for those who want to go on.
///
/// # Errors
/// When a scene did not turn out as told.
pub async fn play(app: &App, base: &str) -> Result<String, Failure> {
    print_line(&format!(
        "Is this customer bona fide? A tour of the real server, on {base}. Nothing of it is kept."
    ))?;
    let mut narrator = Narrator::new(base)?;
    let shop = make_key(app, "shop", None).await?;
    let key = shop.expose();
    proofs(&mut narrator, key, app.clock.now()).await?;
    bulk(&mut narrator, key).await?;
    age(&mut narrator, key, app.clock.now()).await?;
    number(&mut narrator, key).await?;
    limit(&mut narrator, app).await?;
    revocation(&mut narrator, app).await?;
    log(&mut narrator, app).await?;
    print_line("")?;
    Ok(key.to_owned())
}

async fn proofs(narrator: &mut Narrator, key: &str, now: Timestamp) -> Result<(), Failure> {
    let question = json!({"email": ANN}).to_string();
    narrator.scene("A shop asks about a customer whom nobody knows")?;
    let answer = narrator.post(key, CHECK, &question).await?;
    expect(&answer, "customer_found", &json!(false))?;

    narrator.scene("Three proofs come in: her ID is approved, she signs, she opts in")?;
    for proof in ["veriff", "membership", "email_optin"] {
        let event = event(proof, true, now);
        let answer = narrator.post(key, UPDATE, &event).await?;
        expect(&answer, "success", &json!(true))?;
    }
    let answer = narrator.post(key, CHECK, &question).await?;
    expect(&answer, "all_verified", &json!(true))?;
    narrator.say("She is bona fide: her order may ship.")?;

    narrator.scene("An event from yesterday arrives late, and is too old to count")?;
    let yesterday = now
        .saturating_sub(SignedDuration::from_hours(24))
        .unwrap_or(now);
    let event = event("veriff", false, yesterday);
    narrator.post(key, UPDATE, &event).await?;
    let answer = narrator.post(key, CHECK, &question).await?;
    expect(&answer, "all_verified", &json!(true))
}

fn event(proof: &str, status: bool, at: Timestamp) -> String {
    let metadata = json!({"occurred_at": format!("{at:.0}")});
    format!(
        r#"{{"email":"{ANN}","verification_type":"{proof}","status":{status},"metadata":{metadata}}}"#
    )
}

async fn bulk(narrator: &mut Narrator, key: &str) -> Result<(), Failure> {
    narrator.scene("The back office asks about many at once")?;
    let emails = json!({"emails": [ANN, "bob@example.com", "eve@example.com"]}).to_string();
    let answer = narrator.post(key, BULK, &emails).await?;
    expect(&answer, "fully_verified_count", &json!(1))
}

async fn age(narrator: &mut Narrator, key: &str, now: Timestamp) -> Result<(), Failure> {
    narrator.scene("Is she old enough? She tells her birth date, and need not tell it again")?;
    let adult = claim("ann", "Ann Archer", born(now, 40));
    for method in ["full_verification", "cache"] {
        let answer = narrator.post(key, AGE, &adult).await?;
        expect(&answer, "method", &json!(method))?;
    }
    narrator.say("Her brother would like to order, too.")?;
    let minor = claim("tom", "Tom Archer", born(now, 12));
    let refused = narrator.post(key, AGE, &minor).await?;
    expect_status(&refused, StatusCode::BAD_REQUEST)?;
    expect_member(&refused, "method", &json!("age_check"))
}

/// What a customer says of their age.
fn claim(customer: &str, name: &str, born: Date) -> String {
    json!({
        "customerId": customer,
        "fullName": name,
        "dateOfBirth": born.to_string(),
        "idNumberLast4": "1234",
        "state": "TX",
    })
    .to_string()
}

/// The birth date of somebody of that age, whenever the tour is played.
fn born(now: Timestamp, years: i64) -> Date {
    let today = now.to_zoned(TimeZone::UTC).date();
    // A week more, so that it is nobody's birthday in any time zone.
    today.saturating_sub(years.years().weeks(1))
}

async fn number(narrator: &mut Narrator, key: &str) -> Result<(), Failure> {
    narrator.scene("Is this her number? She shows it by a link that was sent there")?;
    let opening = json!({"mobileNumber": NUMBER, "requestId": "order-81"}).to_string();
    let session = narrator.post(key, INITIATE, &opening).await?;
    expect_status(&session, StatusCode::CREATED)?;
    expect_member(&session, "status", &json!("pending"))?;
    let id = text(&session, "verificationId")?;
    narrator.say("The shop texts her the link. She opens it, and names her number.")?;
    let submission = json!({"verificationId": id, "mobileNumber": NUMBER}).to_string();
    let answer = narrator.post(key, SUBMIT, &submission).await?;
    expect(&answer, "status", &json!("verified"))?;
    let answer = narrator.get(key, &format!("{STATUS}/{id}")).await?;
    expect(&answer, "status", &json!("verified"))
}

async fn limit(narrator: &mut Narrator, app: &App) -> Result<(), Failure> {
    narrator.scene("A key with a small limit asks once too often")?;
    let small = make_key(app, "small", Some(SMALL_LIMIT)).await?;
    narrator.say(&format!("$ bonafide keys create --limit {SMALL_LIMIT} …"))?;
    let question = json!({"email": ANN}).to_string();
    for _ in 0..2 {
        let answer = narrator.post(small.expose(), CHECK, &question).await?;
        expect(&answer, "customer_found", &json!(true))?;
    }
    let refused = narrator.post(small.expose(), CHECK, &question).await?;
    expect_status(&refused, StatusCode::TOO_MANY_REQUESTS)?;
    match refused.headers.contains_key("retry-after") {
        true => Ok(()),
        false => Err(unexpected("a refusal does not say when to come back")),
    }
}

async fn revocation(narrator: &mut Narrator, app: &App) -> Result<(), Failure> {
    narrator.scene("A key is revoked, and dead at once")?;
    let lost = make_key(app, "lost", None).await?;
    let question = json!({"email": ANN}).to_string();
    let before = narrator.post(lost.expose(), CHECK, &question).await?;
    expect_status(&before, StatusCode::OK)?;
    let id = lost.id();
    narrator.say(&format!("$ bonafide keys revoke {}", id.as_str()))?;
    let exchange = session::exchange(app, "key.revoke");
    keys::revoke(app, &exchange, id.as_str(), Reply::unkept())
        .await
        .map_err(of_app)?;
    let after = narrator.post(lost.expose(), CHECK, &question).await?;
    expect_status(&after, StatusCode::UNAUTHORIZED)
}

async fn log(narrator: &mut Narrator, app: &App) -> Result<(), Failure> {
    narrator.scene("Every answer is in the audit log, and the log can prove itself")?;
    app.checkpoints.make().await.map_err(of_app)?;
    narrator.say("$ bonafide audit verify")?;
    let report = audit::verify(
        &app.store,
        Some(&app.key_ring),
        app.retention.must_be_kept_from(app.clock.now()),
        &[],
        |_| {},
    )
    .await
    .map_err(of_app)?;
    narrator.say(&in_words(&report))?;
    if report.faults.is_empty() {
        Ok(())
    } else {
        Err(unexpected("the audit log is not intact"))
    }
}

async fn make_key(app: &App, name: &str, limit: Option<&str>) -> Result<ApiKey, Failure> {
    let limits = limit.map(limits::parse).transpose();
    let new = NewKey {
        company: CompanyId::default(),
        name: name.to_owned(),
        scopes: Scopes::from_iter(SCOPES),
        limits: limits.map_err(Failure::failed)?.into_iter().collect(),
        expires_at: None,
    };
    let exchange = session::exchange(app, "key.create");
    let created = keys::create(app, &exchange, new, Reply::unkept()).await;
    created.map(|created| created.key).map_err(of_app)
}

fn expect(answer: &Answer, member: &str, value: &Value) -> Result<(), Failure> {
    expect_status(answer, StatusCode::OK)?;
    expect_member(answer, member, value)
}

fn expect_member(answer: &Answer, member: &str, value: &Value) -> Result<(), Failure> {
    match answer.body.get(member) == Some(value) {
        true => Ok(()),
        false => Err(unexpected(&format!("{member} is not {value}"))),
    }
}

fn expect_status(answer: &Answer, expected: StatusCode) -> Result<(), Failure> {
    match answer.status == expected {
        true => Ok(()),
        false => Err(unexpected(&format!("the status is not {expected}"))),
    }
}

fn text<'a>(answer: &'a Answer, member: &str) -> Result<&'a str, Failure> {
    let found = answer.body.get(member).and_then(Value::as_str);
    found.ok_or_else(|| unexpected(&format!("{member} is missing")))
}

fn unexpected(what: &str) -> Failure {
    Failure::failed(format!("the tour did not go as it should: {what}"))
        .with_hint("this is a defect of the program: please report it with what is above")
}
