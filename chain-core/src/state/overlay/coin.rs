//! Coins of an overlay.

use super::{
    Overlay,
    entry::{CoinEntry, CoinStatus, Entry},
    ids::{CoinId, number},
};
use crate::{
    error::ViewError,
    transaction::coin::{Coin, OutPoint},
};

impl Overlay<'_> {
    /// Spends a coin; `None` if it does not exist or is spent.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    pub fn spend_coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        let Some(id) = self.find_coin(outpoint)? else { return Ok(None) };
        let entry = &mut self.coins[id.index()];
        if entry.status != CoinStatus::Unspent {
            return Ok(None);
        }
        entry.status = CoinStatus::Spent;
        let coin = entry.coin;
        self.spent.push(id);
        self.journal.push(Entry::CoinSpent { coin: id });
        Ok(Some(coin))
    }

    /// Creates a coin. No two coins have the same outpoint: it commits to a transaction, and none can run twice.
    pub fn make_coin(&mut self, outpoint: OutPoint, coin: Coin) {
        let id = CoinId(number(self.coins.len()));
        self.coins.push(CoinEntry { outpoint, coin, in_view: false, status: CoinStatus::Unspent });
        self.coin_ids.insert(outpoint, id);
        self.created.push(id);
        self.journal.push(Entry::CoinCreated { coin: id });
    }

    /// Number of coins that the current transaction has created.
    pub fn coins_made(&self) -> u32 {
        number(self.created.len() - self.created_before)
    }

    fn find_coin(&mut self, outpoint: &OutPoint) -> Result<Option<CoinId>, ViewError> {
        if let Some(id) = self.coin_ids.get(outpoint) {
            return Ok(Some(*id));
        }
        let Some(coin) = self.view.coin(outpoint)? else { return Ok(None) };
        let id = CoinId(number(self.coins.len()));
        self.coins.push(CoinEntry { outpoint: *outpoint, coin, in_view: true, status: CoinStatus::Unspent });
        self.coin_ids.insert(*outpoint, id);
        Ok(Some(id))
    }

    pub(super) fn unspend(&mut self, id: CoinId) {
        self.coins[id.index()].status = CoinStatus::Unspent;
        self.spent.pop();
    }

    pub(super) fn unmake(&mut self, id: CoinId) {
        self.coins[id.index()].status = CoinStatus::Absent;
        self.created.pop();
    }
}
