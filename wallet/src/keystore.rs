//! One account's key in a file of its own: the keystore (version 3) of geth, MetaMask and `cast wallet`.

use aes::Aes128;
use alloy_primitives::{Address, keccak256};
use chain_core::transaction::account::address_of;
use ctr::cipher::{KeyIvInit, StreamCipher};
use secp256k1::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    input::from_json,
    vault::{self, VaultError},
};

type Aes128Ctr = ctr::Ctr128BE<Aes128>;

/// Rounds of scrypt that geth uses for what it keeps: 256 MiB and about a second.
const ROUNDS: u32 = 1 << 18;

/// Memory that a file may ask for: what any program writes is a quarter of it.
const MAX_MEMORY: u64 = 1 << 30;

/// Rounds of PBKDF2 that a file may ask for.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Why a keystore cannot be opened or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    #[error("it is not a keystore: {0}")]
    Malformed(String),
    /// A version, cipher or key derivation that this program does not know.
    #[error("its {what} is '{got}', which this program does not know")]
    Unknown { what: &'static str, got: String },
    /// A key derivation that costs more than any program asks for.
    #[error("it asks for an absurd {0} to try one password")]
    Absurd(String),
    #[error("wrong password of the keystore")]
    WrongPassword,
    /// The key is that of another account than the file says.
    #[error("it says that it holds the key of {says}, but it holds that of {holds}")]
    OtherAccount { says: String, holds: Address },
    #[error("what it holds is not a secret key")]
    NoKey,
    #[error(transparent)]
    Vault(#[from] VaultError),
}

#[derive(Serialize, Deserialize)]
struct Keystore {
    version: u32,
    #[serde(default)]
    id: String,
    #[serde(default)]
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    #[serde(with = "hex::serde")]
    ciphertext: Vec<u8>,
    cipherparams: CipherParams,
    kdf: String,
    kdfparams: KdfParams,
    #[serde(with = "hex::serde")]
    mac: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    #[serde(with = "hex::serde")]
    iv: Vec<u8>,
}

/// Those of scrypt and of PBKDF2.
#[derive(Serialize, Deserialize)]
struct KdfParams {
    dklen: u32,
    #[serde(with = "hex::serde")]
    salt: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prf: Option<String>,
}

/// The account of a key.
pub fn account_of(key: &SecretKey) -> Address {
    address_of(&PublicKey::from_secret_key(key))
}

/// Seals a key under a password.
///
/// # Errors
/// [`KeystoreError::Vault`] without randomness.
pub fn seal(key: &SecretKey, password: &str) -> Result<String, KeystoreError> {
    seal_with(key, password, ROUNDS)
}

fn seal_with(key: &SecretKey, password: &str, rounds: u32) -> Result<String, KeystoreError> {
    let (salt, iv, mut id) = (vault::random::<32>()?, vault::random::<16>()?, vault::random::<16>()?);
    let kdfparams =
        KdfParams { dklen: 32, salt: salt.into(), n: Some(rounds), r: Some(8), p: Some(1), c: None, prf: None };
    let derived = derive("scrypt", &kdfparams, password)?;
    let mut ciphertext = key.to_secret_bytes().to_vec();
    apply(&derived, iv, &mut ciphertext);
    let mac = mac(&derived, &ciphertext);
    // Version and variant of a random UUID (RFC 9562).
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let hex = hex::encode(id);
    let keystore = Keystore {
        version: 3,
        id: [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"),
        address: Some(hex::encode(account_of(key))),
        crypto: Crypto {
            cipher: "aes-128-ctr".into(),
            ciphertext,
            cipherparams: CipherParams { iv: iv.into() },
            kdf: "scrypt".into(),
            kdfparams,
            mac,
        },
    };
    Ok(serde_json::to_string_pretty(&keystore).expect("a keystore is plain data with text keys"))
}

/// Opens a keystore.
pub fn open(text: &str, password: &str) -> Result<SecretKey, KeystoreError> {
    let keystore: Keystore = from_json(text.as_bytes()).map_err(KeystoreError::Malformed)?;
    let unknown = |what, got: &str| KeystoreError::Unknown { what, got: got.chars().take(40).collect() };
    if keystore.version != 3 {
        return Err(unknown("version", &keystore.version.to_string()));
    }
    let crypto = keystore.crypto;
    if crypto.cipher != "aes-128-ctr" {
        return Err(unknown("cipher", &crypto.cipher));
    }
    let iv: [u8; 16] = crypto.cipherparams.iv[..].try_into().map_err(|_| malformed("the initial vector's length"))?;
    let derived = derive(&crypto.kdf, &crypto.kdfparams, password)?;
    if mac(&derived, &crypto.ciphertext) != crypto.mac {
        return Err(KeystoreError::WrongPassword);
    }
    let mut secret = Zeroizing::new(crypto.ciphertext);
    apply(&derived, iv, &mut secret);
    let secret: [u8; 32] = secret[..].try_into().map_err(|_| KeystoreError::NoKey)?;
    let key = SecretKey::from_secret_bytes(secret).map_err(|_| KeystoreError::NoKey)?;
    let holds = account_of(&key);
    match keystore.address {
        Some(says) if says.trim_start_matches("0x").to_lowercase() != hex::encode(holds) => {
            Err(KeystoreError::OtherAccount { says: says.chars().take(60).collect(), holds })
        }
        _ => Ok(key),
    }
}

fn malformed(what: &str) -> KeystoreError {
    KeystoreError::Malformed(what.into())
}

/// Stretches the password. What that may cost is bounded, since a stranger may have written the file.
fn derive(kdf: &str, params: &KdfParams, password: &str) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
    let mut derived = Zeroizing::new([0; 32]);
    if params.dklen != 32 {
        return Err(malformed("the length of the derived key"));
    }
    match (kdf, params) {
        ("scrypt", KdfParams { n: Some(n), r: Some(r), p: Some(p), salt, .. }) => {
            let memory = u64::from(*n).saturating_mul(u64::from(*r)).saturating_mul(128);
            if memory > MAX_MEMORY || memory.saturating_mul(u64::from(*p)) > 4 * MAX_MEMORY {
                return Err(KeystoreError::Absurd(format!("scrypt with n = {n}, r = {r}, p = {p}")));
            }
            let log = n.checked_ilog2().filter(|_| n.is_power_of_two()).and_then(|log| u8::try_from(log).ok());
            let log = log.ok_or_else(|| malformed("scrypt's n is not a power of two"))?;
            let params = scrypt::Params::new(log, *r, *p).map_err(|_| malformed("the numbers of scrypt"))?;
            scrypt::scrypt(password.as_bytes(), salt, &params, &mut *derived)
                .map_err(|_| malformed("the numbers of scrypt"))?;
        }
        ("pbkdf2", KdfParams { c: Some(rounds), prf: Some(prf), salt, .. }) if prf == "hmac-sha256" => {
            if *rounds > MAX_ITERATIONS {
                return Err(KeystoreError::Absurd(format!("{rounds} rounds")));
            }
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt, *rounds, &mut *derived);
        }
        ("scrypt" | "pbkdf2", _) => return Err(malformed("the numbers of its key derivation")),
        _ => {
            return Err(KeystoreError::Unknown { what: "key derivation", got: kdf.chars().take(40).collect() });
        }
    }
    Ok(derived)
}

/// Encrypts or decrypts: with this cipher both are the same.
fn apply(derived: &[u8; 32], iv: [u8; 16], bytes: &mut [u8]) {
    let key: [u8; 16] = std::array::from_fn(|index| derived[index]);
    Aes128Ctr::new(&key.into(), &iv.into()).apply_keystream(bytes);
}

fn mac(derived: &[u8; 32], ciphertext: &[u8]) -> Vec<u8> {
    keccak256([&derived[16..], ciphertext].concat()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by a program of another kind, from OpenSSL's AES and Python's scrypt and PBKDF2.
    const PASSWORD: &str = "correct horse";
    const SECRET: &str = "773a4fa29b88e3f28dc7eaa78f758da4c2d2dafd157a4faaca8a58a9c888edc1";
    const SCRYPT: &str = r#"{"version": 3, "id": "00000000-0000-4000-8000-000000000000",
        "address": "29cf75ee7a1452b1eeffc2915966a0bfac827427", "crypto": {"cipher": "aes-128-ctr",
        "cipherparams": {"iv": "0ab306823035661bb8dba21cc2535231"},
        "ciphertext": "6d14fda998fd1e9f6a7c2acf1049b3ef77e523e01d038e34a8f57c7ca137c025", "kdf": "scrypt",
        "kdfparams": {"dklen": 32, "n": 4096, "r": 8, "p": 1,
        "salt": "63479ad69a090b258277ec8fba6f99419a2ffb248981510657c944ccd1148e97"},
        "mac": "c30922ce6496e0a78963af3f16db218d37601f66029f433689a4ee3448a032f1"}}"#;
    const PBKDF2: &str = r#"{"version": 3, "id": "00000000-0000-4000-8000-000000000000",
        "address": "29cf75ee7a1452b1eeffc2915966a0bfac827427", "crypto": {"cipher": "aes-128-ctr",
        "cipherparams": {"iv": "0ab306823035661bb8dba21cc2535231"},
        "ciphertext": "0b338e0821da8120f2aaa8a57dde0ad44ea6cbafffae54aedf348068b1d73d8e", "kdf": "pbkdf2",
        "kdfparams": {"c": 10240, "dklen": 32, "prf": "hmac-sha256",
        "salt": "63479ad69a090b258277ec8fba6f99419a2ffb248981510657c944ccd1148e97"},
        "mac": "2a18ca3e185d535dfa39a42ce9b0b189f375d1979e61067d8ff8f29737991cc5"}}"#;

    fn key() -> SecretKey {
        SecretKey::from_secret_bytes([7; 32]).unwrap()
    }

    #[test]
    fn opens_what_others_sealed() {
        for text in [PBKDF2, SCRYPT] {
            assert_eq!(hex::encode(open(text, PASSWORD).unwrap().to_secret_bytes()), SECRET);
            assert_eq!(open(text, "correct house"), Err(KeystoreError::WrongPassword));
        }
    }

    #[test]
    fn opens_what_it_sealed() {
        let text = seal_with(&key(), "pw", 2).unwrap();
        assert_eq!(open(&text, "pw"), Ok(key()));
        assert_eq!(open(&text, "px"), Err(KeystoreError::WrongPassword));
        assert_ne!(text, seal_with(&key(), "pw", 2).unwrap(), "salt and id are new each time");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["address"], hex::encode(account_of(&key())));
        assert_eq!((json["version"].as_u64(), json["crypto"]["kdf"].as_str()), (Some(3), Some("scrypt")));
    }

    #[test]
    fn refuses_files_that_cost_or_say_too_much() {
        let error = |from: &str, to: &str| {
            assert!(SCRYPT.contains(from), "{from}");
            open(&SCRYPT.replace(from, to), PASSWORD).unwrap_err().to_string()
        };
        assert!(error("\"n\": 4096", "\"n\": 1073741824").contains("absurd scrypt with n = 1073741824"));
        assert!(error("\"p\": 1", "\"p\": 4294967295").contains("absurd scrypt"));
        assert!(error("\"n\": 4096", "\"n\": 3").contains("not a power of two"));
        assert!(error("\"n\": 4096", "\"n\": 0").contains("not a power of two"));
        assert!(error("\"r\": 8", "\"r\": 0").contains("the numbers of scrypt"));
        assert!(error("\"version\": 3", "\"version\": 1").contains("its version is '1'"));
        assert!(error("aes-128-ctr", "rot13").contains("its cipher is 'rot13'"));
        assert!(error("scrypt", "argon2").contains("its key derivation is 'argon2'"));
        assert!(error("\"dklen\": 32", "\"dklen\": 64").contains("the length of the derived key"));
        assert!(open(&PBKDF2.replace("10240", "4000000000"), PASSWORD).unwrap_err().to_string().contains("absurd"));
        assert!(open("{}", PASSWORD).unwrap_err().to_string().contains("it is not a keystore"));
        let other = SCRYPT.replace("29cf75ee", "29cf75ef");
        assert!(matches!(open(&other, PASSWORD), Err(KeystoreError::OtherAccount { .. })));
    }
}
