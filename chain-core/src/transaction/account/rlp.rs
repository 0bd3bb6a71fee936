//! The RLP of account transactions: strict, so that one transaction has one encoding.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{Decodable, Encodable, Error, Header};

use super::fields::{Authorization, Fees, Fields};
use crate::error::RuleError;

/// Types of EIP-2718 envelopes.
pub(super) const LEGACY: u8 = 0;
const ACCESS_LIST: u8 = 1;
const DYNAMIC_FEE: u8 = 2;
const SET_CODE: u8 = 4;
/// Prefix of what an authority signs (EIP-7702).
const AUTHORIZATION_MAGIC: u8 = 5;

/// The content of an envelope: its fields, the RLP of the signed ones, and the signature.
pub(super) struct Envelope<'a> {
    pub fields: Fields,
    /// RLP of the signed items without a list header; for legacy transactions the chain id is still to be added.
    pub unsigned: &'a [u8],
    pub parity: bool,
    pub r: U256,
    pub s: U256,
}

impl From<Error> for RuleError {
    fn from(error: Error) -> Self {
        Self::MalformedAccountTransaction(match error {
            Error::Overflow => "a number is too large",
            Error::LeadingZero => "a number has leading zeros",
            Error::InputTooShort => "cut short",
            Error::NonCanonicalSingleByte | Error::NonCanonicalSize => "not in its shortest form",
            Error::UnexpectedLength => "an item has the wrong length",
            Error::UnexpectedString => "a string stands for a list",
            Error::UnexpectedList => "a list stands for a string",
            Error::ListLengthMismatch { .. } => "a list has the wrong length",
            Error::Custom(text) => text,
        })
    }
}

/// Decodes the raw bytes of a signed transaction. `raw` is the same as `bytes`, so that calldata can share its memory.
pub(super) fn decode<'a>(raw: &Bytes, bytes: &'a [u8]) -> Result<Envelope<'a>, RuleError> {
    // ACC-1
    let (tx_type, mut rest) = match bytes {
        [first, ..] if *first >= 0xc0 => (LEGACY, bytes),
        [tx_type @ (ACCESS_LIST | DYNAMIC_FEE | SET_CODE), rest @ ..] => (*tx_type, rest),
        [tx_type @ 0..0x80, ..] => return Err(RuleError::UnsupportedType(*tx_type)),
        _ => return Err(RuleError::MalformedAccountTransaction("no envelope")),
    };
    let payload = Header::decode_bytes(&mut rest, true)?;
    if !rest.is_empty() {
        return Err(RuleError::MalformedAccountTransaction("bytes are left after the list"));
    }
    let mut items = payload;
    let mut fields = decode_fields(tx_type, raw, &mut items)?;
    let unsigned = &payload[..payload.len() - items.len()];
    let parity = match tx_type {
        LEGACY => {
            let (chain_id, parity) = split_v(u128::decode(&mut items)?)?;
            fields.chain_id = chain_id;
            parity
        }
        // ACC-3
        _ => match u64::decode(&mut items)? {
            0 => false,
            1 => true,
            _ => return Err(RuleError::BadAccountSignature),
        },
    };
    let (r, s) = (U256::decode(&mut items)?, U256::decode(&mut items)?);
    if !items.is_empty() {
        return Err(RuleError::MalformedAccountTransaction("items are left in the list"));
    }
    Ok(Envelope { fields, unsigned, parity, r, s })
}

/// Chain id and parity in a legacy transaction's `v` (EIP-155).
fn split_v(v: u128) -> Result<(u64, bool), RuleError> {
    match v {
        // ACC-1
        27 | 28 => Err(RuleError::NoChainId),
        // ACC-3
        0..35 => Err(RuleError::BadAccountSignature),
        _ => {
            let chain_id = u64::try_from((v - 35) / 2)
                .map_err(|_| RuleError::MalformedAccountTransaction("a number is too large"))?;
            Ok((chain_id, v.is_multiple_of(2)))
        }
    }
}

fn decode_fields(tx_type: u8, raw: &Bytes, items: &mut &[u8]) -> Result<Fields, RuleError> {
    let chain_id = if tx_type == LEGACY { 0 } else { u64::decode(items)? };
    let nonce = u64::decode(items)?;
    let fees = if tx_type == LEGACY || tx_type == ACCESS_LIST {
        Fees::Legacy { gas_price: U256::decode(items)? }
    } else {
        let max_priority_fee = U256::decode(items)?;
        Fees::Dynamic { max_fee: U256::decode(items)?, max_priority_fee }
    };
    let gas_limit = u64::decode(items)?;
    let to = decode_recipient(items)?;
    let value = U256::decode(items)?;
    let input = Header::decode_bytes(items, false)?;
    let input = Bytes(raw.0.slice_ref(input));
    let access_list = if tx_type == LEGACY { Vec::new() } else { decode_access_list(items)? };
    let authorizations = if tx_type == SET_CODE { decode_authorizations(items)? } else { Vec::new() };
    // ACC-13
    if tx_type == SET_CODE && to.is_none() {
        return Err(RuleError::EmptySetCode);
    }
    Ok(Fields { tx_type, chain_id, nonce, fees, gas_limit, to, value, input, access_list, authorizations })
}

fn decode_recipient(items: &mut &[u8]) -> Result<Option<Address>, Error> {
    let bytes = Header::decode_bytes(items, false)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Address::try_from(bytes).map(Some).map_err(|_| Error::UnexpectedLength)
}

fn decode_access_list(items: &mut &[u8]) -> Result<Vec<(Address, Vec<B256>)>, Error> {
    // An address and an empty list, with their headers.
    decode_list(items, 23, |entry| Ok((Address::decode(entry)?, Vec::<B256>::decode(entry)?)))
}

fn decode_authorizations(items: &mut &[u8]) -> Result<Vec<Authorization>, Error> {
    // An address, five numbers of one byte, and their headers.
    decode_list(items, 27, |entry| {
        Ok(Authorization {
            chain_id: U256::decode(entry)?,
            address: Address::decode(entry)?,
            nonce: u64::decode(entry)?,
            y_parity: u8::decode(entry)?,
            r: U256::decode(entry)?,
            s: U256::decode(entry)?,
        })
    })
}

/// Decodes a list of lists, each consumed completely by `item`. An item with its header has at least `least` bytes.
fn decode_list<T>(
    items: &mut &[u8],
    least: usize,
    item: impl Fn(&mut &[u8]) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut list = Header::decode_bytes(items, true)?;
    let (mut count, mut rest, most) = (0, list, list.len() / least);
    while !rest.is_empty() {
        Header::decode_bytes(&mut rest, true)?;
        count += 1;
    }
    // Counts first: a list that grows item by item may take twice its size. Items that are too short do not count: one
    // of a single byte would take a hundred in memory before it is rejected.
    let mut decoded = Vec::with_capacity(count.min(most));
    while !list.is_empty() {
        let mut entry = Header::decode_bytes(&mut list, true)?;
        decoded.push(item(&mut entry)?);
        if !entry.is_empty() {
            return Err(Error::UnexpectedLength);
        }
    }
    Ok(decoded)
}

/// The bytes whose keccak-256 is signed, given the RLP of the unsigned items.
pub(super) fn signing_preimage(tx_type: u8, chain_id: u64, unsigned: &[u8]) -> Vec<u8> {
    let mut payload = unsigned.to_vec();
    if tx_type == LEGACY {
        chain_id.encode(&mut payload);
        0_u8.encode(&mut payload);
        0_u8.encode(&mut payload);
    }
    wrap(tx_type, &payload)
}

/// The bytes whose keccak-256 an authority signs (EIP-7702).
pub(super) fn authorization_preimage(authorization: &Authorization) -> Vec<u8> {
    let mut payload = Vec::with_capacity(64);
    authorization.chain_id.encode(&mut payload);
    authorization.address.encode(&mut payload);
    authorization.nonce.encode(&mut payload);
    wrap(AUTHORIZATION_MAGIC, &payload)
}

/// The raw bytes of a signed transaction.
pub(super) fn encode_signed(fields: &Fields, r: U256, s: U256, parity: bool) -> Vec<u8> {
    let mut payload = encode_unsigned(fields);
    match fields.tx_type {
        LEGACY => (35 + 2 * u128::from(fields.chain_id) + u128::from(parity)).encode(&mut payload),
        _ => u8::from(parity).encode(&mut payload),
    }
    r.encode(&mut payload);
    s.encode(&mut payload);
    wrap(fields.tx_type, &payload)
}

/// RLP of the items that are signed, without a list header and, for legacy transactions, without the chain id.
pub(super) fn encode_unsigned(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + fields.input.len());
    if fields.tx_type != LEGACY {
        fields.chain_id.encode(&mut out);
    }
    fields.nonce.encode(&mut out);
    if fields.tx_type != LEGACY && fields.tx_type != ACCESS_LIST {
        fields.fees.tip_cap().encode(&mut out);
    }
    fields.fees.fee_cap().encode(&mut out);
    fields.gas_limit.encode(&mut out);
    fields.to.as_ref().map_or(&[][..], |to| to.as_slice()).encode(&mut out);
    fields.value.encode(&mut out);
    fields.input.encode(&mut out);
    if fields.tx_type != LEGACY {
        encode_access_list(&fields.access_list, &mut out);
    }
    if fields.tx_type == SET_CODE {
        encode_authorizations(&fields.authorizations, &mut out);
    }
    out
}

fn encode_access_list(access_list: &[(Address, Vec<B256>)], out: &mut Vec<u8>) {
    let mut entries = Vec::new();
    for (address, slots) in access_list {
        let mut entry = Vec::new();
        address.encode(&mut entry);
        slots.encode(&mut entry);
        encode_list(&entry, &mut entries);
    }
    encode_list(&entries, out);
}

fn encode_authorizations(authorizations: &[Authorization], out: &mut Vec<u8>) {
    let mut entries = Vec::new();
    for authorization in authorizations {
        let mut entry = Vec::new();
        authorization.chain_id.encode(&mut entry);
        authorization.address.encode(&mut entry);
        authorization.nonce.encode(&mut entry);
        authorization.y_parity.encode(&mut entry);
        authorization.r.encode(&mut entry);
        authorization.s.encode(&mut entry);
        encode_list(&entry, &mut entries);
    }
    encode_list(&entries, out);
}

fn encode_list(payload: &[u8], out: &mut Vec<u8>) {
    Header { list: true, payload_length: payload.len() }.encode(out);
    out.extend_from_slice(payload);
}

/// A list under its type's byte.
fn wrap(tx_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 10);
    if tx_type != LEGACY {
        out.push(tx_type);
    }
    encode_list(payload, &mut out);
    out
}
