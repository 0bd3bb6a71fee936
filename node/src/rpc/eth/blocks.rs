//! `eth_*` about blocks, transactions and receipts.

use alloy_primitives::{Address, B64, B256, Bloom, Log, U256, b256};
use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    transaction::{
        Transaction,
        account::{AccountTransaction, Authorization, Fees, Fields as TransactionFields},
    },
    trie::EMPTY_ROOT,
    units::Gas,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::{
    rpc::base::{
        Args, BlockTag, Call, Context, LogView, Method, Param, Quantity, RpcResult, base_fee, base_fee_of_unconnected,
        coinbase, data, effective_price, executed, fee_after, header, is_active, quantity, receipts, render,
    },
    store::{BlockRef, HeaderRecord, Snapshot, StoredReceipt, Verdict},
};

pub const METHODS: &[Method] = &[
    Method::new("eth_getBlockByNumber", &["block", "full"], get_block::<BlockTag>).reads(),
    Method::new("eth_getBlockByHash", &["hash", "full"], get_block::<BlockHash>).reads(),
    Method::new("eth_getBlockReceipts", &["block"], get_block_receipts).reads(),
    Method::new("eth_getBlockTransactionCountByNumber", &["block"], count::<BlockTag>),
    Method::new("eth_getBlockTransactionCountByHash", &["hash"], count::<BlockHash>),
    Method::new("eth_getUncleCountByBlockNumber", &["block"], uncles::<BlockTag>),
    Method::new("eth_getUncleCountByBlockHash", &["hash"], uncles::<BlockHash>),
    Method::new("eth_getUncleByBlockNumberAndIndex", &["block", "index"], uncle::<BlockTag>),
    Method::new("eth_getUncleByBlockHashAndIndex", &["hash", "index"], uncle::<BlockHash>),
    Method::new("eth_getHeaderByNumber", &["block"], get_header::<BlockTag>).reads(),
    Method::new("eth_getHeaderByHash", &["hash"], get_header::<BlockHash>).reads(),
    Method::new("eth_getTransactionByHash", &["hash"], transaction_by_hash),
    Method::new("eth_getTransactionByBlockNumberAndIndex", &["block", "index"], transaction_at::<BlockTag>),
    Method::new("eth_getTransactionByBlockHashAndIndex", &["hash", "index"], transaction_at::<BlockHash>),
    Method::new("eth_getTransactionReceipt", &["hash"], transaction_receipt),
];

/// keccak-256 of the RLP of an empty list: no uncles.
const NO_UNCLES: B256 = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");

/// Most bytes of a header's extra data in Ethereum; tools refuse more.
const MAX_EXTRA: usize = 32;

/// A block's hash as it is shown everywhere, with Ethereum's prefix.
pub fn block_hash(hash: &BlockHash) -> Value {
    format!("0x{hash}").into()
}

/// A block with all that its rendering needs.
pub struct FullBlock {
    /// Where it stands.
    pub at: BlockRef,
    /// Whether it is on the active chain.
    pub active: bool,
    /// Its header and verdict.
    pub record: HeaderRecord,
    /// GASLIMIT.
    pub gas_limit: Gas,
    /// BASEFEE.
    pub base_fee: u64,
    /// The block.
    pub block: Block,
    /// Bytes of the block.
    pub size: usize,
    /// Of its account transactions, in order.
    pub receipts: Vec<StoredReceipt>,
    /// Senders of account transactions without receipts, by position, where they are shown.
    pub senders: BTreeMap<u32, Address>,
}

/// An account transaction of a block.
struct Row<'a> {
    /// Which of the block's account transactions it is.
    index: usize,
    /// Which of its transactions.
    position: u32,
    tx: &'a AccountTransaction,
    receipt: Option<&'a StoredReceipt>,
}

impl FullBlock {
    /// Reads a block and its receipts.
    pub fn load(context: &Context, snapshot: &Snapshot, at: BlockRef) -> RpcResult<Self> {
        let record = header(snapshot, at)?;
        let (block, size) = snapshot.sized_body(at)?;
        let receipts = receipts(snapshot, at)?;
        Ok(Self {
            at,
            active: is_active(snapshot, at)?,
            record,
            gas_limit: context.spec.gas_limit,
            base_fee: base_fee(context, &record),
            senders: BTreeMap::new(),
            block,
            size,
            receipts,
        })
    }

    /// The block of a tag, on the active chain; `None` if there is none.
    pub fn named(context: &Context, tag: BlockTag) -> RpcResult<Option<Self>> {
        let snapshot = context.snapshot()?;
        executed(context, &snapshot, tag)?.map(|at| Self::load(context, &snapshot, at)).transpose()
    }

    /// The same, or the one of a hash that is stored but was never connected: it has no receipts, and its transactions may turn
    /// out to break a rule. Their senders are found if `call` is given: each costs the recovery of a key.
    fn shown(context: &Context, tag: BlockTag, call: Option<&Call>) -> RpcResult<Option<Self>> {
        let snapshot = context.snapshot()?;
        if let Some(at) = executed(context, &snapshot, tag)? {
            return Self::load(context, &snapshot, at).map(Some);
        }
        let BlockTag::Hash(hash) = tag else { return Ok(None) };
        let record = snapshot.header(&hash)?.filter(|record| record.body && record.verdict == Verdict::Unknown);
        let Some(at) = record.map(|record| record.at()) else { return Ok(None) };
        let Some(base_fee) = base_fee_of_unconnected(context, &snapshot, at)? else { return Ok(None) };
        let mut block = Self { base_fee, ..Self::load(context, &snapshot, at)? };
        if let Some(call) = call {
            block.senders = senders(&context.spec, &block.block, call)?;
        }
        Ok(Some(block))
    }

    fn holding(context: &Context, txid: &TxId) -> RpcResult<Option<(Self, u32)>> {
        let snapshot = context.snapshot()?;
        let Some(place) = snapshot.transaction(txid)? else {
            return Ok(None);
        };
        Ok(Some((Self::load(context, &snapshot, place.block)?, place.position)))
    }

    /// Account transactions in order. Receipts stand in the same order.
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let accounts = (0u32..).zip(&self.block.transactions).filter_map(|(position, tx)| match tx {
            Transaction::Account(tx) => Some((position, tx)),
            _ => None,
        });
        let mut receipts = self.receipts.iter().peekable();
        accounts.enumerate().map(move |(index, (position, tx))| Row {
            index,
            position,
            tx,
            receipt: receipts.next_if(|receipt| receipt.position == position),
        })
    }

    fn transaction(&self, row: &Row<'_>) -> Value {
        let sender = row.receipt.map(|receipt| receipt.sender).or_else(|| self.senders.get(&row.position).copied());
        let place = json!({
            "blockHash": block_hash(&self.at.hash),
            "blockNumber": quantity(self.at.height),
            "blockTimestamp": quantity(self.record.header.time),
            "transactionIndex": quantity(row.index),
            "gasPrice": quantity(effective_price(&row.tx.fields().fees, self.base_fee)),
        });
        render::join(transaction_fields(row.tx, sender), place)
    }

    fn nth(&self, index: u64) -> Option<Value> {
        self.rows().nth(usize::try_from(index).ok()?).map(|row| self.transaction(&row))
    }

    /// The account transaction at a position of the block.
    pub fn at_position(&self, wanted: u32) -> Option<Value> {
        self.rows().find(|row| row.position == wanted).map(|row| self.transaction(&row))
    }

    /// What a header has: all but the transactions and what goes with them.
    fn header(&self) -> RpcResult<render::Fields> {
        let coinbase = coinbase(&self.block, self.at)?;
        let header = &self.record.header;
        let bloom = self.receipts.iter().fold(Bloom::ZERO, |all, receipt| all | receipt.receipt.bloom);
        let difficulty = render::difficulty(header.bits);
        let extra = &coinbase.extra[..coinbase.extra.len().min(MAX_EXTRA)];
        let mut fields = render::fields(json!({
            "number": quantity(self.at.height),
            "hash": block_hash(&self.at.hash),
            "parentHash": block_hash(&header.prev),
            "nonce": B64::from(u64::from(header.nonce)),
            "mixHash": B256::from(difficulty),
            "sha3Uncles": NO_UNCLES,
            "logsBloom": bloom,
            "transactionsRoot": data(&header.merkle_root),
            "stateRoot": coinbase.state_root,
            "receiptsRoot": coinbase.receipts_root,
            "miner": coinbase.beneficiary,
            "difficulty": quantity(difficulty),
            "extraData": data(extra),
            "gasLimit": quantity(self.gas_limit),
            "gasUsed": quantity(coinbase.gas_used),
            "baseFeePerGas": quantity(self.base_fee),
            "timestamp": quantity(header.time),
        }));
        // Not known of a simulated block.
        if !self.record.work.is_zero() {
            fields.insert("totalDifficulty".into(), quantity(self.record.work));
        }
        Ok(fields)
    }

    /// The block as `eth_getBlockBy*` return it.
    pub fn render(&self, full: bool) -> RpcResult<Value> {
        let transactions: Vec<Value> = match full {
            false => self.rows().map(|row| data(row.tx.hash().as_slice())).collect(),
            true => self.rows().map(|row| self.transaction(&row)).collect(),
        };
        let body = json!({ "size": quantity(self.size), "transactions": transactions, "uncles": [] });
        Ok(render::join(self.header()?, body))
    }

    /// Wei that its account transactions paid for gas.
    pub fn account_fees(&self) -> U256 {
        let fee = |row: Row<'_>| {
            let price = effective_price(&row.tx.fields().fees, self.base_fee);
            row.receipt.map_or(U256::ZERO, |receipt| price.saturating_mul(U256::from(receipt.gas_used)))
        };
        self.rows().map(fee).fold(U256::ZERO, U256::saturating_add)
    }

    /// The receipts of its account transactions.
    pub fn receipts(&self) -> Vec<Value> {
        let mut logs_before = 0;
        let mut all = Vec::with_capacity(self.receipts.len());
        for row in self.rows() {
            if let Some(receipt) = row.receipt {
                all.push(self.receipt(&row, logs_before, receipt));
                logs_before += receipt.receipt.logs.len();
            }
        }
        all
    }

    /// The receipt of the transaction at a position, and of no other.
    pub fn receipt_at(&self, wanted: u32) -> Option<Value> {
        let before = self.receipts.iter().take_while(|receipt| receipt.position < wanted);
        let logs_before = before.map(|receipt| receipt.receipt.logs.len()).sum();
        let row = self.rows().find(|row| row.position == wanted)?;
        Some(self.receipt(&row, logs_before, row.receipt?))
    }

    fn receipt(&self, row: &Row<'_>, logs_before: usize, stored: &StoredReceipt) -> Value {
        let (said, hash) = (row.tx.fields(), row.tx.hash());
        json!({
            "blockHash": block_hash(&self.at.hash),
            "blockNumber": quantity(self.at.height),
            "transactionHash": hash,
            "transactionIndex": quantity(row.index),
            "type": quantity(said.tx_type),
            "status": quantity(u8::from(stored.receipt.success)),
            "from": stored.sender,
            "to": said.to,
            "contractAddress": said.to.is_none().then(|| stored.sender.create(said.nonce)),
            "cumulativeGasUsed": quantity(stored.receipt.cumulative_gas_used),
            "gasUsed": quantity(stored.gas_used),
            "effectiveGasPrice": quantity(effective_price(&said.fees, self.base_fee)),
            "logsBloom": stored.receipt.bloom,
            "logs": self.logs(&stored.receipt.logs, hash, row.index, logs_before),
        })
    }

    /// The logs of its account transaction at an index, with so many logs of others before them.
    pub fn logs(&self, logs: &[Log], transaction_hash: B256, index: usize, before: usize) -> Vec<Value> {
        let view = |(number, log): (usize, &Log)| {
            json!(LogView {
                address: &log.address,
                topics: log.topics(),
                data: &log.data.data,
                block_hash: self.at.hash,
                block_number: self.at.height.into(),
                block_timestamp: self.record.header.time.into(),
                transaction_hash,
                transaction_index: index as u64,
                log_index: (before + number) as u64,
                removed: !self.active,
            })
        };
        logs.iter().enumerate().map(view).collect()
    }
}

/// The senders of a block's account transactions.
fn senders(spec: &ChainSpec, block: &Block, call: &Call) -> RpcResult<BTreeMap<u32, Address>> {
    let mut senders = BTreeMap::new();
    for (position, transaction) in (0u32..).zip(&block.transactions) {
        let Transaction::Account(transaction) = transaction else { continue };
        call.check()?;
        senders.extend(spec.sender_of(transaction).ok().map(|sender| (position, sender)));
    }
    Ok(senders)
}

/// What a transaction itself says, in Ethereum's words.
pub(super) fn transaction_fields(tx: &AccountTransaction, sender: Option<Address>) -> render::Fields {
    let said = tx.fields();
    let (signature, parity) = tx.signature();
    let [r, s] = [&signature[..32], &signature[32..]].map(U256::from_be_slice);
    let v = match said.tx_type {
        0 => said.chain_id.saturating_mul(2).saturating_add(35 + u64::from(parity)),
        _ => u64::from(parity),
    };
    let mut fields = unsigned_fields(said);
    fields.extend(render::fields(json!({
        "hash": data(tx.hash().as_slice()),
        "from": sender,
        "v": quantity(v),
        "r": quantity(r),
        "s": quantity(s),
    })));
    if said.tx_type != 0 {
        fields.insert("yParity".into(), quantity(u8::from(parity)));
    }
    fields
}

/// The same before it is signed.
pub fn unsigned_fields(said: &TransactionFields) -> render::Fields {
    let mut fields = render::fields(json!({
        "type": quantity(said.tx_type),
        "chainId": quantity(said.chain_id),
        "nonce": quantity(said.nonce),
        "to": said.to,
        "value": quantity(said.value),
        "gas": quantity(said.gas_limit),
        "input": data(&said.input),
    }));
    if said.tx_type != 0 {
        let entry = |(address, keys): &(Address, Vec<B256>)| json!({ "address": address, "storageKeys": keys });
        fields.insert("accessList".into(), said.access_list.iter().map(entry).collect());
    }
    match said.fees {
        Fees::Legacy { gas_price } => {
            fields.insert("gasPrice".into(), quantity(gas_price));
        }
        Fees::Dynamic { max_fee, max_priority_fee } => {
            fields.insert("maxFeePerGas".into(), quantity(max_fee));
            fields.insert("maxPriorityFeePerGas".into(), quantity(max_priority_fee));
        }
    }
    if said.tx_type == 4 {
        let authorization = |one: &Authorization| {
            json!({
                "chainId": quantity(one.chain_id),
                "address": one.address,
                "nonce": quantity(one.nonce),
                "yParity": quantity(one.y_parity),
                "r": quantity(one.r),
                "s": quantity(one.s),
            })
        };
        fields.insert("authorizationList".into(), said.authorizations.iter().map(authorization).collect());
    }
    fields
}

/// The header of a block, as `newHeads` has it.
pub fn head(context: &Context, snapshot: &Snapshot, at: BlockRef) -> RpcResult<Value> {
    FullBlock::load(context, snapshot, at)?.header().map(Value::Object)
}

fn get_block<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (tag, full) = (args.required::<T>()?.into(), args.optional()?.unwrap_or(false));
    if tag == BlockTag::Pending {
        let body = json!({ "size": quantity(0), "transactions": [], "uncles": [] });
        return Ok(render::join(pending_header(context)?, body));
    }
    Ok(FullBlock::shown(context, tag, full.then_some(&args.call()))?
        .map(|block| block.render(full))
        .transpose()?
        .into())
}

fn get_header<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Value> {
    let tag = args.required::<T>()?.into();
    if tag == BlockTag::Pending {
        return Ok(Value::Object(pending_header(context)?));
    }
    Ok(FullBlock::shown(context, tag, None)?.map(|block| block.header()).transpose()?.map(Value::Object).into())
}

/// The header of the block after the tip, as far as it is known before it is mined: without transactions, so that its state
/// is that of the tip, as it is for everything else that is asked of the pending block.
fn pending_header(context: &Context) -> RpcResult<render::Fields> {
    let info = context.engine.chain_info();
    let snapshot = context.snapshot()?;
    let tip = snapshot.tip();
    let mut fields = FullBlock::load(context, &snapshot, tip)?.header()?;
    let difficulty = render::difficulty(info.next_bits);
    let changes = render::fields(json!({
        "number": quantity(u64::from(tip.height) + 1),
        "hash": null,
        "parentHash": block_hash(&tip.hash),
        "nonce": null,
        "mixHash": B256::from(difficulty),
        "logsBloom": Bloom::ZERO,
        "transactionsRoot": EMPTY_ROOT,
        "receiptsRoot": EMPTY_ROOT,
        "miner": null,
        "difficulty": quantity(difficulty),
        "totalDifficulty": null,
        "extraData": "0x",
        "gasUsed": quantity(0),
        "baseFeePerGas": quantity(fee_after(context, &snapshot, tip)?),
        "timestamp": quantity(context.mining.next_time(header(&snapshot, tip)?.header.time)),
    }));
    fields.extend(changes);
    Ok(fields)
}

fn get_block_receipts(context: &Context, mut args: Args) -> RpcResult<Value> {
    let tag = args.required()?;
    if tag == BlockTag::Pending {
        return Ok(json!([]));
    }
    Ok(FullBlock::named(context, tag)?.map(|block| block.receipts()).into())
}

fn count<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Value> {
    let tag = args.required::<T>()?.into();
    if tag == BlockTag::Pending {
        return Ok(quantity(0));
    }
    Ok(FullBlock::named(context, tag)?.map_or(Value::Null, |block| quantity(block.rows().count())))
}

/// No block has uncles; a block that is not there has no number of them.
fn uncles<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Value> {
    let tag = args.required::<T>()?.into();
    let known = executed(context, &context.snapshot()?, tag)?.is_some();
    Ok(if known { quantity(U256::ZERO) } else { Value::Null })
}

/// No block has any.
fn uncle<T: Param + Into<BlockTag>>(_: &Context, mut args: Args) -> RpcResult<Value> {
    let (_, Quantity(_)) = (args.required::<T>()?, args.required()?);
    Ok(Value::Null)
}

fn transaction_at<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (tag, Quantity(index)) = (args.required::<T>()?.into(), args.required()?);
    if tag == BlockTag::Pending {
        return Ok(Value::Null);
    }
    Ok(FullBlock::named(context, tag)?.and_then(|block| block.nth(index)).into())
}

fn transaction_by_hash(context: &Context, mut args: Args) -> RpcResult<Value> {
    let txid: TxId = args.required()?;
    if let Some(entry) = context.query(move |engine| engine.mempool().get(&txid))? {
        return Ok(match entry.transaction.as_ref() {
            Transaction::Account(tx) => pending_transaction(tx, entry.sender),
            _ => Value::Null,
        });
    }
    let found = FullBlock::holding(context, &txid)?;
    Ok(found.and_then(|(block, position)| block.at_position(position)).into())
}

/// A transaction that no block holds yet.
pub fn pending_transaction(tx: &AccountTransaction, sender: Option<Address>) -> Value {
    let mut fields = transaction_fields(tx, sender);
    if let Fees::Dynamic { max_fee, .. } = tx.fields().fees {
        fields.insert("gasPrice".into(), quantity(max_fee));
    }
    render::join(
        fields,
        json!({ "blockHash": null, "blockNumber": null, "blockTimestamp": null, "transactionIndex": null }),
    )
}

fn transaction_receipt(context: &Context, mut args: Args) -> RpcResult<Value> {
    Ok(receipt_of(context, &args.required()?)?.into())
}

/// The receipt of a transaction; `None` while no block holds it.
pub fn receipt_of(context: &Context, txid: &TxId) -> RpcResult<Option<Value>> {
    Ok(FullBlock::holding(context, txid)?.and_then(|(block, position)| block.receipt_at(position)))
}
