//! `eth_getProof`: an account and its slots with the nodes of the tries that lead to them.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use chain_core::{
    state::StateView,
    trie::{self, NodeReader},
    units::Height,
};
use serde_json::{Value, json};

use super::state::{MAX_SLOTS, Slot};
use crate::{
    rpc::base::{
        Any, Args, Call, Context, Method, Param, RpcResult, account, data, invalid, over_limit, quantity, state_at,
        unavailable,
    },
    store::{HistoricalState, PastTries},
};

pub const METHODS: &[Method] = &[Method::new("eth_getProof", &["address", "slots", "block"], get_proof).reads()];

/// How far below the tip proofs reach at most, whatever states are kept: their tries are made from the tip's.
pub const MOST_REWOUND: Height = 1_024;
/// Most accounts and slots that changed since. Their leaves and the nodes above them take some 60 MB.
const MOST_CHANGES: usize = 100_000;

fn get_proof(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address: Address = args.required()?;
    let slots = read_slots(&mut args)?;
    let (state, call) = (state_at(context, args.optional()?)?, args.call());
    let tries = tries(&state, address, &call)?;
    let reader: &dyn NodeReader = &tries;
    let owner = keccak256(address);
    let prove = |owner: Option<B256>, key: B256| -> RpcResult<Vec<Value>> {
        let nodes: Vec<Bytes> = trie::prove(reader, owner, key)?;
        Ok(nodes.iter().map(|node| data(node)).collect())
    };
    let account = account(&state, &address)?;
    let mut proofs = Vec::with_capacity(slots.len());
    for slot in slots {
        proofs.push(json!({
            "key": slot.given,
            "value": quantity(state.storage(&address, &slot.key)?),
            "proof": prove(Some(owner), keccak256(slot.key.to_be_bytes::<32>()))?,
        }));
    }
    Ok(json!({
        "address": address,
        "accountProof": prove(None, owner)?,
        "balance": quantity(account.balance),
        "codeHash": account.code_hash,
        "nonce": quantity(account.nonce),
        "storageHash": account.storage_root,
        "storageProof": proofs,
    }))
}

fn read_slots(args: &mut Args) -> RpcResult<Vec<Slot>> {
    match args.optional::<Any>()?.map(|any| any.0) {
        None => Ok(Vec::new()),
        Some(Value::Array(slots)) if slots.len() > MAX_SLOTS => {
            Err(over_limit(format!("slots: at most {MAX_SLOTS} in one proof")))
        }
        Some(Value::Array(slots)) => {
            let read = |slot| Slot::parse(slot).ok_or_else(|| invalid(format!("slots: expected {}", Slot::EXPECTED)));
            slots.iter().map(read).collect()
        }
        Some(_) => Err(invalid("slots: expected an array of storage slots")),
    }
}

/// The account trie of a state and the storage trie of an account.
///
/// # Errors
/// -32002 too far below the tip; -32005 if too much changed since, or at the end of the call.
fn tries<'a>(state: &'a HistoricalState, address: Address, call: &Call) -> RpcResult<PastTries<'a>> {
    let tip = state.snapshot().tip().height;
    if tip.saturating_sub(state.height()) > MOST_REWOUND {
        return Err(unavailable(format!(
            "proofs reach {MOST_REWOUND} blocks below the tip, to block {}: block {} is older",
            tip.saturating_sub(MOST_REWOUND),
            state.height()
        )));
    }
    let mut rewind = state.rewind(address);
    while rewind.next_block()? {
        call.check()?;
        if rewind.changes() > MOST_CHANGES {
            return Err(over_limit(format!(
                "more than {MOST_CHANGES} accounts and slots changed since block {}: ask for a proof nearer to the tip, \
                 block {tip}",
                state.height()
            )));
        }
    }
    Ok(rewind.tries()?)
}
