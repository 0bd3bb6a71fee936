//! This chain's coin transactions as commands.

use super::Commands;
use chain_core::{
    transaction::coin::{CoinTransaction, KeyBytes, Lock, OutPoint, Output},
    units::Amount,
};
use std::collections::BTreeSet;

/// Coin transactions, each of which spends some of the coins of one confirmed transaction. Their order depends on coins
/// alone, so they are not signed.
pub fn payments(spends: &[Vec<u32>]) -> Vec<CoinTransaction> {
    let coins = spends.iter().flatten().max().map_or(0, |most| most + 1);
    let confirmed = CoinTransaction { inputs: vec![], outputs: (0..coins).map(output).collect(), witnesses: vec![] };
    let txid = confirmed.txid();
    let payment = |(payee, coins): (u32, &Vec<u32>)| {
        let coins: BTreeSet<u32> = coins.iter().copied().collect();
        let inputs = coins.into_iter().map(|index| OutPoint { txid, index }).collect();
        CoinTransaction { inputs, outputs: vec![output(payee)], witnesses: vec![] }
    };
    (0..).zip(spends).map(payment).collect()
}

fn output(payee: u32) -> Output {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&payee.to_be_bytes());
    Output { amount: Amount::from_grains(1_000), lock: Lock::Key(KeyBytes(key)) }
}

/// For each transaction those that conflict with it. They touch a coin of it: both spend it, or one creates what the other
/// spends, so that they cannot be executed in any order.
pub fn conflicts(transactions: &[CoinTransaction]) -> [Commands; 16] {
    let touched: Vec<BTreeSet<OutPoint>> = transactions.iter().map(touches).collect();
    let mut conflicts = [0; 16];
    for (at, coins) in touched.iter().enumerate() {
        let clash = |&(other, others): &(usize, &BTreeSet<OutPoint>)| other != at && !coins.is_disjoint(others);
        conflicts[at] = touched.iter().enumerate().filter(clash).fold(0, |set, (other, _)| set | 1 << other);
    }
    conflicts
}

/// The coins that a transaction spends or creates. Credits of accounts commute.
fn touches(transaction: &CoinTransaction) -> BTreeSet<OutPoint> {
    let txid = transaction.txid();
    let creates = (0..).zip(&transaction.outputs).filter(|(_, output)| !matches!(output.lock, Lock::Account(_)));
    let created = creates.map(|(index, _)| OutPoint { txid, index });
    transaction.inputs.iter().copied().chain(created).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_conflict_that_spend_the_same_coin_or_what_the_other_creates() {
        let mut four = payments(&[vec![1], vec![1, 2], vec![2], vec![3]]);
        assert_eq!(conflicts(&four)[..4], [0b0010, 0b0101, 0b0010, 0]);
        four[3].inputs = vec![OutPoint { txid: four[0].txid(), index: 0 }];
        assert_eq!(conflicts(&four)[..4], [0b1010, 0b0101, 0b0010, 0b0001]);
    }

    #[test]
    fn two_payments_of_one_coin_are_two_transactions() {
        let both = payments(&[vec![7], vec![7]]);
        assert_eq!(both[0].inputs, both[1].inputs);
        assert_ne!(both[0].txid(), both[1].txid());
    }
}
