//! How the connections stand: how many there are, and who waits for them.

use crate::{Engine, Occupation, Store};

impl Store {
    /// How many connections the store keeps for an occupation.
    pub fn connections(&self, occupation: Occupation) -> usize {
        match (&self.engine, occupation) {
            (Engine::Sqlite { readers, .. }, Occupation::Reading) => readers.count(),
            (Engine::Sqlite { .. }, Occupation::Writing) => 1,
            (Engine::Postgres { readers, .. }, Occupation::Reading) => readers.count(),
            (Engine::Postgres { writers, .. }, Occupation::Writing) => writers.count(),
        }
    }

    /// How many callers stand in line for connections of an occupation, apart from those that are
    /// being served.
    pub fn waiting(&self, occupation: Occupation) -> usize {
        match (&self.engine, occupation) {
            // Nobody queues for those who only read.
            (_, Occupation::Reading) => 0,
            (Engine::Sqlite { writer, .. }, Occupation::Writing) => {
                writer.max_capacity() - writer.capacity()
            }
            (Engine::Postgres { writers, .. }, Occupation::Writing) => writers.waiting(),
        }
    }
}
