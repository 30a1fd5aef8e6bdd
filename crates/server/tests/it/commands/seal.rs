//! The master key as an operator replaces it.

use serde_json::json;
use test_support::ServerBuilder;

use super::Installation;

const OLD: &str = "k1:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
const NEW: &str = "k2:Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M=";

#[test]
fn the_master_key_is_replaced_on_sqlite() {
    let installation = Installation::on_sqlite(ServerBuilder::new());
    let directory = installation.server.directory();
    let url = format!("sqlite://{}/data/bonafide.db", directory.display());
    the_master_key_is_replaced(&installation, &url);
}

#[test]
fn the_master_key_is_replaced_on_postgres() {
    let installation = Installation::on_postgres(ServerBuilder::new(), "master_key");
    let url = installation.postgres.as_ref().unwrap().url().to_owned();
    the_master_key_is_replaced(&installation, &url);
}

/// The same installation with other master keys.
fn with_keys(url: &str, keys: &str) -> Installation {
    let builder = ServerBuilder::new()
        .variable("DATABASE_URL", url)
        .variable("ENCRYPTION_KEYS", keys);
    Installation::on_sqlite(builder)
}

fn the_master_key_is_replaced(installation: &Installation, url: &str) {
    let rotate = ["seal", "rotate", "--json"];
    let key = ["--company", "default", "--scope", "customers:read"];
    installation.new_key(&key);
    installation.run(&["audit", "rotate-key"]).text();
    let changed = with_keys(url, &format!("{NEW},{OLD}"));
    let done = changed.run(&rotate).json();
    assert!(done["rewrapped"].as_u64().unwrap() >= 3, "{done}");
    assert_eq!(done["unopened"], 0);
    let master_key = |id, in_use, removable| json!({"id": id, "at_hand": true, "in_use": in_use, "removable": removable});
    let keys = json!([master_key("k2", true, false), master_key("k1", false, true)]);
    assert_eq!(done["master_keys"], keys);
    assert_eq!(changed.run(&rotate).json()["rewrapped"], 0);
    let words = changed.run(&["seal", "rotate"]).text();
    assert!(words.starts_with("0 keys put under k2.\n"), "{words}");
    assert!(
        words.contains("k1: nothing is under it any more: it can be removed\n"),
        "{words}"
    );

    let only = with_keys(url, NEW);
    only.new_key(&key);
    only.run(&["audit", "verify"]).text();
    // Whoever was forgotten with the old key alone reads nothing, and changes nothing.
    let forgotten = installation.run(&["seal", "rotate"]);
    assert!(forgotten.failure(1).contains("could not be opened"));
    assert!(forgotten.stdout().contains("k2: in use, and NOT at hand"));
    only.run(&["audit", "verify"]).text();
}
