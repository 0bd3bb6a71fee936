//! A secret under a password: Argon2id makes the key, XChaCha20-Poly1305 seals.
//!
//! What it costs to try a password is written beside the sealed bytes and bounded when read, so that a file cannot ask
//! for more memory or time than an honest one would.

use std::borrow::Cow;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Memory that one try of a password may ask for: 1 GiB, in KiB.
const MAX_MEMORY_KIB: u32 = 1 << 20;

/// Memory times passes that one try may ask for, in KiB.
const MAX_WORK_KIB: u64 = 8 << 20;

/// Lanes that one try may ask for.
const MAX_LANES: u32 = 64;

/// Why a secret cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("wrong password")]
    WrongPassword,
    #[error("it is encrypted by '{0}', which this version does not know")]
    UnknownMethod(String),
    #[error("it asks for an absurd {0} to try one password")]
    AbsurdCost(String),
    /// Salt, nonce or sealed bytes have an impossible length.
    #[error("its encrypted part is malformed: {0}")]
    Malformed(&'static str),
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(String),
}

/// What it costs to try one password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes.
impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 64 << 10, passes: 3, lanes: 4 }
    }
}

impl Cost {
    fn check(self) -> Result<(), VaultError> {
        if self.memory_kib > MAX_MEMORY_KIB {
            return Err(VaultError::AbsurdCost(format!("{} MiB of memory", self.memory_kib >> 10)));
        }
        if u64::from(self.memory_kib) * u64::from(self.passes) > MAX_WORK_KIB {
            return Err(VaultError::AbsurdCost(format!("{} passes", self.passes)));
        }
        if self.lanes > MAX_LANES {
            return Err(VaultError::AbsurdCost(format!("{} lanes", self.lanes)));
        }
        Ok(())
    }
}

/// A sealed secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// How the key is made and what seals: always [`METHOD`].
    pub method: String,
    /// What one try costs.
    pub cost: Cost,
    #[serde(with = "hex::serde")]
    pub salt: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub nonce: Vec<u8>,
    /// The secret and its tag.
    #[serde(with = "hex::serde")]
    pub bytes: Vec<u8>,
}

/// The only method so far.
pub const METHOD: &str = "argon2id+xchacha20poly1305";

/// Fills an array with randomness of the system.
///
/// # Errors
/// [`VaultError::NoRandomness`] if it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| VaultError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// Keeps what this process knows out of core dumps.
pub fn no_core_dump() {
    #[cfg(unix)]
    {
        // One byte, not none: Linux pipes a dump to a program whatever the limit is, unless it is one.
        let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: the limit is read, nothing else.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };
    }
}

impl Sealed {
    /// Seals a secret under a password.
    ///
    /// # Errors
    /// [`VaultError`] if the cost is absurd or there is no randomness.
    pub fn seal(secret: &[u8], password: &str, cost: Cost) -> Result<Self, VaultError> {
        let (salt, nonce) = (random::<16>()?, random::<24>()?);
        let key = key(password, &salt, cost)?;
        let payload = Payload { msg: secret, aad: METHOD.as_bytes() };
        let bytes = XChaCha20Poly1305::new((&*key).into())
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| VaultError::Malformed("the secret is too long"))?;
        Ok(Self { method: METHOD.into(), cost, salt: salt.into(), nonce: nonce.into(), bytes })
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`VaultError::WrongPassword`] if the password does not fit, others if no honest file looks like that.
    pub fn open(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if self.method != METHOD {
            return Err(VaultError::UnknownMethod(self.method.clone()));
        }
        let nonce: [u8; 24] = self.nonce[..].try_into().map_err(|_| VaultError::Malformed("the nonce's length"))?;
        let key = key(password, &self.salt, self.cost)?;
        let payload = Payload { msg: &self.bytes, aad: METHOD.as_bytes() };
        XChaCha20Poly1305::new((&*key).into())
            .decrypt(&XNonce::from(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| VaultError::WrongPassword)
    }
}

/// Stretches a password into a key. It is normalised first, so that an accent typed on another system is the same.
fn key(password: &str, salt: &[u8], cost: Cost) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    cost.check()?;
    let mut normal = Cow::Borrowed(password);
    bip39::Mnemonic::normalize_utf8_cow(&mut normal);
    let normal = Zeroizing::new(normal.into_owned());
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
        .map_err(|_| VaultError::AbsurdCost("little work".into()))?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(normal.as_bytes(), salt, &mut *key)
        .map_err(|_| VaultError::Malformed("the salt's length"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn sealed() -> Sealed {
        Sealed::seal(b"secret", "pass", CHEAP).unwrap()
    }

    #[test]
    fn opens_with_its_password_and_no_other() {
        assert_eq!(&**sealed().open("pass").unwrap(), b"secret");
        assert_eq!(sealed().open("Pass"), Err(VaultError::WrongPassword));
        assert_eq!(sealed().open(""), Err(VaultError::WrongPassword));
    }

    #[test]
    fn an_accent_is_the_same_however_it_is_composed() {
        let sealed = Sealed::seal(b"secret", "caf\u{e9}", CHEAP).unwrap();
        assert!(sealed.open("cafe\u{301}").is_ok());
        assert!(sealed.open("cafe").is_err());
    }

    #[test]
    fn never_seals_twice_alike() {
        let (one, two) = (sealed(), sealed());
        assert!(one.salt != two.salt && one.nonce != two.nonce && one.bytes != two.bytes);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = sealed();
        for bit in 0..good.bytes.len() * 8 {
            let mut bad = good.clone();
            bad.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(bad.open("pass"), Err(VaultError::WrongPassword));
        }
        let mut bad = good.clone();
        bad.salt[0] ^= 1;
        assert_eq!(bad.open("pass"), Err(VaultError::WrongPassword));
    }

    #[test]
    fn refuses_absurd_costs_before_spending_them() {
        let with = |cost| Sealed { cost, ..sealed() }.open("pass");
        let absurd = |what: &str| Err(VaultError::AbsurdCost(what.into()));
        assert_eq!(with(Cost { memory_kib: u32::MAX, ..CHEAP }), absurd("4194303 MiB of memory"));
        assert_eq!(with(Cost { memory_kib: 1 << 20, passes: 9, lanes: 1 }), absurd("9 passes"));
        assert_eq!(with(Cost { passes: u32::MAX, ..CHEAP }), absurd("4294967295 passes"));
        assert_eq!(with(Cost { lanes: 65, ..CHEAP }), absurd("65 lanes"));
        assert_eq!(with(Cost { memory_kib: 0, passes: 0, lanes: 0 }), absurd("little work"));
    }

    #[test]
    fn refuses_malformed_parts() {
        let good = sealed();
        let malformed = |what| Err(VaultError::Malformed(what));
        assert_eq!(Sealed { nonce: vec![0; 12], ..good.clone() }.open("pass"), malformed("the nonce's length"));
        assert_eq!(Sealed { salt: vec![], ..good.clone() }.open("pass"), malformed("the salt's length"));
        assert_eq!(Sealed { bytes: vec![], ..good.clone() }.open("pass"), Err(VaultError::WrongPassword));
        assert_eq!(
            Sealed { method: "rot13".into(), ..good }.open("pass"),
            Err(VaultError::UnknownMethod("rot13".into()))
        );
    }
}
