//! How values look: those of Ethereum, and blocks, transactions and coins in `chain_*` and `coin_*`.

use alloy_primitives::{Address, U256, ruint::UintTryFrom};
use chain_core::{
    address,
    block::header::Header,
    spec::ChainSpec,
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees},
        coin::{Coin, CoinTransaction, Lock, OutPoint, Output, Witness},
        coinbase::Coinbase,
        policy::{PolicyNode, ProofItem},
    },
    units::Height,
    work::pow,
};
use serde_json::{Map, Value, json};

/// The fields of an object.
pub type Fields = Map<String, Value>;

/// Takes the fields of `json!({...})`.
///
/// # Panics
/// If the value is no object.
pub fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("called with an object literal"),
    }
}

/// Both sets of fields.
pub fn join(mut first: Fields, second: Value) -> Value {
    first.extend(fields(second));
    Value::Object(first)
}

/// A number as Ethereum's QUANTITY.
pub fn quantity<T>(number: T) -> Value
where
    U256: UintTryFrom<T>,
{
    format!("0x{:x}", U256::from(number)).into()
}

/// Bytes as Ethereum's DATA.
pub fn data(bytes: &[u8]) -> Value {
    format!("0x{}", hex::encode(bytes)).into()
}

/// An account, EIP-55.
pub fn account(address: &Address) -> Value {
    address.to_checksum(None).into()
}

/// Wei as a decimal string.
pub fn wei(amount: U256) -> Value {
    amount.to_string().into()
}

/// The expected number of hashes for a block with these bits.
pub fn difficulty(bits: u32) -> U256 {
    pow::target(bits).map(pow::work).unwrap_or(U256::ZERO)
}

/// The same as a JSON number, rounded.
pub fn difficulty_number(bits: u32) -> f64 {
    f64::from(difficulty(bits))
}

/// A tip in wei per gas. Beyond 2^63 no number of JSON is exact, nor does it matter.
pub fn tip(wei: i128) -> i64 {
    i64::try_from(wei).unwrap_or(if wei < 0 { i64::MIN } else { i64::MAX })
}

/// 256 bits as 64 digits.
pub fn word(word: U256) -> String {
    format!("{word:064x}")
}

/// What a header itself says.
pub fn header(header: &Header, height: Height) -> Fields {
    let reversed: Vec<u8> = header.merkle_root.iter().rev().copied().collect();
    fields(json!({
        "hash": header.hash().to_string(),
        "height": height,
        "version": header.version,
        "prev": header.prev.to_string(),
        "merkleRoot": hex::encode(reversed),
        "time": header.time,
        "bits": format!("{:08x}", header.bits),
        "nonce": header.nonce,
        "difficulty": difficulty_number(header.bits),
    }))
}

/// A lock apart from its address.
pub fn lock(lock: &Lock) -> Value {
    match lock {
        Lock::Key(key) => json!({ "type": "key", "key": hex::encode(key.0) }),
        Lock::Account(address) => json!({ "type": "account", "account": account(address) }),
        Lock::Policy(hash) => json!({ "type": "policy", "hash": hex::encode(hash) }),
    }
}

fn output(hrp: &str, index: u32, output: &Output) -> Value {
    json!({
        "index": index,
        "amount": output.amount.grains(),
        "address": address::encode(hrp, &output.lock),
        "lock": lock(&output.lock),
    })
}

/// A coin that an account transaction withdrew: the id in its outpoint is not that of the transaction.
pub fn withdrawn(hrp: &str, at: &OutPoint, one: &Output) -> Value {
    join(fields(json!({ "txid": at.txid.to_string() })), output(hrp, at.index, one))
}

fn outputs<'a>(hrp: &str, all: impl Iterator<Item = (u32, &'a Output)>) -> Vec<Value> {
    all.map(|(index, one)| output(hrp, index, one)).collect()
}

/// An unspent coin of the chain at `tip`; the next block may spend it if it is mature.
pub fn coin(hrp: &str, maturity: u32, tip: Height, at: &OutPoint, coin: &Coin) -> Fields {
    let mut coin_fields = pending_coin(hrp, at, &coin.output);
    coin_fields.extend(fields(json!({
        "height": coin.height,
        "coinbase": coin.coinbase,
        "confirmations": (tip + 1).saturating_sub(coin.height),
        "mature": is_mature(maturity, tip, coin),
    })));
    coin_fields
}

/// Whether the block after `tip` may spend a coin (CB-9).
pub fn is_mature(maturity: u32, tip: Height, coin: &Coin) -> bool {
    !coin.coinbase || u64::from(tip) + 1 >= u64::from(coin.height) + u64::from(maturity)
}

/// A coin that a mempool transaction makes.
pub fn pending_coin(hrp: &str, at: &OutPoint, output: &Output) -> Fields {
    fields(json!({
        "txid": at.txid.to_string(),
        "index": at.index,
        "amount": output.amount.grains(),
        "address": address::encode(hrp, &output.lock),
        "lock": lock(&output.lock),
        "height": null,
        "coinbase": false,
        "confirmations": 0,
        "mature": true,
        "spentBy": null,
    }))
}

/// A transaction alone. `sender` is that of an account transaction, if it is known already.
pub fn transaction(spec: &ChainSpec, tx: &Transaction, sender: Option<Address>) -> Fields {
    let size = tx.encode().len();
    let mut fields = match tx {
        Transaction::Coinbase(coinbase) => coinbase_fields(&spec.hrp, coinbase),
        Transaction::Coin(coin) => coin_fields(&spec.hrp, coin, size),
        Transaction::Account(account) => account_fields(spec, account, sender),
    };
    fields.insert("txid".into(), tx.txid().to_string().into());
    fields.insert("size".into(), size.into());
    fields
}

fn coinbase_fields(hrp: &str, coinbase: &Coinbase) -> Fields {
    fields(json!({
        "kind": "coinbase",
        "gas": 8_000 * coinbase.outputs.len(),
        "height": coinbase.height,
        "beneficiary": account(&coinbase.beneficiary),
        "outputs": outputs(hrp, coinbase.coins()),
        "stateRoot": coinbase.state_root,
        "receiptsRoot": coinbase.receipts_root,
        "coinsRoot": coinbase.coins_root,
        "gasUsed": coinbase.gas_used,
        "extra": hex::encode(&coinbase.extra),
    }))
}

fn coin_fields(hrp: &str, coin: &CoinTransaction, size: usize) -> Fields {
    let input = |(index, input): (usize, &OutPoint)| {
        json!({
            "txid": input.txid.to_string(),
            "index": input.index,
            "witness": coin.witnesses.get(index).map(witness),
        })
    };
    fields(json!({
        "kind": "coin",
        "gas": coin.gas(size),
        "inputs": coin.inputs.iter().enumerate().map(input).collect::<Vec<_>>(),
        "outputs": outputs(hrp, (0..).zip(&coin.outputs)),
    }))
}

fn witness(witness: &Witness) -> Value {
    match witness {
        Witness::Key(signature) => json!({ "type": "key", "signature": hex::encode(signature.0) }),
        Witness::Policy(policy, proof) => json!({
            "type": "policy",
            "policy": policy.0.iter().map(|node| policy_node(&node)).collect::<Vec<_>>(),
            "proof": proof.0.iter().map(|item| proof_item(&item)).collect::<Vec<_>>(),
        }),
    }
}

fn policy_node(node: &PolicyNode) -> Value {
    match node {
        PolicyNode::Key(key) => json!({ "key": hex::encode(key.0) }),
        PolicyNode::After(height) => json!({ "after": height }),
        PolicyNode::Older(blocks) => json!({ "older": blocks }),
        PolicyNode::Sha256(hash) => json!({ "sha256": hex::encode(hash) }),
        PolicyNode::And(count) => json!({ "and": count }),
        PolicyNode::Or(count) => json!({ "or": count }),
        PolicyNode::Threshold(needed, count) => json!({ "threshold": [needed, count] }),
    }
}

fn proof_item(item: &ProofItem) -> Value {
    match item {
        ProofItem::Skip => Value::Null,
        ProofItem::Signature(signature) => json!({ "signature": hex::encode(signature.0) }),
        ProofItem::Preimage(preimage) => json!({ "preimage": hex::encode(preimage.as_slice()) }),
        ProofItem::Reached => json!({ "reached": true }),
    }
}

fn account_fields(spec: &ChainSpec, tx: &AccountTransaction, sender: Option<Address>) -> Fields {
    let said = tx.fields();
    let (max_fee, max_priority) = match said.fees {
        Fees::Legacy { gas_price } => (gas_price, gas_price),
        Fees::Dynamic { max_fee, max_priority_fee } => (max_fee, max_priority_fee),
    };
    let from = sender.or_else(|| spec.sender_of(tx).ok());
    fields(json!({
        "kind": "account",
        "gas": said.gas_limit,
        "type": said.tx_type,
        "from": from.as_ref().map(account),
        "to": said.to.as_ref().map(account),
        "nonce": said.nonce,
        "valueWei": wei(said.value),
        "gasLimit": said.gas_limit,
        "maxFeePerGas": max_fee.to_string(),
        "maxPriorityFeePerGas": max_priority.to_string(),
        "input": hex::encode(&said.input),
    }))
}
