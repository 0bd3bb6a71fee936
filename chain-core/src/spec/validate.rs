//! Bounds of spec values, within which no rule can divide by zero or overflow.

use std::fmt::Display;

use alloy_primitives::{U256, hex};
use secp256k1::XOnlyPublicKey;

use super::{ChainSpec, Finality, GenesisAccount, MOST_MEMBERS};
use crate::{
    address, codec,
    execute::{GATEWAY, HISTORY},
    gas,
    transaction::coin::Lock,
    units::{Amount, Height, WEI_PER_GRAIN},
    work::pow,
};

/// Why a text is not a chain spec: the field, its value and the allowed values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, a missing or unknown field, or a value of the wrong type.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A value that is not allowed.
    #[error("{field} = {got}: {allowed}")]
    Field {
        /// Which field.
        field: String,
        /// Its value.
        got: String,
        /// The allowed values, or what is wrong.
        allowed: String,
    },
}

/// Maximum gas limit of a spec. With more, a block could hold more transactions than a node decodes,
/// [`crate::block::MAX_TRANSACTIONS`]: the cheapest uses 14,040 gas.
pub(crate) const MOST_GAS: u64 = 900_000_000;

/// Maximum base fee of a spec, in wei per gas.
pub(crate) const MOST_BASE_FEE: u64 = 1_000_000_000_000_000;

/// Bytes that messages may add to a block.
const ENVELOPE: usize = 64 << 10;

/// Chain ids of Ethereum, its test networks and other public networks where the same keys hold money. The operator of a
/// chain with such an id could replay its users' transactions there.
const PUBLIC_CHAINS: &[u64] = &[
    1, 3, 4, 5, 8, 10, 14, 20, 24, 25, 30, 40, 42, 50, 56, 57, 61, 63, 66, 82, 97, 100, 106, 108, 122, 128, 130, 137,
    143, 146, 148, 169, 196, 204, 250, 252, 288, 314, 324, 369, 480, 999, 1_088, 1_101, 1_284, 1_329, 2_020, 2_222,
    5_000, 8_217, 8_453, 10_001, 17_000, 34_443, 42_161, 42_220, 43_113, 43_114, 59_144, 80_002, 81_457, 84_532,
    421_614, 534_352, 560_048, 7_777_777, 11_155_111, 11_155_420, 1313161554, 1666600000,
];

const TAKEN: &str = "the id of a public Ethereum network: what is signed here would be valid there";

/// Whether a chain id belongs to Ethereum or another public network of its kind.
pub fn is_public_chain(chain_id: u64) -> bool {
    PUBLIC_CHAINS.contains(&chain_id)
}

pub(super) fn field(field: impl Into<String>, got: impl Display, allowed: impl Into<String>) -> SpecError {
    SpecError::Field { field: field.into(), got: got.to_string(), allowed: allowed.into() }
}

pub(super) fn bad_prefix(hrp: &str) -> SpecError {
    field("hrp", hrp, "expected 1 to 16 small letters")
}

fn within<T: PartialOrd + Display>(name: &str, got: T, least: T, most: T) -> Result<(), SpecError> {
    if (&least..=&most).contains(&&got) {
        return Ok(());
    }
    Err(field(name, got, format!("expected {least} to {most}")))
}

impl ChainSpec {
    /// Checks every value. Built-in specs and those of [`ChainSpec::from_toml`] are valid already.
    ///
    /// # Errors
    /// [`SpecError::Field`] for the first value that is not allowed.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.validate_names()?;
        self.validate_difficulty()?;
        self.validate_limits()?;
        self.validate_coins()?;
        self.alloc_accounts.iter().try_for_each(validate_account)?;
        if let Some([first, _]) = self.alloc_accounts.array_windows().find(|[a, b]| a.address >= b.address) {
            return Err(field("accounts", first.address, "an address is there twice, or they are not sorted"));
        }
        self.validate_supply()?;
        self.validate_finality()?;
        let size = codec::encode(self).len();
        within("bytes of the encoded spec", size, 0, self.max_block_bytes)
    }

    fn validate_names(&self) -> Result<(), SpecError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.bytes().all(fits) {
            return Err(field("name", &self.name, "expected 1 to 32 small letters, digits and dashes"));
        }
        if !address::is_valid_prefix(&self.hrp) {
            return Err(bad_prefix(&self.hrp));
        }
        // The range that Ethereum wallets accept.
        within("chain_id", self.chain_id, 1, 4_503_599_627_370_476)?;
        if is_public_chain(self.chain_id) {
            return Err(field("chain_id", self.chain_id, TAKEN));
        }
        Ok(())
    }

    fn validate_difficulty(&self) -> Result<(), SpecError> {
        within("target_interval", self.target_interval, 1, 86_400)?;
        within("half_life", self.half_life, 1, 1_000_000_000)?;
        within("max_future", self.max_future, 0, 3_155_760_000)?;
        let target = |name, bits| {
            let shown = format!("{bits:#010x}");
            pow::target(bits).map_err(|error| field(name, shown, error.to_string()))
        };
        let limit = target("pow_limit_bits", self.pow_limit_bits)?;
        if limit.bit(255) {
            let got = format!("{:#010x}", self.pow_limit_bits);
            return Err(field("pow_limit_bits", got, "expected at most 0x207fffff, two hashes a block"));
        }
        if target("genesis_bits", self.genesis_bits)? > limit {
            let got = format!("{:#010x}", self.genesis_bits);
            return Err(field("genesis_bits", got, "expected at most the target of pow_limit_bits"));
        }
        Ok(())
    }

    fn validate_limits(&self) -> Result<(), SpecError> {
        within("coinbase_maturity", self.coinbase_maturity, 0, 1_000_000)?;
        within("gas_limit", self.gas_limit, 100_000, MOST_GAS)?;
        within("base_fee_floor", self.base_fee_floor, 0, MOST_BASE_FEE)?;
        within("initial_base_fee", self.initial_base_fee, self.base_fee_floor, MOST_BASE_FEE)?;
        within("halving_interval", self.halving_interval, 1, u32::MAX)?;
        if self.tail_subsidy > self.subsidy {
            return Err(field(
                "tail_subsidy",
                self.tail_subsidy,
                format!("expected at most the subsidy, {}", self.subsidy),
            ));
        }
        within("max_block_bytes", self.max_block_bytes, 100_000, codec::MAX_ENCODED - ENVELOPE)?;
        within("finalized_depth", self.finalized_depth, 0, 1_000_000)?;
        within("safe_depth", self.safe_depth, 0, self.finalized_depth)
    }

    fn validate_coins(&self) -> Result<(), SpecError> {
        for (index, coin) in self.alloc_coins.iter().enumerate() {
            if coin.amount == Amount::ZERO {
                return Err(field(format!("coins[{index}].amount"), coin.amount, "expected more than zero"));
            }
            if let Lock::Account(address) = coin.lock {
                return Err(field(format!("coins[{index}].address"), address, "an account: list it under accounts"));
            }
        }
        Ok(())
    }

    fn validate_finality(&self) -> Result<(), SpecError> {
        match &self.finality {
            Some(_) if self.is_dev() => Err(field(
                "finality",
                "on a dev chain",
                "a chain whose blocks are disconnected on demand has no finality",
            )),
            Some(finality) => validate_finality(finality),
            None => Ok(()),
        }
    }

    /// Money that exists can then not break AMT-1.
    fn validate_supply(&self) -> Result<(), SpecError> {
        let minted = U256::from(self.minted_until(Height::MAX)) * U256::from(WEI_PER_GRAIN);
        let supply = self.allocated().saturating_add(minted);
        let most = Amount::from_grains(u64::MAX);
        if supply > most.to_wei() {
            let shown = super::decimal::format(supply, 18);
            return Err(field("all money there will ever be", shown, format!("expected at most {most} CRN")));
        }
        Ok(())
    }

    /// Wei allocated by genesis, in coins and accounts.
    pub fn allocated(&self) -> U256 {
        let coins = self.alloc_coins.iter().map(|coin| coin.amount.to_wei());
        let accounts = self.alloc_accounts.iter().map(|account| account.balance);
        coins.chain(accounts).fold(U256::ZERO, U256::saturating_add)
    }

    /// Sum of the subsidies of all blocks up to and including a height, in grains.
    pub fn minted_until(&self, height: Height) -> u128 {
        // SUB-1
        let mut minted = 0;
        let mut first = 1;
        while first <= height {
            let last = first.saturating_add(self.halving_interval - 1).min(height);
            let subsidy = self.subsidy_at(first);
            let steady = subsidy == self.tail_subsidy;
            let last = if steady { height } else { last };
            minted += u128::from(last - first + 1) * u128::from(subsidy.grains());
            let Some(next) = last.checked_add(1) else { break };
            first = next;
        }
        minted
    }
}

fn validate_account(account: &GenesisAccount) -> Result<(), SpecError> {
    let name = |part: &str| format!("accounts[{}].{part}", account.address);
    if account.address == GATEWAY {
        return Err(field(name("address"), account.address, "the gateway is there by itself"));
    }
    if account.address == HISTORY {
        return Err(field(name("address"), account.address, "the history contract is there by itself"));
    }
    if account.nonce == 0 && account.balance.is_zero() && account.code.is_empty() {
        return Err(field(name("balance"), 0, "an account without balance, nonce and code does not exist (EIP-161)"));
    }
    within(&name("nonce"), account.nonce, 0, i64::MAX.cast_unsigned())?;
    within(&name("code"), account.code.len(), 0, gas::MAX_CODE)?;
    if !account.storage.is_empty() && account.code.is_empty() {
        return Err(field(name("storage"), account.storage.len(), "only an account with code has storage"));
    }
    if account.storage.iter().any(|(_, value)| value.0.is_zero()) {
        return Err(field(name("storage"), 0, "a slot of zero does not exist"));
    }
    if account.storage.array_windows().any(|[(a, _), (b, _)]| a >= b) {
        return Err(field(name("storage"), account.storage.len(), "a slot is there twice, or they are not sorted"));
    }
    Ok(())
}

fn validate_finality(finality: &Finality) -> Result<(), SpecError> {
    let count = finality.members.len();
    if count > MOST_MEMBERS || count % 3 != 1 {
        let allowed = format!("expected 3f + 1 keys: 1, 4, 7, ... or {MOST_MEMBERS}");
        return Err(field("finality.members", format!("{count} keys"), allowed));
    }
    for (index, key) in finality.members.iter().enumerate() {
        let wrong = |reason: String| field(format!("finality.members[{index}]"), hex::encode(key.0), reason);
        if XOnlyPublicKey::from_byte_array(key.0).is_err() {
            return Err(wrong("not a public key (BIP 340); `cairn-node member new` makes one".to_owned()));
        }
        if let Some(first) = finality.members[..index].iter().position(|other| other == key) {
            return Err(wrong(format!("the same key as finality.members[{first}]")));
        }
    }
    within("finality.interval", finality.interval, 1, 1_000_000)?;
    within("finality.depth", finality.depth, 1, 1_000_000)?;
    within("finality.window", finality.window, 1, 1_000_000)
}
