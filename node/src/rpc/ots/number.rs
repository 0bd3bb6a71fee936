//! Numbers as Otterscan sends them: plain integers of JSON, where Ethereum has quantities.

use crate::rpc::base::{BlockTag, param};

/// A block by its number or tag.
pub struct Number(pub BlockTag);

param!(Number, "a block number such as 436 or \"0x1b4\", or a tag such as latest", |value| {
    value.as_u64().map(BlockTag::Number).or_else(|| BlockTag::parse(value)).map(Self)
});
