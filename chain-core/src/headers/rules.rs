//! The rules of a header against its parent.

use alloy_primitives::U256;

use crate::{
    block::header::Header,
    error::RuleError,
    hash::BlockHash,
    spec::ChainSpec,
    units::Height,
    work::{asert::Asert, pow},
};

/// Why a header was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The header is already in the tree.
    #[error("header {0} is known already")]
    Duplicate(BlockHash),
    /// The parent is not in the tree.
    #[error("parent {0} is not known")]
    UnknownParent(BlockHash),
    /// It descends from an invalid block.
    #[error("parent {0} is invalid")]
    InvalidParent(BlockHash),
    /// HDR-5: not invalid; hold it and try again later.
    #[error("time {got} is beyond {limit}, the latest that the clock allows now")]
    TooFarInFuture {
        /// The header's time.
        got: u32,
        /// Latest time allowed now.
        limit: u64,
    },
}

/// What the rules need of a header's ancestors. With it a chain of headers can be checked without storing any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderContext {
    /// Hash of the header.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: u32,
    /// Time of block 1 of its branch, the anchor of the difficulty; unused at height 0.
    pub anchor_time: u32,
    /// Work of the chain up to and including it.
    pub work: U256,
}

impl HeaderContext {
    /// The context of a chain's genesis header, whose own work is not checked.
    pub fn genesis(spec: &ChainSpec, header: &Header) -> Self {
        let work = pow::work(known_target(spec.genesis_bits));
        Self { hash: header.hash(), height: 0, time: header.time, anchor_time: 0, work }
    }

    /// Bits that a child must have.
    pub fn next_bits(&self, spec: &ChainSpec) -> u32 {
        // The schedule starts when block 1 is found, however long after the genesis time that is.
        if self.height == 0 {
            return spec.genesis_bits;
        }
        let asert = Asert {
            interval: spec.target_interval,
            half_life: u64::from(spec.half_life) * u64::from(spec.target_interval),
            limit: known_target(spec.pow_limit_bits),
        };
        let since_anchor = i64::from(self.time) - i64::from(self.anchor_time) + i64::from(spec.target_interval);
        pow::bits(asert.next_target(known_target(spec.genesis_bits), since_anchor, i64::from(self.height) - 1))
    }

    /// Checks a child and returns its context. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`HeaderError`], except `Duplicate` and `InvalidParent`.
    pub fn child(&self, spec: &ChainSpec, header: &Header, now: u64) -> Result<Self, HeaderError> {
        self.child_of_hash(spec, header, header.hash(), now)
    }

    /// [`HeaderContext::child`] for a header whose hash is known.
    pub(super) fn child_of_hash(
        &self,
        spec: &ChainSpec,
        header: &Header,
        hash: BlockHash,
        now: u64,
    ) -> Result<Self, HeaderError> {
        if header.prev != self.hash {
            return Err(HeaderError::UnknownParent(header.prev));
        }
        let target = pow::check_pow(&hash, header.bits, known_target(spec.pow_limit_bits))?;
        // HDR-3
        let expected = self.next_bits(spec);
        if header.bits != expected {
            return Err(RuleError::WrongBits { got: header.bits, expected }.into());
        }
        // HDR-4
        if header.time < self.time {
            return Err(RuleError::TimeBeforeParent { got: header.time, parent: self.time }.into());
        }
        // HDR-5
        let limit = now.saturating_add(u64::from(spec.max_future));
        if u64::from(header.time) > limit {
            return Err(HeaderError::TooFarInFuture { got: header.time, limit });
        }
        Ok(self.extend(header, hash, pow::work(target)))
    }

    /// The context of a child that is known to keep the rules.
    pub(super) fn extend(&self, header: &Header, hash: BlockHash, work: U256) -> Self {
        Self {
            hash,
            height: self.height + 1,
            time: header.time,
            anchor_time: if self.height == 0 { header.time } else { self.anchor_time },
            work: self.work.saturating_add(work),
        }
    }
}

/// Target of bits that were checked with the spec.
fn known_target(bits: u32) -> U256 {
    pow::target(bits).expect("a spec has canonical bits")
}
