//! Coin transactions in context.

use alloy_primitives::U256;

use super::run::Run;
use crate::{
    error::{ExecuteError, RuleError},
    hash::TxId,
    transaction::{
        coin::{Coin, CoinTransaction, Lock, OutPoint},
        spend::spend_checks,
    },
    units::{Amount, Gas},
};

/// The fee of a coin transaction and its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoinFee {
    /// Gas used.
    pub gas: Gas,
    /// Inputs less outputs.
    pub fee: Amount,
    /// The burned part: gas x base fee, rounded up to a grain.
    pub burned: Amount,
    /// The rest, which the miner may claim.
    pub tip: Amount,
}

/// Splits the fee of a coin transaction of `size` encoded bytes that spends `spent` (COIN-6, COIN-9, COIN-10).
///
/// # Errors
/// [`RuleError`] if the sums overflow, the outputs exceed the inputs, or the fee does not cover the base fee.
pub fn coin_fee(tx: &CoinTransaction, size: usize, spent: &[Coin], base_fee: u64) -> Result<CoinFee, RuleError> {
    // COIN-6
    let available = Amount::sum(spent.iter().map(|coin| coin.output.amount))?;
    let made = Amount::sum(tx.outputs.iter().map(|output| output.amount))?;
    // COIN-9
    let fee = available.checked_sub(made).ok_or(RuleError::Overspent { got: made, available })?;
    // COIN-10
    let gas = tx.gas(size);
    let burned = Amount::from_wei_ceil(U256::from(gas) * U256::from(base_fee));
    let burned = burned.ok_or(RuleError::FeeTooLow { got: fee, needed: Amount::from_grains(u64::MAX) })?;
    let tip = fee.checked_sub(burned).ok_or(RuleError::FeeTooLow { got: fee, needed: burned })?;
    Ok(CoinFee { gas, fee, burned, tip })
}

impl Run<'_> {
    /// Executes a coin transaction. On an error the caller abandons what it wrote.
    pub(super) fn coin(&mut self, tx: &CoinTransaction, txid: TxId, size: usize) -> Result<Gas, ExecuteError> {
        // BLK-6
        let (got, left) = (tx.gas(size), self.gas_left());
        if got > left {
            return Err(RuleError::GasLeft { got, left }.into());
        }
        let spent = self.spend(&tx.inputs)?;
        let fee = coin_fee(tx, size, &spent, self.context.base_fee)?;
        // COIN-11
        let checks = spend_checks(&self.context.genesis, tx, &spent, self.context.height)?;
        // AMT-1
        let tips = self.tips.add(fee.tip).map_err(RuleError::from)?;
        self.make_outputs(tx, txid)?;
        self.state.end_transaction();
        self.tips = tips;
        self.burned += fee.burned.to_wei();
        self.list_checks(checks);
        Ok(fee.gas)
    }

    fn spend(&mut self, inputs: &[OutPoint]) -> Result<Vec<Coin>, ExecuteError> {
        let height = self.context.height;
        let maturity = self.spec.coinbase_maturity;
        let mut spent = Vec::with_capacity(inputs.len());
        for outpoint in inputs {
            // COIN-7
            let coin = self.state.spend_coin(outpoint)?.ok_or(RuleError::MissingCoin(*outpoint))?;
            // COIN-8
            let expected = coin.height.saturating_add(maturity);
            // CB-9
            if coin.coinbase && height < expected {
                return Err(RuleError::ImmatureCoin { outpoint: *outpoint, got: height, expected }.into());
            }
            spent.push(coin);
        }
        Ok(spent)
    }

    fn make_outputs(&mut self, tx: &CoinTransaction, txid: TxId) -> Result<(), ExecuteError> {
        for (index, output) in (0..).zip(&tx.outputs) {
            match output.lock {
                Lock::Account(address) => {
                    let account = self.state.account(&address)?;
                    if !self.state.credit(account, output.amount.to_wei()) {
                        // AMT-1
                        return Err(RuleError::DepositOverflow(address).into());
                    }
                }
                Lock::Key(_) | Lock::Policy(_) => {
                    let coin = Coin { output: *output, height: self.context.height, coinbase: false };
                    self.state.make_coin(OutPoint { txid, index }, coin);
                }
            }
        }
        Ok(())
    }
}
