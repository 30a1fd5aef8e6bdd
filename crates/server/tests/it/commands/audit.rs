//! Proofs, keys and kept checkpoints as an operator, and an outsider, handles them.

use std::fs;

use serde_json::Value;
use test_support::ServerBuilder;

use super::{Installation, Ran};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_proven_to_an_outsider_on_sqlite() {
    let builder = keeping(ServerBuilder::first_run());
    records_are_proven_to_an_outsider(Installation::on_sqlite(builder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_proven_to_an_outsider_on_postgres() {
    let builder = keeping(ServerBuilder::new());
    records_are_proven_to_an_outsider(Installation::on_postgres(builder, "audit_proofs")).await;
}

fn keeping(builder: ServerBuilder) -> ServerBuilder {
    builder.variable("CHECKPOINT_FILE", "checkpoints.jsonl")
}

/// Whoever has a proof and a key, and nothing else: no database, no setting.
struct Outsider(test_support::Server);

impl Outsider {
    fn check(&self, proof: &str, key: &str) -> Ran {
        let file = self.0.directory().join("proof.json");
        fs::write(&file, proof).unwrap();
        let file = file.to_str().unwrap();
        Ran(self
            .0
            .command(["audit", "check", file, "--key", key])
            .unwrap())
    }
}

async fn records_are_proven_to_an_outsider(mut installation: Installation) {
    let key = installation.new_key(&["--company", "default", "--scope", "customers:read"]);
    installation.server.start_again().unwrap();
    installation.soon(key["key"].as_str().unwrap(), 200).await;
    let before = installation.run(&["audit", "export"]).text();
    let checked: Value = before
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|record| record["action"] == "customer.check" && record["outcome"] == "ok")
        .unwrap();
    let id = checked["id"].as_str().unwrap();
    let request = checked["request_id"].as_str().unwrap();

    let proof = installation.run(&["audit", "prove", id]).text();
    assert_eq!(proof.lines().count(), 1);
    let by_request = installation
        .run(&["audit", "prove", "--request", request])
        .text();
    assert_eq!(proof, by_request);
    let old = installation.run(&["audit", "key"]).text();
    let old = old.trim();

    let rotated = installation.run(&["audit", "rotate-key", "--json"]).json();
    let new = installation.run(&["audit", "key"]).text();
    assert_eq!(new.trim(), rotated["public_key"]);
    assert_ne!(new.trim(), old);

    let outsider = Outsider(
        ServerBuilder::new()
            .binary(env!("CARGO_BIN_EXE_bonafide"))
            .variable("ENCRYPTION_KEYS", "none that is understood")
            .prepare()
            .unwrap(),
    );
    let words = outsider.check(&proof, old).text();
    assert!(
        words.contains(&format!("record {id}: customer.check of {request}")),
        "{words}"
    );
    assert!(words.ends_with("1 proof checked: all hold.\n"), "{words}");
    fs::write(outsider.0.directory().join("key"), format!("{old}\n")).unwrap();
    outsider.check(&proof, "key").text();
    let late = installation.run(&["audit", "export"]).text();
    let late: Value = serde_json::from_str(late.lines().last().unwrap()).unwrap();
    let late = installation
        .run(&["audit", "prove", late["id"].as_str().unwrap()])
        .text();
    outsider.check(&(proof.clone() + &late), old).text();
    let changed = proof.replace("\"status\":200", "\"status\":403");
    assert!(
        outsider
            .check(&changed, old)
            .failure(1)
            .contains("does not lead")
    );
    assert!(
        outsider
            .check(&proof, new.trim())
            .failure(1)
            .contains("signature")
    );
    let more = proof.replacen('{', "{\"remark\":\"released\",", 1);
    assert!(
        outsider
            .check(&more, old)
            .failure(1)
            .contains("is not a proof")
    );
    outsider.check(&proof, "nothing").failure(1);
    installation.run(&["audit", "prove", "9.9.9"]).failure(1);
    installation.run(&["audit", "prove", "nine"]).failure(2);

    assert!(installation.server.terminate().unwrap().success());
    the_log_is_compared_with_the_file(&installation);
}

fn the_log_is_compared_with_the_file(installation: &Installation) {
    let compare = ["audit", "verify", "--checkpoints", "checkpoints.jsonl"];
    let words = installation.run(&compare).text();
    assert!(words.contains("kept elsewhere"), "{words}");
    let file = installation.server.directory().join("checkpoints.jsonl");
    let lines = fs::read_to_string(&file).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let number = last["number"].as_u64().unwrap();
    assert_eq!(number, lines.lines().count() as u64);
    // The log is taken away, and everything that vouches for it.
    for table in [
        "audit_records",
        "audit_batches",
        "audit_checkpoints",
        "signing_keys",
    ] {
        assert!(installation.execute(&format!("DELETE FROM {table}")) > 0);
    }
    installation.run(&["audit", "verify"]).text();
    let found = installation.run(&compare);
    assert_eq!(found.code(), 1);
    let gone = format!("checkpoint {number}, as kept elsewhere: it was removed from the log");
    assert!(found.stdout().contains(&gone), "{}", found.stdout());
    fs::write(&file, "hello\n").unwrap();
    let words = installation.run(&compare).failure(1);
    assert!(
        words.contains("line 1 of checkpoints.jsonl is no checkpoint"),
        "{words}"
    );
}
