//! What only looks: one question after another until one of them is answered, and the audit record
//! that is made of the answer.
//!
//! What all that wait together ask is asked together, before anything is written. A look-up's
//! statements only read, which SQLite sees to, and a value that makes no sense concerns only who asked
//! for its row.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::audit::Record;
use tokio::sync::oneshot;

use crate::tx::Statement;
use crate::{Error, Result, Row, Value};

/// What can be looked up.
pub(crate) trait Sought: Send + 'static {
    /// What there is to find.
    type Found: Send + 'static;

    /// The question to ask next, when so many were asked in vain.
    fn question(&self, vain: usize) -> Option<Question<'_>>;

    /// Reads what that one found; nothing, if it is not for this one to see.
    ///
    /// # Errors
    /// When the row cannot be read.
    fn read(&self, vain: usize, row: &Row) -> Result<Option<Self::Found>>;
}

/// A statement, and what it is asked for.
pub(crate) struct Question<'v> {
    pub statement: &'static Statement,
    pub values: Vec<Value<'v>>,
}

/// A look-up whose types are forgotten.
pub(crate) trait Look: Send {
    /// Begins, or begins anew.
    fn begin(&mut self);

    /// What it asks next; nothing when it is done.
    fn question(&self) -> Option<Question<'_>>;

    /// Hears what was found.
    fn hear(&mut self, row: Option<Row>);

    /// Whether nobody waits for the answer any more.
    fn is_moot(&self) -> bool;

    /// The record to commit, when it is done.
    fn records(&self) -> &[Record];

    fn succeed(self: Box<Self>);
    fn fail(self: Box<Self>, error: Error);
}

/// What a look-up found, or that it cannot be read, and whether a record tells of it.
pub(crate) struct Looked<T> {
    pub found: Result<Option<T>>,
    pub recorded: bool,
}

/// Where the answer to a look-up arrives.
pub(crate) type Answer<T> = oneshot::Receiver<Result<Looked<T>>>;

/// A look-up ready for the queue, and where its answer will arrive.
pub(crate) fn look_up<S, R>(sought: S, record: R) -> (Box<dyn Look>, Answer<S::Found>)
where
    S: Sought,
    R: Fn(Option<&S::Found>) -> Option<Record> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let look = LookUp {
        sought,
        record,
        reply,
        vain: 0,
        heard: None,
    };
    (Box::new(look), answer)
}

struct LookUp<S: Sought, R> {
    sought: S,
    record: R,
    reply: oneshot::Sender<Result<Looked<S::Found>>>,
    /// How many questions were asked in vain.
    vain: usize,
    heard: Option<Heard<S::Found>>,
}

/// What came of a look-up.
struct Heard<T> {
    found: Result<Option<T>>,
    record: Option<Record>,
}

impl<S, R> LookUp<S, R>
where
    S: Sought,
    R: Fn(Option<&S::Found>) -> Option<Record> + Send + 'static,
{
    /// Reads a row; it is done when there is something in it, or nothing more to ask.
    fn read(&mut self, row: Option<&Row>) {
        let found = row.and_then(|row| self.sought.read(self.vain, row).transpose());
        self.vain += 1;
        if found.is_some() || self.sought.question(self.vain).is_none() {
            self.settle(found.transpose());
        }
    }

    fn settle(&mut self, found: Result<Option<S::Found>>) {
        let told = |found: &Option<S::Found>| (self.record)(found.as_ref());
        let record = found.as_ref().ok().and_then(told);
        self.heard = Some(Heard { found, record });
    }
}

impl<S, R> Look for LookUp<S, R>
where
    S: Sought,
    R: Fn(Option<&S::Found>) -> Option<Record> + Send + 'static,
{
    fn begin(&mut self) {
        self.vain = 0;
        self.heard = None;
        if self.sought.question(0).is_none() {
            self.hear(None);
        }
    }

    fn question(&self) -> Option<Question<'_>> {
        match self.heard {
            Some(_) => None,
            None => self.sought.question(self.vain),
        }
    }

    /// One that panics must not take the writer, and everybody's writes, with it.
    fn hear(&mut self, row: Option<Row>) {
        let read = catch_unwind(AssertUnwindSafe(|| self.read(row.as_ref())));
        if read.is_err() {
            self.heard = Some(Heard {
                found: Err(Error::Refused("a look-up panicked".into())),
                record: None,
            });
        }
    }

    fn is_moot(&self) -> bool {
        self.reply.is_closed()
    }

    fn records(&self) -> &[Record] {
        let record = self.heard.as_ref().map(|heard| heard.record.as_slice());
        record.unwrap_or_default()
    }

    fn succeed(self: Box<Self>) {
        let looked = match self.heard {
            Some(Heard { found, record }) => Ok(Looked {
                found,
                recorded: record.is_some(),
            }),
            None => Err(Error::Refused(
                "a look-up was committed without having asked".into(),
            )),
        };
        drop(self.reply.send(looked));
    }

    fn fail(self: Box<Self>, error: Error) {
        drop(self.reply.send(Err(error)));
    }
}

/// All that ask the same now: who, by their places, and for what.
pub(crate) struct Asked<'l> {
    pub statement: &'static Statement,
    pub places: Vec<usize>,
    pub values: Vec<Vec<Value<'l>>>,
}

/// What all of them ask next, by statement; nothing when all are done. Statements are told apart by
/// where they stand.
pub(crate) fn asked<'l>(looks: &'l [&mut Box<dyn Look>]) -> Vec<Asked<'l>> {
    let mut all: Vec<Asked<'l>> = Vec::new();
    for (place, look) in looks.iter().enumerate() {
        let Some(Question { statement, values }) = look.question() else {
            continue;
        };
        let same = |asked: &&mut Asked<'l>| std::ptr::eq(asked.statement, statement);
        match all.iter_mut().find(same) {
            Some(asked) => {
                asked.places.push(place);
                asked.values.push(values);
            }
            None => all.push(Asked {
                statement,
                places: vec![place],
                values: vec![values],
            }),
        }
    }
    all
}

/// Tells each what was found for it.
pub(crate) fn tell(looks: &mut [&mut Box<dyn Look>], places: Vec<usize>, rows: Vec<Option<Row>>) {
    for (place, row) in places.into_iter().zip(rows) {
        if let Some(look) = looks.get_mut(place) {
            look.hear(row);
        }
    }
}
