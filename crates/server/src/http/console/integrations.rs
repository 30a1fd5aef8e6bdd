//! The services that we work with, and how each stands: on or off, what came last, what waits, what
//! needs somebody.

use app::archive;
use app::console::{self, Incoming, Outgoing, Traffic};
use app::deliveries::WEBHOOK;
use app::lightspeed::LIGHTSPEED;
use app::mail::MAIL;
use app::square::SQUARE;
use app::{Result, companies};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::hook::Source;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::door::{Staff, Task};
use super::frame::Section;
use super::words;
use crate::http::Shared;
use crate::http::conventions::failure::Failure;

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/console/integrations", get(list))
}

struct List;
impl Task for List {
    const ACTION: &'static str = "console.integration.list";
}

async fn list(
    State(server): State<Shared>,
    staff: Staff<List>,
) -> std::result::Result<Response, Failure> {
    let mut all = Vec::new();
    for service in SERVICES {
        all.push(service.shown(&server, &staff).await?);
    }
    all.push(webhook(&server, &staff).await?);
    all.push(mail(&server, &staff).await?);
    all.push(archived(&server).await?);
    let is_theirs = staff.ctx.caller.company() == &*server.integration_company;
    let values = context! {
        integrations => all,
        theirs => (!is_theirs).then(|| server.integration_company.to_string()),
    };
    staff.page(Section::Integrations, "console/integrations.html", values)
}

/// A service whose hooks we take.
struct Service {
    source: Source,
    /// By what we tell it things, if we do.
    channel: Option<&'static str>,
    about: &'static str,
    setting: &'static str,
}

const SERVICES: [Service; 3] = [
    Service {
        source: Source::Lightspeed,
        channel: Some(LIGHTSPEED),
        about: "Orders come from the shop, and are held or released there.",
        setting: "LIGHTSPEED_TOKEN",
    },
    Service {
        source: Source::Square,
        channel: Some(SQUARE),
        about: "Customers of the stores, and who has shown an ID.",
        setting: "SQUARE_ACCESS_TOKEN",
    },
    Service {
        source: Source::Veriff,
        channel: None,
        about: "Customers show their ID, and what was decided comes back.",
        setting: "VERIFF_API_KEY",
    },
];

impl Service {
    async fn shown(&self, server: &Shared, staff: &Staff<List>) -> Result<Value> {
        let now = server.app.clock.now();
        let found = console::traffic(&server.app, &staff.ctx, Some(self.source), self.channel);
        let found = found.await?;
        let is_on = server.hooks.takes(self.source);
        let (word, tone) = match is_on {
            true => state(&found),
            false => ("Off", "quiet"),
        };
        let mut facts = counts(&found, is_on, now);
        if let Some(since) = found.looked_through {
            facts.push(moment("Looked through until", since, now));
        }
        Ok(context! {
            name => super::inbox::sender(self.source),
            about => self.about,
            setting => self.setting,
            is_on,
            word,
            tone,
            facts,
        })
    }
}

async fn webhook(server: &Shared, staff: &Staff<List>) -> Result<Value> {
    let (app, now) = (&server.app, server.app.clock.now());
    let company = staff.ctx.caller.company();
    let endpoint = companies::endpoint(app, company).await?;
    let found = console::traffic(app, &staff.ctx, None, Some(WEBHOOK)).await?;
    let (word, tone) = match (&endpoint.url, &endpoint.off, endpoint.failing_since) {
        (None, ..) => ("Off", "quiet"),
        (_, Some(_), _) => ("Switched off", "bad"),
        (.., Some(_)) => ("Failing", "wait"),
        _ => state(&found),
    };
    let mut facts = counts(&found, endpoint.url.is_some(), now);
    if let Some((since, why)) = &endpoint.off {
        facts.push(moment("Switched off since", *since, now));
        facts.push(text("Because of", why.replace('_', " ")));
    } else if let Some(since) = endpoint.failing_since {
        facts.push(moment("Failing since", since, now));
    }
    Ok(context! {
        name => "Your webhook",
        about => "Signed messages about numbers and orders, to an address of yours.",
        path => Value::from_safe_string(format!("console/companies/{company}")),
        is_on => endpoint.url.is_some(),
        word,
        tone,
        facts,
    })
}

async fn mail(server: &Shared, staff: &Staff<List>) -> Result<Value> {
    let found = console::traffic(&server.app, &staff.ctx, None, Some(MAIL)).await?;
    let (word, tone) = match server.mails {
        true => state(&found),
        false => ("Printed", "wait"),
    };
    Ok(context! {
        name => "Mail",
        about => match server.mails {
            true => "Customers are told what their order waits for.",
            false => "No mail server is set: mails are printed to the log, and reach nobody.",
        },
        setting => "SMTP_URL",
        is_on => server.mails,
        word,
        tone,
        facts => counts(&found, server.mails, server.app.clock.now()),
    })
}

async fn archived(server: &Shared) -> Result<Value> {
    let now = server.app.clock.now();
    let (mut facts, mut state) = (Vec::new(), ("Off", "quiet"));
    if server.archives {
        let found = archive::state(&server.app).await?;
        state = match (found.is_well(now), found.parked) {
            (true, 0) => ("Well", "good"),
            (true, _) => ("Look", "wait"),
            (false, _) => ("Behind", "bad"),
        };
        facts.push(match found.oldest_waiting {
            Some(since) => moment("Oldest record to copy", since, now),
            None => text("Oldest record to copy", "none waits".to_owned()),
        });
        facts.push(text("Parked rows", words::number(found.parked)));
        facts.push(text(
            "Left to the backfill",
            words::number(found.to_backfill),
        ));
        if let Some((word, since)) = &found.trouble {
            facts.push(text("In its way", word.replace('_', " ")));
            facts.push(moment("Since", *since, now));
        }
    }
    Ok(context! {
        name => "BigQuery",
        about => "The audit log is copied there, behind the answers. It names nobody.",
        setting => "BIGQUERY_ENABLED",
        is_on => server.archives,
        word => state.0,
        tone => state.1,
        facts,
    })
}

/// How a service stands that is on.
fn state(found: &Traffic) -> (&'static str, &'static str) {
    let parked = found.incoming.map_or(0, |incoming| incoming.parked);
    let given_up = found.outgoing.map_or(0, |outgoing| outgoing.exhausted);
    match parked + given_up {
        0 => ("On", "good"),
        _ => ("Look", "wait"),
    }
}

/// What came in and went out, each a line; of what is off, and was never on, nothing.
fn counts(found: &Traffic, is_on: bool, now: Timestamp) -> Vec<Value> {
    let is_silent = found.incoming.unwrap_or_default() == Incoming::default()
        && found.outgoing.unwrap_or_default() == Outgoing::default();
    let mut facts = Vec::new();
    if !is_on && is_silent {
        return facts;
    }
    if let Some(incoming) = found.incoming {
        facts.push(match incoming.newest {
            Some(at) => moment("Last event", at, now),
            None => text("Last event", "none of late".to_owned()),
        });
        facts.push(count(
            "Events that wait",
            incoming.waiting,
            "inbox?status=waiting",
        ));
        facts.push(count(
            "Parked events",
            incoming.parked,
            "inbox?status=parked",
        ));
    }
    if let Some(outgoing) = found.outgoing {
        facts.push(match outgoing.newest {
            Some(at) => moment("Last delivery", at, now),
            None => text("Last delivery", "none of late".to_owned()),
        });
        let path = "deliveries?status=";
        facts.push(count(
            "Deliveries that wait",
            outgoing.waiting,
            &format!("{path}waiting"),
        ));
        facts.push(count(
            "Given up",
            outgoing.exhausted,
            &format!("{path}exhausted"),
        ));
    }
    facts
}

fn text(title: &str, text: String) -> Value {
    context! { title, text }
}

fn moment(title: &str, at: Timestamp, now: Timestamp) -> Value {
    context! { title, at => words::moment(at, now) }
}

/// A count that leads to what it counts, if there is anything.
fn count(title: &str, count: i64, path: &str) -> Value {
    let path = (count > 0).then(|| Value::from_safe_string(format!("console/{path}")));
    context! { title, text => words::queue(count), path }
}
