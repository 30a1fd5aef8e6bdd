//! TLS by rustls, with a certificate that can be renewed while the server runs.
//!
//! TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. The two files are watched; a new pair is used for
//! the next handshake, a bad one is reported once and the old pair stays in use. The private key
//! is never printed.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

/// Where the certificate chain and its private key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then the intermediate ones.
    pub certificate: PathBuf,
    /// PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or not PEM.
    #[error("{path} cannot be read as PEM: {reason}")]
    File {
        /// The file in question.
        path: PathBuf,
        /// What was wrong, without any content of the file.
        reason: String,
    },
    /// The two files are fine, each by itself, but not together, or not for TLS.
    #[error("the certificate and its key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// A TLS configuration that follows its files.
#[derive(Clone)]
pub struct TlsReloader {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    files: Arc<TlsFiles>,
}

impl TlsReloader {
    /// Reads both files.
    ///
    /// # Errors
    /// A file that is missing or not PEM, or a key that does not belong to the certificate.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let stamp = Stamp::of(&files);
        let current = Arc::new(Current {
            pair: ArcSwap::from_pointee(read_pair(&files)?),
            seen: ArcSwap::from_pointee(stamp),
        });
        Ok(Self {
            config: Arc::new(server_config(Arc::clone(&current))?),
            current,
            files: Arc::new(files),
        })
    }

    /// What the listener's handshakes use; it stays valid across reloads.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Takes the files up if they changed since they were last looked at; says whether it did.
    ///
    /// # Errors
    /// The new files cannot be used. The old pair stays, and the same bad files are not tried
    /// again until they change.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let stamp = Stamp::of(&self.files);
        if **self.current.seen.load() == stamp {
            return Ok(false);
        }
        self.current.seen.store(Arc::new(stamp));
        self.current.pair.store(Arc::new(read_pair(&self.files)?));
        Ok(true)
    }

    /// Looks at the files every `interval` until `shutdown`.
    pub async fn watch(self, interval: Duration, shutdown: CancellationToken) {
        while shutdown
            .run_until_cancelled(tokio::time::sleep(interval))
            .await
            .is_some()
        {
            let reloader = self.clone();
            match tokio::task::spawn_blocking(move || reloader.reload_if_changed()).await {
                Ok(Ok(true)) => tracing::info!("the renewed certificate is in use"),
                Ok(Err(error)) => {
                    tracing::error!(%error, "the changed certificate is unusable, the old one stays in use");
                }
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }
}

/// The pair in use, and the state of the files it was last compared with.
struct Current {
    pair: ArcSwap<CertifiedKey>,
    seen: ArcSwap<Stamp>,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.load_full())
    }
}

/// What tells a changed file: time and length. Links are followed, as mounted secrets are links.
#[derive(Debug, PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        let look = |path: &Path| time_and_length(&std::fs::metadata(path).ok()?);
        Self([look(&files.certificate), look(&files.key)])
    }
}

fn time_and_length(metadata: &Metadata) -> Option<(SystemTime, u64)> {
    Some((metadata.modified().ok()?, metadata.len()))
}

fn server_config(current: Arc<Current>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn read_pair(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let unreadable = |path: &Path, reason: String| TlsError::File {
        path: path.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&files.certificate, error.to_string()))?;
    if chain.is_empty() {
        let reason = "it holds no certificate".to_owned();
        return Err(unreadable(&files.certificate, reason));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, error.to_string()))?;
    Ok(CertifiedKey::from_der(
        chain,
        key,
        &aws_lc_rs::default_provider(),
    )?)
}
