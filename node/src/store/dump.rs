//! All accounts of a snapshot. Only development chains are dumped: others have more than fits.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::state::{Account, StateView};
use std::collections::BTreeMap;

use super::{Column, KeyRange, Order, Snapshot, StoreError, damaged, read::read_rows, schema};

/// An account with all that belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WholeAccount {
    /// Balance, nonce, and hashes of the rest.
    pub account: Account,
    /// Its code.
    pub code: Bytes,
    /// Its storage, without zeros.
    pub storage: BTreeMap<U256, U256>,
}

/// A key and its value.
type Row = (Vec<u8>, Vec<u8>);

impl Snapshot {
    /// Every account; `None` if they and their slots are more than `most` rows, or their code more than `most_code` bytes.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn whole_state(
        &self,
        most: usize,
        most_code: usize,
    ) -> Result<Option<BTreeMap<Address, WholeAccount>>, StoreError> {
        let (mut all, mut bytes) = (BTreeMap::<Address, WholeAccount>::new(), 0);
        let Some(accounts) = self.all_rows(Column::Accounts, most)? else { return Ok(None) };
        let Some(slots) = self.all_rows(Column::Storage, most - accounts.len())? else { return Ok(None) };
        for (key, value) in accounts {
            let address = Address::try_from(&key[..]).map_err(|_| damaged(Column::Accounts))?;
            let account = schema::read_account(&value).map_err(|_| damaged(Column::Accounts))?;
            let code = StateView::code(self, &account.code_hash).map_err(|_| damaged(Column::Code))?;
            bytes += code.len();
            if bytes > most_code {
                return Ok(None);
            }
            all.insert(address, WholeAccount { account, code, storage: BTreeMap::new() });
        }
        for (key, value) in slots {
            let (address, slot) = key.split_first_chunk::<20>().ok_or_else(|| damaged(Column::Storage))?;
            let owner = all.get_mut(&Address::from(*address)).ok_or_else(|| damaged(Column::Storage))?;
            let word = schema::read_slot(&value).map_err(|_| damaged(Column::Storage))?;
            owner.storage.insert(U256::from_be_slice(slot), word);
        }
        Ok(Some(all))
    }

    /// The rows of a column; `None` if there are more than `most`.
    fn all_rows(&self, column: Column, most: usize) -> Result<Option<Vec<Row>>, StoreError> {
        let range = (&KeyRange::all(), Order::Ascending);
        let row = |key: &[u8], value: &[u8]| Ok((key.to_vec(), value.to_vec()));
        let rows = read_rows(self.kv(), column, range, most.saturating_add(1), row)?;
        Ok((rows.len() <= most).then_some(rows))
    }
}
