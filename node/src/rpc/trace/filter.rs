//! `trace_filter`: calls in a range of blocks, by who acts and whom they concern.

use alloy_primitives::Address;
use chain_core::units::Height;
use serde_json::value::RawValue;

use super::rows::of_block;
use crate::rpc::{
    base::{
        AccountList, Args, BlockTag, Call, Context, Count, Method, Object, Options, RpcError, RpcResult, cannot,
        internal, invalid, not_found, over_limit, resolve,
    },
    tracer::{MOST_BYTES, Row, too_long},
};

pub const METHODS: &[Method] = &[Method::raw("trace_filter", &["filter"], trace_filter).code()];

/// Most blocks of a range: each is run again.
const MOST_BLOCKS: Height = 1_000;

const KEYS: &[&str] = &["fromBlock", "toBlock", "fromAddress", "toAddress", "after", "count", "mode"];

/// Which rows are wanted.
struct Filter {
    from: Vec<Address>,
    to: Vec<Address>,
    /// Rows must match both lists, if both are given; else one is enough.
    both: bool,
    /// Matching rows that are passed over.
    after: u64,
    /// Most rows.
    count: u64,
}

impl Filter {
    fn read(options: &Options) -> RpcResult<Self> {
        let list = |key: &str| Ok::<_, RpcError>(options.get::<AccountList>(key)?.map_or(Vec::new(), |list| list.0));
        Ok(Self {
            from: list("fromAddress")?,
            to: list("toAddress")?,
            both: match options.get::<String>("mode")?.as_deref() {
                None | Some("union") => false,
                Some("intersection") => true,
                Some(_) => return Err(invalid("filter.mode: expected \"union\" or \"intersection\"")),
            },
            after: options.get::<Count>("after")?.map_or(0, |count| count.0),
            count: options.get::<Count>("count")?.map_or(u64::MAX, |count| count.0),
        })
    }

    fn matches(&self, row: &Row) -> bool {
        let acts = row.from().is_some_and(|from| self.from.contains(&from));
        let concerns = row.to().is_some_and(|to| self.to.contains(&to));
        match (self.from.is_empty(), self.to.is_empty()) {
            (true, true) => true,
            (false, true) => acts,
            (true, false) => concerns,
            (false, false) if self.both => acts && concerns,
            (false, false) => acts || concerns,
        }
    }
}

/// The heights from and to which rows are wanted.
fn range(context: &Context, options: &Options) -> RpcResult<(Height, Height)> {
    let snapshot = context.snapshot()?;
    let height = |key: &str, default: BlockTag| {
        let tag = options.get::<BlockTag>(key)?.unwrap_or(default);
        let at = resolve(context, &snapshot, tag)?;
        at.map(|at| at.height).ok_or_else(|| not_found(format!("filter.{key}: no such block on the active chain")))
    };
    let (from, to) = (height("fromBlock", BlockTag::Earliest)?, height("toBlock", BlockTag::Latest)?);
    if from > to {
        return Err(invalid(format!("filter: fromBlock {from} is above toBlock {to}")));
    }
    if to - from >= MOST_BLOCKS {
        let last = from + MOST_BLOCKS - 1;
        return Err(over_limit(format!(
            "filter: {from} to {to} are more than {MOST_BLOCKS} blocks; ask for {from} to {last} first"
        )));
    }
    Ok((from, to))
}

fn trace_filter(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let options = Options::new("filter", Some(args.required::<Object>()?), KEYS)?;
    let mut filter = Filter::read(&options)?;
    let (from, to) = range(context, &options)?;
    let call = args.call();
    let mut text = "[".to_owned();
    for height in from..=to {
        if filter.count == 0 {
            break;
        }
        add_block(context, height, &call, &mut filter, &mut text)?;
    }
    text.push(']');
    RawValue::from_string(text).map_err(internal)
}

/// Adds the rows of a block that match; they become text at once, so that what is counted is what is held.
fn add_block(context: &Context, height: Height, call: &Call, filter: &mut Filter, text: &mut String) -> RpcResult<()> {
    call.check()?;
    let snapshot = context.snapshot()?;
    let at = snapshot
        .at_height(height)?
        .ok_or_else(|| cannot(format!("a reorg removed block {height} meanwhile: ask again")))?;
    for row in of_block(context, snapshot, at, call)? {
        if filter.count == 0 {
            break;
        }
        if !filter.matches(&row) {
            continue;
        }
        if filter.after > 0 {
            filter.after -= 1;
            continue;
        }
        filter.count -= 1;
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(&row).map_err(internal)?);
        if text.len() > MOST_BYTES {
            return Err(too_long());
        }
    }
    Ok(())
}
