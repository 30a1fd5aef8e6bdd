//! What an older version wrote is found by this one.

use bonafide_store::tables::customers::Key;
use bonafide_store::tables::data_keys::{self, Purpose};
use bonafide_store::tables::{age_customers, erasure};
use bonafide_store::{Lane, Result, Tx, Unit, Written};
use domain::access::CompanyId;
use domain::seal::{BlindIndex, WrappedKey};
use refinery::Target;
use uuid::Uuid;

use crate::ground::{Ground, run};

mod sqlite_migrations {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres_migrations {
    refinery::embed_migrations!("migrations/postgres");
}

/// Before numbers had groups, and ages row ids.
const WITHOUT_GROUPS: Target = Target::Version(17);

/// Before sessions were counted, and had deadlines.
const UNCOUNTED: Target = Target::Version(19);

/// Before only keys with a label had an index beside their names'.
const ALL_LABELLED: Target = Target::Version(20);

#[test]
fn numbers_and_ages_are_found_after_an_upgrade_of_sqlite() {
    run(async {
        numbers_and_ages_are_found_after_an_upgrade(sqlite(WITHOUT_GROUPS)).await;
    });
}

#[test]
fn numbers_and_ages_are_found_after_an_upgrade_of_postgres() {
    run(async {
        let ground = postgres("upgrade", WITHOUT_GROUPS).await;
        numbers_and_ages_are_found_after_an_upgrade(ground).await;
    });
}

#[test]
fn requests_have_one_pending_session_after_an_upgrade_of_sqlite() {
    run(async {
        requests_have_one_pending_session_after_an_upgrade(sqlite(UNCOUNTED)).await;
    });
}

#[test]
fn requests_have_one_pending_session_after_an_upgrade_of_postgres() {
    run(async {
        let ground = postgres("upgrade_requests", UNCOUNTED).await;
        requests_have_one_pending_session_after_an_upgrade(ground).await;
    });
}

#[test]
fn keys_are_found_after_an_upgrade_of_sqlite() {
    run(async {
        keys_are_found_after_an_upgrade(sqlite(ALL_LABELLED)).await;
    });
}

#[test]
fn keys_are_found_after_an_upgrade_of_postgres() {
    run(async {
        let ground = postgres("upgrade_keys", ALL_LABELLED).await;
        keys_are_found_after_an_upgrade(ground).await;
    });
}

/// An older SQLite file.
fn sqlite(version: Target) -> Ground {
    Ground::older_sqlite(|connection| {
        let runner = sqlite_migrations::migrations::runner();
        runner.set_target(version).run(connection).unwrap();
    })
}

/// An older PostgreSQL database.
async fn postgres(name: &str, version: Target) -> Ground {
    Ground::older_postgres(name, async |client| {
        let runner = postgres_migrations::migrations::runner();
        runner.set_target(version).run_async(client).await.unwrap();
    })
    .await
}

async fn numbers_and_ages_are_found_after_an_upgrade(ground: Ground) {
    for byte in 0..u8::MAX {
        ground.sql(&session(&ground, byte)).await;
    }
    ground.sql(&age(&ground, 7)).await;
    assert!(ground.location().migrate().await.unwrap() > 0);
    // The program before goes on beside this one.
    ground.sql(&session(&ground, u8::MAX)).await;

    let store = ground.open().await;
    for byte in 0..=u8::MAX {
        let gone = store.write(Erase(index(byte))).await.unwrap();
        assert_eq!(gone, [key(byte)], "{byte}");
    }
    let customer = store.write(Look(index(7))).await.unwrap().unwrap();
    assert_eq!(customer.attempts.count, 2);
    assert_eq!(customer.email_index, Some(index(8)));
}

async fn requests_have_one_pending_session_after_an_upgrade(ground: Ground) {
    // The clock went back before the last of request 1 began.
    for (byte, request, status) in [
        (5, 1, "verified"),
        (6, 1, "expired"),
        (4, 1, "pending"),
        (7, 2, "pending"),
        (8, 3, "failed"),
    ] {
        let session = session_of(&ground, byte, request, status);
        ground.sql(&session).await;
    }
    assert!(ground.location().migrate().await.unwrap() > 0);
    let counted = "SELECT verification_id, occasion FROM verification_sessions \
         ORDER BY request_index, occasion";
    let named = |byte: u8| format!("nv_{byte:036}");
    let counted: Vec<_> = ground.sql(counted).await;
    assert_eq!(
        counted.concat(),
        [(5, "0"), (6, "1"), (4, "2"), (7, "0"), (8, "0")]
            .map(|(byte, occasion)| [named(byte), occasion.to_owned()])
            .concat()
    );
    let deadlines = "SELECT verification_id FROM verification_deadlines ORDER BY 1";
    assert_eq!(ground.sql(deadlines).await.concat(), [4, 7].map(named));

    // The program before goes on with it.
    for (byte, request) in [(10, 1), (11, 2), (12, 4)] {
        let session = session_of(&ground, byte, request, "pending") + " ON CONFLICT DO NOTHING";
        ground.sql(&session).await;
    }
    let pending =
        "SELECT verification_id FROM verification_sessions WHERE status = 'pending' ORDER BY 1";
    let found = ground.sql(pending).await.concat();
    if !ground.is_postgres() {
        assert_eq!(found, [4, 7, 10, 11, 12].map(named), "it does not count");
        return;
    }
    assert_eq!(found, [4, 7, 12].map(named));
    // It tries, ends what is in its way, and tries again.
    let again = session_of(&ground, 13, 1, "pending") + " ON CONFLICT DO NOTHING";
    ground.sql(&again).await;
    let end = "UPDATE verification_sessions SET status = 'expired' WHERE verification_id = ";
    ground.sql(&format!("{end}'{}'", named(4))).await;
    ground.sql(&again).await;
    let occasion = format!(
        "SELECT occasion FROM verification_sessions WHERE verification_id = '{}'",
        named(13)
    );
    assert_eq!(ground.number(&occasion).await, 3);
    let due = "SELECT COUNT(*) FROM verification_deadlines d JOIN verification_sessions s \
         ON s.verification_id = d.verification_id AND s.expires_at = d.expires_at \
         WHERE s.status = 'pending'";
    assert_eq!(ground.number(due).await, 3);
}

async fn keys_are_found_after_an_upgrade(ground: Ground) {
    let insert = |byte: u8, purpose: &str, label: &str| {
        format!(
            "INSERT INTO data_keys (id, company_id, purpose, label, master_key, wrapped, created_at) \
             VALUES ({}, 'default', '{purpose}', {label}, 'k{byte}', {}, 1) ON CONFLICT DO NOTHING",
            ground.uuid(key(byte)),
            ground.blob(&[byte; 60]),
        )
    };
    for (byte, purpose, label) in [
        (1, "person", "NULL"),
        (2, "person", "NULL"),
        (3, "callers", "'20000'"),
    ] {
        ground.sql(&insert(byte, purpose, label)).await;
    }
    let kept = "SELECT * FROM data_keys ORDER BY id";
    let before = ground.sql(kept).await;
    assert!(ground.location().migrate().await.unwrap() > 0);
    assert_eq!(ground.sql(kept).await, before);
    // The program before goes on beside this one.
    ground.sql(&insert(4, "callers", "'20000'")).await;
    ground.sql(&insert(5, "callers", "'20001'")).await;
    ground.sql(&insert(6, "person", "NULL")).await;

    let store = ground.open().await;
    let kept = |byte| WrappedKey {
        id: key(byte),
        master_key: format!("k{byte}"),
        wrapped: vec![byte; 60],
    };
    for (label, byte) in [("20000", 3), ("20001", 5)] {
        let (first, found) = store.write(Claim(label)).await.unwrap();
        assert!(!first, "there was one of {label}");
        assert_eq!(found, Some(kept(byte)));
    }
    assert!(store.write(Claim("20002")).await.unwrap().0);
    let names = ground
        .sql("SELECT master_key FROM data_keys ORDER BY 1")
        .await;
    assert_eq!(names.concat(), ["k1", "k2", "k3", "k5", "k6", "k9"]);
}

fn session(ground: &Ground, byte: u8) -> String {
    session_of(ground, byte, byte, "pending")
}

/// As the version before inserts one.
fn session_of(ground: &Ground, byte: u8, request: u8, status: &str) -> String {
    format!(
        "INSERT INTO verification_sessions (verification_id, id, company_id, number_index, \
         mobile_number, request_index, request_id, token_hash, status, mismatches, data_key, \
         created_at, expires_at) VALUES ('nv_{byte:036}', {1}, 'default', {0}, {0}, {2}, {0}, {0}, \
         '{status}', 0, {1}, 1, 2)",
        ground.blob(index(byte).as_bytes()),
        ground.uuid(key(byte)),
        ground.blob(index(request).as_bytes()),
    )
}

fn age(ground: &Ground, byte: u8) -> String {
    let blob = |byte| ground.blob(index(byte).as_bytes());
    format!(
        "INSERT INTO age_customers (company_id, customer_index, data_key, last_decision, attempts, \
         email_index, created_at, updated_at) VALUES ('default', {}, {}, 'av_1', 2, {}, 1, 1)",
        blob(byte),
        ground.uuid(key(byte)),
        blob(byte + 1),
    )
}

fn index(byte: u8) -> BlindIndex {
    BlindIndex::from_bytes(&[byte; BlindIndex::LENGTH]).unwrap()
}

fn key(byte: u8) -> Uuid {
    Uuid::from_bytes([byte; 16])
}

/// Deletes the sessions of a number; their data keys.
struct Erase(BlindIndex);

impl Unit for Erase {
    type Output = Vec<Uuid>;

    fn lane(&self) -> Lane {
        Lane::of(self.0.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        Ok(Written {
            output: erasure::numbers(tx, "default", self.0).await?,
            records: Vec::new(),
        })
    }
}

/// Looks a customer of the age surface up.
struct Look(BlindIndex);

impl Unit for Look {
    type Output = Option<age_customers::Found>;

    fn lane(&self) -> Lane {
        Lane::of(self.0.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        let key = Key {
            company: CompanyId::parse("default").unwrap(),
            index: self.0,
        };
        Ok(Written {
            output: age_customers::find(tx, &key).await?,
            records: Vec::new(),
        })
    }
}

/// Makes a key of a label, unless there is one, and looks it up.
struct Claim(&'static str);

impl Unit for Claim {
    type Output = (bool, Option<WrappedKey>);

    fn lane(&self) -> Lane {
        Lane::of(self.0.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<Self::Output>> {
        let made = WrappedKey {
            id: key(9),
            master_key: "k9".to_owned(),
            wrapped: vec![9; 60],
        };
        let (purpose, label, at) = (Purpose::Callers, self.0, jiff::Timestamp::UNIX_EPOCH);
        let first = data_keys::insert(tx, "default", purpose, Some(label), &made, at).await?;
        let found = data_keys::find(tx, "default", purpose, label).await?;
        Ok(Written {
            output: (first, found),
            records: Vec::new(),
        })
    }
}
