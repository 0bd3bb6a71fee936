//! The coinbase in context: what it may claim, and the coins that it makes.

use super::{roots, run::Ended};
use crate::{
    coin::{Coin, OutPoint},
    coinbase::Coinbase,
    error::RuleError,
    hash::TxId,
    spec::ChainSpec,
    state::BlockEffects,
    units::{Amount, Height},
};

/// The most that a coinbase may claim: the subsidy and the tips of coin transactions.
pub(super) fn claimable(spec: &ChainSpec, height: Height, tips: Amount) -> Result<Amount, RuleError> {
    // SUB-1
    spec.subsidy_at(height).add(tips)
}

/// Makes the coinbase's coins, the last thing that a block does, and settles what the block minted and burned.
///
/// # Errors
/// CB-3 if it claims too much.
pub(super) fn pay(ended: Ended, spec: &ChainSpec, coinbase: &Coinbase, txid: TxId) -> Result<BlockEffects, RuleError> {
    // CB-3
    let allowed = claimable(spec, coinbase.height, ended.tips)?;
    let got = Amount::sum(coinbase.outputs.iter().map(|output| output.amount))?;
    if got > allowed {
        return Err(RuleError::CoinbaseTooGreedy { got, allowed });
    }
    let mut effects = ended.effects;
    effects.minted = got.checked_sub(ended.tips).unwrap_or_default().to_wei();
    effects.burned += ended.tips.checked_sub(got).unwrap_or_default().to_wei();
    let coins: Vec<(OutPoint, Coin)> = (0..)
        .zip(&coinbase.outputs)
        .map(|(index, output)| {
            let coin = Coin { output: *output, height: coinbase.height, coinbase: true };
            (OutPoint { txid, index }, coin)
        })
        .collect();
    roots::change_coins(&mut effects.coins_digest, &coins, &[]);
    effects.created.extend(coins);
    Ok(effects)
}
