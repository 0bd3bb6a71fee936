//! Development chains: state edits, senders without a signature, base fees at will (SPEC.md, section 10).
//!
//! Each rule here asks [`ChainSpec::is_dev`] first, so that none of them holds on another chain.

use alloy_primitives::{Address, Bytes, Log, U256, address};
use serde::{Deserialize, Serialize};

use super::{Environment, IntrinsicGas, Outcome, Revision, Status};
use crate::{
    codec,
    error::{ExecuteError, RuleError},
    gas::MAX_CODE,
    spec::{ChainSpec, MOST_BASE_FEE},
    state::{AccountId, Overlay, account_word},
    transaction::account::{AccountTransaction, Fees, Fields},
    vm::{FrameEnd, FrameKind, FrameStart, Inspector},
};

/// Sends edits to itself: "dev" in ASCII. Nobody has its key.
pub const EDITOR: Address = address!("0000000000000000000000000000000000646576");

/// Before the base fee at the end of a coinbase's `extra`.
const BASE_FEE_MARK: &[u8] = b"base fee";

/// A change of the state of a development chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edit {
    /// Sets a balance.
    Balance {
        /// Whose.
        #[serde(with = "codec::fixed")]
        account: Address,
        /// In wei.
        #[serde(with = "account_word")]
        wei: U256,
    },
    /// Sets a nonce.
    Nonce {
        /// Whose.
        #[serde(with = "codec::fixed")]
        account: Address,
        /// Below 2^64 - 1.
        nonce: u64,
    },
    /// Sets code.
    Code {
        /// Whose.
        #[serde(with = "codec::fixed")]
        account: Address,
        /// At most 24,576 bytes; empty for none.
        #[serde(with = "codec::bytes")]
        code: Vec<u8>,
    },
    /// Sets a slot of storage.
    Slot {
        /// Whose.
        #[serde(with = "codec::fixed")]
        account: Address,
        /// Which.
        #[serde(with = "account_word")]
        slot: U256,
        /// Its value; zero clears it.
        #[serde(with = "account_word")]
        value: U256,
    },
}

impl Edit {
    /// Whose state it sets.
    pub fn account(&self) -> Address {
        let (Self::Balance { account, .. }
        | Self::Nonce { account, .. }
        | Self::Code { account, .. }
        | Self::Slot { account, .. }) = self;
        *account
    }
}

impl ChainSpec {
    /// The sender of an account transaction.
    ///
    /// # Errors
    /// [`RuleError::BadAccountSignature`] if no key gives its signature.
    pub fn sender_of(&self, tx: &AccountTransaction) -> Result<Address, RuleError> {
        // DEV-2
        match tx.named_sender().filter(|_| self.is_dev()) {
            Some(sender) => Ok(sender),
            None => tx.recover_sender(),
        }
    }

    /// The base fee that a coinbase with this `extra` sets for its block; `None` if FEE-1 gives it.
    pub fn base_fee_set_by(&self, extra: &[u8]) -> Option<u64> {
        // DEV-4
        let (rest, fee) = extra.split_last_chunk().filter(|_| self.is_dev())?;
        let fee = u64::from_le_bytes(*fee);
        (rest.ends_with(BASE_FEE_MARK) && fee <= MOST_BASE_FEE).then_some(fee)
    }

    /// A transaction that edits the state; `nonce` is that of [`EDITOR`].
    ///
    /// # Errors
    /// ACC-7 if the edits are too many for a transaction.
    pub fn edit(&self, nonce: u64, edits: &[Edit]) -> Result<AccountTransaction, RuleError> {
        let mut fields = Fields {
            tx_type: 2,
            chain_id: self.chain_id,
            nonce,
            fees: Fees::Dynamic { max_fee: U256::ZERO, max_priority_fee: U256::ZERO },
            gas_limit: 0,
            to: Some(EDITOR),
            value: U256::ZERO,
            input: codec::encode(&edits).into(),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        };
        fields.gas_limit = IntrinsicGas::of(Revision::Osaka, &fields).needed();
        AccountTransaction::naming(fields, EDITOR)
    }
}

/// The end of an `extra` that sets a base fee.
pub fn base_fee_mark(base_fee: u64) -> Vec<u8> {
    [BASE_FEE_MARK, &base_fee.to_le_bytes()].concat()
}

/// Whether a transaction of this sender edits the state.
pub(super) fn is_edit(spec: &ChainSpec, fields: &Fields, sender: Address) -> bool {
    // DEV-3
    spec.is_dev() && sender == EDITOR && fields.to == Some(EDITOR)
}

/// Edits the state; returns also the wei that it minted. On an error the caller abandons what it wrote.
pub(super) fn edit(
    environment: &Environment,
    state: &mut Overlay<'_>,
    fields: &Fields,
) -> Result<(Outcome, U256), ExecuteError> {
    // ACC-2
    if fields.chain_id != environment.chain_id {
        return Err(RuleError::ChainId { got: fields.chain_id, expected: environment.chain_id }.into());
    }
    let editor = state.account(&EDITOR)?;
    let nonce = state.info(editor).nonce;
    // ACC-4
    if fields.nonce != nonce {
        return Err(RuleError::Nonce { got: fields.nonce, expected: nonce }.into());
    }
    // ACC-5
    let next = nonce.checked_add(1).ok_or(RuleError::NonceTooHigh(nonce))?;
    state.set_nonce(editor, next);
    let edits: Vec<Edit> = codec::decode(&fields.input).map_err(RuleError::from)?;
    let (mut minted, mut burned) = (U256::ZERO, U256::ZERO);
    for edit in &edits {
        let (before, after) = apply(state, edit)?;
        minted = minted.wrapping_add(after.saturating_sub(before));
        burned = burned.wrapping_add(before.saturating_sub(after));
    }
    let logs: Vec<Log> = state.end_transaction();
    let outcome = Outcome { status: Status::Success, created: None, gas_used: 0, output: Bytes::new(), logs, burned };
    Ok((outcome, minted))
}

/// Edits the state. To an inspector this is a call without steps.
pub(super) fn watch_edit(
    environment: &Environment,
    state: &mut Overlay<'_>,
    fields: &Fields,
    inspector: &mut impl Inspector,
) -> Result<Outcome, ExecuteError> {
    let (kind, input) = (FrameKind::Call, &fields.input[..]);
    inspector.enter(&FrameStart { kind, depth: 1, from: EDITOR, to: EDITOR, value: U256::ZERO, gas: 0, input });
    let (outcome, _) = edit(environment, state, fields)?;
    inspector.exit(&FrameEnd { status: outcome.status, gas_used: 0, output: &outcome.output });
    Ok(outcome)
}

/// Makes one edit; returns the balance of its account before and after.
fn apply(state: &mut Overlay<'_>, edit: &Edit) -> Result<(U256, U256), ExecuteError> {
    let id = state.account(&edit.account())?;
    let before = state.info(id).balance;
    // DEV-3
    match edit {
        Edit::Balance { wei, .. } => state.set_balance(id, *wei),
        Edit::Nonce { nonce: u64::MAX, .. } => return Err(RuleError::BadEdit("a nonce is at most 2^64 - 2").into()),
        Edit::Nonce { nonce, .. } => state.set_nonce(id, *nonce),
        Edit::Code { code, .. } if code.len() > MAX_CODE => {
            return Err(RuleError::BadEdit("code is at most 24,576 bytes").into());
        }
        Edit::Code { code, .. } => state.set_code(id, code),
        Edit::Slot { slot, value, .. } => {
            if state.info(id).is_empty() {
                return Err(RuleError::BadEdit("only an account with code, nonce or balance has storage").into());
            }
            let slot = state.slot(id, *slot)?;
            state.set_storage(slot, *value);
        }
    }
    keep_storage(state, id)?;
    Ok((before, state.info(id).balance))
}

/// EIP-161 would remove an empty account and leave its storage behind.
fn keep_storage(state: &Overlay<'_>, id: AccountId) -> Result<(), RuleError> {
    // DEV-3
    if state.info(id).is_empty() && state.may_have_storage(id) {
        return Err(RuleError::BadEdit("an account with storage keeps a code, nonce or balance"));
    }
    Ok(())
}
