//! The withdrawal gateway: `withdraw(bytes lock)` burns the value of the call and creates a coin of the same value.

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, address, b256};

use sha2::Digest;

use super::halt::{Halt, Status};
use crate::{
    codec, gas,
    hash::{TxId, tagged_hasher},
    state::{AccountId, Overlay},
    transaction::coin::{Coin, Lock, OutPoint, Output},
    units::{Amount, Gas, Height},
};

/// The built-in contract that turns wei into coins.
pub const GATEWAY: Address = address!("00000000000000000000000000000000000000c0");

/// Selector of `withdraw(bytes)`.
pub const WITHDRAW_SELECTOR: [u8; 4] = [0x09, 0x68, 0xf2, 0x64];

/// keccak-256 of `Withdrawal(address,bytes,uint64)`.
pub const WITHDRAWAL_TOPIC: B256 = b256!("532b28973705e10d14c1d1c85d64a9ec71a6453811a3b47009cd39e461a30bba");

/// Selector of `Error(string)`, Solidity's revert reason.
const ERROR_SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];

/// A call whose value has been transferred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GatewayCall<'a> {
    /// Hash of the transaction, from which the coins' outpoints are derived.
    pub transaction: B256,
    /// Height of the block.
    pub height: Height,
    /// The caller.
    pub caller: AccountId,
    /// Whether it is a CALL outside of STATICCALL, or the call of a transaction.
    pub is_plain: bool,
    /// Wei transferred to the gateway.
    pub value: U256,
    /// Calldata.
    pub input: &'a [u8],
    /// Gas it may use.
    pub gas: Gas,
}

/// Runs a call of the gateway, whose account is `gateway`; returns the outcome, the gas left, and the revert reason.
/// The caller reverts the changes unless it succeeds.
pub(crate) fn run_gateway(state: &mut Overlay<'_>, gateway: AccountId, call: &GatewayCall<'_>) -> (Status, Gas, Bytes) {
    // GW-4
    let Some(gas_left) = call.gas.checked_sub(gas::GATEWAY) else {
        return (Status::Halt(Halt::Gateway), 0, Bytes::new());
    };
    match withdraw(state, gateway, call) {
        Ok(()) => (Status::Success, gas_left, Bytes::new()),
        Err(reason) => (Status::Revert, gas_left, revert_data(reason)),
    }
}

fn withdraw(state: &mut Overlay<'_>, gateway: AccountId, call: &GatewayCall<'_>) -> Result<(), &'static str> {
    // GW-5
    if !call.is_plain {
        return Err("only a plain call can withdraw");
    }
    // GW-1
    let argument = match call.input.split_first_chunk::<4>() {
        Some((&WITHDRAW_SELECTOR, arguments)) => bytes_argument(arguments).ok_or("malformed calldata")?,
        _ => return Err("no such function"),
    };
    // GW-2
    let amount = Amount::from_wei_exact(call.value)
        .filter(|amount| *amount != Amount::ZERO)
        .ok_or("the value is not a positive whole number of grains")?;
    // GW-3
    let lock = match codec::decode::<Lock>(argument) {
        Ok(lock @ (Lock::Key(_) | Lock::Policy(_))) => lock,
        _ => return Err("not the encoding of a key or policy lock"),
    };
    if !state.debit(gateway, call.value) {
        return Err("the value has not arrived");
    }
    let output = Output { amount, lock };
    let outpoint = withdrawal_outpoint(TxId(call.transaction.0), state.coins_made(), &output);
    let coin = Coin { output, height: call.height, coinbase: false };
    state.make_coin(outpoint, coin);
    let sender = state.address(call.caller);
    state.log(withdrawal_log(sender, argument, amount));
    Ok(())
}

/// The outpoint of an account transaction's withdrawal with this number, counted from 0. A contract computes amount and
/// lock, so both may differ between branches; then the outpoint differs too, so that a spend of one coin never refers
/// to the other (GW-6).
pub fn withdrawal_outpoint(transaction: TxId, number: u32, output: &Output) -> OutPoint {
    // GW-6
    let hash = tagged_hasher("Cairn/withdrawal").chain_update(transaction.0).chain_update(codec::encode(output));
    OutPoint { txid: TxId(hash.finalize().into()), index: number }
}

/// The coins that an account transaction created, in order, from the logs of its receipt.
pub fn withdrawals(transaction: TxId, logs: &[Log]) -> Vec<(OutPoint, Output)> {
    let withdrawn = |log: &&Log| log.address == GATEWAY && log.topics().first() == Some(&WITHDRAWAL_TOPIC);
    let outputs = logs.iter().filter(withdrawn).filter_map(|log| withdrawn_output(&log.data.data));
    (0..).zip(outputs).map(|(number, output)| (withdrawal_outpoint(transaction, number, &output), output)).collect()
}

/// Decodes the data of a [`withdrawal_log`].
fn withdrawn_output(data: &[u8]) -> Option<Output> {
    let amount = u64::try_from(U256::from_be_slice(data.get(32..64)?)).ok()?;
    let lock = codec::decode(bytes_argument(data)?).ok()?;
    Some(Output { amount: Amount::from_grains(amount), lock })
}

/// The bytes at the start of ABI-encoded values; ignores their padding, as Solidity does.
fn bytes_argument(arguments: &[u8]) -> Option<&[u8]> {
    let tail = arguments.get(word(arguments)?..)?;
    let len = word(tail)?;
    tail.get(32..)?.get(..len)
}

/// The word at the start of the bytes, if it can be a length.
fn word(bytes: &[u8]) -> Option<usize> {
    usize::try_from(U256::from_be_slice(bytes.get(..32)?)).ok()
}

fn withdrawal_log(sender: Address, lock: &[u8], amount: Amount) -> Log {
    let topics = vec![WITHDRAWAL_TOPIC, sender.into_word()];
    let data = abi(&[], &[64, amount.grains()], lock);
    Log { address: GATEWAY, data: LogData::new_unchecked(topics, data) }
}

/// ABI-encoded `Error(string)`.
fn revert_data(reason: &str) -> Bytes {
    abi(&ERROR_SELECTOR, &[32], reason.as_bytes())
}

/// Calldata of `withdraw(bytes)` for a lock.
pub fn withdraw_calldata(lock: &Lock) -> Bytes {
    abi(&WITHDRAW_SELECTOR, &[32], &codec::encode(lock))
}

/// A selector, words, and bytes with their length, padded to words.
fn abi(selector: &[u8], words: &[u64], bytes: &[u8]) -> Bytes {
    let len = selector.len() + 32 * (words.len() + 1) + bytes.len().next_multiple_of(32);
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(selector);
    for word in words.iter().chain(&[bytes.len() as u64]) {
        out.extend_from_slice(&U256::from(*word).to_be_bytes::<32>());
    }
    out.extend_from_slice(bytes);
    out.resize(len, 0);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;

    #[test]
    fn names_what_solidity_names() {
        assert_eq!(WITHDRAW_SELECTOR, keccak256("withdraw(bytes)")[..4]);
        assert_eq!(WITHDRAWAL_TOPIC, keccak256("Withdrawal(address,bytes,uint64)"));
        assert_eq!(ERROR_SELECTOR, keccak256("Error(string)")[..4]);
    }
}
