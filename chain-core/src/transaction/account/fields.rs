//! What an account transaction says.

use alloy_primitives::{Address, B256, Bytes, U256};

use crate::units::Gas;

/// How a transaction bids for gas, in wei a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fees {
    /// Types 0 and 1.
    Legacy {
        /// Paid for each unit, base fee included.
        gas_price: U256,
    },
    /// Types 2 and 4 (EIP-1559).
    Dynamic {
        /// Most that is paid, base fee included.
        max_fee: U256,
        /// Most of it that goes to the beneficiary.
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

/// What an account transaction says, whatever its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// EIP-2718 type; 0 for legacy.
    pub tx_type: u8,
    /// The chain it is for.
    pub chain_id: u64,
    /// The sender's nonce.
    pub nonce: u64,
    /// Bid for gas.
    pub fees: Fees,
    /// Most gas to use.
    pub gas_limit: Gas,
    /// Whom it calls; `None` creates a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Calldata or initcode.
    pub input: Bytes,
    /// EIP-2930.
    pub access_list: Vec<(Address, Vec<B256>)>,
    /// EIP-7702.
    pub authorizations: Vec<Authorization>,
}

impl Fees {
    /// Most that is paid for a unit of gas.
    pub fn fee_cap(&self) -> U256 {
        match self {
            Self::Legacy { gas_price } => *gas_price,
            Self::Dynamic { max_fee, .. } => *max_fee,
        }
    }

    /// Most of it that goes to the beneficiary.
    pub fn tip_cap(&self) -> U256 {
        match self {
            Self::Legacy { gas_price } => *gas_price,
            Self::Dynamic { max_priority_fee, .. } => *max_priority_fee,
        }
    }

    /// What goes to the beneficiary for a unit of gas; `None` if the fee cap does not cover the base fee.
    pub fn effective_tip(&self, base_fee: u64) -> Option<U256> {
        let beyond_base = self.fee_cap().checked_sub(U256::from(base_fee))?;
        Some(beyond_base.min(self.tip_cap()))
    }
}
