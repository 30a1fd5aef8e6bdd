//! SQLite's write-ahead log: however much is written without a pause, it begins anew.

use bonafide_store::{Lane, Result, Tx, Unit, Written};

use crate::ground::{self, Ground};

/// How much is written at once, and how often: 640 MiB, more than the log may ever have.
const PIECE: usize = 1 << 20;
const TIMES: usize = 640;

/// How long the log may be: twice as long as it has to be before it begins anew, with what is written
/// until the checkpointer has looked at it.
const LONGEST: u64 = 192 << 20;

struct Overwrite;

impl Unit for Overwrite {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"log")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<()>> {
        let piece = vec![7_u8; PIECE];
        let sql = "UPDATE large SET content = $1";
        tx.execute(sql, &[piece.as_slice().into()]).await?;
        Ok(Written {
            output: (),
            records: Vec::new(),
        })
    }
}

#[test]
fn a_log_that_is_written_without_a_pause_begins_anew() {
    ground::run(async {
        let ground = Ground::sqlite().await;
        ground.sql("CREATE TABLE large (content BLOB)").await;
        ground.sql("INSERT INTO large VALUES (NULL)").await;
        let store = ground.open().await;
        for _ in 0..TIMES {
            store.write(Overwrite).await.unwrap();
        }
        let log = ground.file().with_extension("db-wal");
        let length = std::fs::metadata(log).unwrap().len();
        assert!(length < LONGEST, "the log has {length} bytes");
    });
}
