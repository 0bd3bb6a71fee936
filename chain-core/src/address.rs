//! Addresses as text: bech32m for coin locks, EIP-55 hexadecimal for accounts.

use alloy_primitives::Address;
use bech32::{
    Bech32m, Hrp,
    primitives::{
        decode::{CharError, UncheckedHrpstring, UncheckedHrpstringError},
        hrp,
    },
};

use crate::transaction::coin::{KeyBytes, Lock};

/// Why a text is not an address of this network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `prefix1...` nor `0x...`.
    #[error("neither a coin address ({expected}1...) nor an account (0x...)")]
    Unknown {
        /// Prefix of this network.
        expected: String,
    },
    /// No coin address, where nothing else is accepted.
    #[error("expected a coin address ({expected}1...)")]
    NotCoin {
        /// Prefix of this network.
        expected: String,
    },
    /// No account, where nothing else is accepted.
    #[error("expected an account (0x...)")]
    NotAccount,
    /// A coin address of another network.
    #[error("an address of another network: it starts with {got}1, here they start with {expected}1")]
    Network {
        /// Prefix of the address.
        got: String,
        /// Prefix of this network.
        expected: String,
    },
    /// Mixed case in a coin address.
    #[error("a coin address is all small or all capital letters")]
    MixedCase,
    /// A character outside the bech32 alphabet.
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
    /// Padding bits that are not zero.
    #[error("the address ends in bits that mean nothing")]
    Padding,
    /// A kind of lock that this version does not know.
    #[error("unknown kind of address: {0}")]
    Version(u8),
    /// An account without exactly 40 digits.
    #[error("an account has 40 hexadecimal digits after 0x, this has {0}")]
    Digits(usize),
    /// The EIP-55 checksum, in the case of the letters, is wrong. The right case is not shown: a user would paste it, and
    /// pay the wrong account where a digit is mistyped.
    #[error("the checksum is wrong (EIP-55, the case of the letters): is a digit mistyped?")]
    Eip55,
    /// An account where only coin addresses are accepted.
    #[error("expected {expected}, got {got}")]
    Kind {
        /// What was given.
        got: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
}

/// Payload of a coin address: the kind of lock, then a key or a policy's hash.
const PAYLOAD: usize = 33;
const VERSION_KEY: u8 = 0;
const VERSION_POLICY: u8 = 1;

/// Formats a lock as an address: bech32m with this prefix, or EIP-55 for an account lock.
///
/// # Panics
/// If `hrp` is not a [valid prefix](is_valid_prefix); that of a chain spec always is.
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

/// Whether a text can be an address prefix: 1 to 16 lower-case letters.
pub fn is_valid_prefix(hrp: &str) -> bool {
    (1..=16).contains(&hrp.len()) && hrp.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Parses an address of either kind: `crn1...` or `0x...`.
///
/// # Errors
/// [`AddressError`].
pub fn parse_destination(hrp: &str, text: &str) -> Result<Lock, AddressError> {
    if is_account_like(text) { parse_account(text).map(Lock::Account) } else { decode(hrp, text) }
}

/// Parses a coin address. Never returns an account lock.
///
/// # Errors
/// [`AddressError`].
pub fn parse_coin_address(hrp: &str, text: &str) -> Result<Lock, AddressError> {
    if is_account_like(text) {
        return Err(AddressError::Kind { got: "an account", expected: "a coin address" });
    }
    decode(hrp, text).map_err(|error| match error {
        AddressError::Unknown { expected } => AddressError::NotCoin { expected },
        other => other,
    })
}

/// Parses an account address: 40 hexadecimal digits after `0x`; mixed case must match the EIP-55 checksum.
///
/// # Errors
/// [`AddressError`].
pub fn parse_account(text: &str) -> Result<Address, AddressError> {
    if !is_account_like(text) {
        return Err(AddressError::NotAccount);
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
        return Err(AddressError::Eip55);
    }
    Ok(address)
}

fn is_account_like(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

fn decode(hrp: &str, text: &str) -> Result<Lock, AddressError> {
    if !text.contains('1') {
        return Err(AddressError::Unknown { expected: hrp.into() });
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    const KEY: Lock = Lock::Key(KeyBytes([0xab; 32]));

    fn bech32m(hrp: &str, payload: &[u8]) -> String {
        bech32::encode_lower::<Bech32m>(Hrp::parse(hrp).unwrap(), payload).unwrap()
    }

    #[test]
    fn addresses_have_one_shape() {
        let text = encode("crn", &KEY);
        assert_eq!(text.len(), "crn1".len() + 53 + 6);
        assert!(text.starts_with("crn1qz46h2at4w46h2at4w46h2at4w46h2at4w46h2at4w46h2at4"), "{text}");
        assert!(encode("lcrn", &Lock::Policy([0; 32])).starts_with("lcrn1qy"));
        assert_eq!(parse_coin_address("crn", &text.to_uppercase()), Ok(KEY));
    }

    #[test]
    fn refuses_the_address_of_another_network_and_says_what_it_expects() {
        let text = encode("tcrn", &KEY);
        assert_eq!(parse_destination("tcrn", &text), Ok(KEY));
        let network = |got: &str| Err(AddressError::Network { got: got.into(), expected: "crn".into() });
        assert_eq!(parse_destination("crn", &text), network("tcrn"));
        // Bitcoin's, which also has another checksum.
        assert_eq!(parse_destination("crn", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"), network("bc"));
    }

    #[test]
    fn refuses_every_mistyped_letter() {
        let text = encode("crn", &KEY);
        for place in 4..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'q' { b'p' } else { b'q' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(parse_destination("crn", &wrong), Err(AddressError::Checksum), "{wrong}");
        }
        assert_eq!(parse_destination("crn", &text[..text.len() - 1]), Err(AddressError::Checksum));
    }

    #[test]
    fn refuses_the_checksum_of_plain_bech32() {
        let plain = bech32::encode_lower::<bech32::Bech32>(Hrp::parse("crn").unwrap(), &[0; 33]).unwrap();
        assert_eq!(parse_destination("crn", &plain), Err(AddressError::Checksum));
    }

    #[test]
    fn refuses_mixed_case_and_foreign_characters() {
        let text = encode("crn", &KEY);
        let mixed = format!("{}{}", &text[..10], text[10..].to_uppercase());
        assert_eq!(parse_destination("crn", &mixed), Err(AddressError::MixedCase));
        assert_eq!(parse_destination("crn", &text.replacen("crn1", "Crn1", 1)), Err(AddressError::MixedCase));
        assert_eq!(parse_destination("crn", &text.replacen('z', "b", 1)), Err(AddressError::Character('b')));
        assert_eq!(parse_destination("crn", &text.replacen('z', "é", 1)), Err(AddressError::Character('é')));
    }

    #[test]
    fn refuses_a_payload_of_32_or_34_bytes() {
        let length = |got| Err(AddressError::Length { got, expected: 33 });
        assert_eq!(parse_destination("crn", &bech32m("crn", &[0; 33])), Ok(Lock::Key(KeyBytes([0; 32]))));
        assert_eq!(parse_destination("crn", &bech32m("crn", &[0; 32])), length(32));
        assert_eq!(parse_destination("crn", &bech32m("crn", &[0; 34])), length(34));
        assert_eq!(parse_destination("crn", &bech32m("crn", &[])), length(0));
    }

    #[test]
    fn refuses_bits_behind_the_last_byte() {
        use bech32::{ByteIterExt, Fe32, Fe32IterExt};
        let hrp = Hrp::parse("crn").unwrap();
        let mut letters: Vec<Fe32> = [0_u8; 33].iter().copied().bytes_to_fes().collect();
        let text =
            |letters: &[Fe32]| letters.iter().copied().with_checksum::<Bech32m>(&hrp).chars().collect::<String>();
        assert_eq!(parse_destination("crn", &text(&letters)), Ok(Lock::Key(KeyBytes([0; 32]))));
        letters[52] = Fe32::P;
        assert_eq!(parse_destination("crn", &text(&letters)), Err(AddressError::Padding));
    }

    #[test]
    fn refuses_unknown_kinds() {
        assert_eq!(parse_destination("crn", &bech32m("crn", &[2; 33])), Err(AddressError::Version(2)));
    }

    #[test]
    fn refuses_what_is_no_address_at_all() {
        let unknown = || Err(AddressError::Unknown { expected: "crn".into() });
        for text in ["", "crn", "1", "1qqqqqqqq", "hello"] {
            assert_eq!(parse_destination("crn", text), unknown(), "{text:?}");
        }
        assert_eq!(parse_destination("crn", "crn1"), Err(AddressError::Checksum));
    }

    // The examples of EIP-55.
    #[test]
    fn account_checksums_are_those_of_eip_55() {
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
        ] {
            let lock = parse_destination("crn", text).unwrap();
            assert_eq!(encode("crn", &lock), text);
            let digits = &text[2..];
            for one_case in [digits.to_lowercase(), digits.to_uppercase()] {
                assert_eq!(parse_account(&format!("0x{one_case}")).map(Lock::Account), Ok(lock));
            }
        }
    }

    #[test]
    fn refuses_an_account_that_is_mistyped() {
        let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let wrong_case = good.replacen('A', "a", 1);
        assert_eq!(parse_account(&wrong_case), Err(AddressError::Eip55));
        assert_eq!(parse_account(&good[..41]), Err(AddressError::Digits(39)));
        assert_eq!(parse_account(&format!("{good}0")), Err(AddressError::Digits(41)));
        assert_eq!(parse_account("0x"), Err(AddressError::Digits(0)));
        assert_eq!(parse_account("0xg"), Err(AddressError::Character('g')));
        assert_eq!(parse_account("0x0é"), Err(AddressError::Character('é')));
    }

    #[test]
    fn tells_coins_and_accounts_apart() {
        let account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let coin = encode("crn", &KEY);
        let kind = |got, expected| AddressError::Kind { got, expected };
        assert_eq!(parse_coin_address("crn", account), Err(kind("an account", "a coin address")));
        assert_eq!(parse_account(&coin), Err(AddressError::NotAccount));
    }

    #[test]
    fn asks_only_for_the_kind_that_is_accepted() {
        let said = parse_coin_address("lcrn", "foo").unwrap_err().to_string();
        assert_eq!(said, "expected a coin address (lcrn1...)");
        let said = parse_account("foo").unwrap_err().to_string();
        assert_eq!(said, "expected an account (0x...)");
        let said = parse_destination("lcrn", "foo").unwrap_err().to_string();
        assert_eq!(said, "neither a coin address (lcrn1...) nor an account (0x...)");
    }

    #[test]
    fn prefixes_are_small_letters() {
        for (prefix, valid) in [("crn", true), ("x", true), ("abcdefghijklmnop", true)] {
            assert_eq!(is_valid_prefix(prefix), valid);
        }
        for prefix in ["", "abcdefghijklmnopq", "Crn", "c1", "c rn", "é", "0x"] {
            assert!(!is_valid_prefix(prefix), "{prefix:?}");
        }
    }

    proptest! {
        #[test]
        fn every_lock_survives_the_round_trip(lock in testing::lock(), hrp in "[a-z]{1,16}") {
            prop_assert_eq!(parse_destination(&hrp, &encode(&hrp, &lock)), Ok(lock));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,90}") {
            let _ = parse_destination("crn", &text);
            let _ = parse_destination("crn", &format!("crn1{text}"));
            let _ = parse_destination("crn", &format!("0x{text}"));
        }
    }
}
