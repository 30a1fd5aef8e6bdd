//! Connections for reading. Each read goes where the fewest are under way, so that one which takes its
//! time stands in nobody's way, and many that come at once keep more than one core of the database busy.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;

use super::link::Link;
use super::{Connection, Target};
use crate::{Error, Result};

/// A few connections, each made when it is first needed.
pub(crate) struct Readers(Box<[Reader]>);

struct Reader {
    link: Link,
    under_way: AtomicUsize,
}

impl Readers {
    /// So many connections, at least one.
    pub fn new(target: &Target, count: usize) -> Self {
        let reader = |_| Reader {
            link: Link::new(target.clone()),
            under_way: AtomicUsize::new(0),
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
        let reader = self
            .0
            .iter()
            .min_by_key(|reader| reader.under_way.load(Ordering::Relaxed))
            .ok_or_else(|| Error::Refused("no read connection".into()))?;
        let _under_way = UnderWay::on(&reader.under_way);
        reader.link.read(read).await
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
