//! The coinbase in context: what it may claim, and the coins that it creates.

use super::{roots, run::Ended};
use crate::{
    error::RuleError,
    hash::TxId,
    spec::ChainSpec,
    state::BlockEffects,
    transaction::{
        coin::{Coin, OutPoint},
        coinbase::Coinbase,
    },
    units::{Amount, Height},
};

/// The most that a coinbase may claim: the subsidy and the tips of coin transactions.
pub(super) fn claimable(spec: &ChainSpec, height: Height, tips: Amount) -> Result<Amount, RuleError> {
    // SUB-1
    Ok(spec.subsidy_at(height).add(tips)?)
}

/// Checks that a coinbase claims no more than it may.
pub(super) fn check_claim(spec: &ChainSpec, coinbase: &Coinbase, tips: Amount) -> Result<(), RuleError> {
    let got = claimed(coinbase)?;
    let allowed = claimable(spec, coinbase.height, tips)?;
    // CB-3
    if got > allowed { Err(RuleError::CoinbaseTooGreedy { got, allowed }) } else { Ok(()) }
}

fn claimed(coinbase: &Coinbase) -> Result<Amount, RuleError> {
    // AMT-1
    Ok(Amount::sum(coinbase.outputs.iter().map(|output| output.amount))?)
}

/// Creates the coinbase's coins, the last step of a block, and computes what the block minted and burned.
pub(super) fn pay(ended: Ended, coinbase: &Coinbase, txid: TxId) -> Result<BlockEffects, RuleError> {
    let (claimed, tips) = (claimed(coinbase)?, ended.tips);
    let mut effects = ended.effects;
    let minted = claimed.checked_sub(tips).unwrap_or_default().to_wei();
    effects.minted = effects.minted.wrapping_add(minted);
    effects.burned += tips.checked_sub(claimed).unwrap_or_default().to_wei();
    let coins: Vec<(OutPoint, Coin)> = coinbase
        .coins()
        .map(|(index, output)| {
            let coin = Coin { output: *output, height: coinbase.height, coinbase: true };
            (OutPoint { txid, index }, coin)
        })
        .collect();
    roots::change_coins(&mut effects.coins_digest, &coins, &[]);
    effects.created.extend(coins);
    Ok(effects)
}
