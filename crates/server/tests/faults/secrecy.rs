//! A copy of the database, and the log, show nobody.
//!
//! Everything personal that was sent is looked for as it was sent, in other cases, as hex, as base64
//! (wherever it may begin in a longer text) and as a hash without a key.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use test_support::Server;
use test_support::programs::postgres_directory;

use crate::client::{Connection, post};
use crate::office::Key;
use crate::scene::{Engine, Scene};

const PEOPLE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_sqlite_and_the_log_show_nobody() {
    let mut scene = start(Engine::Sqlite).await;
    let people = tell_about_everybody(&scene.server, &scene.key).await;
    // Once with what still stands in the write-ahead log, once with everything in its place.
    let files = scene.database.files();
    let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        files.iter().any(|file| name(file).ends_with("-wal")),
        "{files:?}"
    );
    let read = |files: Vec<std::path::PathBuf>| {
        let contents = files
            .iter()
            .map(|file| (name(file), std::fs::read(file).unwrap()));
        contents.collect::<Vec<_>>()
    };
    let mut contents = read(files);
    scene.server.terminate().unwrap();
    contents.extend(read(scene.database.files()));
    assert!(
        contents
            .iter()
            .any(|(_, bytes)| contains(bytes, b"customer_verification"))
    );
    expect_nobody(&people, contents);
    expect_nobody(&people, log(&scene.server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgres_and_the_log_show_nobody() {
    let scene = start(Engine::Postgres).await;
    let people = tell_about_everybody(&scene.server, &scene.key).await;
    let dump = Command::new(postgres_directory().unwrap().join("pg_dump"))
        .arg(scene.database.url())
        .output()
        .unwrap();
    assert!(dump.status.success());
    assert!(contains(&dump.stdout, b"COPY public.customer_verification"));
    expect_nobody(&people, [("pg_dump".to_owned(), dump.stdout)]);
    expect_nobody(&people, log(&scene.server));
}

/// A server that logs everything it can, behind a proxy that tells whose request it is.
async fn start(engine: Engine) -> Scene {
    Scene::start_with(engine, "secrecy", |builder| {
        builder
            .variable("LOG_LEVEL", "trace")
            .variable("TRUSTED_PROXIES", "127.0.0.0/8")
    })
    .await
}

fn log(server: &Server) -> [(String, Vec<u8>); 2] {
    [
        ("standard output".to_owned(), server.stdout().into_bytes()),
        ("standard error".to_owned(), server.stderr().into_bytes()),
    ]
}

/// Sends data of many people on every path, well-formed and not; returns every piece of it.
async fn tell_about_everybody(server: &Server, key: &Key) -> Vec<String> {
    let mut connection = Connection::open(server.port()).await.unwrap();
    let mut pieces = Vec::new();
    for number in 10..10 + PEOPLE {
        let email = format!("Jane.Doe{number}@Secret-Mail.example");
        let phone = format!("+141555502{number}");
        let (customer, caller) = (
            format!("198.51.100.{number}"),
            format!("203.0.113.{number}"),
        );
        let (browser, agent) = (
            format!("JaneBrowser/{number}.7"),
            format!("ShopAgent/{number}.3"),
        );
        let proof = format!("proof-of-jane-{number}");
        let headers = [
            ("User-Agent", agent.as_str()),
            ("X-Forwarded-For", caller.as_str()),
        ];
        let update = format!(
            r#"{{"email":"{email}","phone":"{phone}","verification_type":"membership","status":true,
            "metadata":{{"ip_address":"{customer}","user_agent":"{browser}","verification_id":"{proof}"}}}}"#
        );
        let once = [
            headers[0],
            headers[1],
            ("Idempotency-Key", &format!("once-{number}")),
        ];
        let question = format!(r#"{{"email":"{email}","phone":"{phone}"}}"#);
        let bulk = format!(r#"{{"emails":["{email}"]}}"#);
        let wrong = format!(r#"{{"email":["{email}"],"phone":"{phone}x"}}"#);
        let stranger = format!("bf_{email}");
        let requests = [
            (post("update-verification", &key.text, &once, &update), 200),
            (post("update-verification", &key.text, &once, &update), 200),
            (
                post("update-verification", &key.text, &once, &question),
                400,
            ),
            (
                post("check-verification", &key.text, &headers, &question),
                200,
            ),
            (post("bulk-check", &key.text, &headers, &bulk), 200),
            (post("check-verification", &key.text, &headers, &wrong), 400),
            (
                post("check-verification", &stranger, &headers, &question),
                401,
            ),
            (post(&email, &key.text, &headers, &question), 404),
        ];
        for (request, status) in requests {
            let answer = connection.ask(&request).await.unwrap();
            assert_eq!(answer.status, status, "{}", answer.text());
        }
        pieces.extend([email, phone, customer, caller, browser, agent, proof]);
    }
    pieces
}

fn expect_nobody(people: &[String], contents: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let needles = Needles::new(people);
    for (name, bytes) in contents {
        assert_eq!(needles.find(&bytes), None, "in {name}");
    }
}

/// Thousands of texts to look for in one pass, by how they begin.
struct Needles(HashMap<[u8; START], Vec<Needle>>);

struct Needle {
    bytes: Vec<u8>,
    name: String,
}

/// Bytes by which a needle is first recognised; none is shorter.
const START: usize = 8;

impl Needles {
    fn new(pieces: &[String]) -> Self {
        let mut needles: HashMap<_, Vec<_>> = HashMap::new();
        for piece in pieces {
            for (form, bytes) in forms(piece) {
                let name = format!("{piece} as {form}");
                let start = *bytes.first_chunk().expect("long enough to be no accident");
                needles
                    .entry(start)
                    .or_default()
                    .push(Needle { bytes, name });
            }
        }
        Self(needles)
    }

    /// The name of a needle that is there.
    fn find(&self, bytes: &[u8]) -> Option<&str> {
        let places = 0..bytes.len().saturating_sub(START - 1);
        places.into_iter().find_map(|place| {
            let rest = &bytes[place..];
            let needles = self.0.get(rest.first_chunk()?)?;
            let found = needles
                .iter()
                .find(|needle| rest.starts_with(&needle.bytes));
            found.map(|needle| needle.name.as_str())
        })
    }
}

/// How a piece of text could look in a copy of the database.
fn forms(piece: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = Vec::new();
    for text in [piece.to_owned(), piece.to_lowercase(), piece.to_uppercase()] {
        let bytes = text.as_bytes();
        let hash = digest(&SHA256, bytes);
        forms.push(("text", bytes.to_vec()));
        forms.push((
            "UTF-16",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ));
        forms.push(("hash", hash.as_ref().to_vec()));
        for bytes in [bytes, hash.as_ref()] {
            forms.push(("hex", HEXLOWER.encode(bytes).into_bytes()));
            forms.push(("hex", HEXUPPER.encode(bytes).into_bytes()));
        }
        for before in 0..3 {
            // Three bytes make four characters; those that also tell of the neighbours are left out.
            let padded = [&b"..."[..before], bytes].concat();
            let own = |encoded: String| {
                let (start, end) = (before.div_ceil(3) * 4, padded.len() / 3 * 4);
                encoded.as_bytes()[start..end].to_vec()
            };
            forms.push(("base64", own(BASE64_NOPAD.encode(&padded))));
            forms.push(("base64", own(BASE64URL_NOPAD.encode(&padded))));
        }
    }
    forms
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn every_form_is_found() {
    let piece = "Jane.Doe10@Secret-Mail.example".to_owned();
    let needles = Needles::new(std::slice::from_ref(&piece));
    let hash = digest(&SHA256, piece.as_bytes());
    let hidden = [
        BASE64_NOPAD.encode(format!("ab{piece}cd").as_bytes()),
        HEXLOWER.encode(piece.to_lowercase().as_bytes()),
        HEXLOWER.encode(hash.as_ref()),
    ];
    for text in hidden {
        assert!(
            needles.find(format!("x{text}").as_bytes()).is_some(),
            "{text}"
        );
    }
    assert_eq!(needles.find(b"Jane.Doe11@Secret-Mail.example"), None);
}
