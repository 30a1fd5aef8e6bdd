//! `bonafide audit prove|check|key|rotate-key`: proofs, and the key that they are checked with.

use std::path::{Path, PathBuf};

use app::App;
use app::audit::{self, Place};
use clap::Args;
use domain::audit::{Proof, PublicKey};
use serde::{Deserialize, Serialize};

use crate::cli::failure::Failure;
use crate::cli::of_app;
use crate::cli::output::{Output, counted, print_line};
use crate::cli::session::exchange;
use crate::http::audit::ProofDocument;
use crate::http::customers::ReceiptDocument;

/// Which record to prove.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct ProveArguments {
    /// The record's place, as `audit export` prints it
    #[arg(value_name = "LOG.BATCH.POSITION", value_parser = place)]
    pub id: Option<Place>,
    /// The request whose records are to be proven (`X-Request-Id`)
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
}

/// What to check, and with which key.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// A file of proofs, as `audit prove` prints them, or of receipts for erasures
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The public key that you trust, in hexadecimal, or a file that holds it
    #[arg(long, value_name = "HEX|FILE")]
    pub key: String,
}

fn place(text: &str) -> Result<Place, String> {
    Place::parse(text).ok_or_else(|| "it is written like 1.204.3: log, batch, position".to_owned())
}

/// Prints proofs, one a line.
pub async fn prove(app: &App, wanted: &ProveArguments) -> Result<(), Failure> {
    let places = match (&wanted.id, &wanted.request) {
        (Some(place), _) => vec![*place],
        (None, request) => {
            let request = request.as_deref().unwrap_or_default();
            audit::places_of_request(app, request)
                .await
                .map_err(of_app)?
        }
    };
    let mut proofs = Vec::with_capacity(places.len());
    for place in places {
        proofs.extend(audit::prove(app, place).await.map_err(of_app)?);
    }
    if proofs.is_empty() {
        return Err(Failure::failed("there is no such record")
            .with_hint("`bonafide audit export` prints the records there are"));
    }
    for proven in proofs {
        let document = serde_json::to_string(&ProofDocument::of(&proven));
        print_line(&document.map_err(|error| Failure::failed(error.to_string()))?)?;
    }
    Ok(())
}

/// A proof that holds, as programs read it.
#[derive(Serialize)]
struct Held {
    id: String,
    at: String,
    request_id: String,
    company: String,
    action: String,
    outcome: String,
    status: i64,
    checkpoint: i64,
    checkpoint_time: String,
}

/// Checks the proofs of a file.
pub fn check(arguments: &CheckArguments, output: Output) -> Result<(), Failure> {
    let key = trusted(&arguments.key)?;
    let text = read(&arguments.file)?;
    let mut held = Vec::new();
    for document in serde_json::Deserializer::from_str(&text).into_iter::<Document>() {
        let document = document.ok();
        let proof = document.as_ref().and_then(Document::proof);
        let proof = proof.ok_or_else(|| no_proof(&arguments.file))?;
        held.push(checked(&proof, &key)?);
        if let Some(Document::Receipt(receipt)) = &document
            && !receipt.is_borne_out_by(&proof)
        {
            return Err(
                Failure::failed("the receipt says what its audit record does not say")
                    .with_hint("its proof holds, but of a record that tells of something else"),
            );
        }
    }
    if held.is_empty() {
        return Err(no_proof(&arguments.file));
    }
    output.print(&held, || in_words(&held))
}

/// What can be checked: nothing in either is left unread.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Proof(Box<ProofDocument>),
    Receipt(Box<ReceiptDocument>),
}

impl Document {
    fn proof(&self) -> Option<Proof> {
        match self {
            Self::Proof(document) => document.proof(),
            Self::Receipt(receipt) => receipt.proof()?.proof(),
        }
    }
}

fn no_proof(file: &Path) -> Failure {
    Failure::failed(format!("{} is not a proof", file.display())).with_hint(
        "docs/audit-log.md describes what a proof looks like; for a receipt without one ask `bonafide \
         audit prove`",
    )
}

fn checked(proof: &Proof, key: &PublicKey) -> Result<Held, Failure> {
    let (log, batch) = (proof.batch.log, proof.batch.number);
    let id = format!("{log}.{batch}.{}", proof.position);
    let checkpoint = proof.check(key).map_err(|doubt| {
        Failure::failed(format!("the proof of record {id} does not hold: {doubt}"))
            .with_hint("ask for the proof again, and compare the key with one that was kept")
    })?;
    let record = &proof.record;
    Ok(Held {
        id,
        at: record.at.to_string(),
        request_id: record.request_id.to_string(),
        company: record.company.to_string(),
        action: record.action.to_string(),
        outcome: record.outcome.code.to_string(),
        status: record.outcome.status,
        checkpoint: checkpoint.number,
        checkpoint_time: checkpoint.at.to_string(),
    })
}

fn in_words(held: &[Held]) -> String {
    let lines = held.iter().map(|held| {
        format!(
            "record {}: {} of {} by company {:?} at {}, outcome {} ({})\n  is in the log, says \
             checkpoint {} of {}",
            held.id,
            held.action,
            held.request_id,
            held.company,
            held.at,
            held.outcome,
            held.status,
            held.checkpoint,
            held.checkpoint_time
        )
    });
    let verdict = format!("{} checked: all hold.", counted(held.len() as u64, "proof"));
    lines.chain([verdict]).collect::<Vec<_>>().join("\n")
}

/// A key in hexadecimal, or the file that holds it.
fn trusted(text: &str) -> Result<PublicKey, Failure> {
    if let Some(key) = PublicKey::from_hex(text) {
        return Ok(key);
    }
    PublicKey::from_hex(read(Path::new(text))?.trim()).ok_or_else(|| {
        Failure::usage("--key is no public key")
            .with_hint("`bonafide audit key` prints it: 64 hexadecimal digits")
    })
}

/// A file's text.
pub fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::failed(format!("{} cannot be read: {error}", file.display()))
            .with_hint("name a file that is there and that you may read")
    })
}

/// A key that signs, as programs read it.
#[derive(Serialize)]
struct Signing {
    public_key: String,
    first_checkpoint: i64,
}

/// Prints the key that signs now; for programs, those before it too.
pub async fn key(app: &App, output: Output) -> Result<(), Failure> {
    let keys: Vec<Signing> = audit::keys(app)
        .await
        .map_err(of_app)?
        .into_iter()
        .map(|(first_checkpoint, key)| Signing {
            public_key: key.to_hex(),
            first_checkpoint,
        })
        .collect();
    let Some(newest) = keys.first() else {
        return Err(Failure::failed("no checkpoint was made yet")
            .with_hint("a running server makes the first one within a minute"));
    };
    output.print(&keys, || newest.public_key.clone())
}

/// Replaces the key, and prints the new one.
pub async fn rotate_key(app: &App, output: Output) -> Result<(), Failure> {
    let exchange = exchange(app, "audit.rotate_key");
    let draft = app.recorder.draft(&exchange).await.map_err(of_app)?;
    let signed = app.checkpoints.rotate(&draft).await.map_err(of_app)?;
    let number = signed.checkpoint.number;
    let next = signed.checkpoint.next_key().map(PublicKey::to_hex);
    let signing = Signing {
        public_key: next.unwrap_or_default(),
        first_checkpoint: number + 1,
    };
    output.print(&signing, || {
        format!(
            "{}\nsigns from checkpoint {} on; checkpoint {number}, signed by the key before, says so",
            signing.public_key, signing.first_checkpoint
        )
    })
}
