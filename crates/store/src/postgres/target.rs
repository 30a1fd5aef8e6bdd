//! Where the database is, and how to reach it.
//!
//! The driver knows `sslmode=disable|prefer|require` only; the stricter modes of
//! libpq are accepted here because every TLS connection of ours verifies the
//! server's certificate anyway.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use crate::{Error, Result};

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A parsed `DATABASE_URL`.
#[derive(Clone)]
pub struct Target {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
}

/// What is said about a URL that is none, which is not shown: it may hold a password.
const NOT_UNDERSTOOD: &str = "not understood; expected postgres://user:password@host:port/database";

/// Every statement goes by an index. A plan made while a table was small, or before the database
/// counted its rows, would read all of it, and go on to as it grows. Where there is no index the
/// plan counts as dear, and is not to be compiled for that, nor to be shared among processes, which
/// take longer to start than to answer.
const PLANS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; \
                     SET enable_mergejoin = off; SET jit = off; \
                     SET max_parallel_workers_per_gather = 0";

impl Target {
    /// Parses `postgres://…`. Several hosts may stand with commas between them, each with its port;
    /// with `target_session_attrs=read-write` it is the primary among them that is connected to.
    /// `ca_file` holds the certificates (PEM) of a private authority; `sslrootcert=` in the URL does
    /// the same.
    ///
    /// # Errors
    /// A sentence for the operator, without the URL (it holds a password).
    pub fn parse(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        // Several hosts are no URL to the libraries for those, so only the query is taken apart here.
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut root = ca_file.map(Path::to_path_buf);
        let mut mode = SslMode::Prefer;
        let mut kept = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = ssl_mode(&value)?,
                "sslrootcert" => root = Some(PathBuf::from(value.as_ref())),
                _ => drop(kept.append_pair(&name, &value)),
            }
        }
        // The driver knows a space as `%20` only.
        let kept = kept.finish().replace('+', "%20");
        let mut config: tokio_postgres::Config = format!("{address}?{kept}")
            .parse()
            .map_err(|_| NOT_UNDERSTOOD.to_owned())?;
        if !address.contains("://") || config.get_hosts().is_empty() {
            return Err(NOT_UNDERSTOOD.to_owned());
        }
        config
            .ssl_mode(mode)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(10))
            .application_name("bonafide");
        let tls = match mode {
            SslMode::Disable => None,
            _ => Some(connector(root.as_deref())?),
        };
        Ok(Self { config, tls })
    }

    /// Connects and lets the connection run in the background.
    pub(crate) async fn connect(&self) -> Result<tokio_postgres::Client> {
        tokio::time::timeout(CONNECT_TIMEOUT * 2, self.connect_patiently())
            .await
            .map_err(|_| Error::Unavailable("connecting took too long".into()))?
    }

    async fn connect_patiently(&self) -> Result<tokio_postgres::Client> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                drive(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(tokio_postgres::NoTls).await?;
                drive(connection);
                client
            }
        };
        client.batch_execute(PLANS).await?;
        Ok(client)
    }
}

fn drive<C>(connection: C)
where
    C: Future<Output = std::result::Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "database connection ended");
        }
    });
}

fn ssl_mode(value: &str) -> Result<SslMode, String> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err("sslmode must be disable, prefer, require, verify-ca or verify-full".into()),
    }
}

/// Trusts the given authority, or else the machine's own.
fn connector(root: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match root {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider)
                .map_err(|error| format!("no certificate authorities found: {error}"))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn roots(path: &Path) -> Result<rustls::RootCertStore, String> {
    let unreadable = |error: &dyn std::fmt::Display| {
        format!("the authority's certificate file cannot be used: {error}")
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ssl_mode_of_libpq_is_understood() {
        for mode in [
            "disable",
            "allow",
            "prefer",
            "require",
            "verify-ca",
            "verify-full",
        ] {
            let url = format!("postgres://u:p@localhost/db?sslmode={mode}&application_name=x");
            assert!(Target::parse(&url, None).is_ok(), "{mode}");
        }
        assert!(Target::parse("postgres://localhost/db?sslmode=maybe", None).is_err());
    }

    #[test]
    fn several_hosts_are_understood() {
        use tokio_postgres::config::{Host, TargetSessionAttrs};
        let url = "postgres://u:p@one:5433,two/db?sslmode=disable&target_session_attrs=read-write\
                   &options=-c%20statement_timeout%3D9s";
        let config = Target::parse(url, None).unwrap().config;
        let hosts = ["one", "two"].map(|name| Host::Tcp(name.to_owned()));
        assert_eq!(config.get_hosts(), hosts);
        assert_eq!(config.get_ports(), [5433, 5432]);
        let session = config.get_target_session_attrs();
        assert_eq!(session, TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_options(), Some("-c statement_timeout=9s"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for nonsense in [
            "",
            "localhost",
            "host=localhost",
            "postgres://",
            "http://localhost/db",
        ] {
            assert!(Target::parse(nonsense, None).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn a_refusal_never_shows_the_url() {
        let refusal = Target::parse("postgres://u:hunter2@localhost/db?nonsense=1", None).err();
        assert!(!refusal.unwrap().contains("hunter2"));
    }
}
