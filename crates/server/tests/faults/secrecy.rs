//! A copy of the database, and the log, show nobody.
//!
//! Everything personal that was sent is looked for as it was sent, in other cases, as hex, as base64
//! (wherever it may begin in a longer text) and as a hash without a key. The last digits of an ID are
//! too short for that: they are looked for as a column, and as a hash by themselves and together with
//! all else that was said with them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::{Value, json};
use test_support::Server;
use test_support::programs::postgres_directory;

use crate::client::{Connection, age_status, post, verify_age, verify_number};
use crate::office::Key;
use crate::scene::{Engine, Scene};

const PEOPLE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_sqlite_and_the_log_show_nobody() {
    let mut scene = start(Engine::Sqlite).await;
    let told = tell_about_everybody(&scene.server, &scene.key).await;
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
    expect_nobody(&told, contents);
    expect_nobody(&told, log(&scene.server));
    let files = scene.database.files().into_iter();
    let mut database = files.filter(|file| name(file) == "bonafide.db");
    let database = database.next_back().unwrap();
    assert!(!columns_that_hold(&database, "default").is_empty());
    assert_eq!(columns_that_hold(&database, LAST_DIGITS), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgres_and_the_log_show_nobody() {
    let scene = start(Engine::Postgres).await;
    let told = tell_about_everybody(&scene.server, &scene.key).await;
    let dump = Command::new(postgres_directory().unwrap().join("pg_dump"))
        .arg(scene.database.url())
        .output()
        .unwrap();
    assert!(dump.status.success());
    assert!(contains(&dump.stdout, b"COPY public.customer_verification"));
    assert!(contains(&dump.stdout, b"\tdefault\t"));
    let column = format!("\t{LAST_DIGITS}\t");
    assert!(!contains(&dump.stdout, column.as_bytes()));
    expect_nobody(&told, [("pg_dump".to_owned(), dump.stdout)]);
    expect_nobody(&told, log(&scene.server));
}

/// The columns of a SQLite database that hold exactly this text: in its file the neighbours of a
/// column stand right beside it.
fn columns_that_hold(file: &Path, text: &str) -> Vec<String> {
    const COLUMNS: &str = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
                           WHERE t.type = 'table'";
    let database = rusqlite::Connection::open(file).unwrap();
    let mut columns = database.prepare(COLUMNS).unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let holds = |(table, column): &(String, String)| -> bool {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM \"{table}\" WHERE typeof(\"{column}\") <> 'integer' \
             AND CAST(\"{column}\" AS TEXT) = ?1)"
        );
        database.query_row(&sql, [text], |row| row.get(0)).unwrap()
    };
    let columns = columns.unwrap().map(Result::unwrap).filter(holds);
    columns
        .map(|(table, column)| format!("{table}.{column}"))
        .collect()
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

/// What the server was told.
#[derive(Default)]
struct Told {
    /// Every piece of it that is long enough to be no accident.
    pieces: Vec<String>,
    /// Texts with the last digits of an ID in them, of which somebody might keep the hash.
    with_digits: Vec<String>,
}

/// Sends data of many people on every path, well-formed and not.
async fn tell_about_everybody(server: &Server, key: &Key) -> Told {
    let mut connection = Connection::open(server.port()).await.unwrap();
    let mut told = Told::default();
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
        let shopper = Shopper::new(number, &email);
        let ages = shopper.requests(key, &once);
        let requests = requests.into_iter().chain(ages);
        for (request, status) in requests {
            let answer = connection.ask(&request).await.unwrap();
            assert_eq!(answer.status, status, "{}", answer.text());
        }
        let holder = Holder::new(number);
        told.with_digits.extend(shopper.with_digits());
        let pieces = &mut told.pieces;
        pieces.extend(holder.hold(&mut connection, key, &once).await);
        pieces.extend([email, phone, customer, caller, browser, agent, proof]);
        pieces.extend([shopper.customer, shopper.name, shopper.born]);
    }
    told
}

/// Somebody whose mobile number is asked.
struct Holder {
    number: String,
    request: String,
    user: String,
}

impl Holder {
    fn new(number: usize) -> Self {
        Self {
            number: format!("+491512345{number}89"),
            request: format!("request-of-holder-{number}"),
            user: format!("user-of-the-app-{number}"),
        }
    }

    /// Opens a session, loses its first link, names the number wrongly and rightly; returns all
    /// that nobody else may read.
    async fn hold(
        self,
        connection: &mut Connection,
        key: &Key,
        once: &[(&str, &str)],
    ) -> Vec<String> {
        let opening = json!({"mobileNumber": self.number, "requestId": self.request});
        let open = |headers| verify_number("initiate", &key.text, headers, &opening);
        let mut tokens = Vec::new();
        let mut id = String::new();
        for (request, status) in [(open(once), 201), (open(once), 201), (open(&[]), 200)] {
            let answer = connection.ask(&request).await.unwrap();
            assert_eq!(answer.status, status, "{}", answer.text());
            let session = answer.json();
            let (_, token) = session["deepLink"]
                .as_str()
                .unwrap()
                .rsplit_once('#')
                .unwrap();
            tokens.push(token.to_owned());
            id = session["verificationId"].as_str().unwrap().to_owned();
        }
        let other = format!("+49151234501{}", &self.number[10..12]);
        let name = |number: &str, token: &str| {
            let naming = json!({"verificationId": id, "mobileNumber": number,
                "appUserId": self.user, "token": token});
            verify_number("submit", "", once, &naming)
        };
        for (request, status) in [
            (name(&self.number, &tokens[0]), 401),
            (name("no number", &tokens[2]), 400),
            (name(&other, &tokens[2]), 200),
            (name(&other, &tokens[2]), 200),
            (name(&self.number, &tokens[2]), 422),
        ] {
            let answer = connection.ask(&request).await.unwrap();
            assert_eq!(answer.status, status, "{}", answer.text());
        }
        let naming = json!({"verificationId": id, "mobileNumber": self.number,
            "appUserId": self.user});
        let request = verify_number("submit", &key.text, &[], &naming);
        let answer = connection.ask(&request).await.unwrap();
        assert_eq!(answer.json()["status"], "verified", "{}", answer.text());
        let digits = self.number[1..].to_owned();
        // Of a whole token the hash is kept, of a part of it nothing.
        let tokens = tokens.iter().map(|token| token[..24].to_owned());
        [digits, self.request, self.user]
            .into_iter()
            .chain(tokens)
            .collect()
    }
}

/// Somebody whose age is asked.
struct Shopper {
    customer: String,
    name: String,
    born: String,
    email: String,
}

/// The last digits of everybody's ID number, which are too short to be looked for as they are. No
/// number is written with a zero in front.
const LAST_DIGITS: &str = "0739";

impl Shopper {
    fn new(number: usize, email: &str) -> Self {
        Self {
            customer: format!("shopper-number-{number}"),
            name: format!("Wilhelmina Featherstone{number}"),
            born: format!("19{number}-04-17"),
            email: email.to_owned(),
        }
    }

    fn claim(&self) -> Value {
        json!({"customerId": self.customer, "fullName": self.name,
            "dateOfBirth": self.born, "idNumberLast4": LAST_DIGITS, "state": "TX",
            "email": self.email})
    }

    /// The last digits beside what else is known of a shopper, and the claim as it is sent: whoever
    /// keeps the hash of one lets ten thousand be tried.
    fn with_digits(&self) -> Vec<String> {
        let mut texts = vec![self.claim().to_string()];
        for about in [&self.customer, &self.name, &self.born, &self.email] {
            for between in ["", " ", ":", "|", "-", "_", "\0", "\n"] {
                texts.push(format!("{about}{between}{LAST_DIGITS}"));
                texts.push(format!("{LAST_DIGITS}{between}{about}"));
            }
        }
        texts
    }

    /// Claims that pass, are remembered, are refused and cannot be read.
    fn requests(&self, key: &Key, headers: &[(&str, &str)]) -> Vec<(Vec<u8>, u16)> {
        let claim = self.claim();
        let mut refused = claim.clone();
        refused["customerId"] = format!("{}-too", self.customer).into();
        refused["idNumberLast4"] = format!("{LAST_DIGITS}{LAST_DIGITS}").into();
        let mut unreadable = claim.clone();
        unreadable["state"] = json!([self.name]);
        let ask = |claim| verify_age(&key.text, &[], claim);
        vec![
            (verify_age(&key.text, headers, &claim), 200),
            (verify_age(&key.text, headers, &claim), 200),
            (ask(&claim), 200),
            (ask(&refused), 400),
            (ask(&refused), 400),
            (ask(&refused), 400),
            (ask(&refused), 429),
            (ask(&unreadable), 400),
            (age_status(&key.text, &self.customer), 200),
            (
                age_status(&key.text, &format!("{}-too", self.customer)),
                404,
            ),
        ]
    }
}

/// All ten thousand last digits, and texts with the true ones, as hashes without a key.
fn digits_by_hash(with_digits: &[String]) -> Needles {
    let mut needles = Needles(HashMap::new());
    let digits = (0..10_000).map(|digits| format!("{digits:04}"));
    for text in digits.chain(with_digits.iter().cloned()) {
        let hash = digest(&SHA256, text.as_bytes());
        let hash = hash.as_ref();
        let forms = [
            hash.to_vec(),
            HEXLOWER.encode(hash).into_bytes(),
            HEXUPPER.encode(hash).into_bytes(),
            BASE64_NOPAD.encode(hash).into_bytes(),
        ];
        for bytes in forms {
            needles.add(bytes, format!("{text} as a hash"));
        }
    }
    // As they were sent.
    needles.add(
        format!("Last4\":\"{LAST_DIGITS}").into_bytes(),
        "digits as sent".into(),
    );
    needles.add(
        format!("last4\":\"{LAST_DIGITS}").into_bytes(),
        "digits in JSON".into(),
    );
    needles.add(
        format!("{LAST_DIGITS}{LAST_DIGITS}").into_bytes(),
        "wrong digits".into(),
    );
    needles
}

fn expect_nobody(told: &Told, contents: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let needles = Needles::new(&told.pieces);
    let digits = digits_by_hash(&told.with_digits);
    for (name, bytes) in contents {
        assert_eq!(needles.find(&bytes), None, "in {name}");
        assert_eq!(digits.find(&bytes), None, "in {name}");
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
        let mut needles = Self(HashMap::new());
        for piece in pieces {
            for (form, bytes) in forms(piece) {
                needles.add(bytes, format!("{piece} as {form}"));
            }
        }
        needles
    }

    fn add(&mut self, bytes: Vec<u8>, name: String) {
        let start = *bytes.first_chunk().expect("long enough to be no accident");
        let alike = self.0.entry(start).or_default();
        alike.push(Needle { bytes, name });
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
    let texts = Shopper::new(10, &piece).with_digits();
    let digits = digits_by_hash(&texts);
    for text in ["4321", "shopper-number-10:0739", texts[0].as_str()] {
        let hash = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        assert!(digits.find(hash.as_bytes()).is_some(), "{text}");
    }
}
