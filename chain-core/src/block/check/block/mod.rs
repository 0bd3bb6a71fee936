//! Context-free checks of a block.

use crate::{
    block::{
        Block, CheckedBlock, MAX_TRANSACTIONS,
        check::{AccountRules, check_account_transaction, check_coin_transaction},
        header::Header,
        merkle,
    },
    codec::{self, CodecError, MAX_ENCODED},
    error::RuleError,
    hash::BlockHash,
    spec::ChainSpec,
    transaction::{
        Transaction, TxMeta,
        coin::Lock,
        coinbase::{Coinbase, max_extra},
    },
    units::Amount,
};

/// A block with the hashes and sizes of its encoding, so that each transaction is encoded and hashed once. No rule is
/// checked yet.
#[derive(Clone, Debug)]
pub struct HashedBlock {
    block: Block,
    hash: BlockHash,
    metas: Vec<TxMeta>,
    leaves: Vec<[u8; 32]>,
    size: usize,
}

impl HashedBlock {
    /// Encodes and hashes every transaction of a block.
    pub fn new(block: Block) -> Self {
        let mut buffer = Vec::new();
        let digests = block.transactions.iter().map(|transaction| transaction.digest(&mut buffer));
        let (metas, leaves): (Vec<TxMeta>, Vec<[u8; 32]>) = digests.unzip();
        let size = Header::SIZE
            + codec::encode(&block.transactions.len()).len()
            + metas.iter().map(|meta| meta.size as usize).sum::<usize>();
        Self { hash: block.hash(), block, metas, leaves, size }
    }

    /// The block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The header's hash.
    pub fn hash(&self) -> BlockHash {
        self.hash
    }

    /// Whether the transactions match the header's merkle root.
    pub fn matches_merkle_root(&self) -> bool {
        merkle::root(&self.leaves) == self.block.header.merkle_root
    }

    /// The block alone.
    pub fn into_block(self) -> Block {
        self.block
    }
}

/// Decodes a block and hashes its transactions in one pass; for bytes from the network and the disk.
///
/// # Errors
/// [`CodecError`] if the bytes are not the canonical encoding of a block.
pub fn decode_block(bytes: &[u8]) -> Result<HashedBlock, CodecError> {
    // COD-2
    if bytes.len() > MAX_ENCODED {
        return Err(CodecError::TooLong { got: bytes.len(), limit: MAX_ENCODED });
    }
    let (header, mut rest) = bytes.split_first_chunk().ok_or(CodecError::Malformed("no whole header".into()))?;
    let header = Header::from_bytes(header);
    let mut buffer = Vec::new();
    let (count, used) = codec::decode_first::<usize>(rest)?;
    codec::encode_into(&mut buffer, &count);
    if buffer != rest[..used] {
        // COD-1
        return Err(CodecError::NotCanonical);
    }
    if count > MAX_TRANSACTIONS {
        return Err(CodecError::Malformed(format!("{count} transactions, the limit is {MAX_TRANSACTIONS}")));
    }
    rest = &rest[used..];
    let (mut transactions, mut metas, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let (transaction, used) = codec::decode_first::<Transaction>(rest)?;
        let (meta, leaf) = transaction.digest(&mut buffer);
        if buffer != rest[..used] {
            // COD-1
            return Err(CodecError::NotCanonical);
        }
        rest = &rest[used..];
        transactions.push(transaction);
        metas.push(meta);
        leaves.push(leaf);
    }
    if !rest.is_empty() {
        // COD-1
        return Err(CodecError::Trailing(rest.len()));
    }
    Ok(HashedBlock { hash: header.hash(), block: Block { header, transactions }, metas, leaves, size: bytes.len() })
}

/// Checks a block without its ancestors: BLK-1 to BLK-5, the minimum of BLK-6, CB-2, CB-4, COIN-1 to COIN-6, POL-1,
/// ACC-2, ACC-5 to ACC-7, ACC-9, ACC-12 and ACC-13. Checks neither the header's work nor any state.
///
/// # Errors
/// The block and the rule that it breaks; [`RuleError::blames_body_only`] says whether the header is invalid too.
#[expect(clippy::result_large_err, reason = "the caller gets its block back")]
pub fn check_block(spec: &ChainSpec, block: Block) -> Result<CheckedBlock, (Block, RuleError)> {
    check_hashed_block(spec, HashedBlock::new(block))
}

/// [`check_block`] for a block that was hashed while it was decoded.
///
/// # Errors
/// As for [`check_block`].
#[expect(clippy::result_large_err, reason = "the caller gets its block back")]
pub fn check_hashed_block(spec: &ChainSpec, hashed: HashedBlock) -> Result<CheckedBlock, (Block, RuleError)> {
    match validate_alone(spec, &hashed) {
        Ok(()) => {
            let HashedBlock { block, hash, metas, size, .. } = hashed;
            Ok(CheckedBlock { block, hash, metas, size })
        }
        Err(error) => Err((hashed.block, error)),
    }
}

/// Checks a transaction outside a block (not a coinbase) and returns its identifier and size.
///
/// For an account transaction only BLK-4 remains: decoding checked the rest.
///
/// # Errors
/// BLK-2, BLK-4, COIN-1 to COIN-6, POL-1.
pub fn check_transaction(transaction: &Transaction) -> Result<TxMeta, RuleError> {
    check_and_hash_transaction(transaction).map(|(meta, _)| meta)
}

/// [`check_transaction`], with the transaction's merkle leaf.
///
/// # Errors
/// As for [`check_transaction`].
pub fn check_and_hash_transaction(transaction: &Transaction) -> Result<(TxMeta, [u8; 32]), RuleError> {
    let (meta, leaf) = transaction.digest(&mut Vec::new());
    check_no_64_bytes(std::slice::from_ref(&meta))?;
    match transaction {
        // BLK-2
        Transaction::Coinbase(_) => return Err(RuleError::MisplacedCoinbase { index: 0 }),
        Transaction::Coin(coin) => check_coin_transaction(coin)?,
        Transaction::Account(_) => {}
    }
    Ok((meta, leaf))
}

/// First whether this body belongs to the header, then from cheap to expensive.
fn validate_alone(spec: &ChainSpec, hashed: &HashedBlock) -> Result<(), RuleError> {
    let transactions = &hashed.block.transactions;
    check_merkle_root(hashed)?;
    check_no_64_bytes(&hashed.metas)?;
    check_size(spec, hashed.size)?;
    let coinbase = check_places(transactions)?;
    check_coinbase(coinbase)?;
    check_gas(spec, coinbase, hashed)?;
    transactions.iter().try_for_each(|transaction| match transaction {
        Transaction::Coin(coin) => check_coin_transaction(coin),
        Transaction::Coinbase(_) | Transaction::Account(_) => Ok(()),
    })
}

fn check_merkle_root(hashed: &HashedBlock) -> Result<(), RuleError> {
    let (got, expected) = (merkle::root(&hashed.leaves), hashed.block.header.merkle_root);
    // BLK-3
    if got == expected { Ok(()) } else { Err(RuleError::MerkleRoot { got, expected }) }
}

/// A transaction of 64 bytes could be read as an inner node of the merkle tree, and the reverse (CVE-2017-12842).
fn check_no_64_bytes(metas: &[TxMeta]) -> Result<(), RuleError> {
    match metas.iter().position(|meta| meta.size == 64) {
        // BLK-4
        Some(index) => Err(RuleError::SixtyFourBytes { index }),
        None => Ok(()),
    }
}

fn check_size(spec: &ChainSpec, got: usize) -> Result<(), RuleError> {
    let limit = spec.max_block_bytes;
    // BLK-5
    if got <= limit { Ok(()) } else { Err(RuleError::BlockTooLarge { got, limit }) }
}

fn check_places(transactions: &[Transaction]) -> Result<&Coinbase, RuleError> {
    // BLK-1
    let Some((Transaction::Coinbase(coinbase), others)) = transactions.split_first() else {
        return Err(RuleError::NoCoinbase);
    };
    let is_coinbase = |transaction: &Transaction| matches!(transaction, Transaction::Coinbase(_));
    match others.iter().position(is_coinbase) {
        // BLK-2
        Some(index) => Err(RuleError::MisplacedCoinbase { index: index + 1 }),
        None => Ok(coinbase),
    }
}

fn check_coinbase(coinbase: &Coinbase) -> Result<(), RuleError> {
    // CB-2
    let limit = max_extra(coinbase.height);
    if coinbase.extra.len() > limit {
        return Err(RuleError::ExtraTooLong { got: coinbase.extra.len(), limit });
    }
    for (index, output) in coinbase.outputs.iter().enumerate() {
        // CB-4
        if matches!(output.lock, Lock::Account(_)) {
            return Err(RuleError::CoinbasePaysAccount { output: index });
        }
        if output.amount == Amount::ZERO {
            return Err(RuleError::ZeroCoinbaseOutput { output: index });
        }
    }
    // AMT-1
    Amount::sum(coinbase.outputs.iter().map(|output| output.amount))?;
    Ok(())
}

/// Checks account transactions, and BLK-6 for the gas known before execution: that of coin transactions and the minimum
/// of account transactions. So no sender is recovered and no state read for a block that cannot be valid.
fn check_gas(spec: &ChainSpec, coinbase: &Coinbase, hashed: &HashedBlock) -> Result<(), RuleError> {
    let rules = AccountRules::of(spec);
    let mut got = coinbase.gas();
    for (transaction, meta) in hashed.block.transactions.iter().zip(&hashed.metas) {
        got += match transaction {
            Transaction::Coin(coin) => coin.gas(meta.size as usize),
            Transaction::Account(account) => check_account_transaction(&rules, account.fields())?.least_used(),
            Transaction::Coinbase(_) => 0,
        };
    }
    let limit = spec.gas_limit;
    // BLK-6
    if got <= limit { Ok(()) } else { Err(RuleError::BlockGas { got, limit }) }
}

#[cfg(test)]
mod tests;
