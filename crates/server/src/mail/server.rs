//! Where the mail server is, and how it is spoken to: `SMTP_URL` and `SMTP_CA_FILE`.

use std::fmt;
use std::path::Path;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters, TlsVersion};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::{Host, Url};

use crate::config::Secret;

/// A mail server.
#[derive(Clone)]
pub struct MailServer {
    /// Its name or address.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// Whether the conversation is encrypted from the start, and not only once it was agreed on.
    pub(super) is_encrypted: bool,
    /// What to log in with.
    pub(super) credentials: Option<Credentials>,
    /// How it proves who it is.
    pub(super) tls: TlsParameters,
}

impl MailServer {
    /// Reads `smtp://user:password@host:587` or `smtps://…`, user and password percent-encoded
    /// where need be. `ca_file` holds the certificates (PEM) of a private authority, which then is
    /// the only one that is trusted.
    ///
    /// # Errors
    /// A sentence for the operator, without the URL (it holds a password).
    pub fn parse(url: &Secret, ca_file: Option<&Path>) -> Result<Self, String> {
        let url = Url::parse(url.expose()).map_err(|error| format!("not a URL: {error}"))?;
        let is_encrypted = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err("must begin with smtp:// or smtps://".to_owned()),
        };
        // In schemes other than the web's, the library leaves hosts as they were written.
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or("names no host")?;
        let host = Host::parse(host).map_err(|error| format!("its host: {error}"))?;
        let host = match host {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self {
            port: url.port().unwrap_or(if is_encrypted { 465 } else { 587 }),
            is_encrypted,
            credentials: credentials(&url)?,
            tls: tls(&host, ca_file)?,
            host,
        })
    }
}

/// Shows where it is; not what to log in with.
impl fmt::Display for MailServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    let user = decoded(url.username())?;
    let password = url.password().map(decoded).transpose()?;
    match (user.is_empty(), password) {
        (false, Some(password)) => Ok(Some(Credentials::new(user, password))),
        (true, None) => Ok(None),
        _ => Err("must name both a user and a password, or neither".to_owned()),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.chars().any(char::is_control) => Ok(decoded.into_owned()),
        _ => Err("its user and password must be text, percent-encoded".to_owned()),
    }
}

fn tls(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder =
        TlsParameters::builder(host.to_owned()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(path) = ca_file {
        builder = builder.certificate_store(CertificateStore::None);
        for authority in authorities(path)? {
            builder = builder.add_root_certificate(authority);
        }
    }
    builder
        .build()
        .map_err(|error| format!("TLS cannot be prepared: {error}"))
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let unreadable = |error: &dyn fmt::Display| {
        format!("the authority's certificate file cannot be used: {error}")
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    let mut authorities = Vec::new();
    for certificate in found {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        let certificate = Certificate::from_der(certificate.to_vec());
        authorities.push(certificate.map_err(|error| unreadable(&error))?);
    }
    if authorities.is_empty() {
        return Err(unreadable(&"it holds no certificate"));
    }
    Ok(authorities)
}
