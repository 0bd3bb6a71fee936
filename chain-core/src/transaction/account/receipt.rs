//! Receipts of account transactions, encoded as in Ethereum.

use alloy_primitives::{Bloom, Log};
use alloy_rlp::{Decodable, Encodable, Header};

use crate::units::Gas;

/// The outcome of one account transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// EIP-2718 type of the transaction.
    pub tx_type: u8,
    /// Whether it succeeded.
    pub success: bool,
    /// Gas used in the block up to and including this transaction, coin transactions included.
    pub cumulative_gas_used: Gas,
    /// Bloom filter of the logs.
    pub bloom: Bloom,
    /// The logs.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// A receipt with the bloom filter of its logs.
    pub fn new(tx_type: u8, success: bool, cumulative_gas_used: Gas, logs: Vec<Log>) -> Self {
        Self { tx_type, success, cumulative_gas_used, bloom: logs.iter().collect(), logs }
    }

    /// The EIP-2718 encoding, whose root a coinbase commits to.
    pub fn encode(&self) -> Vec<u8> {
        let payload_length =
            self.success.length() + self.cumulative_gas_used.length() + self.bloom.length() + self.logs.length();
        let mut out = Vec::with_capacity(payload_length + 5);
        if self.tx_type != 0 {
            out.push(self.tx_type);
        }
        Header { list: true, payload_length }.encode(&mut out);
        self.success.encode(&mut out);
        self.cumulative_gas_used.encode(&mut out);
        self.bloom.encode(&mut out);
        self.logs.encode(&mut out);
        out
    }

    /// Decodes the result of [`Receipt::encode`].
    ///
    /// # Errors
    /// [`alloy_rlp::Error`] if the bytes are not the encoding of a receipt.
    pub fn decode(bytes: &[u8]) -> Result<Self, alloy_rlp::Error> {
        let (tx_type, mut rest) = match bytes {
            [tx_type @ 1..0x80, rest @ ..] => (*tx_type, rest),
            _ => (0, bytes),
        };
        let mut items = Header::decode_bytes(&mut rest, true)?;
        let receipt = Self {
            tx_type,
            success: bool::decode(&mut items)?,
            cumulative_gas_used: Gas::decode(&mut items)?,
            bloom: Bloom::decode(&mut items)?,
            logs: Vec::decode(&mut items)?,
        };
        if items.is_empty() && rest.is_empty() { Ok(receipt) } else { Err(alloy_rlp::Error::UnexpectedLength) }
    }
}
