//! The example shop's own web server: its files, on a port of loopback, and APIs that misbehave.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// What the slow API says of every customer, in the end.
const VERIFIED: &str = r#"{"success":true,"verified":true,"expiresAt":"2126-01-01T00:00:00.000Z"}"#;

/// Serves the files of a folder; under `/busy` an API that is always too busy, and under `/slow` one
/// that answers when it is told to.
pub struct Site {
    turns: Arc<Semaphore>,
    address: SocketAddr,
    // Dropping it ends the serving.
    _runtime: Runtime,
}

impl Site {
    pub fn of_the_shop() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let turns = Arc::new(Semaphore::new(0));
        let waiting = turns.clone();
        let router = Router::new()
            .route("/slow/{*path}", get(move || slow(waiting)))
            .route("/busy/{*path}", any(busy))
            .fallback(get(file))
            .with_state(folder);
        runtime.spawn(async { axum::serve(listener, router).await });
        Self {
            turns,
            address,
            _runtime: runtime,
        }
    }

    /// The origin of its pages; its host has another name than that of the API.
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Lets the slow API give one answer.
    pub fn answer_slowly(&self) {
        self.turns.add_permits(1);
    }
}

async fn busy() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "7")],
    )
        .into_response()
}

async fn slow(turns: Arc<Semaphore>) -> &'static str {
    turns.acquire().await.unwrap().forget();
    VERIFIED
}

async fn file(State(folder): State<PathBuf>, uri: Uri) -> Response {
    let name = uri.path().trim_start_matches('/');
    let media_type = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("svg") => "image/svg+xml",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match tokio::fs::read(folder.join(name)).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, media_type)], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
