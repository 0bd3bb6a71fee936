//! Replacing what was sent by the same at a higher price.

use alloy_primitives::U256;
use chain_core::coin::{Lock, Output};

use super::{BuildError, CoinOrder, Shortage, Terms, check_fee, coin::replacement};
use crate::{
    fees,
    file::Wallet,
    funds::{Funds, OwnCoin, Unlock},
    keys::{Branch, KeyPath},
    request::{AccountRequest, Body, CoinRequest, Input, Request},
};

/// By how much a replacement must pay more, and what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BumpOptions {
    /// What the node wants more, in percent.
    pub percent: u64,
}

impl BumpOptions {
    /// The least price that replaces another.
    fn least(self, old: U256) -> U256 {
        let hundred = U256::from(100);
        old.saturating_mul(U256::from(self.percent.saturating_add(100))).div_ceil(hundred) + U256::from(1)
    }
}

/// Builds the same payment at a higher price: the change shrinks, and where it does not suffice coins are added. If all
/// was sent to one, that one receives less.
///
/// # Errors
/// [`BuildError`].
pub fn bump_coin(
    wallet: &Wallet,
    old: &CoinRequest,
    gas: u64,
    funds: &Funds,
    terms: &Terms,
    options: BumpOptions,
) -> Result<Request, BuildError> {
    let must: Vec<OwnCoin> = old.inputs.iter().map(|input| spent_coin(wallet, input)).collect::<Result<_, _>>()?;
    let (kept, change): (Vec<_>, Vec<_>) = old.outputs.iter().partition(|line| line.change.is_none());
    let order = match &kept[..] {
        [] => return Err(BuildError::NotReplaceable("it pays nobody but this wallet".into())),
        [one] if one.rest => CoinOrder::All(wallet.network.destination(&one.to)?),
        lines => {
            let pay = lines.iter().map(|line| Ok((wallet.network.destination(&line.to)?, line.amount)));
            CoinOrder::Pay(pay.collect::<Result<_, BuildError>>()?)
        }
    };
    let change = match change.first() {
        Some(line) => (wallet.network.coin_address(&line.to)?, line.change),
        None => {
            let index = wallet.used.change;
            (wallet.keys.lock(Branch::Change, index)?, Some(KeyPath::Coin(Branch::Change, index)))
        }
    };
    let paid_before = old.fee.to_wei().div_ceil(U256::from(gas.max(1)));
    let least = u128::try_from(options.least(paid_before)).map_err(|_| BuildError::TooLarge)?;
    let mut terms = terms.clone();
    let short = least.saturating_sub(terms.prices.coin());
    terms.prices.tip =
        u64::try_from(short).ok().and_then(|short| terms.prices.tip.checked_add(short)).ok_or(BuildError::TooLarge)?;
    // Nothing of the mempool: it could descend from what is replaced.
    let mined = Funds {
        spendable: funds.spendable.iter().filter(|coin| coin.height.is_some()).cloned().collect(),
        ..funds.clone()
    };
    let request = replacement(wallet, &must, &mined, &terms, &order, change)?;
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Coin(request)))
}

/// A coin of the transaction that is replaced.
fn spent_coin(wallet: &Wallet, input: &Input) -> Result<OwnCoin, BuildError> {
    let lock = wallet.network.coin_address(&input.address)?;
    let (Some(path), Lock::Key(_)) = (input.key, lock) else {
        return Err(BuildError::NotReplaceable(
            "it spends coins of a policy: build and sign it again with `policy spend` at a higher --fee-rate".into(),
        ));
    };
    Ok(OwnCoin {
        outpoint: input.outpoint(),
        output: Output { amount: input.amount, lock },
        address: input.address.clone(),
        height: input.height,
        coinbase: false,
        mature: true,
        spent_by: None,
        unlock: Unlock::Key(path),
    })
}

/// Builds the same account transaction at a higher price.
///
/// # Errors
/// [`BuildError`].
pub fn bump_account(
    wallet: &Wallet,
    old: &AccountRequest,
    balance: U256,
    terms: &Terms,
    options: BumpOptions,
) -> Result<Request, BuildError> {
    let tip = options.least(old.max_priority_fee_per_gas_wei).max(U256::from(terms.prices.tip));
    let mut max_fee = options.least(old.max_fee_per_gas_wei).max(terms.prices.account_max()).max(tip);
    let gas = U256::from(old.gas_limit);
    // What is sent stays; an account that was emptied cannot offer twice the base fee.
    let affordable = balance.saturating_sub(old.value_wei) / gas.max(U256::from(1));
    let least = options.least(old.max_fee_per_gas_wei).max(tip);
    if max_fee > affordable {
        max_fee = affordable.max(least);
    }
    if max_fee > affordable {
        let fee = max_fee.saturating_mul(gas);
        let (account, needed) = (old.from.clone(), fee.saturating_add(old.value_wei));
        return Err(BuildError::NotEnoughInAccount(Box::new(Shortage { account, needed, fee, balance })));
    }
    let expected = (U256::from(terms.prices.base) + tip).saturating_mul(gas);
    check_fee(terms, fees::check_wei(expected, super::account::worth(old)))?;
    let request = AccountRequest {
        max_fee_per_gas_wei: max_fee,
        max_priority_fee_per_gas_wei: tip,
        signed: Vec::new(),
        ..old.clone()
    };
    request.check(&wallet.network)?;
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Account(request.into())))
}
