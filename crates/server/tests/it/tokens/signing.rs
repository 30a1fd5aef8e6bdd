//! Signing as an identity provider does it, or an attacker: any header over any claims.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use aws_lc_rs::{hmac, signature};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A token in the compact form, with the signature that `sign` makes.
pub fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = BASE64URL_NOPAD.encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// HMAC with SHA-256.
pub fn hmac256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// A token signed with a secret.
pub fn hs256(secret: &[u8], claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    compact(&header, claims, |message| hmac256(secret, message))
}

/// A key pair of an identity provider.
pub struct Identity {
    pub kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Identity {
    pub fn rs256(kid: &str) -> Self {
        Self::new(
            kid,
            Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        )
    }

    pub fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self::new(kid, Pair::Ec(pair))
    }

    pub fn eddsa(kid: &str) -> Self {
        Self::new(kid, Pair::Ed(Ed25519KeyPair::generate().unwrap()))
    }

    fn new(kid: &str, pair: Pair) -> Self {
        Self {
            kid: kid.to_owned(),
            pair,
        }
    }

    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// The public key as raw as this kind of key has it.
    pub fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The public key as a file of it would be: what a careless server would take for a secret.
    pub fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    /// The public key as it is published.
    pub fn jwk(&self) -> Value {
        let public = self.public();
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let kid = &self.kid;
        match self.pair {
            // SEQUENCE { INTEGER modulus (257 bytes, the first 0), INTEGER exponent (3 bytes) }
            Pair::Rsa(_) => json!({
                "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
                "n": text(&public[9..265]), "e": text(&public[public.len() - 3..]),
            }),
            Pair::Ec(_) => json!({
                "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
                "x": text(&public[1..33]), "y": text(&public[33..]),
            }),
            Pair::Ed(_) => json!({
                "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(&public),
            }),
        }
    }

    /// A token as the provider makes it.
    pub fn token(&self, claims: &Value) -> String {
        self.token_headed(&json!({"alg": self.algorithm(), "kid": self.kid}), claims)
    }

    /// A token signed by this key, whatever its header says.
    pub fn token_headed(&self, header: &Value, claims: &Value) -> String {
        compact(header, claims, |message| self.sign(message))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Pair::Ec(pair) => bytes(pair.sign(&random, message).unwrap()),
            Pair::Ed(pair) => bytes(pair.sign(message)),
        }
    }
}

fn bytes(signature: signature::Signature) -> Vec<u8> {
    signature.as_ref().to_vec()
}
