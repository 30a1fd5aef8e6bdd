//! Rows on their way: some are taken, some have to be sent again, some will never be taken.
//!
//! A row that is bad holds up no other, and what was taken is not sent again.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::api::{Archive, ArchiveProblem, Sent, Verdict};
use super::rows::{Row, Table};

/// The most rows of one request.
const MOST: usize = 500;

/// How many requests are under way at once.
const AT_ONCE: usize = 4;

/// How often in a row nothing is taken of what is left before it counts as refused, when other rows of
/// the load were taken: then it is these rows.
const PATIENCE: u32 = 8;

/// The same when none was: then it is more likely the archive.
const LONG_PATIENCE: u32 = 20;

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub table: Table,
    pub name: String,
    pub reason: String,
}

/// Rows on their way.
pub(super) struct Load {
    waiting: Vec<Row>,
    /// Those that will not be taken.
    pub refused: Vec<Refused>,
    /// How many rows a request has at most.
    most: usize,
    /// How often in a row no progress was made.
    idle: u32,
    /// Whether any row was taken.
    has_taken: bool,
}

impl Load {
    pub fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_by_key(Row::table);
        Self {
            waiting: rows,
            refused: Vec::new(),
            most: MOST,
            idle: 0,
            has_taken: false,
        }
    }

    /// Sends what waits, until nothing does.
    ///
    /// # Errors
    /// Why some of it has to wait longer. It can be called again.
    pub async fn send(&mut self, archive: &dyn Archive) -> Result<(), ArchiveProblem> {
        while !self.waiting.is_empty() {
            let problem = self.round(archive).await;
            if let Some(problem) = problem {
                return Err(problem);
            }
        }
        Ok(())
    }

    /// Sends all that waits once; what is left is to be sent again, at once unless there is a problem.
    async fn round(&mut self, archive: &dyn Archive) -> Option<ArchiveProblem> {
        let waiting = std::mem::take(&mut self.waiting);
        let before = waiting.len();
        let mut round = Round::default();
        let requests: Vec<_> = waiting
            .chunk_by(|one, other| one.table() == other.table())
            .flat_map(|rows| rows.chunks(self.most))
            .collect();
        for some in requests.chunks(AT_ONCE) {
            let sent = some.iter().filter_map(|rows| {
                let table = rows.first()?.table();
                Some(async move { (*rows, archive.insert(table, rows).await) })
            });
            for (rows, sent) in join_all(sent).await {
                round.take(rows, sent);
            }
            // Who does not take one request is not asked to take the others now.
            if round.problem.is_some() {
                break;
            }
        }
        let again = waiting.into_iter().filter(|row| !round.is_settled(row));
        self.waiting = again.collect();
        self.refused.append(&mut round.refused);
        self.has_taken |= round.has_taken;
        let has_shrunk = round.too_large && self.most > 1;
        if has_shrunk {
            self.most = self.most.div_ceil(2);
        }
        if self.waiting.len() < before || has_shrunk {
            self.idle = 0;
            return round.problem;
        }
        if round.problem.is_some() {
            return round.problem;
        }
        self.idle += 1;
        let patience = match self.has_taken {
            true => PATIENCE,
            false => LONG_PATIENCE,
        };
        if self.idle < patience {
            return Some(ArchiveProblem::Partial);
        }
        self.give_up(&round);
        None
    }

    /// What was turned away again and again is refused.
    fn give_up(&mut self, round: &Round) {
        for row in self.waiting.drain(..) {
            let key = (row.table(), row.name.clone());
            let reason = round.again.get(&key);
            self.refused.push(Refused {
                table: row.table(),
                name: row.name,
                reason: reason.cloned().unwrap_or_else(|| "too_large".to_owned()),
            });
        }
    }
}

/// What came of sending everything once.
#[derive(Default)]
struct Round {
    /// Rows that need not be sent again.
    settled: BTreeMap<Table, BTreeSet<String>>,
    refused: Vec<Refused>,
    /// Why rows were not taken that may be the next time.
    again: BTreeMap<(Table, String), String>,
    has_taken: bool,
    too_large: bool,
    problem: Option<ArchiveProblem>,
}

impl Round {
    fn take(&mut self, rows: &[Row], sent: Sent) {
        let verdicts = match sent {
            Ok(verdicts) if verdicts.len() == rows.len() => verdicts,
            Ok(_) => return self.note(ArchiveProblem::Garbled),
            Err(ArchiveProblem::TooLarge) if rows.len() == 1 => {
                vec![Verdict::Refused("too_large".to_owned())]
            }
            Err(ArchiveProblem::TooLarge) => {
                self.too_large = true;
                return;
            }
            Err(problem) => return self.note(problem),
        };
        for (row, verdict) in rows.iter().zip(verdicts) {
            let (table, name) = (row.table(), row.name.clone());
            match verdict {
                Verdict::Again(reason) => {
                    self.again.insert((table, name), reason);
                    continue;
                }
                Verdict::Taken => self.has_taken = true,
                Verdict::Refused(reason) => self.refused.push(Refused {
                    table,
                    name: name.clone(),
                    reason,
                }),
            }
            self.settled.entry(table).or_default().insert(name);
        }
    }

    /// Of several problems the one that says how long to wait counts, otherwise the first.
    fn note(&mut self, problem: ArchiveProblem) {
        if self.problem.is_none() || problem.wish().is_some() {
            self.problem = Some(problem);
        }
    }

    fn is_settled(&self, row: &Row) -> bool {
        let of_table = self.settled.get(&row.table());
        of_table.is_some_and(|names| names.contains(&row.name))
    }
}
