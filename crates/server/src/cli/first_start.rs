//! The first start of the embedded default: an administrator's key, and what to do
//! with it, printed once.

use app::App;
use app::idempotency::Reply;
use app::keys::{self, NewKey};
use domain::access::{CompanyId, Scope, Scopes};

use super::failure::Failure;
use super::output::print_line;
use super::session;
use crate::config::{Config, DatabaseUrl};

/// Creates the first key and prints it, if there is none yet and the database is
/// the embedded one. In production keys are made on purpose.
///
/// # Errors
/// When the database is away.
pub async fn welcome(config: &Config, app: &App) -> Result<(), Failure> {
    let embedded = matches!(config.storage.database, DatabaseUrl::Sqlite(_));
    if !embedded
        || !keys::list(app, None)
            .await
            .map_err(super::of_app)?
            .is_empty()
    {
        return Ok(());
    }
    let exchange = session::exchange(app, "key.create");
    let new = NewKey {
        company: CompanyId::default(),
        name: "administrator".into(),
        scopes: Scopes::NONE.with(Scope::Admin),
        limits: Default::default(),
        expires_at: None,
    };
    let created = keys::create(app, &exchange, new, Reply::unkept())
        .await
        .map_err(super::of_app)?;
    print_line(&greeting(
        config.http.base_url.as_str(),
        created.key.expose(),
    ))
}

fn greeting(base: &str, key: &str) -> String {
    let base = base.trim_end_matches('/');
    let call = |path: &str, body: &str| {
        format!(
            "curl -s {base}/api/v1/customer/{path} \\\n  -H 'X-API-Key: {key}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
        )
    };
    let check = r#"{"email":"ann@example.com"}"#;
    let update = r#"{"email":"ann@example.com","verification_type":"veriff","status":true}"#;
    [
        "Bonafide runs for the first time. This is your administrator's key; it is shown only now:"
            .to_owned(),
        format!("    {key}"),
        "Is this customer bona fide? Nobody knows her yet:".to_owned(),
        call("check-verification", check),
        "Her ID has been approved:".to_owned(),
        call("update-verification", update),
        "Ask again:".to_owned(),
        call("check-verification", check),
    ]
    .join("\n\n")
}
