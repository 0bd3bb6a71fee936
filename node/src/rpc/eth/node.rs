//! `eth_*` about the chain's rules and what this node keeps.

use alloy_primitives::Address;
use chain_core::{execute::HISTORY, units::Height};
use serde_json::{Map, Value, json};

use super::proof::MOST_REWOUND;
use crate::rpc::base::{Args, BlockTag, Context, Method, RpcResult, quantity};

pub const METHODS: &[Method] = &[
    Method::new("eth_config", &[], config),
    Method::new("eth_capabilities", &[], capabilities),
    // Blocks have no lists of what they access (EIP-7928).
    Method::new("eth_getBlockAccessList", &["block"], |_, mut args| args.required::<BlockTag>().map(|_| Value::Null)),
];

/// Precompiled contracts by the names of EIP-7910.
const PRECOMPILES: &[(&str, u16)] = &[
    ("ECREC", 0x01),
    ("SHA256", 0x02),
    ("RIPEMD160", 0x03),
    ("ID", 0x04),
    ("MODEXP", 0x05),
    ("BN254_ADD", 0x06),
    ("BN254_MUL", 0x07),
    ("BN254_PAIRING", 0x08),
    ("BLAKE2F", 0x09),
    ("BLS12_G1ADD", 0x0b),
    ("BLS12_G1MSM", 0x0c),
    ("BLS12_G2ADD", 0x0d),
    ("BLS12_G2MSM", 0x0e),
    ("BLS12_PAIRING_CHECK", 0x0f),
    ("BLS12_MAP_FP_TO_G1", 0x10),
    ("BLS12_MAP_FP2_TO_G2", 0x11),
    ("P256VERIFY", 0x100),
];

/// EIP-7910. One set of rules holds from the genesis block on, so that the fork id (EIP-6122) is the checksum of its hash alone.
fn config(context: &Context, _: Args) -> RpcResult<Value> {
    let address = |number: u16| {
        let mut bytes = [0; 20];
        bytes[18..].copy_from_slice(&number.to_be_bytes());
        Value::from(Address::from(bytes).to_string().to_lowercase())
    };
    let precompiles: Map<String, Value> =
        PRECOMPILES.iter().map(|(name, number)| ((*name).to_owned(), address(*number))).collect();
    Ok(json!({
        "current": {
            "activationTime": context.spec.genesis_time,
            "blobSchedule": { "baseFeeUpdateFraction": 0, "max": 0, "target": 0 },
            "chainId": quantity(context.spec.chain_id),
            "forkId": format!("0x{:08x}", crc32(&context.genesis.0)),
            "precompiles": precompiles,
            "systemContracts": { "HISTORY_STORAGE_ADDRESS": HISTORY },
        },
        "next": null,
        "last": null,
    }))
}

/// What this node keeps, for programs that send requests to one of several nodes.
fn capabilities(context: &Context, _: Args) -> RpcResult<Value> {
    let snapshot = context.snapshot()?;
    let (tip, pruned) = (snapshot.tip(), snapshot.pruned());
    // The genesis block is never pruned, but there is a gap above it then.
    let oldest = if pruned == 0 { 0 } else { pruned + 1 };
    let blocks = json!({ "disabled": false, "oldestBlock": quantity(oldest) });
    let indexed = json!({ "disabled": !context.node.index, "oldestBlock": quantity(oldest) });
    let window = |oldest: Height, most: Option<Height>| match most {
        None => json!({ "disabled": false, "oldestBlock": quantity(oldest) }),
        Some(most) => json!({
            "disabled": false,
            "oldestBlock": quantity(oldest),
            "deleteStrategy": { "type": "window", "retentionBlocks": quantity(most.saturating_add(1)) },
        }),
    };
    let (oldest, most) = (snapshot.oldest_state()?, snapshot.history());
    let proofs = oldest.max(tip.height.saturating_sub(MOST_REWOUND)).max(pruned);
    Ok(json!({
        "head": { "number": quantity(tip.height), "hash": format!("0x{}", tip.hash) },
        "state": window(oldest, most),
        "tx": indexed,
        "logs": indexed,
        "receipts": blocks,
        "blocks": blocks,
        "stateproofs": window(proofs, Some(most.map_or(MOST_REWOUND, |most| most.min(MOST_REWOUND)))),
    }))
}

/// CRC-32 as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
