//! A key together with the one algorithm that it checks.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::de::DeserializeOwned;

/// A key that checks signatures of one algorithm.
pub struct PinnedKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

impl PinnedKey {
    /// A key for signatures of `algorithm` alone.
    pub fn new(id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Self {
        Self {
            id,
            algorithm,
            key,
            validation: signature_only(algorithm),
        }
    }

    /// A published key, if it is a public key made for checking signatures of
    /// RS256, ES256 or EdDSA (Ed25519). A shared secret has no place in a
    /// published set and is never taken from one.
    pub fn from_jwk(jwk: Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            _ => return None,
        };
        let about = &jwk.common;
        let other_algorithm = about
            .key_algorithm
            .is_some_and(|named| named != KeyAlgorithm::from(algorithm));
        let other_use = about
            .public_key_use
            .as_ref()
            .is_some_and(|named| *named != PublicKeyUse::Signature);
        let other_operations = about
            .key_operations
            .as_ref()
            .is_some_and(|named| !named.contains(&KeyOperations::Verify));
        if other_algorithm || other_use || other_operations {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self::new(jwk.common.key_id, algorithm, key))
    }

    /// Its `kid`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What it checks.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What a token says, if this key's owner has signed it. Its times are not
    /// looked at.
    pub fn prove<Claims: DeserializeOwned>(&self, token: &str) -> Option<Claims> {
        let proven = decode::<Claims>(token, &self.key, &self.validation).ok()?;
        Some(proven.claims)
    }
}

/// The library's own checks ask the machine's clock; ours ask the given time.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
