//! The first start. Of the embedded default: an administrator's key, a link to the console, and
//! what to do with them, printed once. In production: a word in the log on how to make a key.

use app::App;
use app::console;
use app::idempotency::Reply;
use app::keys::{self, NewKey};
use domain::access::{CompanyId, Scope, Scopes};

use super::failure::Failure;
use super::output::print_line;
use super::session;
use super::style::Style;
use crate::config::{BaseUrl, Config, DatabaseUrl};

/// The command that makes an administrator's key.
const FIRST_KEY: &str = "bonafide keys create --company default --name admin --scope admin";

/// Creates the first key and prints it, if there is none yet and the database is
/// the embedded one. In production keys are made on purpose, and the log says how.
/// `port` is the one that is listened on, which the configuration may have left to
/// the system.
///
/// # Errors
/// When the database is away.
pub async fn welcome(config: &Config, app: &App, port: u16) -> Result<(), Failure> {
    let keys = keys::list(app, None).await.map_err(super::of_app)?;
    if !keys.is_empty() {
        return Ok(());
    }
    if matches!(config.storage.database, DatabaseUrl::Postgres(_)) {
        tracing::info!("there is no API key yet: `{FIRST_KEY}` makes the first");
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
    let exchange = session::exchange(app, "console.link.create");
    let link = console::make_link(app, &exchange, &created.row.company_id, created.key.id());
    let link = link.await.map_err(super::of_app)?;
    let encrypted = config.http.tls.is_some();
    let unset = BaseUrl::localhost(encrypted, config.http.listen.port());
    let base = if config.http.base_url == unset {
        BaseUrl::localhost(encrypted, port)
    } else {
        config.http.base_url.clone()
    };
    print_line(&greeting(
        Style::of_output(),
        base.as_str(),
        encrypted,
        created.key.expose(),
        link.expose(),
    ))
}

fn greeting(style: Style, base: &str, own_certificate: bool, key: &str, link: &str) -> String {
    let check = r#"{"email":"ann@example.com"}"#;
    let update = r#"{"email":"ann@example.com","verification_type":"veriff","status":true}"#;
    let call = |path, body| call(base, key, path, body);
    let remark = |text: &str| style.dim(format!("# {text}"));
    let mut paste = "Paste these one by one:".to_owned();
    if own_certificate {
        paste.push('\n');
        paste.push_str(&remark(
            "For a certificate that curl does not know, as a self-signed one, add `-k`.",
        ));
    }
    let paragraphs = [
        style.bold(format!("Bonafide runs for the first time, on {base}")),
        format!(
            "Your administrator's key, shown only now:\n\n    {}",
            style.bold(key)
        ),
        format!(
            "The console, signed in by this link once and within an hour; it offers an example to try:\n\n    {}",
            style.bold(format!("{base}/console/enter/{link}"))
        ),
        paste,
        format!(
            "{}\n{}",
            remark("Is this customer bona fide? Nobody knows her yet."),
            call("check-verification", check)
        ),
        format!(
            "{}\n{}",
            remark("Her ID has been approved."),
            call("update-verification", update)
        ),
        format!(
            "{}\n{}",
            remark("Ask again."),
            call("check-verification", check)
        ),
        "A key for a shop:    bonafide keys create --company default --name shop --scope customers:read\n\
         Everything else:     bonafide --help"
            .to_owned(),
    ];
    format!("\n{}\n", paragraphs.join("\n\n"))
}

/// A call of the Customers surface on one line, to be pasted into a shell. What it
/// prints ends with a line break, so that answers stand below each other.
pub(super) fn call(base: &str, key: &str, path: &str, body: &str) -> String {
    format!(
        "curl -sS -w '\\n' {base}/api/v1/customer/{path} -H 'X-API-Key: {key}' \
         -H 'Content-Type: application/json' -d '{body}'"
    )
}
