//! `bonafide doctor`: what is sound passes, what is not is named, nothing is touched.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};
use test_support::ServerBuilder;

use super::{Installation, Ran};
use crate::console::openid::provider::{ClientProof, Provider, Reply as Answer};
use crate::lightspeed::shop::Shop;
use crate::mail::office::{Does, Manner, Office};
use crate::tokens::signing::Identity;
use crate::{lightspeed, veriff};

/// The verdict of each check, by name; of several of one name, the last.
fn verdicts(ran: &Ran) -> BTreeMap<String, String> {
    let report: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = checks
        .iter()
        .map(|one| (text(&one["check"]), text(&one["verdict"])));
    pairs.collect()
}

#[test]
fn a_sound_installation_passes_and_is_left_as_it_was() {
    let metrics = test_support::ports::free_port().unwrap();
    // What is beside the database may be in the folder that the first start makes.
    let builder = ServerBuilder::first_run()
        .variable("ERASURE_LIST_FILE", "data/erasures.jsonl")
        .variable("CHECKPOINT_FILE", "data/checkpoints.jsonl")
        .variable("METRICS_BIND", format!("127.0.0.1:{metrics}"));
    let mut installation = Installation::on_sqlite(builder);
    let before = installation.run(&["doctor", "--json"]);
    assert_eq!(before.code(), 0, "{}", before.stdout());
    assert!(!installation.server.directory().join("data").exists());

    installation.server.start_again().unwrap();
    let words = installation.run(&["doctor"]).text();
    let served = words.matches("served by bonafide").count();
    assert_eq!(served, 2, "the port and the metrics: {words}");
    assert!(words.lines().all(|line| line.starts_with("ok ")), "{words}");
}

#[tokio::test]
async fn a_sound_postgres_passes() {
    let redis = test_support::Redis::start().unwrap();
    let builder = ServerBuilder::new().variable("REDIS_URL", redis.url());
    let installation = Installation::on_postgres(builder, "doctor");
    installation.run(&["migrate"]).text();
    let ran = installation.run(&["doctor", "--json"]);
    assert_eq!(ran.code(), 0, "{}", ran.stdout());
    let verdicts = verdicts(&ran);
    for check in [
        "database",
        "commit latency",
        "encryption",
        "clock",
        "redis",
        "port",
    ] {
        assert_eq!(verdicts[check], "ok", "{}", ran.stdout());
    }
}

#[test]
fn whatever_is_wrong_is_found() {
    let sealed = Installation::on_sqlite(ServerBuilder::new());
    let create = ["companies", "create", "acme", "--name", "Acme"];
    sealed.run(&create).text();
    let dead = test_support::ports::free_port().unwrap();
    let mail = format!("smtp://u:hunter2@127.0.0.1:{dead}");
    let redis = format!("redis://:hunter2@127.0.0.1:{dead}");
    // The database of one installation under the secrets of another.
    let builder = ServerBuilder::first_run()
        .variable("DATABASE_URL", database_url(&sealed))
        .variable("REDIS_URL", redis)
        .variable("SMTP_URL", mail)
        .variable("API_BASE_URL", "https://verify.example.com");
    let wrong = Installation::on_sqlite(builder);
    let _taken = TcpListener::bind(("127.0.0.1", wrong.server.port())).unwrap();

    let ran = wrong.run(&["doctor", "--json"]);
    ran.failure(1);
    assert!(!ran.stdout().contains("hunter2"));
    let verdicts = verdicts(&ran);
    for check in ["encryption", "redis", "mail", "address", "port"] {
        assert_eq!(verdicts[check], "wrong", "{check} in {}", ran.stdout());
    }
    assert_eq!(verdicts["database"], "ok");
}

#[test]
fn every_mistake_of_the_configuration_is_a_finding() {
    let builder = ServerBuilder::new()
        .variable("LOG_FORMAT", "xml")
        .variable("AUTO_MIGRATE", "perhaps");
    let ran = Installation::on_sqlite(builder).run(&["doctor", "--json"]);
    ran.failure(1);
    let report: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(report["healthy"], false);
    let findings = report["checks"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "{report}");
    assert!(
        findings
            .iter()
            .all(|check| check["verdict"] == "wrong" && check["cure"].is_string())
    );
}

/// An erasure as it is written down.
const ERASURE: &str = r#"{"erasure_id":"01890a5d-ac96-774b-bcce-b302099a8057","company_id":"default","erased_at":"2026-11-22T08:00:00Z","keys":[]}"#;

/// What is in these files; nothing of one that is not there.
fn contents(folder: &Path, files: &[&str]) -> Vec<Option<String>> {
    let read = |file: &&str| std::fs::read_to_string(folder.join(file)).ok();
    files.iter().map(read).collect()
}

fn files_beside_the_database_are_looked_at(mut installation: Installation) {
    let folder = installation.server.directory().to_path_buf();
    std::fs::create_dir(folder.join("folder")).unwrap();
    std::fs::write(folder.join("list"), format!("{ERASURE}\n")).unwrap();
    // Its last line was cut off by a crash: a start puts that right, and only a start.
    std::fs::write(folder.join("torn"), format!("{ERASURE}\n{{\"era")).unwrap();
    std::fs::write(folder.join("nonsense"), "nobody\n").unwrap();
    let files = ["list", "torn", "nonsense", "to-come", "folder/to-come"];
    let before = contents(&folder, &files);
    for (file, list, checkpoints) in [
        ("list", "ok", "ok"),
        ("torn", "ok", "ok"),
        ("to-come", "ok", "ok"),
        ("folder/to-come", "ok", "ok"),
        // Whose checkpoints these are, the server judges.
        ("nonsense", "wrong", "ok"),
        ("folder", "wrong", "wrong"),
        ("nowhere/to-come", "wrong", "wrong"),
        ("list/to-come", "wrong", "wrong"),
    ] {
        installation.server.set("ERASURE_LIST_FILE", file);
        installation.server.set("CHECKPOINT_FILE", file);
        let ran = installation.run(&["doctor", "--json"]);
        let (found, printed) = (verdicts(&ran), ran.stdout());
        assert_eq!(found["erasure list"], list, "{file}: {printed}");
        assert_eq!(found["checkpoint file"], checkpoints, "{file}: {printed}");
        assert!(!printed.contains("nobody"), "{printed}");
    }
    assert_eq!(contents(&folder, &files), before);
}

#[test]
fn files_beside_sqlite_are_looked_at() {
    files_beside_the_database_are_looked_at(Installation::on_sqlite(ServerBuilder::new()));
}

#[test]
fn files_beside_postgres_are_looked_at() {
    let installation = Installation::on_postgres(ServerBuilder::new(), "doctor_files");
    files_beside_the_database_are_looked_at(installation);
}

fn the_address_of_the_metrics_is_looked_at(mut installation: Installation) {
    let verdict = |installation: &Installation| {
        let ran = installation.run(&["doctor", "--json"]);
        let mut found = verdicts(&ran);
        (found.remove("metrics"), ran.stdout())
    };
    assert_eq!(verdict(&installation).0, None);
    let free = test_support::ports::free_port().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = installation.server.port();
    for (address, expected) in [
        (format!("127.0.0.1:{free}"), "ok"),
        (taken.local_addr().unwrap().to_string(), "wrong"),
        (format!("127.0.0.1:{own}"), "wrong"),
        // Of a network for documentation: no machine has it.
        ("192.0.2.1:9090".to_owned(), "wrong"),
    ] {
        installation.server.set("METRICS_BIND", &address);
        let (found, printed) = verdict(&installation);
        assert_eq!(found.as_deref(), Some(expected), "{address}: {printed}");
    }
}

#[test]
fn the_address_of_the_metrics_is_looked_at_on_sqlite() {
    the_address_of_the_metrics_is_looked_at(Installation::on_sqlite(ServerBuilder::new()));
}

#[test]
fn the_address_of_the_metrics_is_looked_at_on_postgres() {
    let installation = Installation::on_postgres(ServerBuilder::new(), "doctor_metrics");
    the_address_of_the_metrics_is_looked_at(installation);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_provider_is_asked_what_it_is() {
    let identity = Identity::es256("one");
    let provider = Provider::open(ClientProof::Basic, &[&identity]).await;
    let builder = ServerBuilder::new()
        .variable("API_BASE_URL", "http://localhost:3000/verify")
        .variable("OIDC_ISSUER", &provider.issuer)
        .variable("OIDC_CLIENT_ID", "bonafide")
        .variable("OIDC_CLIENT_SECRET", "hunter2")
        .variable("OIDC_ADMINS", "maria@example.com");
    let installation = Installation::on_sqlite(builder);
    let told = |is_fine: bool| {
        let ran = installation.run(&["doctor", "--json"]);
        let text = ran.stdout();
        assert!(
            !text.contains("hunter2") && !text.contains("maria"),
            "{text}"
        );
        let verdict = verdicts(&ran)["sign-in"].clone();
        assert_eq!(verdict == "ok", is_fine, "{text}");
        text
    };
    let back = "http://localhost:3000/verify/console/openid/callback";
    assert!(told(true).contains(back));
    provider.publish(&[]);
    assert!(told(false).contains("no key that can be used"));
    let other = provider.document(&json!({"issuer": "https://id.example.com"}));
    provider.answer("document", Answer::Json(other));
    assert!(told(false).contains("to the letter"));
    provider.answer("document", Answer::Status(404));
    assert!(told(false).contains("status 404"));
    provider.close().await;
    assert!(told(false).contains("does not answer"));
}

/// A mail server that says no more than it has to.
fn greet_once(listener: TcpListener) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220-welcome\r\n220 here\r\n").unwrap();
        let mut heard = String::new();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        lines.read_line(&mut heard).unwrap();
        stream.write_all(b"250-here\r\n250 SIZE\r\n").unwrap();
        lines.read_line(&mut heard).unwrap();
        heard
    })
}

#[test]
fn a_mail_server_is_heard_and_left_in_good_manners() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let heard = greet_once(listener);
    let installation = Installation::on_sqlite(ServerBuilder::new().variable("SMTP_URL", url));
    let ran = installation.run(&["doctor", "--json"]);
    assert_eq!(verdicts(&ran)["mail"], "ok", "{}", ran.stdout());
    assert_eq!(heard.join().unwrap(), "EHLO localhost\r\nQUIT\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_is_asked_to_encrypt_and_logged_in_to() {
    let office = Office::open(Manner {
        starttls: true,
        login: Some("PLAIN"),
        ..Manner::default()
    })
    .await;
    let builder = || ServerBuilder::new().variable("SMTP_URL", office.url_at("localhost"));
    let authority = office.authority().display().to_string();
    let known = Installation::on_sqlite(builder().variable("SMTP_CA_FILE", authority));
    let verdict = |installation: &Installation| {
        let ran = installation.run(&["doctor", "--json"]);
        assert!(!ran.stdout().contains("p%40ss"), "{}", ran.stdout());
        verdicts(&ran)["mail"].clone()
    };
    assert_eq!(verdict(&known), "ok");
    assert_eq!(verdict(&Installation::on_sqlite(builder())), "wrong");
    office.does("AUTH", Does::Says("535 5.7.8 no"));
    assert_eq!(verdict(&known), "wrong");
    assert!(office.take().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_services_refuse_are_found() {
    let (shop, veriff) = (Shop::open().await, veriff::office::Office::open().await);
    let words = |token: &str, api_key: &str, secret: &str| {
        let builder = ServerBuilder::first_run()
            .variable("LIGHTSPEED_API_URL", shop.url())
            .variable("LIGHTSPEED_STORE_ID", lightspeed::STORE)
            .variable("LIGHTSPEED_TOKEN", token)
            .variable("LIGHTSPEED_CLIENT_SECRET", lightspeed::CLIENT_SECRET)
            .variable("VERIFF_API_URL", veriff.url())
            .variable("VERIFF_API_KEY", api_key)
            .variable("VERIFF_SHARED_SECRET", secret);
        let installation = Installation::on_sqlite(builder);
        installation.run(&["migrate"]).text();
        let ran = installation.run(&["doctor"]);
        assert!(!ran.stdout().contains(token) && !ran.stdout().contains(secret));
        (ran.code(), ran.stdout())
    };
    let (token, api_key, secret) = (lightspeed::TOKEN, veriff::API_KEY, veriff::SECRET);
    let (code, said) = words(token, api_key, secret);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("store 1003 lets us read its orders"),
        "{said}"
    );
    assert!(said.contains("answers, and takes the API key"), "{said}");
    for (token, api_key, secret, cure) in [
        ("secret_another", api_key, secret, "check LIGHTSPEED_TOKEN"),
        (
            token,
            "another-key",
            secret,
            "check VERIFF_API_KEY and VERIFF_SHARED_SECRET",
        ),
        (
            token,
            api_key,
            "another-secret",
            "check VERIFF_API_KEY and VERIFF_SHARED_SECRET",
        ),
    ] {
        let (code, said) = words(token, api_key, secret);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(cure), "{said}");
    }
}

#[tokio::test]
async fn another_index_key_is_found() {
    let mut installation = Installation::on_sqlite(ServerBuilder::new());
    let key = installation.new_key(&["--company", "default", "--scope", "customers:write"]);
    installation.server.start_again().unwrap();
    let url = format!(
        "{}/api/v1/customer/update-verification",
        installation.server.base_url()
    );
    let update = serde_json::json!({
        "email": "ann@example.com", "verification_type": "veriff", "status": true,
    });
    let request = reqwest::Client::new()
        .post(url)
        .header("X-API-Key", key["key"].as_str().unwrap());
    assert_eq!(request.json(&update).send().await.unwrap().status(), 200);
    let sound = installation.run(&["doctor", "--json"]);
    assert_eq!(verdicts(&sound)["keys"], "ok", "{}", sound.stdout());

    let builder = ServerBuilder::new()
        .variable("DATABASE_URL", database_url(&installation))
        .variable(
            "INDEX_KEY",
            "another key for look-ups of more than 32 bytes",
        );
    let other = Installation::on_sqlite(builder).run(&["doctor", "--json"]);
    assert_eq!(verdicts(&other)["keys"], "wrong", "{}", other.stdout());
}

/// Where the embedded database of an installation is.
fn database_url(installation: &Installation) -> String {
    let folder = installation.server.directory();
    format!("sqlite://{}/data/bonafide.db", folder.display())
}
