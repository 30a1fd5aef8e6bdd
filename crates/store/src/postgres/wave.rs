//! Units that run side by side, and the statements that they send together.
//!
//! The units of a wave mostly do the same to different rows. What one of them hands in with
//! [`Shared::together`] waits until none of them can go on; then everything that was handed in for
//! one text travels as the columns of one [set-based statement](super::set). Values are handed in, and
//! rows touched, in the order of the units.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use futures_util::StreamExt as _;
use futures_util::future::{poll_fn, try_join_all};
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Connection, set};
use crate::work::Pending;
use crate::{Error, Result, Row, Tx, Value};

/// A connection as one of those sees it who use it: alone, or beside the others of a wave.
pub struct Shared<'a> {
    connection: &'a Connection,
    wave: Option<&'a Wave>,
}

impl<'a> Shared<'a> {
    /// For somebody who runs alone.
    pub(crate) fn alone(connection: &'a Connection) -> Self {
        Self {
            connection,
            wave: None,
        }
    }

    /// Runs a set-based statement for one set of values, along with everybody else in the wave who
    /// runs it now; finds one row or none.
    pub(crate) async fn together(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            values: values.iter().map(Owned::from).collect(),
            reply,
        };
        match self.wave {
            Some(wave) => wave.join(sql, asked),
            None => send(self.connection, sql, vec![asked]).await,
        }
        answer
            .await
            .map_err(|_| Error::Unavailable("a wave has ended early".into()))?
    }
}

impl std::ops::Deref for Shared<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// What one unit handed in.
struct Asked {
    values: Vec<Owned>,
    reply: oneshot::Sender<Result<Option<Row>>>,
}

impl Asked {
    fn values(&self) -> Vec<Value<'_>> {
        self.values.iter().map(Owned::borrow).collect()
    }
}

/// What was handed in and not yet sent, by the statement it is for.
#[derive(Default)]
struct Wave(Mutex<Vec<(&'static str, Vec<Asked>)>>);

impl Wave {
    fn join(&self, sql: &'static str, asked: Asked) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A text is told from others by where it stands: comparing a few places costs nothing.
        match waiting
            .iter_mut()
            .find(|(other, _)| std::ptr::eq(*other, sql))
        {
            Some((_, all)) => all.push(asked),
            None => waiting.push((sql, vec![asked])),
        }
    }

    fn take(&self) -> Vec<(&'static str, Vec<Asked>)> {
        let mut taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // Every instance sends them in one order, so that they lock rows in one order.
        taken.sort_unstable_by_key(|(sql, _)| *sql);
        taken
    }
}

/// Runs the units of a wave to their end, or until the first of them fails.
pub(super) async fn run<'u>(
    connection: &Connection,
    units: impl Iterator<Item = &'u mut Box<dyn Pending>>,
) -> Result<()> {
    let wave = Wave::default();
    let shared = || Shared {
        connection,
        wave: Some(&wave),
    };
    let runs = units.map(|unit| unit.run(Tx::Postgres(shared())));
    // Were some put off for the sake of other tasks, they would miss what the others send.
    let mut all = pin!(tokio::task::unconstrained(try_join_all(runs)));
    let mut sent = FuturesUnordered::new();
    poll_fn(|context| {
        loop {
            if let Poll::Ready(end) = all.as_mut().poll(context) {
                return Poll::Ready(end.map(drop));
            }
            let waiting = wave.take().into_iter();
            sent.extend(waiting.map(|(sql, asked)| send(connection, sql, asked)));
            // Whoever was answered goes on at once.
            if !matches!(sent.poll_next_unpin(context), Poll::Ready(Some(()))) {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Runs a statement for all who asked, and tells each what was found.
async fn send(connection: &Connection, sql: &'static str, asked: Vec<Asked>) {
    let values: Vec<Vec<Value<'_>>> = asked.iter().map(Asked::values).collect();
    let found = set::find(connection, sql, &values).await;
    drop(values);
    match found {
        Ok(found) => {
            for (asked, row) in asked.into_iter().zip(found) {
                drop(asked.reply.send(Ok(row)));
            }
        }
        Err(error) => {
            for asked in asked {
                drop(asked.reply.send(Err(error.clone())));
            }
        }
    }
}

/// A value that waits for others.
enum Owned {
    Null,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    Uuid(Uuid),
}

impl From<&Value<'_>> for Owned {
    fn from(value: &Value<'_>) -> Self {
        match *value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Text(value) => Self::Text(value.into()),
            Value::Bytes(value) => Self::Bytes(value.into()),
            Value::Uuid(value) => Self::Uuid(value),
        }
    }
}

impl Owned {
    fn borrow(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Text(value) => Value::Text(value),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Uuid(value) => Value::Uuid(*value),
        }
    }
}
