//! Which coin each input of a block spends.

use alloy_primitives::map::HashMap;
use chain_core::{
    block::Block,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, OutPoint},
    },
};

/// Coins by outpoint, in some order.
pub type Coins = [(OutPoint, Coin)];

/// An input of a block and the coin that it spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Position of the transaction in the block.
    pub position: u32,
    /// What it names.
    pub outpoint: OutPoint,
    /// What it spends.
    pub coin: Coin,
}

/// The coin transactions of a block with their positions.
pub fn coin_transactions(block: &Block) -> impl Iterator<Item = (u32, &CoinTransaction)> {
    (0..).zip(&block.transactions).filter_map(|(position, transaction)| match transaction {
        Transaction::Coin(coin) => Some((position, coin)),
        _ => None,
    })
}

/// The inputs of a block in order. `earlier` are the coins of earlier blocks that it spends, in this order too, and
/// `transient` those that it makes itself.
pub fn spends<'a>(
    block: &'a Block,
    earlier: impl Iterator<Item = Coin> + 'a,
    transient: &'a Coins,
) -> impl Iterator<Item = Spend> + 'a {
    let own: HashMap<&OutPoint, Coin> = transient.iter().map(|(outpoint, coin)| (outpoint, *coin)).collect();
    let mut earlier = earlier;
    let inputs =
        coin_transactions(block).flat_map(|(position, tx)| tx.inputs.iter().map(move |input| (position, *input)));
    inputs.filter_map(move |(position, outpoint)| {
        let coin = if own.is_empty() { None } else { own.get(&outpoint).copied() };
        Some(Spend { position, outpoint, coin: coin.or_else(|| earlier.next())? })
    })
}
