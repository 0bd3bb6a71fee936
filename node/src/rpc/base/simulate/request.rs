//! A transaction object: a transaction that nobody signed.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    transaction::account::{Fees, Fields},
    units::Gas,
};

use super::access_list::{access_list, authorizations};
use crate::rpc::base::{
    context::Context,
    error::{RpcError, RpcResult, cannot, invalid},
    params::{Args, BigQuantity, Data, Object, Options, Quantity},
};

/// A transaction that nobody signed.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// The sender.
    pub from: Address,
    /// What it says. The nonce and the gas limit are 0 and [`Gas::MAX`] where it names none.
    pub fields: Fields,
    /// Whether a price was named, so that the sender must be able to pay it.
    pub priced: bool,
    /// The nonce that was named.
    pub nonce: Option<u64>,
    /// The gas limit that was named.
    pub gas: Option<Gas>,
}

impl CallRequest {
    /// Reads the next argument.
    pub fn read(context: &Context, args: &mut Args) -> RpcResult<Self> {
        let options = Options::lenient("transaction", args.required::<Object>()?);
        Self::of(context, "transaction", &options)
    }

    /// Reads an object of this name. Keys that are not known are ignored, as in other clients.
    pub fn of(context: &Context, name: &str, options: &Options) -> RpcResult<Self> {
        let input = match (options.get::<Data>("input")?, options.get::<Data>("data")?) {
            (Some(Data(input)), Some(Data(data))) if input != data => {
                return Err(invalid(format!("{name}: input and data differ; give one of them")));
            }
            (input, data) => input.or(data).map_or(Bytes::new(), |Data(bytes)| bytes.into()),
        };
        let want = context.spec.chain_id;
        if let Some(Quantity(have)) = options.get("chainId")?
            && have != want
        {
            return Err(cannot(format!("chainId does not match node's (have={have}, want={want})")));
        }
        // The type is not read, as in geth; web3.py sends it as an integer.
        let (gas, nonce) = (options.get::<Quantity>("gas")?, options.get::<Quantity>("nonce")?);
        let list = access_list(name, options.get("accessList")?)?;
        let authorizations = authorizations(name, options.get("authorizationList")?)?;
        let to = options.get("to")?;
        if ["blobs", "blobVersionedHashes"].into_iter().any(|key| options.has(key)) {
            return Err(cannot("this chain has no blob transactions (EIP-4844)"));
        }
        if to.is_none() && !authorizations.is_empty() {
            return Err(cannot("EIP-7702 transaction cannot be used to create contract"));
        }
        let (priced, fees) = fees(options, name)?;
        let (tx_type, fees) = match fees {
            _ if !authorizations.is_empty() => (4, dynamic(fees)),
            Fees::Legacy { .. } => (u8::from(!list.is_empty()), fees),
            Fees::Dynamic { .. } => (2, fees),
        };
        let fields = Fields {
            tx_type,
            chain_id: context.spec.chain_id,
            nonce: nonce.as_ref().map_or(0, |nonce| nonce.0),
            fees,
            gas_limit: gas.as_ref().map_or(Gas::MAX, |gas| gas.0),
            to,
            value: options.get::<BigQuantity>("value")?.map_or(U256::ZERO, |value| value.0),
            input,
            access_list: list,
            authorizations,
        };
        Ok(Self {
            from: options.get("from")?.unwrap_or_default(),
            fields,
            priced,
            nonce: nonce.map(|nonce| nonce.0),
            gas: gas.map(|gas| gas.0),
        })
    }
}

/// The price, and whether it is more than nothing.
fn fees(options: &Options, name: &str) -> RpcResult<(bool, Fees)> {
    let amount = |key| Ok::<_, RpcError>(options.get::<BigQuantity>(key)?.map(|amount| amount.0));
    let fees = match (amount("gasPrice")?, amount("maxFeePerGas")?, amount("maxPriorityFeePerGas")?) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            return Err(invalid(format!("{name}: gasPrice and maxFeePerGas exclude each other")));
        }
        (Some(gas_price), None, None) => Fees::Legacy { gas_price },
        (None, max_fee, tip) => {
            Fees::Dynamic { max_fee: max_fee.or(tip).unwrap_or_default(), max_priority_fee: tip.unwrap_or_default() }
        }
    };
    Ok((fees.fee_cap() != U256::ZERO, fees))
}

/// The same price for a type that has two: it pays the same.
fn dynamic(fees: Fees) -> Fees {
    Fees::Dynamic { max_fee: fees.fee_cap(), max_priority_fee: fees.tip_cap() }
}
