//! The fields of an account transaction.

use alloy_primitives::{Address, B256, Bytes, U256};

use crate::units::Gas;

/// The gas price of a transaction, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fees {
    /// Types 0 and 1.
    Legacy {
        /// Gas price, base fee included.
        gas_price: U256,
    },
    /// Types 2 and 4 (EIP-1559).
    Dynamic {
        /// Fee cap: maximum price, base fee included.
        max_fee: U256,
        /// Tip cap: maximum part for the beneficiary.
        max_priority_fee: U256,
    },
}

/// An EIP-7702 authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// 0 for any chain.
    pub chain_id: U256,
    /// The code to delegate to.
    pub address: Address,
    /// Nonce of the authority.
    pub nonce: u64,
    /// Parity of the signature, as encoded.
    pub y_parity: u8,
    /// Signature.
    pub r: U256,
    /// Signature.
    pub s: U256,
}

/// The fields of an account transaction of any type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// EIP-2718 type; 0 for legacy.
    pub tx_type: u8,
    /// Chain id.
    pub chain_id: u64,
    /// The sender's nonce.
    pub nonce: u64,
    /// Gas price.
    pub fees: Fees,
    /// Gas limit.
    pub gas_limit: Gas,
    /// Recipient; `None` creates a contract.
    pub to: Option<Address>,
    /// Value in wei.
    pub value: U256,
    /// Calldata or initcode.
    pub input: Bytes,
    /// EIP-2930.
    pub access_list: Vec<(Address, Vec<B256>)>,
    /// EIP-7702.
    pub authorizations: Vec<Authorization>,
}

impl Fees {
    /// Maximum price per gas (the fee cap).
    pub fn fee_cap(&self) -> U256 {
        match self {
            Self::Legacy { gas_price } => *gas_price,
            Self::Dynamic { max_fee, .. } => *max_fee,
        }
    }

    /// Tip cap: maximum part for the beneficiary.
    pub fn tip_cap(&self) -> U256 {
        match self {
            Self::Legacy { gas_price } => *gas_price,
            Self::Dynamic { max_priority_fee, .. } => *max_priority_fee,
        }
    }

    /// Effective tip per gas; `None` if the fee cap does not cover the base fee.
    pub fn effective_tip(&self, base_fee: u64) -> Option<U256> {
        let beyond_base = self.fee_cap().checked_sub(U256::from(base_fee))?;
        Some(beyond_base.min(self.tip_cap()))
    }
}
