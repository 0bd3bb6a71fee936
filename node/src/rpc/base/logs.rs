//! Logs: filters as parameters, the search of a range of blocks, and how a log looks.

use alloy_primitives::{Address, B256, Bytes};
use chain_core::{hash::BlockHash, units::Height};
use serde::{Serialize, Serializer};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::{
    block_name::BlockTag,
    call::Call,
    context::Context,
    error::{RpcError, RpcResult, internal, invalid, not_found, over_limit, unavailable},
    history::at_height,
    params::{Options, Param, param},
    read::{header, is_active, number_of},
    render::quantity,
};
use crate::store::{BlockLog, BlockRef, LogFilter, Snapshot, StoreError};

/// Blocks of a search that the index narrows, and of one that reads the receipts of every block.
const MOST_BLOCKS: u64 = 100_000;
const MOST_BLOCKS_READ: u64 = 1_000;
/// Logs that a search of several blocks returns. Those of a single block are bounded by their bytes alone, so that every log
/// can be had.
const MOST_LOGS: usize = 20_000;
/// Bytes of the response.
const MOST_BYTES: usize = 24_000_000;
/// Addresses, and topics at one position.
const MOST_VALUES: usize = 1_000;
/// Topics of a log.
const MOST_TOPICS: usize = 4;

impl LogFilter {
    /// Reads `address` and `topics` of a filter object.
    ///
    /// # Errors
    /// -32602 if they are malformed or too many.
    pub(in crate::rpc) fn parse(options: &Options) -> RpcResult<Self> {
        let addresses = options.get::<AccountList>("address")?.map(|addresses| addresses.0);
        let topics = options.get::<LogTopics>("topics")?.map(|topics| topics.0);
        Ok(Self { addresses: addresses.unwrap_or_default(), topics: topics.unwrap_or_default() })
    }
}

/// Accounts.
pub struct AccountList(pub Vec<Address>);
struct LogTopics(Vec<Vec<B256>>);

param!(AccountList, "an account or an array of at most 1,000", |value| {
    let addresses = match value {
        Value::Array(items) if items.len() > MOST_VALUES => return None,
        Value::Array(items) => items.iter().map(Address::parse).collect::<Option<_>>()?,
        one => vec![Address::parse(one)?],
    };
    Some(Self(addresses))
});

param!(
    LogTopics,
    "an array of at most 4 positions, each of them null, a topic of 32 bytes or an array of at most 1,000 topics",
    |value| {
        let positions = value.as_array().filter(|positions| positions.len() <= MOST_TOPICS)?;
        positions.iter().map(topics_at).collect::<Option<_>>().map(Self)
    }
);

/// The topics at one position: none for any. In a list `null` stands for any, too.
fn topics_at(value: &Value) -> Option<Vec<B256>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) if items.len() > MOST_VALUES => None,
        Value::Array(items) if items.iter().any(Value::is_null) => Some(Vec::new()),
        Value::Array(items) => items.iter().map(B256::parse).collect(),
        one => Some(vec![B256::parse(one)?]),
    }
}

/// What `eth_getLogs` is asked.
pub struct LogSearch {
    /// Which logs.
    pub filter: LogFilter,
    /// Of which blocks.
    pub blocks: LogBlocks,
}

/// The blocks of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogBlocks {
    /// One of any branch.
    One(BlockHash),
    /// Those of the active chain from one to another; the tip where none is named.
    Range(Option<BlockTag>, Option<BlockTag>),
}

impl LogSearch {
    /// Reads a filter object.
    ///
    /// # Errors
    /// -32602 if it is malformed.
    pub fn parse(options: &Options) -> RpcResult<Self> {
        let (from, to) = (tag(options, "fromBlock")?, tag(options, "toBlock")?);
        if [from, to].contains(&Some(BlockTag::Pending)) {
            // In geth's words. The next block is shown without transactions.
            return Err(invalid("pending logs are not supported"));
        }
        let blocks = match (options.get("blockHash")?, from, to) {
            (Some(hash), None, None) => LogBlocks::One(hash),
            (None, from, to) => LogBlocks::Range(from, to),
            _ => {
                let message =
                    "invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other";
                return Err(invalid(message));
            }
        };
        Ok(Self { filter: LogFilter::parse(options)?, blocks })
    }

    /// The logs, oldest first.
    ///
    /// # Errors
    /// -32602 for a range that no chain has, -32005 beyond a limit, -32001 and -32002 for blocks that are not there.
    pub fn run(&self, context: &Context, call: &Call) -> RpcResult<Box<RawValue>> {
        let snapshot = context.snapshot()?;
        let found = match self.blocks {
            LogBlocks::One(hash) => vec![self.block(&snapshot, &hash)?],
            LogBlocks::Range(from, to) => match range(context, &snapshot, from, to)? {
                Some((from, to)) => self.range(&snapshot, from, to, call)?,
                None => Vec::new(),
            },
        };
        to_raw_value(&Logs(&found)).map_err(internal)
    }

    fn block(&self, snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<LogsOfBlock> {
        let record = snapshot.header(hash)?.ok_or_else(|| not_found(format!("unknown block {hash}")))?;
        let at = record.at();
        let found = LogsOfBlock::read(snapshot, at, &self.filter, !is_active(snapshot, at)?)?;
        if found.bytes() > MOST_BYTES {
            return Err(alone_too_large(at.height));
        }
        Ok(found)
    }

    fn range(&self, snapshot: &Snapshot, from: Height, to: Height, call: &Call) -> RpcResult<Vec<LogsOfBlock>> {
        let (mut found, mut count, mut bytes) = (Vec::new(), 0, 0);
        for height in candidates(snapshot, &self.filter, from, to, call)? {
            call.check()?;
            let block = LogsOfBlock::read(snapshot, at_height(snapshot, height)?, &self.filter, false)?;
            count += block.logs.len();
            bytes += block.bytes();
            let fits = height.saturating_sub(1).max(from);
            if bytes > MOST_BYTES && height == from {
                return Err(alone_too_large(height));
            } else if bytes > MOST_BYTES {
                return Err(beyond(&format!("response size exceeds {MOST_BYTES} bytes"), from, fits, MOST_LOGS));
            } else if count > MOST_LOGS && from < to {
                return Err(beyond(&format!("query returned more than {MOST_LOGS} results"), from, fits, MOST_LOGS));
            } else if !block.logs.is_empty() {
                found.push(block);
            }
        }
        Ok(found)
    }
}

fn tag(options: &Options, name: &'static str) -> RpcResult<Option<BlockTag>> {
    match options.get(name)? {
        Some(BlockTag::Hash(hash) | BlockTag::ActiveHash(hash)) => {
            Err(invalid(format!("{}: expected a number or a tag, got hash {hash}", options.name_of(name))))
        }
        tag => Ok(tag),
    }
}

/// The heights from one block to another; `None` if there are none and one end is a tag.
fn range(
    context: &Context,
    snapshot: &Snapshot,
    from: Option<BlockTag>,
    to: Option<BlockTag>,
) -> RpcResult<Option<(Height, Height)>> {
    let tip = snapshot.tip().height;
    let number = |tag: Option<BlockTag>| number_of(context, snapshot, tag.unwrap_or(BlockTag::Latest));
    let (first, last) = (number(from)?.unwrap_or_default(), number(to)?.unwrap_or_default());
    // As in geth, only numbers that the caller wrote.
    if first > last && matches!((from, to), (Some(BlockTag::Number(_)), Some(BlockTag::Number(_)))) {
        return Err(invalid("invalid block range params"));
    }
    if last > tip.into() {
        return Err(invalid("block range extends beyond current head block"));
    }
    Ok(Height::try_from(first).ok().zip(Height::try_from(last).ok()).filter(|(first, last)| first <= last))
}

/// Heights of a range at which logs may stand that are asked for.
///
/// # Errors
/// -32005 for a range that is too wide, with the one that is not.
pub fn candidates(
    snapshot: &Snapshot,
    filter: &LogFilter,
    from: Height,
    to: Height,
    call: &Call,
) -> RpcResult<Vec<Height>> {
    let most = widest(snapshot, filter);
    if u64::from(to.saturating_sub(from)) < most {
        if most == MOST_BLOCKS_READ {
            return Ok((from..=to).collect());
        }
        let heights = snapshot.log_heights(filter, from, to, &|| call.is_over())?;
        return call.check().map(|()| heights);
    }
    if filter.has_criterion() && !snapshot.has_log_index() {
        return Err(StoreError::IndexOff { index: "log" }.into());
    }
    let unnamed = if filter.has_criterion() { "" } else { " without address or topics" };
    let fits = from.saturating_add((most - 1) as Height); // at most 100,000
    Err(beyond(&format!("query exceeds max block range {most}{unnamed}"), from, fits, most as usize))
}

/// Blocks of a search at most.
pub fn widest(snapshot: &Snapshot, filter: &LogFilter) -> u64 {
    if filter.has_criterion() && snapshot.has_log_index() { MOST_BLOCKS } else { MOST_BLOCKS_READ }
}

/// -32005 in the words of the providers of Ethereum's RPC, whose range indexers read: from the message or from `data`.
fn beyond(what: &str, from: Height, to: Height, limit: usize) -> RpcError {
    let message = format!("{what}. Try with this block range [{from:#x}, {to:#x}].");
    over_limit(message).with_data(json!({ "from": quantity(from), "to": quantity(to), "limit": limit }))
}

fn alone_too_large(height: Height) -> RpcError {
    over_limit(format!(
        "response size exceeds {MOST_BYTES} bytes for block {height} alone: name an address or topics, or use chain_getLogs, \
         which has pages"
    ))
}

/// Logs of one block that a filter asks for.
pub struct LogsOfBlock {
    /// The block.
    pub at: BlockRef,
    /// Its time.
    pub time: u32,
    /// Whether it is to be shown as disconnected.
    pub removed: bool,
    /// The logs.
    pub logs: Vec<BlockLog>,
}

impl LogsOfBlock {
    /// Reads them, of a block on any branch.
    ///
    /// # Errors
    /// -32002 if its receipts are not known.
    pub fn read(snapshot: &Snapshot, at: BlockRef, filter: &LogFilter, removed: bool) -> RpcResult<Self> {
        let logs = snapshot.logs(at, filter)?.ok_or_else(|| {
            unavailable(format!(
                "the receipts of block {} are not known: it was never on this node's active chain",
                at.hash
            ))
        })?;
        let time = if logs.is_empty() { 0 } else { header(snapshot, at)?.header.time };
        Ok(Self { at, time, removed, logs })
    }

    /// How they are shown.
    pub fn views(&self) -> impl DoubleEndedIterator<Item = LogView<'_>> {
        self.logs.iter().map(|placed| LogView {
            address: &placed.log.address,
            topics: placed.log.topics(),
            data: &placed.log.data.data,
            block_hash: self.at.hash,
            block_number: self.at.height.into(),
            block_timestamp: self.time.into(),
            transaction_hash: placed.txid.0.into(),
            transaction_index: placed.transaction.into(),
            log_index: placed.index.into(),
            removed: self.removed,
        })
    }

    /// Bytes of their text, more or less.
    pub fn bytes(&self) -> usize {
        self.logs.iter().map(Self::bytes_of).sum()
    }

    /// Bytes of the text of one.
    pub fn bytes_of(placed: &BlockLog) -> usize {
        420 + 69 * placed.log.topics().len() + 2 * placed.log.data.data.len()
    }
}

/// The logs of blocks as one array.
struct Logs<'a>(&'a [LogsOfBlock]);

impl Serialize for Logs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flat_map(LogsOfBlock::views))
    }
}

/// A log as `eth_getLogs`, receipts and subscriptions show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogView<'a> {
    /// The contract that wrote it.
    pub address: &'a Address,
    /// Its topics.
    pub topics: &'a [B256],
    /// Its data.
    pub data: &'a Bytes,
    /// Its block.
    #[serde(serialize_with = "prefixed")]
    pub block_hash: BlockHash,
    /// That block's height.
    #[serde(serialize_with = "number")]
    pub block_number: u64,
    /// That block's time.
    #[serde(serialize_with = "number")]
    pub block_timestamp: u64,
    /// The transaction that wrote it.
    pub transaction_hash: B256,
    /// Which of the block's account transactions that is.
    #[serde(serialize_with = "number")]
    pub transaction_index: u64,
    /// Which of the block's logs it is.
    #[serde(serialize_with = "number")]
    pub log_index: u64,
    /// Whether its block was disconnected.
    pub removed: bool,
}

fn prefixed<S: Serializer>(hash: &BlockHash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("0x{hash}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn number<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:#x}"))
}
