//! Addresses as people write them: bech32m for coin locks, EIP-55 hexadecimal for accounts.

use alloy_primitives::Address;

use crate::coin::Lock;

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
    /// A kind of lock that this version does not know.
    #[error("unknown kind of address: {0}")]
    Version(u8),
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

/// Writes a lock as an address: bech32m with this prefix, or EIP-55 for an account lock.
///
/// # Panics
/// If `hrp` is no valid bech32 prefix; that of a chain spec always is.
pub fn encode(_hrp: &str, _lock: &Lock) -> String {
    todo!()
}

/// Whether a text can be the prefix of addresses: 1 to 16 small letters and digits.
pub fn is_valid_prefix(_hrp: &str) -> bool {
    todo!()
}

/// Reads an address of either kind: `crn1...` or `0x...`.
///
/// # Errors
/// [`AddressError`].
pub fn parse_destination(_hrp: &str, _text: &str) -> Result<Lock, AddressError> {
    todo!()
}

/// Reads a coin address. Never answers an account lock.
///
/// # Errors
/// [`AddressError`].
pub fn parse_coin_address(_hrp: &str, _text: &str) -> Result<Lock, AddressError> {
    todo!()
}

/// Reads an account address: 40 hexadecimal digits after `0x`; the EIP-55 checksum is verified where cases mix.
///
/// # Errors
/// [`AddressError`].
pub fn parse_account(_text: &str) -> Result<Address, AddressError> {
    todo!()
}
