//! Look-ups that wait together: what many of them ask is one set-based statement.

use futures_util::future::try_join_all;

use super::{Connection, set};
use crate::Result;
use crate::look::{self, Look};

/// Runs them to their end.
pub(super) async fn run(connection: &Connection, mut looks: Vec<&mut Box<dyn Look>>) -> Result<()> {
    looks.iter_mut().for_each(|look| look.begin());
    loop {
        let asked = look::asked(&looks);
        if asked.is_empty() {
            return Ok(());
        }
        let sent = asked
            .iter()
            .map(|asked| set::find(connection, asked.statement.many, &asked.values));
        let found = try_join_all(sent).await?;
        let places: Vec<_> = asked.into_iter().map(|asked| asked.places).collect();
        for (places, rows) in places.into_iter().zip(found) {
            look::tell(&mut looks, places, rows);
        }
    }
}
