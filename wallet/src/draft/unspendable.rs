//! Accounts that pay nothing out: those whose code pays nothing out, and those whose key no one can have.

use alloy_primitives::Address;
use chain_core::execute::{GATEWAY, HISTORY};

/// Precompiled contracts up to the fork that the chain runs are at the addresses from 1 to this,
const PRECOMPILES: u64 = 0x11;

/// and at this one (RIP-7212).
const P256: u64 = 0x100;

/// What the chain itself has at an account, if its code never pays out what a plain payment puts there.
pub fn keeps_all(account: &Address) -> Option<&'static str> {
    match *account {
        GATEWAY => Some("the withdrawal gateway"),
        HISTORY => Some("the contract of block hashes"),
        _ => None,
    }
}

/// Whether no one can have the key of an account and no code there pays out: the zero address, to which people burn money
/// on purpose, and the precompiled contracts.
pub fn burns(account: &Address) -> bool {
    let (high, low) = account.split_at(12);
    let low = low.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    high.iter().all(|byte| *byte == 0) && (low <= PRECOMPILES || low == P256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_the_keys_of_the_lowest_addresses() {
        let account = |number: u64| Address::from_word(alloy_primitives::U256::from(number).into());
        assert!([0, 1, 0x11, 0x100].into_iter().all(|number| burns(&account(number))));
        assert!(![0x12, 0xc0, 0x101, u64::MAX].into_iter().any(|number| burns(&account(number))));
        let mut high = [0; 20];
        high[0] = 1;
        assert!(!burns(&Address::from(high)));
        assert_eq!(keeps_all(&account(0xc0)), Some("the withdrawal gateway"));
        assert_eq!((keeps_all(&HISTORY), keeps_all(&account(0))), (Some("the contract of block hashes"), None));
    }
}
