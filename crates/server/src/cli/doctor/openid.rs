//! The identity provider that administrators sign in by: whether it can be asked, and is what it is
//! taken for.

use domain::clock::Clock as _;

use super::check::Check;
use crate::ambient::SystemClock;
use crate::cli::output::counted;
use crate::config::Config;
use crate::outbound::ProviderProblem;
use crate::runtime;

const NAME: &str = "sign-in";

/// The provider, if configured: asked for its document and its keys. Whether it takes the client's name
/// and secret, it tells only when somebody signs in.
pub async fn provider(config: &Config) -> Option<Check> {
    let client = match runtime::openid_client(config) {
        Ok(client) => client?,
        Err(failure) => {
            let cure = "check the certificates of this machine";
            return Some(Check::wrong(NAME, failure.to_string(), cure));
        }
    };
    Some(match client.check(SystemClock.now()).await {
        Ok(0) => Check::wrong(
            NAME,
            "the identity provider publishes no key that can be used",
            "have it sign with RS256, ES256 or EdDSA (Ed25519)",
        ),
        Ok(keys) => {
            let keys = counted(keys as u64, "key");
            let (name, back) = (client.name(), client.back());
            let told = format!("{name} answers, with {keys}; it must send people back to {back}");
            Check::fine(NAME, told)
        }
        Err(problem) => Check::wrong(NAME, problem.to_string(), cure(problem)),
    })
}

fn cure(problem: ProviderProblem) -> &'static str {
    match problem {
        ProviderProblem::OtherIssuer => {
            "set OIDC_ISSUER to the `issuer` of its /.well-known/openid-configuration, to the letter"
        }
        ProviderProblem::Insecure => "have the provider served over HTTPS",
        ProviderProblem::Private => {
            "serve it all under the host of OIDC_ISSUER, or set ALLOW_PRIVATE_RECEIVERS"
        }
        ProviderProblem::Unfit => "switch on PKCE with S256, and a client secret, at the provider",
        _ => "check OIDC_ISSUER, and that it can be reached from here",
    }
}
