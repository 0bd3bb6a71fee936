//! `chain_getLogs`: logs for an indexer that follows the chain by a cursor, through reorganisations too.
//!
//! A cursor says up to where logs were given: to a log of a block, or to the end of a block. As long as its block is on the
//! active chain, so are all before it, and the search goes on. Else what was given of its branch is to be undone, newest first,
//! down to the block where the branches part; the cursor goes back with it.

use chain_core::{hash::BlockHash, units::Height};
use serde::{Serialize, Serializer};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    rpc::base::{
        Args, Call, Context, LogsOfBlock, Method, Object, Options, Quantity, RpcResult, at_height, candidates,
        fork_point, internal, invalid, is_active, not_found, param, parent, widest,
    },
    store::{BlockLog, BlockRef, LogFilter, Snapshot},
};

pub const METHODS: &[Method] = &[Method::raw("chain_getLogs", &["filter", "options"], get_logs)];

const DEFAULT_LIMIT: u32 = 1_000;
const MAX_LIMIT: u32 = 10_000;
/// Bytes of the logs of a page. The largest log that the gas of a block pays for is smaller.
const MOST_BYTES: usize = 24_000_000;
/// Blocks that one page undoes.
const MOST_UNDONE: usize = 1_000;

/// Up to where logs were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// In this block.
    pub hash: BlockHash,
    /// This log of it was the last; `None` for all of its logs.
    pub log: Option<u32>,
}

/// Which logs a page may hold.
#[derive(Debug)]
pub struct Page {
    /// What they match.
    pub filter: LogFilter,
    /// The lowest block of interest.
    pub from: Height,
    /// Most logs.
    pub limit: usize,
}

/// The number of a log as an integer or, as logs themselves have it, a QUANTITY.
struct LogNumber(u32);

param!(LogNumber, "the number of a log in its block", |value| {
    let number = u64::parse(value).or_else(|| Quantity::parse(value).map(|number| number.0));
    number.and_then(|number| u32::try_from(number).ok()).map(Self)
});

fn get_logs(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let filter = LogFilter::parse(&Options::new("filter", args.optional()?, &["address", "topics"])?)?;
    let options = Options::new("options", args.optional()?, &["cursor", "from", "limit"])?;
    let limit = options.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let page = Page { filter, from: options.get::<u32>("from")?.unwrap_or_default(), limit };
    let cursor = options.get::<Object>("cursor")?.map(read_cursor).transpose()?;
    let snapshot = context.snapshot()?;
    page.after(&snapshot, cursor, &args.call())
}

fn read_cursor(object: Object) -> RpcResult<Cursor> {
    let options = Options::new("options.cursor", Some(object), &["blockHash", "logIndex"])?;
    let hash =
        options.get("blockHash")?.ok_or_else(|| invalid("options.cursor.blockHash: missing, expected a block hash"))?;
    Ok(Cursor { hash, log: options.get::<LogNumber>("logIndex")?.map(|number| number.0) })
}

/// What is left of a page.
struct Room {
    logs: usize,
    bytes: usize,
}

impl Room {
    fn takes(&mut self, log: &BlockLog) -> bool {
        let bytes = LogsOfBlock::bytes_of(log);
        if self.logs == 0 || bytes > self.bytes {
            return false;
        }
        (self.logs, self.bytes) = (self.logs - 1, self.bytes - bytes);
        true
    }
}

impl Page {
    /// What comes after a cursor; all from the lowest block on without one.
    ///
    /// # Errors
    /// -32001 if its block is unknown, -32002 if what is to be undone is not known any more.
    pub fn after(&self, snapshot: &Snapshot, cursor: Option<Cursor>, call: &Call) -> RpcResult<Box<RawValue>> {
        let Some(cursor) = cursor else { return self.forward(snapshot, self.from, None, call) };
        let at = snapshot.header(&cursor.hash)?.map(|record| record.at()).ok_or_else(|| {
            not_found(format!("block {} of the cursor is unknown: begin again, with options.from", cursor.hash))
        })?;
        if !is_active(snapshot, at)? {
            return self.backward(snapshot, at, cursor.log, call);
        }
        let start = if cursor.log.is_some() { at.height } else { at.height.saturating_add(1) };
        let log = cursor.log.filter(|_| at.height >= self.from);
        self.forward(snapshot, start.max(self.from), log, call)
    }

    fn room(&self) -> Room {
        Room { logs: self.limit, bytes: MOST_BYTES }
    }

    /// The logs from a height on, of that block only those after one.
    fn forward(&self, snapshot: &Snapshot, start: Height, log: Option<u32>, call: &Call) -> RpcResult<Box<RawValue>> {
        let (tip, mut room, mut blocks) = (snapshot.tip(), self.room(), Vec::new());
        let last = u64::from(start).saturating_add(widest(snapshot, &self.filter) - 1);
        let last = Height::try_from(last).unwrap_or(Height::MAX).min(tip.height);
        let heights = if start > last { Vec::new() } else { candidates(snapshot, &self.filter, start, last, call)? };
        for height in heights {
            call.check()?;
            let mut block = LogsOfBlock::read(snapshot, at_height(snapshot, height)?, &self.filter, false)?;
            block.logs.retain(|placed| height > start || log.is_none_or(|given| placed.index > given));
            let taken = block.logs.iter().take_while(|log| room.takes(log)).count();
            let is_full = taken < block.logs.len();
            block.logs.truncate(taken);
            let given = block.logs.last().map(|last| Cursor { hash: block.at.hash, log: Some(last.index) });
            blocks.push(block);
            if is_full {
                // Of a block that did not fit at all the one before is the last.
                let before = || at_height(snapshot, height - 1).map(|at| Cursor { hash: at.hash, log: None });
                let next = given.map_or_else(before, Ok)?;
                return answer(&blocks, None, next, true, tip);
            }
        }
        let end = if start > last { tip } else { at_height(snapshot, last)? };
        answer(&blocks, None, Cursor { hash: end.hash, log: None }, end.height < tip.height, tip)
    }

    /// What is to be undone of a branch that lost, from a block down, of that block only the logs up to one.
    fn backward(&self, snapshot: &Snapshot, tip: BlockRef, log: Option<u32>, call: &Call) -> RpcResult<Box<RawValue>> {
        let fork = fork_point(snapshot, tip, call)?;
        let (mut room, mut undone, mut blocks) = (self.room(), Vec::new(), Vec::new());
        let mut next = Cursor { hash: tip.hash, log };
        let mut at = tip;
        while at != fork && undone.len() < MOST_UNDONE {
            call.check()?;
            let mut block = self.undone(snapshot, at, fork)?;
            block.logs.retain(|placed| at != tip || log.is_none_or(|given| placed.index <= given));
            let taken = block.logs.iter().rev().take_while(|log| room.takes(log)).count();
            let left = block.logs.len() - taken;
            let kept = block.logs[..left].last().map(|last| last.index);
            block.logs.drain(..left);
            blocks.push(block);
            if left > 0 {
                next = Cursor { hash: at.hash, log: kept };
                break;
            }
            undone.push(at);
            at = parent(snapshot, at)?;
            next = Cursor { hash: at.hash, log: None };
        }
        answer(&blocks, Some((fork, &undone)), next, true, snapshot.tip())
    }

    /// The logs of a block of the branch that lost. Without its receipts a client can still drop what it has above the fork.
    fn undone(&self, snapshot: &Snapshot, at: BlockRef, fork: BlockRef) -> RpcResult<LogsOfBlock> {
        if at.height < self.from {
            return Ok(LogsOfBlock { at, time: 0, removed: true, logs: Vec::new() });
        }
        LogsOfBlock::read(snapshot, at, &self.filter, true)
            .map_err(|error| error.with_data(json!({ "forkPoint": place(fork) })))
    }
}

fn place(at: BlockRef) -> Value {
    json!({ "hash": at.hash.to_string(), "height": at.height })
}

/// A page as text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    logs: Views<'a>,
    undo: Option<Undo<'a>>,
    next: Value,
    more: bool,
    tip: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undo<'a> {
    fork_point: Value,
    blocks: Vec<Value>,
    logs: Views<'a>,
}

/// Logs of blocks, in their order or from the last.
struct Views<'a> {
    blocks: &'a [LogsOfBlock],
    reversed: bool,
}

impl Serialize for Views<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.reversed {
            false => serializer.collect_seq(self.blocks.iter().flat_map(LogsOfBlock::views)),
            true => serializer.collect_seq(self.blocks.iter().flat_map(|block| block.views().rev())),
        }
    }
}

/// `blocks` hold the logs that come, or those to undo down to a fork.
fn answer(
    blocks: &[LogsOfBlock],
    undone: Option<(BlockRef, &[BlockRef])>,
    next: Cursor,
    more: bool,
    tip: BlockRef,
) -> RpcResult<Box<RawValue>> {
    let next = json!({ "blockHash": next.hash.to_string(), "logIndex": next.log });
    let undo = undone.map(|(fork, undone)| Undo {
        fork_point: place(fork),
        blocks: undone.iter().copied().map(place).collect(),
        logs: Views { blocks, reversed: true },
    });
    let logs = Views { blocks: if undo.is_some() { &[] } else { blocks }, reversed: false };
    to_raw_value(&Answer { logs, undo, next, more, tip: place(tip) }).map_err(internal)
}
