//! The archive at BigQuery: everything arrives, whatever goes wrong, and nobody is in it; against a
//! BigQuery on loopback.

mod access;
mod backfill;
pub mod google;
mod privacy;
mod rows;
mod streaming;
mod tables;
mod trouble;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::archive::{Archive, ArchiveProblem, Follower, Next, State};
use bonafide::config::{BaseUrl, BigQuery, kinds};
use bonafide::metrics;
use bonafide::outbound::BigQueryClient;
use tempfile::TempDir;

use crate::ages;
use crate::harness::{Settings, TestApp};
use google::{DATASET, Google, PROJECT};

const AUDIT: &str = "audit_records";
const AGES: &str = "age_verifications";
/// Longer than anybody is waited for who gives no sign of life.
const MINUTES: Duration = Duration::from_secs(180);

/// An instance that archives at BigQuery.
pub struct Stage {
    pub app: TestApp,
    pub google: Google,
    pub key: String,
    client: Arc<dyn Archive>,
    follower: Follower,
    files: TempDir,
}

impl Stage {
    /// An archive that nobody has begun.
    pub async fn set(app: &TestApp) -> Self {
        let settings = Settings {
            archives: true,
            ..Settings::default().customers("off")
        };
        app.leaves_deliveries();
        let app = app.another(settings).await;
        let google = Google::open(Some(app.now())).await;
        let files = tempfile::tempdir().unwrap();
        let client = client(&app, &google, &files);
        let key = app.key(
            "default",
            "admin ages:read ages:write customers:read customers:write",
        );
        Self {
            key: key.await,
            follower: Follower::new(app.app.clone(), client.clone()),
            client,
            files,
            google,
            app,
        }
    }

    /// A second instance beside it, with a client of its own.
    fn another(&self) -> Follower {
        let client = client(&self.app, &self.google, &self.files);
        Follower::new(self.app.app.clone(), client)
    }

    /// Lets time pass, also for Google.
    fn advance(&self, by: Duration) {
        self.app.advance(by);
        self.google.it_is(self.app.now());
    }

    /// Copies what there is.
    async fn step(&mut self) -> Next {
        self.follower.step().await.unwrap()
    }

    /// Copies what there is, and is not kept from it.
    async fn copy(&mut self) {
        let next = self.step().await;
        assert!(matches!(next, Next::Idle(_)), "{next:?}");
    }

    /// Fails to copy what there is; returns why and for how long it is left alone.
    async fn fail(&mut self) -> (ArchiveProblem, Duration) {
        match self.step().await {
            Next::Again(problem, pause) => (problem, pause),
            next => panic!("{next:?}"),
        }
    }

    /// Decides on a number of ages.
    async fn decide(&self, from: usize, to: usize) {
        for number in from..to {
            ages::pass(&self.app, &self.key, &format!("customer-{number}")).await;
        }
    }

    async fn state(&self) -> State {
        app::archive::state(&self.app.app).await.unwrap()
    }

    /// The names of all records that there are.
    async fn records(&self) -> BTreeSet<String> {
        let records = self.app.records().await;
        let name =
            |at: &store::tables::audit::Located| format!("{}.{}.{}", at.log, at.batch, at.position);
        records.iter().map(name).collect()
    }

    /// The names of all decisions that there are.
    async fn decisions(&self) -> BTreeSet<String> {
        let sql = "SELECT verification_id FROM age_decisions";
        self.app
            .database()
            .sql(sql)
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    /// Everything is there, and nothing twice.
    async fn assert_whole(&self) {
        let (records, decisions) = (self.records().await, self.decisions().await);
        assert_eq!(self.google.names(AUDIT), (records.clone(), records.len()));
        assert_eq!(
            self.google.names(AGES),
            (decisions.clone(), decisions.len())
        );
    }
}

/// The settings of somebody with a key file.
fn configured(google: &Google, credentials_file: Option<PathBuf>) -> BigQuery {
    let api_url: BaseUrl = (kinds::BASE_URL.parse)(&google.url()).unwrap();
    BigQuery {
        api_url,
        project: PROJECT.to_owned(),
        dataset: DATASET.to_owned(),
        credentials_file,
    }
}

fn client(app: &TestApp, google: &Google, files: &TempDir) -> Arc<dyn Archive> {
    let path = files.path().join("key.json");
    std::fs::write(&path, google.key_file().to_string()).unwrap();
    let config = configured(google, Some(path));
    let client = BigQueryClient::new(&config, app.app.clock.clone()).unwrap();
    Arc::new(metrics::archive::Counted(Arc::new(client)))
}
