//! A block in execution: shared by executing and building.

use alloy_primitives::{Address, U256};

use super::{
    BlockContext, dev,
    history::record_parent,
    roots::{self, Roots},
    transition::transition,
};
use crate::{
    error::{ExecuteError, RuleError},
    gas,
    spec::ChainSpec,
    state::{BlockEffects, Overlay, StateView, ViewError, lthash::LtHash},
    transaction::{
        Transaction, TxMeta,
        account::{AccountTransaction, Receipt},
        sighash::SignatureCheck,
    },
    units::{Amount, Gas},
    vm::{Environment, Revision, Status, Trial},
};

/// A block in execution.
pub(super) struct Run<'a> {
    pub spec: &'a ChainSpec,
    pub context: BlockContext,
    pub state: Overlay<'a>,
    /// Tips of coin transactions, which the coinbase may claim.
    pub tips: Amount,
    /// Wei minted so far, by edits alone.
    minted: U256,
    /// Wei burned so far.
    pub burned: U256,
    pub environment: Environment,
    /// Gas reserved for the coinbase, which is counted last.
    coinbase_gas: Gas,
    gas_used: Gas,
    tx_gas: Vec<Gas>,
    receipts: Vec<Receipt>,
    checks: Vec<SignatureCheck>,
    /// Position in the block of the transaction that each check belongs to.
    owners: Vec<u32>,
}

/// Result of a finished run, before the coinbase's coins are added.
pub(super) struct Ended {
    pub effects: BlockEffects,
    pub roots: Roots,
    /// Tips of coin transactions.
    pub tips: Amount,
    pub checks: Vec<SignatureCheck>,
    pub owners: Vec<u32>,
}

impl<'a> Run<'a> {
    /// Starts on the state of the parent, reserves gas for the coinbase, and records the parent's hash.
    pub fn begin(
        spec: &'a ChainSpec,
        context: &BlockContext,
        view: &'a dyn StateView,
        beneficiary: Address,
        coinbase_gas: Gas,
    ) -> Result<Self, ViewError> {
        let mut state = Overlay::new(view);
        record_parent(&mut state, context)?;
        Ok(Self {
            spec,
            environment: Environment {
                revision: Revision::Osaka,
                chain_id: spec.chain_id,
                number: u64::from(context.height),
                time: u64::from(context.time),
                gas_limit: spec.gas_limit,
                base_fee: context.base_fee,
                difficulty: context.difficulty,
                beneficiary,
                transaction_gas: gas::MAX_TRANSACTION_GAS,
                gateway: true,
                // DEV-2
                trial: spec.is_dev().then(Trial::default),
            },
            context: context.clone(),
            state,
            tips: Amount::ZERO,
            minted: U256::ZERO,
            burned: U256::ZERO,
            coinbase_gas,
            gas_used: 0,
            tx_gas: vec![0],
            receipts: Vec::new(),
            checks: Vec::new(),
            owners: Vec::new(),
        })
    }

    /// Gas left for transactions.
    pub fn gas_left(&self) -> Gas {
        self.spec.gas_limit.saturating_sub(self.coinbase_gas + self.gas_used)
    }

    /// Runs the next transaction and returns the gas used. On an error its changes are reverted.
    pub fn transaction(
        &mut self,
        transaction: &Transaction,
        meta: &TxMeta,
        sender: Option<Address>,
    ) -> Result<Gas, ExecuteError> {
        let gas = match transaction {
            Transaction::Coin(tx) => self.coin(tx, meta.txid, meta.size as usize),
            Transaction::Account(tx) => self.account(tx, sender),
            // BLK-2
            Transaction::Coinbase(_) => Err(RuleError::MisplacedCoinbase { index: self.tx_gas.len() }.into()),
        };
        let gas = gas.inspect_err(|_| self.state.abandon_transaction())?;
        self.gas_used += gas;
        self.tx_gas.push(gas);
        Ok(gas)
    }

    fn account(&mut self, tx: &AccountTransaction, sender: Option<Address>) -> Result<Gas, ExecuteError> {
        // ACC-3
        let sender = sender.ok_or(RuleError::BadAccountSignature)?;
        let left = self.gas_left();
        let (outcome, minted) = match dev::is_edit(self.spec, tx.fields(), sender) {
            true => dev::edit(&self.environment, &mut self.state, tx.fields())?,
            false => {
                let outcome = transition(&self.environment, &mut self.state, tx.hash(), tx.fields(), sender, left)?;
                (outcome, U256::ZERO)
            }
        };
        self.minted = self.minted.wrapping_add(minted);
        self.burned += outcome.burned;
        let cumulative_gas_used = self.gas_used + outcome.gas_used;
        let success = outcome.status == Status::Success;
        self.receipts.push(Receipt::new(tx.fields().tx_type, success, cumulative_gas_used, outcome.logs));
        Ok(outcome.gas_used)
    }

    /// Records signatures to verify for the current transaction.
    pub fn list_checks(&mut self, checks: Vec<SignatureCheck>) {
        let index = self.tx_gas.len() as u32; // a block's gas bounds its transactions
        self.owners.extend(std::iter::repeat_n(index, checks.len()));
        self.checks.extend(checks);
    }

    /// Finishes the block except for the coinbase's own coins, whose outpoints depend on the roots. The gas of the
    /// coinbase is at most what was reserved for it.
    pub fn end(mut self, coinbase_gas: Gas) -> Result<Ended, ViewError> {
        let view = self.state.view();
        let burned = self.burned + self.state.burned();
        let mut diff = self.state.into_diff();
        let mut coins_digest: LtHash = view.coins_digest()?;
        roots::change_coins(&mut coins_digest, &diff.created, &diff.spent);
        let (state_root, nodes) = roots::change_state(view, &mut diff.accounts, &diff.storage)?;
        let gas_used = self.gas_used + coinbase_gas;
        self.tx_gas[0] = coinbase_gas;
        let roots = Roots {
            state: state_root,
            receipts: roots::receipts(&self.receipts),
            coins: coins_digest.digest(),
            gas_used,
        };
        let effects = BlockEffects {
            spent: diff.spent,
            created: diff.created,
            transient: diff.transient,
            accounts: diff.accounts,
            storage: diff.storage,
            codes: diff.codes,
            nodes,
            coins_digest,
            receipts: self.receipts,
            gas_used,
            tx_gas: self.tx_gas,
            minted: self.minted,
            burned,
        };
        Ok(Ended { effects, roots, tips: self.tips, checks: self.checks, owners: self.owners })
    }
}
