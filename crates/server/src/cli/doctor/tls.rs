//! The certificate, and whether the address that others use agrees with how the
//! server answers.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::check::Check;
use crate::config::Http;
use crate::http::tls::{TlsFiles, TlsReloader};

/// How long before its end a certificate should have been renewed.
const RENEWAL: SignedDuration = SignedDuration::from_hours(14 * 24);

const RENEW: &str = "renew it; the running server takes up the new files by itself";

/// The certificate, if the server has one.
pub fn certificate(files: Option<&TlsFiles>, now: Timestamp) -> Option<Check> {
    const NAME: &str = "certificate";
    let files = files?;
    if let Err(error) = TlsReloader::load(files.clone()) {
        let cure = "TLS_CERT_FILE and TLS_KEY_FILE must be PEM files that belong together";
        return Some(Check::wrong(NAME, error.to_string(), cure));
    }
    let Some(end) = ends_at(&files.certificate) else {
        return Some(Check::warning(NAME, "its end cannot be read", RENEW));
    };
    let left = end.duration_since(now);
    let day = end.strftime("%Y-%m-%d");
    Some(if left.is_negative() {
        Check::wrong(NAME, format!("it ended on {day}"), RENEW)
    } else if left < RENEWAL {
        Check::warning(NAME, format!("it ends on {day}"), RENEW)
    } else {
        Check::fine(NAME, format!("fits its key and is good until {day}"))
    })
}

/// The end of the first certificate in the file, which is the server's own.
fn ends_at(file: &Path) -> Option<Timestamp> {
    let certificate = CertificateDer::pem_file_iter(file).ok()?.next()?.ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// Whether `API_BASE_URL` can be true.
pub fn outside_address(http: &Http) -> Check {
    const NAME: &str = "address";
    let address = http.base_url.as_str();
    let is_https = http.base_url.is_https();
    let encrypts = http.tls.is_some();
    if http.require_https && !encrypts && http.trusted_proxies.is_empty() {
        return Check::wrong(
            NAME,
            "HTTPS is required, but the server has no certificate and trusts no proxy: every \
             request is refused",
            "set TLS_CERT_FILE and TLS_KEY_FILE, or name the proxy in TRUSTED_PROXIES",
        );
    }
    if encrypts && !is_https {
        return Check::warning(
            NAME,
            format!("the server speaks HTTPS, but API_BASE_URL is {address}"),
            "set API_BASE_URL to the https address",
        );
    }
    if !is_https && !http.listen.ip().is_loopback() {
        return Check::warning(
            NAME,
            format!("other machines can connect, and {address} is not encrypted"),
            "serve HTTPS, or put a proxy in front that does, and set API_BASE_URL to https://…",
        );
    }
    Check::fine(NAME, address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    /// A certificate that is good until the given year, and its key.
    fn files(folder: &Path, year: i32) -> TlsFiles {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let pair = rcgen::KeyPair::generate().unwrap();
        let files = TlsFiles {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        };
        let certificate = parameters.self_signed(&pair).unwrap();
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, pair.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_certificate_is_judged_by_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path(), 2030);
        let verdict = |now: &str| {
            let now = now.parse().unwrap();
            certificate(Some(&files), now).unwrap().verdict
        };
        assert_eq!(verdict("2029-01-01T00:00:00Z"), Verdict::Ok);
        assert_eq!(verdict("2029-12-25T00:00:00Z"), Verdict::Warning);
        assert_eq!(verdict("2030-01-02T00:00:00Z"), Verdict::Wrong);
        std::fs::write(&files.key, "nothing").unwrap();
        assert_eq!(verdict("2029-01-01T00:00:00Z"), Verdict::Wrong);
        assert!(certificate(None, Timestamp::UNIX_EPOCH).is_none());
    }
}
