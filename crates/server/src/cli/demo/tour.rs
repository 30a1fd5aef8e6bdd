//! The scenes of the tour.

use app::idempotency::Reply;
use app::keys::{self, NewKey};
use app::limits;
use app::{App, audit};
use domain::access::{ApiKey, CompanyId, Scope, Scopes};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::narrator::{Answer, Narrator};
use crate::cli::audit::in_words;
use crate::cli::failure::Failure;
use crate::cli::output::print_line;
use crate::cli::{of_app, session};

/// The customer of the tour.
const ANN: &str = "ann@example.com";

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
    limit(&mut narrator, app).await?;
    revocation(&mut narrator, app).await?;
    log(&mut narrator, app).await?;
    print_line("")?;
    Ok(key.to_owned())
}

async fn proofs(narrator: &mut Narrator, key: &str, now: Timestamp) -> Result<(), Failure> {
    let question = json!({"email": ANN}).to_string();
    narrator.scene("A shop asks about a customer whom nobody knows")?;
    let answer = narrator.post(key, "check-verification", &question).await?;
    expect(&answer, "customer_found", &json!(false))?;

    narrator.scene("Three proofs come in: her ID is approved, she signs, she opts in")?;
    for proof in ["veriff", "membership", "email_optin"] {
        let event = event(proof, true, now);
        let answer = narrator.post(key, "update-verification", &event).await?;
        expect(&answer, "success", &json!(true))?;
    }
    let answer = narrator.post(key, "check-verification", &question).await?;
    expect(&answer, "all_verified", &json!(true))?;
    narrator.say("She is bona fide: her order may ship.")?;

    narrator.scene("An event from yesterday arrives late, and is too old to count")?;
    let yesterday = now
        .saturating_sub(SignedDuration::from_hours(24))
        .unwrap_or(now);
    let event = event("veriff", false, yesterday);
    narrator.post(key, "update-verification", &event).await?;
    let answer = narrator.post(key, "check-verification", &question).await?;
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
    let answer = narrator.post(key, "bulk-check", &emails).await?;
    expect(&answer, "fully_verified_count", &json!(1))
}

async fn limit(narrator: &mut Narrator, app: &App) -> Result<(), Failure> {
    narrator.scene("A key with a small limit asks once too often")?;
    let small = make_key(app, "small", Some(SMALL_LIMIT)).await?;
    narrator.say(&format!("$ bonafide keys create --limit {SMALL_LIMIT} …"))?;
    let question = json!({"email": ANN}).to_string();
    for _ in 0..2 {
        let answer = narrator
            .post(small.expose(), "check-verification", &question)
            .await?;
        expect(&answer, "customer_found", &json!(true))?;
    }
    let refused = narrator
        .post(small.expose(), "check-verification", &question)
        .await?;
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
    let before = narrator
        .post(lost.expose(), "check-verification", &question)
        .await?;
    expect_status(&before, StatusCode::OK)?;
    let id = lost.id();
    narrator.say(&format!("$ bonafide keys revoke {}", id.as_str()))?;
    let exchange = session::exchange(app, "key.revoke");
    keys::revoke(app, &exchange, id.as_str(), Reply::unkept())
        .await
        .map_err(of_app)?;
    let after = narrator
        .post(lost.expose(), "check-verification", &question)
        .await?;
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
        scopes: Scopes::NONE
            .with(Scope::CustomersRead)
            .with(Scope::CustomersWrite),
        limits: limits.map_err(Failure::failed)?.into_iter().collect(),
        expires_at: None,
    };
    let exchange = session::exchange(app, "key.create");
    let created = keys::create(app, &exchange, new, Reply::unkept()).await;
    created.map(|created| created.key).map_err(of_app)
}

fn expect(answer: &Answer, member: &str, value: &Value) -> Result<(), Failure> {
    expect_status(answer, StatusCode::OK)?;
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

fn unexpected(what: &str) -> Failure {
    Failure::failed(format!("the tour did not go as it should: {what}"))
        .with_hint("this is a defect of the program: please report it with what is above")
}
