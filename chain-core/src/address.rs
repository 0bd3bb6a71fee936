//! Addresses as people write them: bech32m for coin locks, EIP-55 hexadecimal for accounts.

use alloy_primitives::Address;
use bech32::{
    Bech32m, Hrp,
    primitives::{
        decode::{CharError, UncheckedHrpstring, UncheckedHrpstringError},
        hrp,
    },
};

use crate::coin::{KeyBytes, Lock};

/// Why a text is not an address of this network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `prefix1...` nor `0x...`.
    #[error("neither a coin address ({expected}1...) nor an account (0x...)")]
    Unknown {
        /// Prefix of this network.
        expected: String,
    },
    /// A coin address of another network.
    #[error("an address of another network: it starts with {got}1, here they start with {expected}1")]
    Network {
        /// Prefix of the address.
        got: String,
        /// Prefix of this network.
        expected: String,
    },
    /// Capital and small letters in one coin address.
    #[error("a coin address is all small or all capital letters")]
    MixedCase,
    /// A character that coin addresses do not have.
    #[error("the character {0:?} does not occur in addresses")]
    Character(char),
    /// The bech32m checksum is wrong.
    #[error("the checksum is wrong: is a letter mistyped?")]
    Checksum,
    /// Too short or too long.
    #[error("the address holds {got} bytes, expected {expected}")]
    Length {
        /// Bytes that it holds.
        got: usize,
        /// Bytes of such an address.
        expected: usize,
    },
    /// Bits behind the last byte that are not zero.
    #[error("the address ends in bits that mean nothing")]
    Padding,
    /// A kind of lock that this version does not know.
    #[error("unknown kind of address: {0}")]
    Version(u8),
    /// An account that has not 40 digits.
    #[error("an account has 40 hexadecimal digits after 0x, this has {0}")]
    Digits(usize),
    /// The EIP-55 checksum, in the case of the letters, is wrong.
    #[error("the case of the letters is wrong (EIP-55): is a digit mistyped? Expected {expected}")]
    Eip55 {
        /// The same digits in the right case.
        expected: String,
    },
    /// An account where only coin addresses are meant, or the other way round.
    #[error("expected {expected}, got {got}")]
    Kind {
        /// What was given.
        got: &'static str,
        /// What is meant.
        expected: &'static str,
    },
}

/// Payload of a coin address: the kind of lock, then a key or a policy's hash.
const PAYLOAD: usize = 33;
const VERSION_KEY: u8 = 0;
const VERSION_POLICY: u8 = 1;

/// Writes a lock as an address: bech32m with this prefix, or EIP-55 for an account lock.
///
/// # Panics
/// If `hrp` is no [valid prefix](is_valid_prefix); that of a chain spec always is.
pub fn encode(hrp: &str, lock: &Lock) -> String {
    let (version, bytes) = match lock {
        Lock::Account(address) => return address.to_checksum(None),
        Lock::Key(key) => (VERSION_KEY, &key.0),
        Lock::Policy(hash) => (VERSION_POLICY, hash),
    };
    let mut payload = [version; PAYLOAD];
    payload[1..].copy_from_slice(bytes);
    let hrp = Hrp::parse(hrp).expect("a chain spec holds a valid prefix");
    bech32::encode_lower::<Bech32m>(hrp, &payload).expect("a short prefix and 33 bytes are far below the length limit")
}

/// Whether a text can be the prefix of addresses: 1 to 16 small letters.
pub fn is_valid_prefix(hrp: &str) -> bool {
    (1..=16).contains(&hrp.len()) && hrp.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Reads an address of either kind: `crn1...` or `0x...`.
///
/// # Errors
/// [`AddressError`].
pub fn parse_destination(hrp: &str, text: &str) -> Result<Lock, AddressError> {
    if is_account_like(text) { parse_account(text).map(Lock::Account) } else { decode(hrp, text) }
}

/// Reads a coin address. Never answers an account lock.
///
/// # Errors
/// [`AddressError`].
pub fn parse_coin_address(hrp: &str, text: &str) -> Result<Lock, AddressError> {
    if is_account_like(text) {
        return Err(AddressError::Kind { got: "an account", expected: "a coin address" });
    }
    decode(hrp, text)
}

/// Reads an account address: 40 hexadecimal digits after `0x`; the EIP-55 checksum is verified where cases mix.
///
/// # Errors
/// [`AddressError`].
pub fn parse_account(text: &str) -> Result<Address, AddressError> {
    if !is_account_like(text) {
        return Err(AddressError::Kind { got: "something else", expected: "an account (0x...)" });
    }
    let digits = &text[2..];
    if let Some(wrong) = digits.chars().find(|character| !character.is_ascii_hexdigit()) {
        return Err(AddressError::Character(wrong));
    }
    let mut bytes = [0; 20];
    alloy_primitives::hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Digits(digits.len()))?;
    let address = Address::from(bytes);
    let checksummed = address.to_checksum(None);
    let one_case =
        !digits.bytes().any(|byte| byte.is_ascii_lowercase()) || !digits.bytes().any(|byte| byte.is_ascii_uppercase());
    if !one_case && checksummed[2..] != *digits {
        return Err(AddressError::Eip55 { expected: checksummed });
    }
    Ok(address)
}

fn is_account_like(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

fn decode(hrp: &str, text: &str) -> Result<Lock, AddressError> {
    let unchecked = UncheckedHrpstring::new(text).map_err(|error| malformed(error, hrp))?;
    let got = unchecked.hrp().to_lowercase();
    if got != hrp {
        return Err(AddressError::Network { got, expected: hrp.into() });
    }
    let checked = unchecked.validate_and_remove_checksum::<Bech32m>().map_err(|_| AddressError::Checksum)?;
    let payload: Vec<u8> = checked.byte_iter().collect();
    let sized: Result<[u8; PAYLOAD], _> = payload.try_into();
    let payload = sized.map_err(|payload| AddressError::Length { got: payload.len(), expected: PAYLOAD })?;
    checked.validate_segwit_padding().map_err(|_| AddressError::Padding)?;
    let bytes = std::array::from_fn(|index| payload[index + 1]);
    match payload[0] {
        VERSION_KEY => Ok(Lock::Key(KeyBytes(bytes))),
        VERSION_POLICY => Ok(Lock::Policy(bytes)),
        unknown => Err(AddressError::Version(unknown)),
    }
}

fn malformed(error: UncheckedHrpstringError, hrp: &str) -> AddressError {
    match error {
        UncheckedHrpstringError::Char(CharError::MixedCase) | UncheckedHrpstringError::Hrp(hrp::Error::MixedCase) => {
            AddressError::MixedCase
        }
        UncheckedHrpstringError::Char(CharError::InvalidChar(character)) => AddressError::Character(character),
        _ => AddressError::Unknown { expected: hrp.into() },
    }
}
