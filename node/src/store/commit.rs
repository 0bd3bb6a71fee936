//! Connecting blocks and taking them back, in memory.

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    block::Block,
    codec,
    execute::{ExecutedBlock, Reversal, undo_block},
    hash::TxId,
    state::{Account, AccountChange, BlockEffects, BlockUndo, ViewError, lthash::LtHash},
    transaction::{Transaction, account::Receipt},
    units::Amount,
};

use super::{
    BlockRef, Column, Executed, HeaderRecord, LogTerm, Store, StoreError, StoredReceipt, Totals, Verdict, blockdata,
    damaged,
    index::{Edit, Indexed, logged, withdrawn},
    schema,
    spends::Coins,
};

/// A block that is no longer the tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// The block.
    pub block: Block,
    /// The `txid` of every coin that it made: its transactions' own and those of withdrawals (GW-6).
    pub names: Vec<TxId>,
    /// The accounts that it had changed, as they are without it.
    pub accounts: Vec<(Address, Account)>,
}

/// A block on its way into the store.
pub(super) struct Commit<'a> {
    pub at: BlockRef,
    pub block: &'a Block,
    pub txids: &'a [TxId],
    pub base_fee: u64,
    pub senders: &'a [Address],
    pub effects: &'a BlockEffects,
}

impl Store {
    /// Makes a child of the tip the new tip, in memory. Its body and header are stored with it, if they were not before.
    ///
    /// # Errors
    /// [`StoreError::NotNext`]; see [`Store::put_headers`].
    pub fn connect(&mut self, executed: &ExecutedBlock) -> Result<(), StoreError> {
        self.running()?;
        let (checked, context) = (executed.block(), executed.context());
        let at = BlockRef { height: context.height, hash: checked.hash() };
        let tip = self.tip.at;
        if checked.block().header.prev != tip.hash || tip.height.checked_add(1) != Some(at.height) {
            return Err(StoreError::NotNext { block: at.hash, tip: tip.hash });
        }
        let txids: Vec<TxId> = checked.metas().iter().map(|meta| meta.txid).collect();
        self.commit(&Commit {
            at,
            block: checked.block(),
            txids: &txids,
            base_fee: context.base_fee,
            senders: executed.senders(),
            effects: executed.effects(),
        })
    }

    /// Takes over a block that follows the tip. Nothing has changed if it fails.
    pub(super) fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let known = self.header(&commit.at.hash)?;
        let record = HeaderRecord {
            body: true,
            verdict: Verdict::Valid,
            executed: Some(executed(commit)),
            work: known.map_or(U256::ZERO, |known| known.work),
            ..HeaderRecord::with_hash(commit.block.header, commit.at.hash, commit.at.height)
        };
        let record = self.with_work(record, None)?;
        self.block_rows(commit, &record, known.is_some_and(|known| known.body));
        let effects = commit.effects;
        for (outpoint, coin) in &effects.spent {
            self.coins.set(*outpoint, Some(*coin), None);
        }
        for (outpoint, coin) in &effects.created {
            self.coins.set(*outpoint, None, Some(*coin));
        }
        self.put_accounts(effects.accounts.iter().map(|change| (change.address, change.before, change.after)));
        self.put_slots(effects.storage.iter().map(|change| (change.address, change.slot, change.before, change.after)));
        effects.nodes.iter().for_each(|change| self.nodes.set(change));
        self.history.connected(commit.at.height, &effects.accounts, &effects.storage);
        let flow = Flow { minted: effects.minted, burned: effects.burned };
        self.tip.totals = self.tip.totals.after(&effects.spent, &effects.created, &effects.accounts, flow);
        self.tip.at = commit.at;
        self.tip.digest = effects.coins_digest.clone();
        self.recent.push(commit.at.hash);
        self.dirty_blocks += 1;
        Ok(())
    }

    /// Rows of the block itself: header, body, undo data, receipts, code, indexes.
    fn block_rows(&mut self, commit: &Commit<'_>, record: &HeaderRecord, stored: bool) {
        let Commit { at, block, effects, .. } = *commit;
        let key = schema::block_key(at);
        self.rows.put(Column::Headers, &schema::header_key(&at.hash), schema::write_header(record));
        self.rows.put(Column::Headers, &schema::height_key(at.height), at.hash.0.to_vec());
        if !stored {
            self.rows.put(Column::Bodies, &key, codec::encode(block));
        }
        let positions = account_positions(block);
        let withdrawn = withdrawn(commit.txids, positions.iter().copied().zip(&effects.receipts));
        if at.height > 0 {
            self.rows.put(Column::Undo, &key, blockdata::write_undo(&withdrawn, effects));
        }
        if !effects.receipts.is_empty() {
            let receipts = blockdata::write_receipts(&positions, commit.txids, commit.senders, effects);
            self.rows.put(Column::Receipts, &key, receipts);
        }
        for (hash, code) in &effects.codes {
            self.rows.put(Column::Code, hash.as_slice(), code.to_vec());
        }
        let indexed = Indexed {
            block,
            height: at.height,
            txids: commit.txids,
            senders: commit.senders,
            spent: &effects.spent,
            transient: &effects.transient,
            withdrawn: &withdrawn,
            logged: &self.logged(effects.receipts.iter()),
        };
        self.index_rows(&indexed, Edit::Put);
    }

    fn index_rows(&mut self, indexed: &Indexed<'_>, action: Edit) {
        if self.config.tx_index {
            indexed.transactions(action, &mut self.rows.index);
        }
        if self.config.address_index {
            indexed.histories(action, &mut self.rows.index);
        }
        indexed.logs(action, &mut self.rows.index);
    }

    /// What the log index has of a block: nothing without one.
    fn logged<'a>(&self, receipts: impl Iterator<Item = &'a Receipt>) -> Vec<LogTerm> {
        if self.config.log_index { logged(receipts) } else { Vec::new() }
    }

    /// Disconnects the tip, in memory, and returns its block with the coins that it made and the accounts that it had changed.
    /// The parent is the new tip.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the state does not become the parent's, [`StoreError::NoUndo`], [`StoreError::NoBody`],
    /// [`StoreError::Pruned`], [`StoreError::Genesis`]; see [`Store::put_headers`]. The store is as before then.
    pub fn disconnect(&mut self) -> Result<Disconnected, StoreError> {
        self.running()?;
        let at = self.tip.at;
        let height = at.height.checked_sub(1).ok_or(StoreError::Genesis)?;
        let block = self.body(at)?.ok_or_else(|| self.missing_body(at))?;
        let undo = self.row(Column::Undo, &schema::block_key(at))?.ok_or(StoreError::NoUndo(at))?;
        let txids: Vec<TxId> = block.transactions.iter().map(Transaction::txid).collect();
        let undo = blockdata::read_undo(&undo, &block, &txids).map_err(|_| damaged(Column::Undo))?;
        let receipts = self.receipts(at)?;
        let senders: Vec<_> = receipts.iter().map(|receipt| receipt.sender).collect();
        let withdrawn = withdrawn(&txids, receipts.iter().map(|stored| (stored.position, &stored.receipt)));
        let parent = BlockRef { height, hash: block.header.prev };
        let reversal = self.reversal(parent, &undo.undo)?;
        let flow = self.executed(at)?;
        let indexed = Indexed {
            block: &block,
            height: at.height,
            txids: &txids,
            senders: &senders,
            spent: &undo.undo.spent,
            transient: &undo.transient,
            withdrawn: &withdrawn,
            logged: &self.logged(receipts.iter().map(|stored| &stored.receipt)),
        };
        self.delete_rows(at, &indexed);
        self.revert(parent, &undo.undo, reversal, Flow { minted: flow.minted, burned: flow.burned });
        let accounts = undo.undo.accounts.iter().map(|change| (change.address, change.before.unwrap_or_default()));
        let names = txids.into_iter().chain(withdrawn.iter().map(|coin| coin.outpoint.txid)).collect();
        Ok(Disconnected { block, names, accounts: accounts.collect() })
    }

    /// Receipts of a block that was connected.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn receipts(&self, at: BlockRef) -> Result<Vec<StoredReceipt>, StoreError> {
        let Some(receipts) = self.row(Column::Receipts, &schema::block_key(at))? else { return Ok(Vec::new()) };
        blockdata::read_receipts(&receipts).map_err(|_| damaged(Column::Receipts))
    }

    /// What leads to the parent's state, once it is certain that it does.
    fn reversal(&self, parent: BlockRef, undo: &BlockUndo) -> Result<Reversal, StoreError> {
        let reversal = undo_block(&self.view(), undo).map_err(local)?;
        let expected = self.executed(parent)?;
        let differs = |what: &str| {
            StoreError::Corrupt(format!("taking a block back to height {} gives another {what}", parent.height))
        };
        if reversal.state_root != expected.state_root {
            return Err(differs("state root"));
        }
        if reversal.coins_digest.digest() != expected.coins_digest {
            return Err(differs("digest of the coins"));
        }
        Ok(reversal)
    }

    /// What executing a block of the active chain told.
    fn executed(&self, at: BlockRef) -> Result<Executed, StoreError> {
        let record = self.header(&at.hash)?.and_then(|record| record.executed);
        record.ok_or_else(|| StoreError::Corrupt(format!("block {} was never executed", at.hash)))
    }

    /// Deletes of what [`Store::block_rows`] wrote only what is about the active chain. The block itself, its receipts and
    /// undo data stay until they are pruned: indexers ask for the logs of a block that they have to undo.
    fn delete_rows(&mut self, at: BlockRef, indexed: &Indexed<'_>) {
        self.rows.delete(Column::Headers, &schema::height_key(at.height));
        self.index_rows(indexed, Edit::Delete);
    }

    /// Takes the state back.
    fn revert(&mut self, parent: BlockRef, undo: &BlockUndo, reversal: Reversal, flow: Flow) {
        for (outpoint, coin) in &undo.created {
            self.coins.set(*outpoint, Some(*coin), None);
        }
        for (outpoint, coin) in &undo.spent {
            self.coins.set(*outpoint, None, Some(*coin));
        }
        self.put_accounts(undo.accounts.iter().map(|change| (change.address, change.after, change.before)));
        self.put_slots(undo.storage.iter().map(|change| (change.address, change.slot, change.after, change.before)));
        reversal.nodes.iter().for_each(|change| self.nodes.set(change));
        self.history.disconnected(self.tip.at.height, &undo.accounts, &undo.storage, &mut self.rows.index);
        self.tip.totals = self.tip.totals.before(&undo.spent, &undo.created, &undo.accounts, flow);
        self.tip.at = parent;
        self.tip.digest = reversal.coins_digest;
        self.recent.pop();
        self.dirty_blocks += 1;
    }

    fn put_accounts(&mut self, changes: impl Iterator<Item = (Address, AccountValue, AccountValue)>) {
        changes.for_each(|(address, before, after)| self.accounts.set(address, before, after));
    }

    fn put_slots(&mut self, changes: impl Iterator<Item = (Address, U256, U256, U256)>) {
        let value = |word: U256| (!word.is_zero()).then_some(word);
        changes.for_each(|(address, slot, before, after)| {
            self.storage.set((address, slot), value(before), value(after));
        });
    }
}

type AccountValue = Option<chain_core::state::Account>;

/// Wei that a block mints and destroys.
#[derive(Clone, Copy)]
struct Flow {
    minted: U256,
    burned: U256,
}

impl Totals {
    /// The sums after a block. They wrap, so that [`Totals::before`] undoes this whatever a genesis allocates.
    fn after(self, spent: &Coins, created: &Coins, accounts: &[AccountChange], flow: Flow) -> Self {
        let (born, died) = births(accounts);
        Self {
            coins: self.coins.wrapping_add(created.len() as u64).wrapping_sub(spent.len() as u64),
            coin_grains: Amount::from_grains(
                self.coin_grains.grains().wrapping_add(grains(created)).wrapping_sub(grains(spent)),
            ),
            accounts: self.accounts.wrapping_add(born).wrapping_sub(died),
            account_wei: accounts.iter().fold(self.account_wei, |sum, change| {
                sum.wrapping_add(wei(change.after)).wrapping_sub(wei(change.before))
            }),
            minted: self.minted.wrapping_add(flow.minted),
            burned: self.burned.wrapping_add(flow.burned),
        }
    }

    /// The sums before a block.
    fn before(self, spent: &Coins, created: &Coins, accounts: &[AccountChange], flow: Flow) -> Self {
        let reversed = |change: &AccountChange| AccountChange { before: change.after, after: change.before, ..*change };
        let accounts: Vec<_> = accounts.iter().map(reversed).collect();
        let flow = Flow { minted: U256::ZERO.wrapping_sub(flow.minted), burned: U256::ZERO.wrapping_sub(flow.burned) };
        self.after(created, spent, &accounts, flow)
    }
}

fn grains(coins: &Coins) -> u64 {
    coins.iter().fold(0, |sum, (_, coin)| sum.wrapping_add(coin.output.amount.grains()))
}

fn wei(account: AccountValue) -> U256 {
    account.map_or(U256::ZERO, |account| account.balance)
}

/// How many accounts come into being, and how many cease to be.
fn births(accounts: &[AccountChange]) -> (u64, u64) {
    let count = |test: fn(&&AccountChange) -> bool| accounts.iter().filter(test).count() as u64;
    (
        count(|change| change.before.is_none() && change.after.is_some()),
        count(|change| change.before.is_some() && change.after.is_none()),
    )
}

fn executed(commit: &Commit<'_>) -> Executed {
    let effects = commit.effects;
    Executed {
        base_fee: commit.base_fee,
        gas_used: effects.gas_used,
        state_root: commit.block.coinbase().map_or(B256::ZERO, |coinbase| coinbase.state_root),
        coins_digest: LtHash::digest(&effects.coins_digest),
        minted: effects.minted,
        burned: effects.burned,
    }
}

/// Where the account transactions of a block stand.
fn account_positions(block: &Block) -> Vec<u32> {
    let positions = (0..).zip(&block.transactions);
    positions.filter(|(_, transaction)| matches!(transaction, Transaction::Account(_))).map(|(at, _)| at).collect()
}

/// A failure to read the state, as what it was.
fn local(error: ViewError) -> StoreError {
    match error.0.downcast_ref::<StoreError>() {
        Some(error) => error.clone(),
        None => StoreError::Corrupt(error.0.to_string()),
    }
}
