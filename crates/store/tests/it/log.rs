//! SQLite's write-ahead log: however much is written without a pause, it begins anew.

use bonafide_store::{Lane, Result, Tx, Unit, Written};

use crate::ground::{self, Ground};

/// How much is written at once, to how many places, by how many, and how often: 640 MiB in all, more than
/// the log may ever have.
const PIECE: usize = 1 << 20;
const PLACES: i64 = 64;
const HANDS: i64 = 4;
const TIMES: i64 = 160;

/// How long the log may be: twice as long as it has to be before it begins anew, with what is written
/// until the checkpointer has looked at it.
const LONGEST: u64 = 192 << 20;

struct Overwrite {
    place: i64,
    /// Each time something else: the same again is not written.
    with: u8,
}

impl Unit for Overwrite {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(&self.place.to_be_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<Written<()>> {
        let piece = vec![self.with; PIECE];
        let sql = "INSERT INTO large VALUES ($1, $2) \
                   ON CONFLICT (place) DO UPDATE SET content = excluded.content";
        tx.execute(sql, &[self.place.into(), piece.as_slice().into()])
            .await?;
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
        ground
            .sql("CREATE TABLE large (place INTEGER PRIMARY KEY, content BLOB)")
            .await;
        let store = ground.open().await;
        // While one waits for its answer, the others keep the writer at work.
        let hand = async |hand: i64| {
            for time in 0..TIMES {
                let place = (time * HANDS + hand) % PLACES;
                let with = u8::try_from(time).unwrap();
                store.write(Overwrite { place, with }).await.unwrap();
            }
        };
        futures_util::future::join_all((0..HANDS).map(hand)).await;
        let log = ground.file().with_extension("db-wal");
        let length = std::fs::metadata(log).unwrap().len();
        assert!(length < LONGEST, "the log has {length} bytes");
    });
}

/// Whoever closes a file gives up all locks that the process has on it: what a store opens beside
/// SQLite must not be closed while another store is open.
#[cfg(target_os = "linux")]
#[test]
fn a_store_that_is_closed_leaves_the_locks_of_another() {
    use std::os::unix::fs::MetadataExt as _;

    ground::run(async {
        let ground = Ground::sqlite().await;
        let inode = std::fs::metadata(ground.file()).unwrap().ino();
        let is_locked = || {
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            let (process, file) = (std::process::id().to_string(), format!(":{inode}"));
            locks.lines().any(|lock| {
                let words: Vec<_> = lock.split_whitespace().collect();
                words.contains(&process.as_str()) && words.iter().any(|word| word.ends_with(&file))
            })
        };
        let stays = ground.open().await;
        stays.ping().await.unwrap();
        assert!(is_locked());
        let goes = ground.open().await;
        goes.ping().await.unwrap();
        goes.close().await;
        assert!(is_locked(), "the other store gave up the locks of this one");
        stays.close().await;
    });
}
