//! A simulated block as a block of the chain, and the results of its calls.

use alloy_primitives::B256;
use chain_core::{
    block::{Block, header::Header, merkle},
    codec,
    execute::{Environment, Status},
    transaction::{Transaction, account::Receipt, coinbase::Coinbase},
    trie,
    units::{Gas, Height},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::watch::Ran;
use crate::{
    rpc::{
        base::{RpcError, RpcResult, data, failure, internal, quantity},
        eth::blocks::FullBlock,
    },
    store::{HeaderRecord, StoredReceipt},
};

/// The EVM ended a call with an error.
const VM_ERROR: i32 = -32015;

/// A simulated block.
pub struct Simulated {
    /// The block.
    pub block: FullBlock,
    calls: Vec<Ran>,
    /// What PREVRANDAO returned.
    random: B256,
}

impl Simulated {
    /// The block in which these calls ran. Roots of accounts and coins are not computed: they are zero in it.
    pub fn new(environment: &Environment, parent: &Header, calls: Vec<Ran>) -> RpcResult<Self> {
        let height = Height::try_from(environment.number).map_err(internal)?;
        let receipts = receipts(&calls);
        let encoded: Vec<Vec<u8>> = receipts.iter().map(|stored| stored.receipt.encode()).collect();
        let coinbase = Coinbase {
            height,
            beneficiary: environment.beneficiary,
            outputs: Vec::new(),
            state_root: B256::ZERO,
            receipts_root: trie::ordered_root(&encoded),
            coins_root: B256::ZERO,
            gas_used: calls.iter().map(|ran| ran.outcome.gas_used).sum(),
            extra: Vec::new(),
        };
        let mut transactions = vec![Transaction::Coinbase(coinbase)];
        transactions.extend(calls.iter().map(|ran| Transaction::Account(ran.transaction.clone())));
        let leaves: Vec<[u8; 32]> = transactions.iter().map(merkle::leaf).collect();
        let header = Header {
            prev: parent.hash(),
            merkle_root: merkle::root(&leaves),
            // Contracts see a time beyond 2106 as it is.
            time: u32::try_from(environment.time).unwrap_or(u32::MAX),
            nonce: 0,
            ..*parent
        };
        let block = Block { header, transactions };
        let record = HeaderRecord::new(header, height);
        let size = codec::encode(&block).len();
        let block = FullBlock {
            active: true,
            at: record.at(),
            record,
            gas_limit: environment.gas_limit,
            base_fee: environment.base_fee,
            block,
            size,
            receipts,
            senders: BTreeMap::new(),
        };
        Ok(Self { block, calls, random: environment.difficulty.into() })
    }

    /// Gas of all calls.
    pub fn gas_used(&self) -> Gas {
        self.calls.iter().map(|ran| ran.outcome.gas_used).sum()
    }

    /// The block with the results of its calls.
    pub fn render(&self, full: bool) -> RpcResult<Value> {
        let mut block = self.block.render(full)?;
        let mut logs_before = 0;
        let mut calls = Vec::with_capacity(self.calls.len());
        for (index, ran) in self.calls.iter().enumerate() {
            calls.push(self.result(index, ran, logs_before));
            logs_before += ran.logs.len();
        }
        block["calls"] = calls.into();
        block["mixHash"] = json!(self.random);
        Ok(block)
    }

    fn result(&self, index: usize, ran: &Ran, logs_before: usize) -> Value {
        let outcome = &ran.outcome;
        let mut result = json!({
            "returnData": data(&outcome.output),
            "logs": self.block.logs(&ran.logs, ran.transaction.hash(), index, logs_before),
            "gasUsed": quantity(outcome.gas_used),
            "maxUsedGas": quantity(ran.most_gas),
            "status": quantity(u8::from(outcome.status == Status::Success)),
        });
        if let Some(error) = failure(outcome) {
            // What was returned stands in the error.
            result["returnData"] = "0x".into();
            result["error"] = call_error(outcome.status, &error, data(&outcome.output));
        }
        result
    }
}

fn call_error(status: Status, error: &RpcError, output: Value) -> Value {
    match status {
        Status::Halt(_) => json!({ "code": VM_ERROR, "message": error.message() }),
        _ => json!({ "code": error.code(), "message": error.message(), "data": output }),
    }
}

fn receipts(calls: &[Ran]) -> Vec<StoredReceipt> {
    let mut cumulative = 0;
    let receipt = |(position, ran): (u32, &Ran)| {
        let outcome = &ran.outcome;
        cumulative += outcome.gas_used;
        let success = outcome.status == Status::Success;
        StoredReceipt {
            position,
            sender: ran.from,
            gas_used: outcome.gas_used,
            receipt: Receipt::new(ran.transaction.fields().tx_type, success, cumulative, outcome.logs.clone()),
        }
    };
    (1..).zip(calls).map(receipt).collect()
}
