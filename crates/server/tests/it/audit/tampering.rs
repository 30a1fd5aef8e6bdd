//! Whatever is changed in the tables of the log behind its back is found, and the place is named.

use crate::harness::{TestApp, flows};

use super::changes::{
    Bytes, Change, Integer, Kind, Place, Row, Saved, TABLES, Text, Uuid, literal, rows,
};
use super::grown::grow;

flows!(
    any_byte_of_any_column_of_a_record_is_named,
    any_byte_of_any_column_of_a_batch_is_named,
    any_byte_of_any_column_of_a_checkpoint_or_key_is_named,
    records_removed_inserted_doubled_or_swapped_are_named,
    batches_removed_or_inserted_are_named,
    a_cut_tail_and_a_dropped_log_are_named,
    a_checkpoint_signed_out_of_turn_is_named,
);

const RECORD: [(&str, Kind); 17] = [
    ("log", Place),
    ("batch", Place),
    ("position", Place),
    ("month", Place),
    ("at", Integer),
    ("request_id", Text),
    ("company_id", Text),
    ("credential", Text),
    ("action", Text),
    ("subject", Bytes),
    ("outcome", Text),
    ("status", Integer),
    ("latency", Integer),
    ("occurrences", Integer),
    ("data_key", Uuid),
    ("client", Bytes),
    ("detail", Text),
];

const BATCH: [(&str, Kind); 8] = [
    ("log", Place),
    ("batch", Place),
    ("size", Integer),
    ("committed_at", Integer),
    ("previous", Bytes),
    ("root", Bytes),
    ("head", Bytes),
    ("leaves", Bytes),
];

const CHECKPOINT: [(&str, Kind); 8] = [
    ("number", Place),
    ("at", Integer),
    ("previous", Bytes),
    ("heads", Bytes),
    ("signing_key", Uuid),
    ("signature", Bytes),
    ("version", Integer),
    ("next_key", Bytes),
];

const KEY: [(&str, Kind); 6] = [
    ("id", Uuid),
    ("public_key", Bytes),
    ("master_key", Text),
    ("wrapped", Bytes),
    ("created_at", Integer),
    ("first_checkpoint", Place),
];

/// Changes one column of all these rows at once; each must be named by a fault that begins with one
/// of the words and the row's place.
async fn each_is_named(app: &TestApp, rows: &[Row], column: (&'static str, Kind), words: &[&str]) {
    let mut changes = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        changes.push(Change::plan(app, row, column, number).await);
    }
    for change in &changes {
        change.make(app).await;
    }
    let faults = app.audit_faults().await;
    for change in &changes {
        change.undo(app).await;
    }
    for row in rows {
        let name = row.name();
        let is_named = |fault: &String| {
            words.iter().any(|word| {
                let rest = fault.strip_prefix(&format!("{word} {name}"));
                rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
            })
        };
        assert!(
            faults.iter().any(is_named),
            "{column:?} of {name} is not named: {:?}",
            &faults[..faults.len().min(20)]
        );
    }
    app.assert_audit_is_clean().await;
}

async fn any_byte_of_any_column_of_a_record_is_named(app: TestApp) {
    grow(&app).await;
    let rows = rows(&app, "audit_records", &["log", "batch", "position"], 16).await;
    for column in RECORD {
        each_is_named(&app, &rows, column, &["record"]).await;
    }
}

async fn any_byte_of_any_column_of_a_batch_is_named(app: TestApp) {
    grow(&app).await;
    let rows = rows(&app, "audit_batches", &["log", "batch"], 8).await;
    for column in BATCH {
        each_is_named(&app, &rows, column, &["batch", "record"]).await;
    }
}

async fn any_byte_of_any_column_of_a_checkpoint_or_key_is_named(app: TestApp) {
    grow(&app).await;
    let numbers = rows(&app, "audit_checkpoints", &["number"], 5).await;
    for column in CHECKPOINT {
        each_is_named(&app, &numbers, column, &["checkpoint"]).await;
    }
    // The checkpoint that names the next key, by itself.
    let naming = app
        .database()
        .sql("SELECT number FROM audit_checkpoints WHERE next_key IS NOT NULL")
        .await;
    let naming = Row {
        table: "audit_checkpoints",
        key: vec![("number", naming[0][0].clone())],
    };
    for column in CHECKPOINT {
        each_is_named(&app, std::slice::from_ref(&naming), column, &["checkpoint"]).await;
    }
    for row in rows(&app, "signing_keys", &["id"], 2).await {
        for (number, column) in KEY.into_iter().enumerate() {
            let change = Change::plan(&app, &row, column, number).await;
            change.make(&app).await;
            let faults = app.audit_faults().await;
            change.undo(&app).await;
            let named = faults.iter().any(|fault| fault.starts_with("signing key"));
            assert!(named, "{column:?}: {faults:?}");
        }
    }
    app.assert_audit_is_clean().await;
}

/// A copy of a record at another place.
fn copy(from: &Row, batch: i64, position: i64) -> String {
    format!(
        "INSERT INTO audit_records (log, batch, position, month, at, request_id, company_id, credential, \
         action, subject, outcome, status, latency, occurrences, data_key, client, detail) \
         SELECT log, {batch}, {position}, month, at, request_id, company_id, credential, action, subject, \
         outcome, status, latency, occurrences, data_key, client, detail FROM audit_records \
         WHERE {}",
        from.condition()
    )
}

async fn records_removed_inserted_doubled_or_swapped_are_named(app: TestApp) {
    grow(&app).await;
    let saved = Saved::save(&app).await;
    let rows = rows(&app, "audit_records", &["log", "batch", "position"], 6).await;
    for row in &rows {
        let (log, batch) = (&row.key[0].1, &row.key[1].1);
        let removal = format!("DELETE FROM audit_records WHERE {}", row.condition());
        let faults = saved.faults_after(&app, &[removal]).await;
        assert_eq!(faults, [format!("record {} was removed", row.name())]);

        let number: i64 = batch.parse().unwrap();
        for (other, position) in [
            (number, 1_000_000),
            (number, -1),
            (-3, 0),
            (0, 0),
            (1 << 50, 0),
        ] {
            let faults = saved
                .faults_after(&app, &[copy(row, other, position)])
                .await;
            let place = format!("record {log}.{other}.{position} was inserted");
            assert_eq!(faults, [place]);
        }
    }
    let [one, other] = [&rows[1], &rows[3]];
    let (log, batch) = (&other.key[0].1, &other.key[1].1);
    let moved =
        |row: &Row, to: &str| format!("UPDATE audit_records SET {to} WHERE {}", row.condition());
    let place = |row: &Row| {
        let assigned = row
            .key
            .iter()
            .map(|(column, value)| format!("{column} = {value}"));
        assigned.collect::<Vec<_>>().join(", ")
    };
    let parked = Row {
        key: vec![
            ("log", log.clone()),
            ("batch", batch.clone()),
            ("position", "777777".into()),
        ],
        ..one.clone()
    };
    let swap = [
        moved(one, &place(&parked)),
        moved(other, &place(one)),
        moved(&parked, &place(other)),
    ];
    let mut faults = saved.faults_after(&app, &swap).await;
    let mut expected = [one, other].map(|row| format!("record {} was changed", row.name()));
    faults.sort();
    expected.sort();
    assert_eq!(faults, expected);
}

async fn batches_removed_or_inserted_are_named(app: TestApp) {
    grow(&app).await;
    let saved = Saved::save(&app).await;
    let rows = rows(&app, "audit_batches", &["log", "batch"], 6).await;
    let ends = "SELECT log, MAX(batch) FROM audit_batches GROUP BY log";
    let ends = app.database().sql(ends).await;
    // A log without its last batch is cut off, which is named otherwise.
    let is_end = |row: &Row| ends.contains(&vec![row.key[0].1.clone(), row.key[1].1.clone()]);
    let inner: Vec<_> = rows[1..5].iter().filter(|row| !is_end(row)).collect();
    assert!(inner.len() > 1, "{ends:?}");
    for row in inner {
        let (name, condition) = (row.name(), row.condition());
        let whole = ["audit_batches", "audit_records"]
            .map(|table| format!("DELETE FROM {table} WHERE {condition}"));
        let faults = saved.faults_after(&app, &whole).await;
        assert_eq!(faults[0], format!("batch {name} was removed"), "{faults:?}");
        let faults = saved.faults_after(&app, &whole[..1]).await;
        let record = format!("record {name}.0 was inserted");
        assert!(faults.contains(&record), "{faults:?}");
        for number in [-4_i64, 0, 1 << 40] {
            let insertion = format!(
                "INSERT INTO audit_batches \
                 SELECT log, {number}, size, committed_at, previous, root, head, leaves \
                 FROM audit_batches WHERE {condition}"
            );
            let faults = saved.faults_after(&app, &[insertion]).await;
            let place = format!("batch {}.{number} ", row.key[0].1);
            let named = faults.iter().any(|fault| fault.starts_with(&place));
            assert!(named, "{place}: {faults:?}");
            assert!(faults.len() < 10, "{faults:?}");
        }
    }
}

async fn a_cut_tail_and_a_dropped_log_are_named(app: TestApp) {
    grow(&app).await;
    let kept = super::publishing::kept(&app).await;
    let saved = Saved::save(&app).await;
    let ends = "SELECT log, MAX(batch) FROM audit_batches GROUP BY log ORDER BY log";
    for end in app.database().sql(ends).await {
        let (log, last) = (&end[0], end[1].parse::<i64>().unwrap());
        let cut = |from: i64| {
            ["audit_batches", "audit_records"]
                .map(|table| format!("DELETE FROM {table} WHERE log = {log} AND batch >= {from}"))
        };
        if last > 3 {
            let faults = saved.faults_after(&app, &cut(last - 2)).await;
            let cut_off = format!("batch {log}.{} and all up to {last} were removed", last - 2);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(&cut_off), "{faults:?}");
        }

        let faults = saved.faults_after(&app, &cut(0)).await;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with(&format!("log {log} was removed")),
            "{faults:?}"
        );
    }

    // Whoever also takes away the checkpoints is found by one that was kept elsewhere.
    let newest = kept.len();
    let known = "SELECT MAX(number) FROM audit_checkpoints";
    assert_eq!(app.database().sql(known).await[0][0], newest.to_string());
    for sql in [
        "DELETE FROM audit_checkpoints WHERE number > 3".to_owned(),
        "DELETE FROM audit_records WHERE batch > 3".to_owned(),
        "DELETE FROM audit_batches WHERE batch > 3".to_owned(),
    ] {
        app.database().sql(&sql).await;
    }
    let report = app.verified_against(&kept[newest - 1..]).await;
    let gone = format!("checkpoint {newest}, as kept elsewhere: it was removed from the log");
    assert!(report.contains(&gone), "{report:?}");
    let contradicted = format!("is not the one that checkpoint {newest} vouches for");
    assert!(
        report.iter().any(|fault| fault.ends_with(&contradicted)),
        "{report:?}"
    );
    for table in TABLES {
        app.database().sql(&format!("DELETE FROM {table}")).await;
    }
    assert_eq!(app.audit_faults().await, Vec::<String>::new());
    let report = app.verified_against(&kept).await;
    let named =
        |number| format!("checkpoint {number}, as kept elsewhere: it was removed from the log");
    assert!(
        (1..=newest).all(|number| report.contains(&named(number))),
        "{report:?}"
    );
    saved.restore(&app).await;
}

async fn a_checkpoint_signed_out_of_turn_is_named(app: TestApp) {
    grow(&app).await;
    let saved = Saved::save(&app).await;
    let signed = super::publishing::checkpoints(&app).await;
    let newest = signed.last().unwrap();
    let keys = super::publishing::signing_keys(&app).await;
    // Whoever has the master key can sign with the key that was replaced.
    let old = keys.last().unwrap();
    assert_ne!(old.wrapped.id, newest.signing_key);
    let seed = app.app.key_ring.unwrap_bytes(&old.wrapped).unwrap();
    let key = domain::audit::CheckpointKey::from_seed(&seed).unwrap();
    let number = newest.checkpoint.number;
    let forged = literal(&app, Bytes, &key.sign(&newest.checkpoint));
    let id = literal(&app, Uuid, old.wrapped.id.as_bytes());
    let sql = format!(
        "UPDATE audit_checkpoints SET signature = {forged}, signing_key = {id} \
         WHERE number = {number}"
    );
    let faults = saved.faults_after(&app, &[sql]).await;
    let out_of_turn = "it is signed by another key than the one whose turn it was";
    assert_eq!(faults, [format!("checkpoint {number}: {out_of_turn}")]);
}
