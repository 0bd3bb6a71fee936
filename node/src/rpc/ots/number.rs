//! Numbers as Otterscan sends them: plain integers of JSON, where Ethereum has quantities.

use crate::rpc::base::{BlockTag, Quantity, param};

/// A block by its number or tag.
pub struct Number(pub BlockTag);

/// A number of anything else.
pub struct Count(pub u64);

param!(Number, "a block number such as 436 or \"0x1b4\", or a tag such as latest", |value| {
    value.as_u64().map(BlockTag::Number).or_else(|| BlockTag::parse(value)).map(Self)
});
param!(Count, "a number such as 25 or \"0x19\"", |value| Quantity::or_integer(value).map(Self));
