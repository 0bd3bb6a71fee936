//! Block templates: the best packages of the mempool, executed into a block that lacks only its nonce.

use chain_core::{
    Address, U256,
    block::{Block, header::Header, merkle},
    error::{ExecuteError, RuleError},
    execute::{BlockBuilder, BlockContext},
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::{StateView, ViewError},
    transaction::{
        Transaction,
        coin::Lock,
        coinbase::{MAX_EXTRA, max_extra},
    },
    units::{Amount, Gas, Height},
    work::pow,
};

use crate::{engine::TemplateError, mempool::Mempool};

/// Who gets what from a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateRequest {
    /// Lock of the coinbase output. Not an account.
    pub payout: Lock,
    /// Account that gets the tips of account transactions.
    pub beneficiary: Address,
    /// The miner's own bytes, 0 to [`MOST_EXTRA`] at every height, at the end of the coinbase.
    pub extra: Vec<u8>,
    /// Whether its merkle tree is to be full: 1, 2, 4, 8, ... transactions. Bitcoin's tree over them is the same.
    pub full: bool,
}

/// Bytes at the start of each template's `extra` that no other process has. Without them nodes that pay one address would
/// search the same headers from the same nonce on, and their hash rates would not add up. Of text, which devices show as the
/// pool's name.
pub type Tag = [u8; 8];

/// A tag of the lowest 48 bits of a random number: of a thousand nodes with one payout two are alike with a chance of 2 in 10^9.
pub fn tag(random: u64) -> Tag {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::array::from_fn(|index| SIGNS[(random >> (6 * index)) as usize % SIGNS.len()])
}

/// Bytes of a coinbase's `extra` that the tag leaves.
pub const MOST_EXTRA: usize = MAX_EXTRA - size_of::<Tag>();

/// Names a state of chain and mempool. A template with another one is worth taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongPollId {
    /// The tip it builds on.
    pub parent: BlockHash,
    /// Counts improvements of fees on that tip.
    pub version: u64,
}

/// `parent-version`, the parent as hashes are shown.
impl std::fmt::Display for LongPollId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.parent, self.version)
    }
}

/// A text that is not a [`LongPollId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the longpollid of an earlier template")]
pub struct ParseLongPollIdError;

impl std::str::FromStr for LongPollId {
    type Err = ParseLongPollIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (parent, version) = text.split_once('-').ok_or(ParseLongPollIdError)?;
        Ok(Self {
            parent: parent.parse().map_err(|_| ParseLongPollIdError)?,
            version: version.parse().map_err(|_| ParseLongPollIdError)?,
        })
    }
}

/// A block that lacks only its nonce. Its `extra` may be changed, and the header's version and nonce; not its time, which
/// contracts can see.
#[derive(Clone, Debug)]
pub struct Template {
    /// To wait for a better one.
    pub longpoll: LongPollId,
    /// The block, with nonce 0.
    pub block: Block,
    /// Siblings on the way from the coinbase to the merkle root.
    pub merkle_branch: Vec<[u8; 32]>,
    /// The header's hash must not be above this.
    pub target: U256,
    /// Its height.
    pub height: Height,
    /// Tips of coin transactions, which the coinbase claims beside the subsidy.
    pub coin_tips: Amount,
    /// Gas used.
    pub gas_used: Gas,
}

impl Template {
    /// The same block with another `extra`. Only the coinbase's leaf and the merkle root depend on it (CB-7), so that one
    /// execution serves every miner of a payout.
    ///
    /// # Errors
    /// CB-2.
    pub fn with_extra(&self, extra: Vec<u8>) -> Result<Self, RuleError> {
        // CB-2
        let limit = max_extra(self.height);
        if extra.len() > limit {
            return Err(RuleError::ExtraTooLong { got: extra.len(), limit });
        }
        let mut template = self.clone();
        let block = &mut template.block;
        if let Some(Transaction::Coinbase(coinbase)) = block.transactions.first_mut() {
            coinbase.extra = extra;
        }
        let count = block.transactions.len();
        let root = block
            .transactions
            .first()
            .and_then(|coinbase| merkle::root_from_branch(merkle::leaf(coinbase), 0, count, &template.merkle_branch));
        block.header.merkle_root = root.unwrap_or(block.header.merkle_root);
        Ok(template)
    }
}

/// What a block is assembled on.
pub struct Assembly<'a> {
    /// The rules' numbers.
    pub spec: &'a ChainSpec,
    /// What the block executes in.
    pub context: BlockContext,
    /// The state at its parent.
    pub view: &'a dyn StateView,
    /// Its bits.
    pub bits: u32,
    /// The state of chain and pool that it is made from.
    pub longpoll: LongPollId,
}

/// Packages that may miss the room that is left, one after another, before the block counts as full.
const MOST_MISSES: usize = 200;

/// Gas of the smallest transaction there is.
const LEAST_GAS: Gas = 14_000;

/// Assembles the best block. Returns also the transactions that turned out to be invalid in it, which the pool should
/// drop.
///
/// # Errors
/// CB-2, CB-4; [`ExecuteError::View`] if the state cannot be read.
pub fn build(
    assembly: &Assembly,
    pool: &Mempool,
    request: &TemplateRequest,
) -> Result<(Template, Vec<TxId>), ExecuteError> {
    let mut builder = assembly.begin(request)?;
    let invalid = fill(&mut builder, pool)?;
    Ok((finish(assembly, builder, request)?, invalid))
}

/// Assembles a block of these transactions, in this order.
///
/// # Errors
/// The first that is not valid in it; as [`build`].
pub fn build_of(
    assembly: &Assembly,
    transactions: &[Transaction],
    request: &TemplateRequest,
) -> Result<Template, TemplateError> {
    let height = assembly.context.height;
    let mut builder = assembly.begin(request).map_err(ExecuteError::from)?;
    for transaction in transactions {
        let sender = match transaction {
            Transaction::Account(tx) => assembly.spec.sender_of(tx).map(Some),
            _ => Ok(None),
        };
        let pushed = sender.map_err(ExecuteError::from).and_then(|sender| builder.push(transaction, sender));
        pushed.map_err(|error| match error {
            ExecuteError::Rule(rule) => TemplateError::Transaction { txid: transaction.txid(), height, rule },
            other => other.into(),
        })?;
    }
    Ok(finish(assembly, builder, request)?)
}

impl<'a> Assembly<'a> {
    fn begin(&self, request: &TemplateRequest) -> Result<BlockBuilder<'a>, ViewError> {
        BlockBuilder::new(self.spec, self.context.clone(), self.view, request.beneficiary)
    }
}

fn finish(assembly: &Assembly, builder: BlockBuilder<'_>, request: &TemplateRequest) -> Result<Template, ExecuteError> {
    let Assembly { spec, context, bits, longpoll, .. } = assembly;
    let (transactions, effects) = builder.finish(request.payout, request.extra.clone())?;
    let leaves: Vec<_> = transactions.iter().map(merkle::leaf).collect();
    let header = Header {
        version: 0x2000_0000,
        prev: context.parent,
        merkle_root: merkle::root(&leaves),
        time: context.time,
        bits: *bits,
        nonce: 0,
    };
    Ok(Template {
        longpoll: *longpoll,
        target: pow::target(*bits)?,
        height: context.height,
        coin_tips: coin_tips(spec, context.height, &transactions),
        gas_used: effects.gas_used,
        merkle_branch: merkle::branch(&leaves, 0),
        block: Block { header, transactions },
    })
}

/// Adds the best packages that fit; returns what is invalid in this block.
fn fill(builder: &mut BlockBuilder, pool: &Mempool) -> Result<Vec<TxId>, ExecuteError> {
    let (mut invalid, mut misses) = (Vec::new(), 0);
    let mut selection = pool.select();
    while let Some(package) = selection.next_package() {
        let (gas, bytes) = builder.room();
        if gas < LEAST_GAS || misses > MOST_MISSES {
            break;
        }
        if package.gas > gas || package.bytes > bytes {
            misses += 1;
            selection.skip(&package);
            continue;
        }
        misses = 0;
        let mut included = 0;
        for (txid, transaction, sender) in selection.candidates(&package) {
            match builder.push(&transaction, sender) {
                Ok(_) => included += 1,
                Err(ExecuteError::Rule(rule)) => {
                    tracing::debug!(%txid, %rule, "a transaction of the pool cannot stand in the next block");
                    invalid.push(txid);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        selection.settle(&package, included);
    }
    Ok(invalid)
}

/// What the coinbase claims beyond the subsidy.
fn coin_tips(spec: &ChainSpec, height: Height, transactions: &[Transaction]) -> Amount {
    let claimed = match transactions.first() {
        Some(Transaction::Coinbase(coinbase)) => coinbase.outputs.iter().map(|output| output.amount.grains()).sum(),
        _ => 0,
    };
    Amount::from_grains(claimed).checked_sub(spec.subsidy_at(height)).unwrap_or_default()
}
