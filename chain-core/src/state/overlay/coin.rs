//! Coins of an overlay.

use super::{Overlay, journal::Entry, number};
use crate::{
    coin::{Coin, OutPoint},
    state::view::ViewError,
};

/// Number of a coin within one overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoinId(u32);

impl CoinId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a coin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Unspent,
    Spent,
    /// It was made and that was taken back.
    Absent,
}

/// A coin that was read or made.
#[derive(Debug)]
pub(super) struct CoinEntry {
    pub outpoint: OutPoint,
    pub coin: Coin,
    /// Whether the view has it.
    pub in_view: bool,
    pub status: Status,
}

impl Overlay<'_> {
    /// Spends a coin; `None` if it does not exist or is spent.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    pub fn spend_coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        let Some(id) = self.find_coin(outpoint)? else { return Ok(None) };
        let entry = &mut self.coins[id.index()];
        if entry.status != Status::Unspent {
            return Ok(None);
        }
        entry.status = Status::Spent;
        let coin = entry.coin;
        self.spent.push(id);
        self.journal.push(Entry::CoinSpent { coin: id });
        Ok(Some(coin))
    }

    /// Makes a coin. No two coins have one outpoint: it names a transaction, and none can run twice.
    pub fn make_coin(&mut self, outpoint: OutPoint, coin: Coin) {
        let id = CoinId(number(self.coins.len()));
        self.coins.push(CoinEntry { outpoint, coin, in_view: false, status: Status::Unspent });
        self.coin_ids.insert(outpoint, id);
        self.created.push(id);
        self.journal.push(Entry::CoinCreated { coin: id });
    }

    /// How many coins the running transaction has made.
    pub fn coins_made(&self) -> u32 {
        number(self.created.len() - self.created_before)
    }

    fn find_coin(&mut self, outpoint: &OutPoint) -> Result<Option<CoinId>, ViewError> {
        if let Some(id) = self.coin_ids.get(outpoint) {
            return Ok(Some(*id));
        }
        let Some(coin) = self.view.coin(outpoint)? else { return Ok(None) };
        let id = CoinId(number(self.coins.len()));
        self.coins.push(CoinEntry { outpoint: *outpoint, coin, in_view: true, status: Status::Unspent });
        self.coin_ids.insert(*outpoint, id);
        Ok(Some(id))
    }

    pub(super) fn unspend(&mut self, id: CoinId) {
        self.coins[id.index()].status = Status::Unspent;
        self.spent.pop();
    }

    pub(super) fn unmake(&mut self, id: CoinId) {
        self.coins[id.index()].status = Status::Absent;
        self.created.pop();
    }
}
