//! Blocks made beside any node, one on the other, on a store in memory.

use cairn_node::store::{Store, StoreConfig};
use chain_core::{
    Address,
    block::{Block, check::check_block, header::Header, merkle},
    error::ExecuteError,
    execute::{BlockBuilder, BlockContext, ExecutedBlock, execute_block},
    fees::next_base_fee,
    hash::BlockHash,
    headers::HeaderContext,
    spec::ChainSpec,
    transaction::{Transaction, coin::Lock},
};

use crate::grind;

/// Makes the blocks of a chain.
pub struct BlockMaker {
    /// The chain.
    pub spec: ChainSpec,
    /// Hash of its genesis block.
    pub genesis: BlockHash,
    /// The last block.
    pub tip: HeaderContext,
    store: Store,
    base_fee: u64,
    gas_used: u64,
}

impl BlockMaker {
    /// Starts with the genesis block.
    ///
    /// # Panics
    /// If the spec is not sound.
    pub fn new(spec: ChainSpec) -> Self {
        let (genesis, _) = spec.genesis_block();
        Self {
            tip: HeaderContext::genesis(&spec, &genesis.header),
            genesis: genesis.hash(),
            store: Store::in_memory(&spec, &StoreConfig::default()).expect("memory can be written"),
            base_fee: spec.initial_base_fee,
            gas_used: 0,
            spec,
        }
    }

    /// The base fee of the next block.
    pub fn base_fee(&self) -> u64 {
        match self.tip.height {
            0 => self.spec.initial_base_fee,
            _ => next_base_fee(&self.spec, self.base_fee, self.gas_used),
        }
    }

    /// Makes the next block of these transactions with their senders.
    ///
    /// # Errors
    /// The rule that a transaction breaks; no block is made then.
    ///
    /// # Panics
    /// If the time or the payout is not sound.
    pub fn block(
        &mut self,
        transactions: &[(Transaction, Option<Address>)],
        time: u32,
        payout: Lock,
    ) -> Result<ExecutedBlock, ExecuteError> {
        let base_fee = self.base_fee();
        let bits = self.tip.next_bits(&self.spec);
        let header = Header { version: 1, prev: self.tip.hash, merkle_root: [0; 32], time, bits, nonce: 0 };
        let context = BlockContext::new(self.genesis, self.tip.height + 1, base_fee, &header);
        let context = context.expect("the rule gives bits");
        let view = self.store.view();
        let mut builder =
            BlockBuilder::new(&self.spec, context.clone(), &view, Address::ZERO).expect("memory can be read");
        let senders: Vec<Address> = transactions.iter().filter_map(|(_, sender)| *sender).collect();
        for (transaction, sender) in transactions {
            builder.push(transaction, *sender)?;
        }
        let (transactions, _) = builder.finish(payout, Vec::new()).expect("the payout is sound");
        let leaves: Vec<[u8; 32]> = transactions.iter().map(merkle::leaf).collect();
        let mut block = Block { header: Header { merkle_root: merkle::root(&leaves), ..header }, transactions };
        grind(&mut block);
        let tip = self.tip.child(&self.spec, &block.header, u64::from(time)).expect("the header keeps the rules");
        let checked = check_block(&self.spec, block).expect("the block is sound");
        let pending =
            execute_block(&self.spec, &context, &view, checked, &senders).expect("the builder kept the rules");
        let verdicts = vec![true; pending.checks().len()];
        let executed = pending.confirm(&verdicts).expect("every verdict is given");
        (self.tip, self.base_fee, self.gas_used) = (tip, base_fee, executed.effects().gas_used);
        self.store.connect(&executed).expect("memory can be written");
        self.store.flush().expect("memory can be written");
        Ok(executed)
    }
}
