//! Pages of a history, newest first, and what every entry of one says.

use chain_core::{hash::TxId, units::Height};
use serde_json::json;

use super::{
    error::{RpcResult, internal, invalid},
    params::{Args, Options},
    render::{self, Fields},
};
use crate::store::{BlockRef, HeaderRecord, HistoryPlace, Snapshot};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

/// Where a page starts, and how long it is.
pub struct Page {
    /// The entry that it comes after; `None` for the newest.
    pub before: Option<HistoryPlace>,
    /// Most entries.
    pub limit: usize,
}

impl Page {
    /// Reads the next argument.
    pub fn read(args: &mut Args) -> RpcResult<Self> {
        let options = Options::new("options", args.optional()?, &["cursor", "limit"])?;
        let limit = options.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
        let before = options.get::<String>("cursor")?.map(|text| parse_cursor(&text)).transpose()?;
        Ok(Self { before, limit })
    }
}

fn parse_cursor(text: &str) -> RpcResult<HistoryPlace> {
    let parsed = text.split_once(':').and_then(|(height, position)| {
        Some(HistoryPlace { height: height.parse().ok()?, position: position.parse().ok()? })
    });
    parsed.ok_or_else(|| invalid("options.cursor: expected the \"next\" of an earlier page"))
}

/// Names the page after these places, if they fill one.
pub fn cursor(places: &[HistoryPlace], limit: usize) -> Option<String> {
    places.last().filter(|_| places.len() == limit).map(|place| format!("{}:{}", place.height, place.position))
}

/// What an entry says of its block.
pub fn mined_fields(txid: TxId, at: BlockRef, record: &HeaderRecord, tip: Height) -> Fields {
    render::fields(json!({
        "txid": txid.to_string(),
        "height": at.height,
        "blockHash": at.hash.to_string(),
        "time": record.header.time,
        "confirmations": tip - at.height + 1,
    }))
}

/// A block of the active chain that an index names.
pub fn at_height(snapshot: &Snapshot, height: Height) -> RpcResult<BlockRef> {
    snapshot
        .at_height(height)?
        .ok_or_else(|| internal(format!("the index names height {height}, which the chain does not have")))
}

/// What an entry says that no block holds yet.
pub fn pending_fields(txid: TxId) -> Fields {
    render::fields(json!({
        "txid": txid.to_string(), "height": null, "blockHash": null, "time": null, "confirmations": 0,
    }))
}
