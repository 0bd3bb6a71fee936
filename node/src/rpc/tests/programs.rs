//! Small contracts, and a chain on which the first account deploys and calls them.

use alloy_primitives::{Address, Bytes, hex};
use serde_json::{Value, json};

use super::{account, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, contract},
};

/// A precompiled contract.
pub const IDENTITY: Address = Address::with_last_byte(4);
/// Who inherits.
pub const HEIR: Address = Address::repeat_byte(0x99);

/// `PUSH1 1 PUSH0 SSTORE PUSH0 PUSH0 LOG0 STOP`
pub const WRITER: &[u8] = &hex!("60015f555f5fa000");
/// `JUMPDEST PUSH0 JUMP`
pub const LOOP: &[u8] = &hex!("5b5f56");
/// Initcode that leaves the code `STOP`: `PUSH1 0 PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN`
pub const DEPLOYER: &[u8] = &hex!("60005f5360015ff3");
/// `PUSH0 PUSH0 REVERT`
pub const REVERT: &[u8] = &hex!("5f5ffd");

/// CALL, CALLCODE, DELEGATECALL or STATICCALL with so much gas and wei, without data.
pub fn call(opcode: u8, to: Address, gas: u32, wei: u8) -> Vec<u8> {
    let value: &[u8] = if matches!(opcode, 0xf1 | 0xf2) { &[0x60, wei] } else { &[] };
    let gas = &gas.to_be_bytes()[1..];
    [&hex!("5f5f5f5f")[..], value, &[0x73], to.as_slice(), &[0x62], gas, &[opcode, 0x50]].concat()
}

/// CREATE, or CREATE2 with a salt, of at most 32 bytes of initcode.
pub fn create(initcode: &[u8], salt: Option<u8>) -> Vec<u8> {
    let len = u8::try_from(initcode.len()).unwrap();
    let store = [&[0x5f + len][..], initcode, &hex!("5f52")].concat();
    let arguments = [0x60, len, 0x60, 32 - len, 0x5f];
    match salt {
        None => [&store[..], &arguments, &[0xf0, 0x50]].concat(),
        Some(salt) => [&store[..], &[0x60, salt], &arguments, &[0xf5, 0x50]].concat(),
    }
}

/// `PUSH20 SELFDESTRUCT`
pub fn destroyer() -> Vec<u8> {
    [&[0x73][..], HEIR.as_slice(), &[0xff]].concat()
}

/// A dev chain whose first account deploys and calls.
pub struct Chain {
    pub node: TestNode,
    pub nonce: u64,
}

impl Chain {
    pub fn new() -> Self {
        let node = TestNode::fresh();
        node.call("dev_setAutomine", json!([false]));
        Self { node, nonce: 0 }
    }

    /// Hands a transaction in, without mining it.
    pub fn submit(&mut self, to: Option<Address>, input: Bytes) -> Value {
        let transaction = contract(ACCOUNTS[0].private_key, self.nonce, to, input);
        self.nonce += 1;
        self.node.call("eth_sendRawTransaction", json!([raw(&transaction)]))
    }

    pub fn mine(&self) {
        self.node.call("dev_mine", json!([1]));
    }

    pub fn send(&mut self, to: Option<Address>, input: Bytes) -> Value {
        let hash = self.submit(to, input);
        self.mine();
        hash
    }

    /// Deploys code by a transaction of its own.
    pub fn deploy(&mut self, code: &[u8]) -> Address {
        let len = u8::try_from(code.len()).unwrap();
        let address = account(0).create(self.nonce);
        self.send(None, [&[0x60, len, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3], code].concat().into());
        address
    }

    pub fn trace(&self, hash: &Value, tracer: &str, config: Value) -> Value {
        let options = json!({ "tracer": tracer, "tracerConfig": config });
        self.node.call("debug_traceTransaction", json!([hash, options]))
    }
}

/// Of each row, the text of a field; nothing where it has none.
pub fn texts(rows: &[&Value], key: &str) -> Vec<String> {
    rows.iter().map(|row| row[key].as_str().unwrap_or_default().to_owned()).collect()
}
