//! Connections for reading. The first serves from the beginning; the others are made in the background,
//! and a read goes to that of the connected ones where the fewest are under way. So a read that takes
//! its time does not hold up all others, many that come at once keep more than one core of the database
//! busy, and nobody waits for a connection more, or is refused for want of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::link::Link;
use super::{Connection, Target};
use crate::{Error, Result};

/// Pause after a connection more was refused.
const REFUSED: Duration = Duration::from_secs(1);

/// A few connections.
pub(crate) struct Readers(Box<[Arc<Reader>]>);

struct Reader {
    link: Link,
    under_way: AtomicUsize,
    /// Whether somebody sees to it that there is a connection.
    connects: AtomicBool,
}

impl Readers {
    /// So many connections, at least one.
    pub fn new(target: &Target, count: usize) -> Self {
        let reader = |_| {
            Arc::new(Reader {
                link: Link::new(target.clone()),
                under_way: AtomicUsize::new(0),
                connects: AtomicBool::new(false),
            })
        };
        Self((0..count.max(1)).map(reader).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Runs a read, again and again while the database is away, for as long as a
    /// caller's patience lasts.
    pub async fn read<T, F>(&self, read: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T>>,
    {
        let reader = self.idlest()?;
        let _under_way = UnderWay::on(&reader.under_way);
        reader.link.read(read).await
    }

    /// Of those that are connected, the one on which the fewest reads are under way; the first, when
    /// none is.
    fn idlest(&self) -> Result<&Reader> {
        let connected = self.0.iter().filter(|reader| reader.link.is_live());
        let idlest = connected.min_by_key(|reader| reader.reads());
        let chosen = idlest
            .or_else(|| self.0.first())
            .ok_or_else(|| Error::Refused("no read connection".into()))?;
        for other in self.0.iter().filter(|other| !Arc::ptr_eq(other, chosen)) {
            if !other.link.is_live() {
                other.connect_in_background();
            }
        }
        Ok(chosen)
    }
}

impl Reader {
    fn reads(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    fn connect_in_background(self: &Arc<Self>) {
        if self.connects.swap(true, Ordering::Relaxed) {
            return;
        }
        let reader = self.clone();
        tokio::spawn(async move {
            if let Err(error) = reader.link.get().await {
                tracing::debug!(%error, "there is no other connection for reading");
                tokio::time::sleep(REFUSED).await;
            }
            reader.connects.store(false, Ordering::Relaxed);
        });
    }
}

/// A read that is under way, until this is dropped.
struct UnderWay<'r>(&'r AtomicUsize);

impl<'r> UnderWay<'r> {
    fn on(count: &'r AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
