//! What an older version wrote is found by this one.

use bonafide_store::tables::customers::Key;
use bonafide_store::tables::{age_customers, erasure};
use bonafide_store::{Lane, Result, Tx, Unit, Written};
use domain::access::CompanyId;
use domain::seal::BlindIndex;
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

#[test]
fn numbers_and_ages_are_found_after_an_upgrade_of_sqlite() {
    run(async {
        let ground = Ground::older_sqlite(|connection| {
            let runner = sqlite_migrations::migrations::runner();
            runner.set_target(WITHOUT_GROUPS).run(connection).unwrap();
        });
        numbers_and_ages_are_found_after_an_upgrade(ground).await;
    });
}

#[test]
fn numbers_and_ages_are_found_after_an_upgrade_of_postgres() {
    run(async {
        let ground = Ground::older_postgres("upgrade", async |client| {
            let runner = postgres_migrations::migrations::runner();
            let runner = runner.set_target(WITHOUT_GROUPS);
            runner.run_async(client).await.unwrap();
        });
        numbers_and_ages_are_found_after_an_upgrade(ground.await).await;
    });
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

fn session(ground: &Ground, byte: u8) -> String {
    format!(
        "INSERT INTO verification_sessions (verification_id, id, company_id, number_index, \
         mobile_number, request_index, request_id, token_hash, status, mismatches, data_key, \
         created_at, expires_at) VALUES ('nv_{byte:036}', {1}, 'default', {0}, {0}, {0}, {0}, {0}, \
         'pending', 0, {1}, 1, 2)",
        ground.blob(index(byte).as_bytes()),
        ground.uuid(key(byte)),
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
