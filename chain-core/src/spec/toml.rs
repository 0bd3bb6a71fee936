//! Specs as TOML.

use std::collections::BTreeMap;

use alloy_primitives::{Bytes, U256, hex};
use serde::{Deserialize, Serialize};

use super::{ChainSpec, Finality, GenesisAccount, SpecError, StorageWord, decimal, validate::field};
use crate::{
    address,
    transaction::coin::{KeyBytes, Output},
    units::Amount,
};

/// Decimals of a grain and of a wei in CRN.
const GRAIN: usize = 8;
const WEI: usize = 18;

/// A spec as TOML. All fields except allocations are required.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: String,
    chain_id: u64,
    hrp: String,
    target_interval: u32,
    half_life: u32,
    pow_limit_bits: String,
    max_future: u32,
    coinbase_maturity: u32,
    gas_limit: u64,
    base_fee_floor: u64,
    initial_base_fee: u64,
    subsidy: String,
    halving_interval: u32,
    tail_subsidy: String,
    max_block_bytes: usize,
    safe_depth: u32,
    finalized_depth: u32,
    genesis_time: u32,
    genesis_bits: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    coins: Vec<CoinText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<AccountText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finality: Option<FinalityText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FinalityText {
    members: Vec<String>,
    interval: u32,
    depth: u32,
    window: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CoinText {
    address: String,
    amount: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountText {
    address: String,
    #[serde(default = "zero")]
    balance: String,
    #[serde(default)]
    nonce: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    code: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    storage: BTreeMap<String, String>,
}

fn zero() -> String {
    "0".to_owned()
}

impl ChainSpec {
    /// Parses a spec and checks every value.
    ///
    /// # Errors
    /// [`SpecError`] with the field and the allowed values.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let read = ::toml::from_str(text).map_err(|error| SpecError::Syntax {
            line: 1 + error
                .span()
                .map_or(0, |span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()),
            reason: error.message().replace('\n', ", "),
        });
        let spec = Text::read(read?)?;
        spec.validate()?;
        Ok(spec)
    }

    /// The spec as TOML; the inverse of [`ChainSpec::from_toml`].
    ///
    /// # Panics
    /// If a number is above 2^63 - 1, which no valid spec has.
    pub fn to_toml(&self) -> String {
        ::toml::to_string(&Text::write(self)).expect("a valid spec has a TOML form")
    }
}

impl Text {
    fn read(self) -> Result<ChainSpec, SpecError> {
        let mut alloc_accounts = self.accounts.iter().enumerate().map(read_account).collect::<Result<Vec<_>, _>>()?;
        alloc_accounts.sort_by_key(|account| account.address);
        // Addresses can be parsed only after the prefix is known.
        if !address::is_valid_prefix(&self.hrp) {
            return Err(super::validate::bad_prefix(&self.hrp));
        }
        let coins = self.coins.iter().enumerate();
        Ok(ChainSpec {
            subsidy: read_grains("subsidy", &self.subsidy)?,
            tail_subsidy: read_grains("tail_subsidy", &self.tail_subsidy)?,
            pow_limit_bits: read_bits("pow_limit_bits", &self.pow_limit_bits)?,
            genesis_bits: read_bits("genesis_bits", &self.genesis_bits)?,
            alloc_coins: coins.map(|(index, coin)| read_coin(&self.hrp, index, coin)).collect::<Result<_, _>>()?,
            alloc_accounts,
            finality: self.finality.map(read_finality).transpose()?,
            name: self.name,
            chain_id: self.chain_id,
            hrp: self.hrp,
            target_interval: self.target_interval,
            half_life: self.half_life,
            max_future: self.max_future,
            coinbase_maturity: self.coinbase_maturity,
            gas_limit: self.gas_limit,
            base_fee_floor: self.base_fee_floor,
            initial_base_fee: self.initial_base_fee,
            halving_interval: self.halving_interval,
            max_block_bytes: self.max_block_bytes,
            safe_depth: self.safe_depth,
            finalized_depth: self.finalized_depth,
            genesis_time: self.genesis_time,
        })
    }

    fn write(spec: &ChainSpec) -> Self {
        let coin = |output: &Output| CoinText {
            address: address::encode(&spec.hrp, &output.lock),
            amount: write_grains(output.amount),
        };
        Self {
            name: spec.name.clone(),
            chain_id: spec.chain_id,
            hrp: spec.hrp.clone(),
            target_interval: spec.target_interval,
            half_life: spec.half_life,
            pow_limit_bits: format!("{:#010x}", spec.pow_limit_bits),
            max_future: spec.max_future,
            coinbase_maturity: spec.coinbase_maturity,
            gas_limit: spec.gas_limit,
            base_fee_floor: spec.base_fee_floor,
            initial_base_fee: spec.initial_base_fee,
            subsidy: write_grains(spec.subsidy),
            halving_interval: spec.halving_interval,
            tail_subsidy: write_grains(spec.tail_subsidy),
            max_block_bytes: spec.max_block_bytes,
            safe_depth: spec.safe_depth,
            finalized_depth: spec.finalized_depth,
            genesis_time: spec.genesis_time,
            genesis_bits: format!("{:#010x}", spec.genesis_bits),
            coins: spec.alloc_coins.iter().map(coin).collect(),
            accounts: spec.alloc_accounts.iter().map(write_account).collect(),
            finality: spec.finality.as_ref().map(write_finality),
        }
    }
}

fn read_coin(hrp: &str, index: usize, coin: &CoinText) -> Result<Output, SpecError> {
    let lock = address::parse_coin_address(hrp, &coin.address)
        .map_err(|error| field(format!("coins[{index}].address"), &coin.address, error.to_string()))?;
    Ok(Output { amount: read_grains(&format!("coins[{index}].amount"), &coin.amount)?, lock })
}

fn read_account((index, account): (usize, &AccountText)) -> Result<GenesisAccount, SpecError> {
    let address = address::parse_account(&account.address)
        .map_err(|error| field(format!("accounts[{index}].address"), &account.address, error.to_string()))?;
    let name = |part: &str| format!("accounts[{address}].{part}");
    let balance = decimal::parse(&account.balance, WEI)
        .ok_or_else(|| field(name("balance"), &account.balance, "an amount of CRN in quotes, up to 18 decimals"))?;
    let code = hex::decode(&account.code)
        .map_err(|_| field(name("code"), &account.code, "hexadecimal digits, two a byte, as in \"0x60016000\""))?;
    let word = |text: &str| {
        let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty() && digits.len() <= 64);
        let word = digits.and_then(|digits| U256::from_str_radix(digits, 16).ok()).map(StorageWord);
        word.ok_or_else(|| field(name("storage"), text, "1 to 64 hexadecimal digits after 0x"))
    };
    let slots = account.storage.iter().map(|(slot, value)| Ok((word(slot)?, word(value)?)));
    let mut storage = slots.collect::<Result<Vec<_>, _>>()?;
    storage.sort();
    Ok(GenesisAccount { address, balance, nonce: account.nonce, code: Bytes::from(code), storage })
}

fn write_account(account: &GenesisAccount) -> AccountText {
    let word = |word: &StorageWord| format!("{:#x}", word.0);
    AccountText {
        address: account.address.to_string(),
        balance: decimal::format(account.balance, WEI),
        nonce: account.nonce,
        code: if account.code.is_empty() { String::new() } else { account.code.to_string() },
        storage: account.storage.iter().map(|(slot, value)| (word(slot), word(value))).collect(),
    }
}

fn read_finality(text: FinalityText) -> Result<Finality, SpecError> {
    let FinalityText { members, interval, depth, window } = text;
    let key = |(index, digits): (usize, &String)| {
        let mut key = [0; 32];
        let decoded = hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut key);
        let wrong =
            |_| field(format!("finality.members[{index}]"), digits, "expected a public key of 64 hexadecimal digits");
        decoded.map(|()| KeyBytes(key)).map_err(wrong)
    };
    Ok(Finality { members: members.iter().enumerate().map(key).collect::<Result<_, _>>()?, interval, depth, window })
}

fn write_finality(finality: &Finality) -> FinalityText {
    let Finality { ref members, interval, depth, window } = *finality;
    FinalityText { members: members.iter().map(|key| hex::encode(key.0)).collect(), interval, depth, window }
}

fn read_grains(name: &str, text: &str) -> Result<Amount, SpecError> {
    let grains = decimal::parse(text, GRAIN).and_then(|grains| u64::try_from(grains).ok());
    grains
        .map(Amount::from_grains)
        .ok_or_else(|| field(name, text, "an amount of CRN in quotes, up to 8 decimals, as in \"0.05\""))
}

fn write_grains(amount: Amount) -> String {
    decimal::format(U256::from(amount.grains()), GRAIN)
}

fn read_bits(name: &str, text: &str) -> Result<u32, SpecError> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 8 && !digits.starts_with('+'));
    let bits = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    bits.ok_or_else(|| field(name, text, "a compact target: 8 hexadecimal digits after 0x, as in \"0x1d00ffff\""))
}
