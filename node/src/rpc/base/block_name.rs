//! Names of blocks as parameters: those of this chain, and those of Ethereum.

use chain_core::{hash::BlockHash, units::Height};
use serde_json::{Map, Value};

use super::params::{Param, Quantity, param};

/// A height, or the hash of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockName {
    /// By height on the active chain.
    Height(Height),
    /// By hash, on any branch.
    Hash(BlockHash),
}

/// Ethereum's names of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockTag {
    /// By number on the active chain.
    Number(u64),
    /// By hash.
    Hash(BlockHash),
    /// By hash, and only if it is on the active chain (EIP-1898).
    ActiveHash(BlockHash),
    /// The genesis block.
    Earliest,
    /// The tip.
    Latest,
    /// The block at the spec's safe depth.
    Safe,
    /// The block of the newest certificate; without finality the one at the spec's finalized depth.
    Finalized,
    /// The tip, mempool included where that means something.
    Pending,
}

impl From<BlockHash> for BlockTag {
    fn from(hash: BlockHash) -> Self {
        Self::Hash(hash)
    }
}

param!(BlockName, "a height or a block hash of 64 hexadecimal digits", |value| {
    if let Some(height) = u32::parse(value).filter(|_| value.as_str().is_none_or(|text| text.len() < 64)) {
        return Some(Self::Height(height));
    }
    BlockHash::parse(value).map(Self::Hash)
});
param!(
    BlockTag,
    "a block number such as \"0x1b4\", latest, earliest, pending, safe or finalized, or a hash",
    |value| {
        if let Some(object) = value.as_object() {
            return block_object(object);
        }
        Some(match value.as_str()? {
            "earliest" => Self::Earliest,
            "latest" => Self::Latest,
            "safe" => Self::Safe,
            "finalized" => Self::Finalized,
            "pending" => Self::Pending,
            text if text.len() == 66 => Self::Hash(BlockHash::parse(value)?),
            _ => Self::Number(Quantity::parse(value)?.0),
        })
    }
);

/// EIP-1898: `{"blockNumber": ...}` or `{"blockHash": ..., "requireCanonical": ...}`. Other members are ignored, as in geth.
fn block_object(object: &Map<String, Value>) -> Option<BlockTag> {
    let given = |key: &str| object.get(key).filter(|value| !value.is_null());
    let active = given("requireCanonical").map_or(Some(false), Value::as_bool)?;
    match (given("blockNumber"), given("blockHash")) {
        (Some(number), None) if number.is_string() => BlockTag::parse(number),
        (None, Some(hash)) => {
            let hash = BlockHash::parse(hash)?;
            Some(if active { BlockTag::ActiveHash(hash) } else { BlockTag::Hash(hash) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_block_names_of_both_kinds() {
        let hash = "00".repeat(31) + "ff";
        assert_eq!(BlockName::parse(&json!(5)), Some(BlockName::Height(5)));
        assert_eq!(BlockName::parse(&json!("5")), Some(BlockName::Height(5)));
        assert_eq!(BlockName::parse(&json!(hash)), Some(BlockName::Hash(hash.parse().unwrap())));
        assert_eq!(BlockName::parse(&json!("0".repeat(64))), Some(BlockName::Hash(BlockHash::default())));
        assert_eq!(BlockTag::parse(&json!("latest")), Some(BlockTag::Latest));
        assert_eq!(BlockTag::parse(&json!("0x1b4")), Some(BlockTag::Number(436)));
        assert_eq!(
            BlockTag::parse(&json!({"blockHash": format!("0x{hash}")})),
            Some(BlockTag::Hash(hash.parse().unwrap()))
        );
        assert_eq!(BlockTag::parse(&json!({"blockNumber": "0x1"})), Some(BlockTag::Number(1)));
        assert_eq!(BlockTag::parse(&json!({"blockNumber": {"blockNumber": "0x1"}})), None);
        assert_eq!(
            BlockTag::parse(&json!({"blockNumber": "0x1", "blockHash": null, "other": 1})),
            Some(BlockTag::Number(1))
        );
        assert_eq!(BlockTag::parse(&json!({"blockNumber": "0x1", "blockHash": format!("0x{hash}")})), None);
        for (flag, expected) in [(json!(true), true), (json!(false), false), (Value::Null, false)] {
            let parsed = BlockTag::parse(&json!({"blockHash": format!("0x{hash}"), "requireCanonical": flag}));
            assert_eq!(parsed == Some(BlockTag::ActiveHash(hash.parse().unwrap())), expected, "{parsed:?}");
        }
        assert_eq!(BlockTag::parse(&json!({"blockHash": format!("0x{hash}"), "requireCanonical": 1})), None);
        assert_eq!(BlockTag::parse(&json!("Latest")), None);
    }
}
