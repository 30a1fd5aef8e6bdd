//! The archive: rows as they are sent, and how far it is behind.

use std::sync::{Arc, LazyLock};

use app::archive::{Archive, ArchiveProblem, Row, Sent, State, Table, Verdict};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use metrics::{Counter, Gauge};

use super::families::{
    ARCHIVE_FAILURES, ARCHIVE_LAG, ARCHIVE_MISSED, ARCHIVE_PARKED, ARCHIVE_ROWS, ARCHIVE_TROUBLE,
};

/// What can become of a row.
const OUTCOMES: [&str; 3] = ["taken", "again", "refused"];

struct Handles {
    rows: [(Table, [Counter; 3]); 2],
    failures: [(&'static str, Counter); ArchiveProblem::WORDS.len()],
}

/// Told by instances that work, and by no other.
struct Standing {
    lag: Gauge,
    trouble: Gauge,
    parked: Gauge,
    missed: Gauge,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| {
    let counters = |table: Table| {
        let counter =
            |outcome: &'static str| ARCHIVE_ROWS.counter([table.name().into(), outcome.into()]);
        (table, OUTCOMES.map(counter))
    };
    Handles {
        rows: Table::ALL.map(counters),
        failures: ArchiveProblem::WORDS.map(|word| (word, ARCHIVE_FAILURES.counter([word.into()]))),
    }
});

static STANDING: LazyLock<Standing> = LazyLock::new(|| Standing {
    lag: ARCHIVE_LAG.gauge([]),
    trouble: ARCHIVE_TROUBLE.gauge([]),
    parked: ARCHIVE_PARKED.gauge([]),
    missed: ARCHIVE_MISSED.gauge([]),
});

/// An archive whose rows are counted.
pub struct Counted(pub Arc<dyn Archive>);

impl Archive for Counted {
    fn insert<'a>(&'a self, table: Table, rows: &'a [Row]) -> BoxFuture<'a, Sent> {
        Box::pin(async move {
            let sent = self.0.insert(table, rows).await;
            match &sent {
                Ok(verdicts) => count(table, verdicts),
                Err(problem) => count_failure(*problem),
            }
            sent
        })
    }
}

fn count(table: Table, verdicts: &[Verdict]) {
    let mut tables = HANDLES.rows.iter();
    let Some((_, [taken, again, refused])) = tables.find(|(known, _)| *known == table) else {
        return;
    };
    for verdict in verdicts {
        match verdict {
            Verdict::Taken => taken.increment(1),
            Verdict::Again(_) => again.increment(1),
            Verdict::Refused(_) => refused.increment(1),
        }
    }
}

fn count_failure(problem: ArchiveProblem) {
    let mut failures = HANDLES.failures.iter();
    if let Some((_, counter)) = failures.find(|(word, _)| *word == problem.word()) {
        counter.increment(1);
    }
}

/// Notes how the archive stands.
pub fn note(state: &State, now: Timestamp) {
    STANDING.lag.set(state.lag(now).as_secs_f64());
    let trouble = u8::from(state.trouble.is_some());
    STANDING.trouble.set(f64::from(trouble));
    STANDING.parked.set(state.parked as f64);
    STANDING.missed.set(state.missed as f64);
}

/// Makes the series exist before anything was archived: a rate needs something to rise from.
pub(super) fn begin() {
    LazyLock::force(&HANDLES);
}
