//! Receivers of webhooks of every nasty kind, beside a good one.
//!
//! Guarantees: the good company is told as if the others were not there, or that is a loss: soon, and
//! once. When the others have learnt manners, everything arrives there too, under one id.
//! Must not: help a receiver but by what an operator can do.

use std::time::Duration;

use anyhow::{Context, Result};
use test_support::Server;
use test_support::waiting::wait_for;

use crate::drill::load::{Load, Plan};
use crate::drill::proof::{Losses, messages};
use crate::drill::receiver::{Manner, Receiver};
use crate::drill::rest;
use crate::drill::site::{Engine, Pace, Site, await_key};
use crate::drill::table::Row;
use crate::program::{ask, create_key, name_webhook};

/// The companies, and how their receivers behave.
const NASTY: [(&str, Manner); 7] = [
    ("hangs", Manner::Hangs),
    ("closes", Manner::Closes),
    ("babbles", Manner::Babbles),
    ("never-ends", Manner::NeverEnds),
    ("redirects", Manner::Redirects),
    ("gone", Manner::Fails(410)),
    ("fails", Manner::Fails(500)),
];
/// How soon the good company is told, whatever the others do.
const PROMPTLY: Duration = Duration::from_secs(5);

/// A company with a nasty receiver, and who opens sessions for it.
struct Company {
    name: &'static str,
    receiver: Receiver,
    load: Option<Load>,
}

pub fn nasty(pace: &Pace, name: &str) -> Result<Row> {
    let site = Site::start(pace, Engine::Postgres)?;
    let server = site.server(0)?;
    let mut companies: Vec<_> = NASTY
        .into_iter()
        .map(|(name, manner)| Company::open(server, name, manner))
        .collect::<Result<_>>()?;
    let load = site.load()?;
    rest(pace.time(2_500, 15_000));
    let mut losses = Losses::default();
    let mut sessions = Vec::new();
    for company in &mut companies {
        sessions.push(company.close(&mut losses)?);
    }
    let promptly = promptness(&site, &mut losses);
    for company in &companies {
        company.learn(server)?;
    }
    for (company, sessions) in companies.iter().zip(&sessions) {
        messages(&company.receiver, sessions, &mut losses);
        if company.receiver.strays() > 0 {
            losses.words.push("a redirect was followed".to_owned());
        }
    }
    let nasty: usize = sessions.iter().map(Vec::len).sum();
    let remark = format!("{nasty} messages had to wait for manners, others {promptly}");
    let row = site.look_back(name, load, losses, remark)?;
    // The good one's: whoever failed on purpose is rightly told again.
    Ok(row.told_once())
}

/// How long the good company waits for what is verified now, in words; too long is a loss.
fn promptness(site: &Site, losses: &mut Losses) -> String {
    let before = site.receiver.told().len();
    let begin = std::time::Instant::now();
    let more = wait_for("messages to the good company", PROMPTLY, || {
        Ok((site.receiver.told().len() > before + 20).then_some(()))
    });
    match more {
        Ok(()) => format!("went on within {:.1} s", begin.elapsed().as_secs_f64()),
        Err(error) => {
            losses.words.push(format!("others had to wait: {error:#}"));
            "had to wait".to_owned()
        }
    }
}

impl Company {
    fn open(server: &Server, name: &'static str, manner: Manner) -> Result<Self> {
        let receiver = Receiver::start(manner)?;
        let url = receiver.url();
        let create = [
            "companies",
            "create",
            name,
            "--name",
            name,
            "--webhook-url",
            &url,
        ];
        ask(server, &create)?;
        // The check with which a key's arrival is seen takes the first of these.
        let scopes = ["customers:read", "numbers:read", "numbers:write"];
        let key = create_key(server, name, &scopes, None)?;
        await_key(server, &key)?;
        let load = Load::start(Plan {
            name: name.to_owned(),
            ports: vec![server.port()],
            key,
            clients: 4,
            per_second: 60,
            has_customers: false,
            tolerated: &[],
        })?;
        Ok(Self {
            name,
            receiver,
            load: Some(load),
        })
    }

    /// Opens no more sessions; those that were verified.
    fn close(&mut self, losses: &mut Losses) -> Result<Vec<String>> {
        let load = self.load.take().context("it is closed already")?;
        let seen = load.stop()?;
        if seen.wrong > 0 {
            losses.words.extend(seen.wrong_words);
        }
        Ok(seen.verified)
    }

    /// The receiver is mended, and the operator does what is to be done then.
    fn learn(&self, server: &Server) -> Result<()> {
        self.receiver.behave(Manner::Accepts);
        name_webhook(server, self.name, &self.receiver.url())?;
        ask(server, &["deliveries", "replay", "--exhausted", self.name]).map(drop)
    }
}
