//! Legacy transactions signed without a chain id, as most official tests sign theirs. Cairn's chain refuses them (ACC-1):
//! they could be replayed on it from any other. Here nothing but that form is let through.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_rlp::{Decodable, Header};
use chain_core::{
    error::RuleError,
    transaction::account::{AccountTransaction, Fields, address_of},
};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// Items before the signature.
const UNSIGNED: usize = 6;

/// Decodes such a transaction by decoding its twin that names chain 1. Answers with the twin's fields and the sender.
///
/// # Errors
/// [`RuleError`] as for [`AccountTransaction::decode`], but for the missing chain id.
pub fn decode(raw: &Bytes) -> Result<(Fields, Address), RuleError> {
    let mut rest = &raw[..];
    let payload = Header::decode_bytes(&mut rest, true)?;
    let mut items = payload;
    for _ in 0..UNSIGNED {
        let header = Header::decode(&mut items)?;
        items = &items[header.payload_length..];
    }
    let unsigned = &payload[..payload.len() - items.len()];
    let v = u64::decode(&mut items)?;
    let twin = [unsigned, &alloy_rlp::encode(v + 10), items].concat();
    let transaction = AccountTransaction::decode(list(&twin).into())?;
    let (signature, parity) = transaction.signature();
    let sender = recover(&signature, parity, keccak256(list(unsigned)))?;
    Ok((transaction.fields().clone(), sender))
}

fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 9);
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend_from_slice(payload);
    out
}

fn recover(signature: &[u8; 64], parity: bool, hash: B256) -> Result<Address, RuleError> {
    RecoverableSignature::from_compact(signature, RecoveryId::from_u8_masked(u8::from(parity)))
        .and_then(|signature| signature.recover_ecdsa(Message::from_digest(hash.0)))
        .map(|key| address_of(&key))
        .map_err(|_| RuleError::BadAccountSignature)
}
