//! chain.rlp: the blocks of the test chain, and its transactions as Cairn can hold them.
//!
//! A transaction keeps its bytes where it can. It is signed anew by its sender, whose key ethereum/hive publishes with the
//! program that made the chain, if it has no chain id, carries blobs, pays less than the base fee, which Cairn has from block 1
//! on, or creates a contract before Shanghai, with no gas for the words of the initcode.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Header, PayloadView};
use chain_core::transaction::account::{AccountTransaction, Fees, Fields};
use secp256k1::SecretKey;
use std::error::Error;

/// Sender of every transaction of the chain.
const SENDER: &str = "4552dbe6ca4699322b5d923d0c9bcdd24644f5db8bf89a085b67c6c49b8a1b91";
/// First blocks of the forks at which creations had other costs.
const ISTANBUL: u64 = 18;
const SHANGHAI: u64 = 39;

/// A block of the test chain.
pub struct Original<'a> {
    pub hash: B256,
    pub parent: B256,
    pub number: u64,
    pub time: u32,
    pub base_fee: u64,
    pub transactions: Vec<&'a [u8]>,
}

/// A transaction as Cairn holds it, and its hash on the test chain.
pub struct Held {
    pub original: B256,
    pub transaction: AccountTransaction,
}

/// All blocks of chain.rlp.
pub fn blocks(mut chain: &[u8]) -> Result<Vec<Original<'_>>, Box<dyn Error>> {
    let mut blocks = Vec::new();
    while !chain.is_empty() {
        let start = chain;
        Header::decode_bytes(&mut chain, true)?;
        blocks.push(Original::read(&start[..start.len() - chain.len()])?);
    }
    Ok(blocks)
}

/// The key that signs anew.
pub fn key() -> SecretKey {
    let bytes: B256 = SENDER.parse().expect("it has 64 digits");
    SecretKey::from_secret_bytes(bytes.0).expect("it is a key")
}

fn list(mut bytes: &[u8]) -> Result<Vec<&[u8]>, Box<dyn Error>> {
    match Header::decode_raw(&mut bytes)? {
        PayloadView::List(items) => Ok(items),
        PayloadView::String(_) => Err("chain.rlp has a string where a list belongs".into()),
    }
}

fn payload(mut item: &[u8]) -> Result<&[u8], Box<dyn Error>> {
    match Header::decode_raw(&mut item)? {
        PayloadView::String(bytes) => Ok(bytes),
        PayloadView::List(_) => Err("chain.rlp has a list where a string belongs".into()),
    }
}

fn word(item: &[u8]) -> Result<U256, Box<dyn Error>> {
    U256::try_from_be_slice(payload(item)?).ok_or_else(|| "chain.rlp has a number of more than 256 bits".into())
}

fn number(item: &[u8]) -> Result<u64, Box<dyn Error>> {
    Ok(u64::try_from(word(item)?)?)
}

impl<'a> Original<'a> {
    fn read(block: &'a [u8]) -> Result<Self, Box<dyn Error>> {
        let parts = list(block)?;
        let [header, transactions, ..] = parts[..] else { return Err("a block of chain.rlp is too short".into()) };
        let fields = list(header)?;
        let field = |index: usize| fields.get(index).copied().ok_or("a header of chain.rlp is too short");
        Ok(Self {
            hash: keccak256(header),
            parent: B256::try_from(payload(field(0)?)?)?,
            number: number(field(8)?)?,
            time: u32::try_from(number(field(11)?)?)?,
            base_fee: fields.get(15).map_or(Ok(0), |item| number(item))?,
            transactions: list(transactions)?,
        })
    }

    /// Its transactions on a chain of this id, in a block of this base fee.
    pub fn hold(&self, chain_id: u64, base_fee: u64, key: &SecretKey) -> Result<Vec<Held>, Box<dyn Error>> {
        self.transactions.iter().map(|item| self.hold_one(item, chain_id, base_fee, key)).collect()
    }

    fn hold_one(&self, item: &[u8], chain_id: u64, base_fee: u64, key: &SecretKey) -> Result<Held, Box<dyn Error>> {
        let typed = item.first().is_some_and(|first| *first < 0xc0);
        let raw = if typed { payload(item)? } else { item };
        let original = keccak256(raw);
        let fields = match AccountTransaction::decode(Bytes::copy_from_slice(raw)) {
            Ok(transaction) => {
                let said = transaction.fields();
                let pays = said.fees.fee_cap() >= U256::from(base_fee);
                if pays && (said.to.is_some() || self.number >= SHANGHAI) {
                    return Ok(Held { original, transaction });
                }
                said.clone()
            }
            Err(_) if typed => blob_fields(&raw[1..], chain_id)?,
            Err(_) => legacy_fields(raw, chain_id)?,
        };
        let least = |price: U256, tip: U256| price.max(U256::from(base_fee) + tip);
        let fees = match fields.fees {
            Fees::Legacy { gas_price } => Fees::Legacy { gas_price: least(gas_price, U256::ONE) },
            Fees::Dynamic { max_fee, max_priority_fee } => {
                Fees::Dynamic { max_fee: least(max_fee, max_priority_fee), max_priority_fee }
            }
        };
        let gas_limit = if fields.to.is_none() { self.creation_gas(&fields) } else { fields.gas_limit };
        let fields = Fields { fees, gas_limit, ..fields };
        Ok(Held { original, transaction: AccountTransaction::sign(fields, key)? })
    }
}

impl Original<'_> {
    /// Gas of a creation under Osaka that leaves its code as much as it had: some loop until none is left.
    fn creation_gas(&self, fields: &Fields) -> u64 {
        let nonzero = fields.input.iter().filter(|byte| **byte != 0).count() as u64;
        // EIP-3860 and EIP-2028.
        let more = if self.number < SHANGHAI { 2 * (fields.input.len() as u64).div_ceil(32) } else { 0 };
        let less = if self.number < ISTANBUL { (68 - 16) * nonzero } else { 0 };
        fields.gas_limit + more - less
    }
}

/// A legacy transaction, for a chain of this id.
fn legacy_fields(raw: &[u8], chain_id: u64) -> Result<Fields, Box<dyn Error>> {
    let parts = list(raw)?;
    let [nonce, price, gas, to, value, input, ..] = parts[..] else {
        return Err("a legacy transaction of chain.rlp is too short".into());
    };
    Ok(Fields {
        tx_type: 0,
        chain_id,
        nonce: number(nonce)?,
        fees: Fees::Legacy { gas_price: word(price)? },
        gas_limit: number(gas)?,
        to: Some(payload(to)?).filter(|to| !to.is_empty()).map(Address::try_from).transpose()?,
        value: word(value)?,
        input: Bytes::copy_from_slice(payload(input)?),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    })
}

/// A transaction of type 3 as one of type 2: without its blobs.
fn blob_fields(body: &[u8], chain_id: u64) -> Result<Fields, Box<dyn Error>> {
    let parts = list(body)?;
    let [_, nonce, tip, max_fee, gas, to, value, input, access, ..] = parts[..] else {
        return Err("a blob transaction of chain.rlp is too short".into());
    };
    Ok(Fields {
        tx_type: 2,
        chain_id,
        nonce: number(nonce)?,
        fees: Fees::Dynamic { max_fee: word(max_fee)?, max_priority_fee: word(tip)? },
        gas_limit: number(gas)?,
        to: Some(Address::try_from(payload(to)?)?),
        value: word(value)?,
        input: Bytes::copy_from_slice(payload(input)?),
        access_list: list(access)?.into_iter().map(access_entry).collect::<Result<_, _>>()?,
        authorizations: Vec::new(),
    })
}

fn access_entry(entry: &[u8]) -> Result<(Address, Vec<B256>), Box<dyn Error>> {
    let parts = list(entry)?;
    let [address, keys] = parts[..] else { return Err("an access list of chain.rlp is malformed".into()) };
    let mut words = Vec::new();
    for key in list(keys)? {
        words.push(B256::try_from(payload(key)?)?);
    }
    Ok((Address::try_from(payload(address)?)?, words))
}
