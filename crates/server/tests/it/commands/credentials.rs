//! Companies and keys have a life: made, shown, changed, replaced, ended.

use serde_json::Value;

use super::{Installation, names};

pub fn companies_have_a_life(installation: &Installation) {
    let hook = "https://acme.example.com/hook";
    let create = ["companies", "create", "acme", "--name", "Acme"];
    let created = installation
        .run(&[&create[..], &["--webhook-url", hook, "--json"]].concat())
        .json();
    assert_eq!(created["company_id"], "acme");
    assert_eq!(created["name"], "Acme");
    assert_eq!(created["webhook_url"], hook);
    let secret = created["webhook_secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");

    let again = installation.run(&create);
    assert!(again.failure(1).contains("already"));

    let shown = installation
        .run(&["companies", "show", "acme", "--json"])
        .json();
    assert_eq!(shown["is_active"], true);
    assert!(!names(&shown).contains(&"webhook_secret"));

    let listed = installation.run(&["companies", "list", "--json"]).json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["company_id"])
        .collect();
    assert_eq!(ids, ["acme", "default"]);
    let table = installation.run(&["companies", "list"]).text();
    assert!(table.starts_with("ID") && table.contains("Acme"), "{table}");

    let update = |arguments: &[&str]| {
        installation
            .run(&[&["companies", "update", "acme", "--json"], arguments].concat())
            .json()
    };
    let changed = update(&[
        "--name",
        "Acme & Co",
        "--no-webhook",
        "--app-link",
        "acme://verify",
    ]);
    assert_eq!(changed["name"], "Acme & Co");
    assert_eq!(changed["webhook_url"], Value::Null);
    assert_eq!(changed["app_link"], "acme://verify");
    assert!(!names(&changed).contains(&"webhook_secret"));
    let rotated = update(&["--rotate-secret", "--grace", "1h"]);
    assert_ne!(rotated["webhook_secret"], created["webhook_secret"]);
    assert_eq!(update(&["--inactive"])["is_active"], false);
    assert_eq!(update(&["--active"])["is_active"], true);

    for arguments in [&["show", "nobody"][..], &["update", "nobody", "--inactive"]] {
        let ran = installation.run(&[&["companies"], arguments].concat());
        assert!(ran.failure(1).contains("companies create"));
    }
    for wrong in [
        &["companies", "update", "acme"][..],
        &["companies", "update", "acme", "--grace", "1h"],
        &["companies", "update", "acme", "--active", "--inactive"],
        &["companies", "create", "other", "--name", " "],
        &[
            "companies",
            "create",
            "other",
            "--name",
            "x",
            "--webhook-url",
            "ftp://x/y",
        ],
    ] {
        installation.run(wrong).failure(2);
    }
}

pub async fn keys_hold_at_once(installation: &mut Installation) {
    // The very first command makes what it needs.
    let scope = ["--company", "default", "--scope", "customers:read"];
    let first = installation.run(&[&["keys", "create", "--name", "shop"], &scope[..]].concat());
    let key = first.text().trim().to_owned();
    assert_eq!(
        first.stdout(),
        format!("{key}\n"),
        "the key and nothing else"
    );
    assert!(key.starts_with("bf_") && !first.stderr().contains(&key));
    assert!(
        first.stderr().contains("not shown again"),
        "{}",
        first.stderr()
    );

    installation.server.start_again().unwrap();
    assert_eq!(installation.status(&key).await, 200);

    let extras = [
        "--scope",
        "customers:write",
        "--limit",
        "customers=1/1m",
        "--expires",
        "90d",
    ];
    let second = installation.new_key(&[&scope[..], &extras].concat());
    assert_eq!(second["company"], "default");
    assert_eq!(
        second["scopes"],
        serde_json::json!(["customers:read", "customers:write"])
    );
    assert_eq!(second["limits"], serde_json::json!({"customers": "1/1m"}));
    assert!(second["expires_at"].as_str().unwrap().ends_with('Z'));
    let (id, secret) = (
        second["id"].as_str().unwrap(),
        second["key"].as_str().unwrap(),
    );
    assert!(secret.starts_with(&format!("bf_{id}_")));
    installation.soon(secret, 200).await;
    assert_eq!(
        installation.status(secret).await,
        429,
        "its own limit holds"
    );

    let rotated = installation
        .run(&["keys", "rotate", id, "--grace", "0s", "--json"])
        .json();
    let successor = rotated["key"].as_str().unwrap();
    assert_ne!(rotated["id"], second["id"]);
    installation.soon(successor, 200).await;
    installation.soon(secret, 401).await;
    let twice = installation.run(&["keys", "rotate", id]);
    assert!(twice.failure(1).contains("keys list"));

    let successor_id = rotated["id"].as_str().unwrap();
    let revoked = installation
        .run(&["keys", "revoke", successor_id, "--json"])
        .json();
    assert!(revoked["revoked_at"].is_string() && !names(&revoked).contains(&"key"));
    installation.soon(successor, 401).await;

    let listed = installation
        .run(&["keys", "list", "--company", "default", "--json"])
        .text();
    assert!(listed.contains(successor_id) && !listed.contains(successor));
    let table = installation.run(&["keys", "list"]).text();
    assert!(
        table.contains("revoked") && table.contains("expired"),
        "{table}"
    );

    let unknown = [
        "keys",
        "create",
        "--company",
        "nobody",
        "--name",
        "x",
        "--scope",
        "admin",
    ];
    assert!(
        installation
            .run(&unknown)
            .failure(1)
            .contains("companies create")
    );
    installation
        .run(&["keys", "revoke", "aaaaaaaaaaaa"])
        .failure(1);
}
