//! What people ask of an operator, and a backup that has to forget again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use test_support::ServerBuilder;
use test_support::programs::postgres_directory;

use super::{Installation, Ran, names};

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";
const PHONE: &str = "+14155550187";
const LIST: &str = "erasures.ndjson";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_held_and_erased_on_sqlite() {
    people_are_told_held_and_erased(Installation::on_sqlite(builder())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_held_and_erased_on_postgres() {
    people_are_told_held_and_erased(Installation::on_postgres(builder(), "customers")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_forgets_again_on_sqlite() {
    a_restored_backup_forgets_again(Installation::on_sqlite(builder())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_forgets_again_on_postgres() {
    a_restored_backup_forgets_again(Installation::on_postgres(builder(), "restored")).await;
}

fn builder() -> ServerBuilder {
    ServerBuilder::new().variable("ERASURE_LIST_FILE", LIST)
}

/// A shop that tells of people.
struct Shop(String);

impl Shop {
    fn of(installation: &Installation) -> Self {
        let scopes = "customers:read customers:write orders:read orders:write numbers:write admin";
        let scopes: Vec<_> = scopes
            .split(' ')
            .flat_map(|scope| ["--scope", scope])
            .collect();
        let key = installation.new_key(&[&["--company", "default"], &scopes[..]].concat());
        Self(key["key"].as_str().unwrap().to_owned())
    }

    async fn post(&self, installation: &Installation, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", installation.server.base_url());
        let request = reqwest::Client::new()
            .post(url)
            .header("X-API-Key", &self.0);
        let answer = request.json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    async fn tells_of(&self, installation: &Installation, email: &str, phone: &str) {
        let change = json!({"email": email, "phone": phone, "verification_type": "membership",
            "status": true, "metadata": {"user_agent": "a browser of theirs"}});
        let order = json!({"order_id": format!("order of {phone}"), "email": email});
        let number = json!({"mobileNumber": phone, "requestId": format!("request of {phone}")});
        for (path, body, expected) in [
            ("/api/v1/customer/update-verification", change, 200),
            ("/api/v1/orders", order, 201),
            ("/api/v1/verification/initiate", number, 201),
        ] {
            let (status, answer) = self.post(installation, path, body).await;
            assert_eq!(status, expected, "{answer}");
        }
    }

    async fn knows(&self, installation: &Installation, email: &str) -> bool {
        let path = "/api/v1/customer/check-verification";
        let (status, answer) = self.post(installation, path, json!({"email": email})).await;
        assert_eq!(status, 200);
        answer["customer_found"].as_bool().unwrap()
    }
}

fn customers(installation: &Installation, arguments: &[&str]) -> Ran {
    installation.run(&[&["customers"], arguments].concat())
}

async fn people_are_told_held_and_erased(mut installation: Installation) {
    let shop = Shop::of(&installation);
    installation.server.start_again().unwrap();
    shop.tells_of(&installation, ANN, PHONE).await;
    shop.tells_of(&installation, BOB, "+14155550188").await;

    let told = customers(&installation, &["export", ANN]).text();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["customer"]["email"], ANN);
    assert_eq!(told["orders"][0]["status"], "held");
    assert_eq!(told["number_verifications"][0]["mobile_number"], PHONE);
    assert!(
        told["evidence"][0]["metadata"]
            .as_str()
            .unwrap()
            .contains("browser of theirs")
    );
    assert!(!told.to_string().contains(BOB));
    let records = told["audit_records"].as_array().unwrap().iter();
    let actions: Vec<_> = records.map(|record| &record["action"]).collect();
    assert!(actions.contains(&&json!("order.place")), "{actions:?}");
    let by_phone = customers(&installation, &["export", "--phone", PHONE]).text();
    let by_phone: Value = serde_json::from_str(&by_phone).unwrap();
    assert_eq!(by_phone["customer"], told["customer"]);

    // Whoever is under legal hold is not erased.
    let hold = ["hold", "--email", ANN, "--reason", "case 17 of Ann"];
    let words = customers(&installation, &hold).text();
    assert!(words.starts_with("Under legal hold since 20"), "{words}");
    let refused = customers(&installation, &["erase", "--email", ANN]);
    assert!(refused.failure(1).contains("legal hold"));
    let told = customers(&installation, &["export", "--email", ANN]).text();
    assert!(told.contains("case 17 of Ann"));
    let released = customers(&installation, &["release-hold", "--email", ANN, "--json"]).json();
    assert_eq!(released, json!({"legal_hold": false, "since": null}));

    // The receipt holds for whoever has a key, and nothing else.
    let receipt = customers(&installation, &["erase", "--phone", PHONE, "--json"]).json();
    let fields = ["audit_record", "erased", "erased_at", "erasure_id", "proof"];
    assert_eq!(names(&receipt), fields);
    assert_eq!(receipt["erased"]["customers"], 1);
    assert_eq!(receipt["erased"]["number_sessions"], 1);
    the_receipt_is_checked(&installation, &receipt);
    assert!(!shop.knows(&installation, ANN).await);
    assert!(shop.knows(&installation, BOB).await);
    for arguments in [&["export", "--email", ANN][..], &["erase", ANN]] {
        let unknown = customers(&installation, arguments).failure(1);
        assert!(unknown.contains("Nothing is known"), "{unknown}");
    }
    customers(&installation, &["erase"]).failure(2);
    customers(&installation, &["erase", ANN, "--email", BOB]).failure(2);
    let all = customers(&installation, &["erasures"]).text();
    let listed: Value = serde_json::from_str(all.trim()).unwrap();
    assert_eq!(listed["erasure_id"], receipt["erasure_id"]);
    let kept = fs::read_to_string(installation.server.directory().join(LIST)).unwrap();
    assert_eq!(kept, all);
    let words = customers(&installation, &["erase", "--email", BOB]).text();
    assert!(words.contains("1 order cancelled"), "{words}");
    assert!(installation.server.terminate().unwrap().success());
    installation.run(&["audit", "verify"]).text();
}

fn the_receipt_is_checked(installation: &Installation, receipt: &Value) {
    let key = installation.run(&["audit", "key"]).text();
    let check = |receipt: &Value| {
        let file = installation.server.directory().join("receipt.json");
        fs::write(&file, receipt.to_string()).unwrap();
        installation.run(&["audit", "check", "receipt.json", "--key", key.trim()])
    };
    let words = check(receipt).text();
    assert!(words.contains("customer.erase"), "{words}");
    let mut more = receipt.clone();
    more["erased"]["evidence"] = json!(7);
    let refused = check(&more).failure(1);
    assert!(refused.contains("does not say"), "{refused}");
    let mut other = receipt.clone();
    other["proof"]["record"]["detail"] = json!("erasure=");
    assert!(check(&other).failure(1).contains("does not hold"));
    other["proof"] = Value::Null;
    assert!(check(&other).failure(1).contains("audit prove"));
}

async fn a_restored_backup_forgets_again(mut installation: Installation) {
    let shop = Shop::of(&installation);
    installation.server.start_again().unwrap();
    shop.tells_of(&installation, ANN, PHONE).await;
    shop.tells_of(&installation, BOB, "+14155550188").await;
    // The server goes on meanwhile.
    back_up(&installation);
    let erase = "/api/v1/customer/erase";
    let erased = shop.post(&installation, erase, json!({"email": ANN})).await;
    assert_eq!(erased.0, 200);
    assert!(installation.server.terminate().unwrap().success());

    restore(&installation);
    // The backup does remember; the server that is started over it does not answer before it forgot.
    let told = customers(&installation, &["export", "--email", ANN]).text();
    assert!(told.contains(PHONE));
    installation.server.start_again().unwrap();
    assert!(!shop.knows(&installation, ANN).await);
    assert!(shop.knows(&installation, BOB).await);
    customers(&installation, &["export", "--email", ANN]).failure(1);
    customers(&installation, &["export", "--phone", PHONE]).failure(1);
    let again = json!({"email": ANN, "verification_type": "veriff", "status": true});
    let update = "/api/v1/customer/update-verification";
    assert_eq!(shop.post(&installation, update, again).await.0, 200);
    assert!(installation.server.terminate().unwrap().success());
    // Who came again since is not forgotten by the same list.
    installation.server.start_again().unwrap();
    assert!(shop.knows(&installation, ANN).await);
    let again = customers(&installation, &["forget", "--list", LIST, "--json"]).json();
    assert_eq!(
        again,
        json!({"taken_in": 0, "customers": 0, "other_keys": 0})
    );
    assert!(installation.server.terminate().unwrap().success());
    installation.run(&["audit", "verify"]).text();

    // Without its list a backup is not served.
    fs::write(installation.server.directory().join(LIST), "no list\n").unwrap();
    assert!(installation.server.start_again().is_err());
    let said = installation.server.stderr();
    assert!(said.contains("ERASURE_LIST_FILE"), "{said}");
}

/// Copies the database as docs/backup.md says.
fn back_up(installation: &Installation) {
    match &installation.postgres {
        None => {
            let said = installation.run(&["backup", "bonafide.db.copy"]).text();
            assert!(said.contains("Keep the secrets"), "{said}");
            let again = installation.run(&["backup", "bonafide.db.copy"]);
            assert!(again.failure(1).contains("exists already"));
            let copy = installation.server.directory().join("bonafide.db.copy");
            let mode = fs::metadata(copy).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "nobody else can read it");
        }
        Some(database) => {
            let refused = installation.run(&["backup", "bonafide.db.copy"]);
            assert!(refused.failure(2).contains("docs/backup.md"));
            let mut dump = program(installation, "pg_dump");
            dump.args(["--format=custom", "--file=bonafide.dump"]);
            succeed(dump.args(["--dbname", database.url()]));
        }
    }
}

/// Puts the copy in the place of the database, as docs/backup.md says.
fn restore(installation: &Installation) {
    let directory = installation.server.directory();
    match &installation.postgres {
        None => {
            let data = directory.join("data");
            for beside in ["bonafide.db-wal", "bonafide.db-shm"] {
                fs::remove_file(data.join(beside)).ok();
            }
            fs::copy(directory.join("bonafide.db.copy"), data.join("bonafide.db")).unwrap();
        }
        Some(database) => {
            let anew = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
            let mut psql = program(installation, "psql");
            psql.args(["--no-psqlrc", "--dbname", database.url()]);
            succeed(psql.args(["--command", anew]));
            let mut restore = program(installation, "pg_restore");
            restore.args(["--single-transaction", "--no-owner"]);
            restore.args(["--dbname", database.url()]);
            succeed(restore.arg("bonafide.dump"));
        }
    }
}

/// A program of PostgreSQL, in the server's directory.
fn program(installation: &Installation, name: &str) -> Command {
    let mut program = Command::new(postgres_directory().unwrap().join(name));
    program.current_dir(installation.server.directory());
    program
}

fn succeed(command: &mut Command) {
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
}
