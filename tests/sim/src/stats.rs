//! What histories amount to: for their own summary, and for comparison with what others published.

use std::{collections::BTreeMap, fmt};

/// Counts of values; those above 100 are kept to three digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        let mut unit = 1;
        while value / unit >= 1_000 {
            unit *= 10;
        }
        *self.0.entry(value / unit * unit).or_default() += 1;
    }

    /// Counts what another counted.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(value, count)| *self.0.entry(*value).or_default() += count);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The least value that is not below this part of them.
    pub fn quantile(&self, part: f64) -> u64 {
        let mut left = (self.count() as f64 * part).ceil() as u64;
        let found = self.0.iter().find(|(_, count)| {
            let here = left <= **count;
            left = left.saturating_sub(**count);
            here
        });
        found.map_or(0, |(value, _)| *value)
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.0.iter().map(|(value, count)| *value as f64 * *count as f64).sum();
        sum / (self.count() as f64).max(1.0)
    }

    /// Values and how often they came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(value, count)| (*value, *count))
    }
}

/// What the miners of one strategy put in and got out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Revenue {
    /// Part of all hash rate, summed over histories.
    pub share: f64,
    /// Histories.
    pub histories: u64,
    /// Blocks found.
    pub found: u64,
    /// Of these, on the chain at the end.
    pub kept: u64,
    /// All blocks on the chain in these histories.
    pub chain: u64,
}

impl Revenue {
    /// Part of the blocks on the chain.
    pub fn part(&self) -> f64 {
        self.kept as f64 / (self.chain as f64).max(1.0)
    }

    /// Mean part of the hash rate.
    pub fn hash_share(&self) -> f64 {
        self.share / (self.histories as f64).max(1.0)
    }
}

/// What became of double spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoubleSpends {
    /// Attempts that were given up or published.
    pub tried: u64,
    /// Of these, published: the payment had its confirmations, and the branch against it more work.
    pub published: u64,
    /// Of these, done: the honest nodes' chain has the coin's other spend in the end.
    pub done: u64,
}

/// The most that an honest node had at once of what is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// Transactions in its pool.
    pub pool: usize,
    /// Responses of one comparison of its pool with another.
    pub comparison: u64,
    /// Transactions that waited for a parent.
    pub orphans: usize,
    /// Blocks of which transactions were missing.
    pub partials: usize,
    /// Blocks that were fetched.
    pub bodies: usize,
    /// Hashes of header chains that were not worth storing.
    pub checkpoints: usize,
    /// Events that waited for a slow processor.
    pub backlog: usize,
}

impl Most {
    /// The larger of each.
    pub fn merge(&mut self, other: &Self) {
        *self = Self {
            pool: self.pool.max(other.pool),
            comparison: self.comparison.max(other.comparison),
            orphans: self.orphans.max(other.orphans),
            partials: self.partials.max(other.partials),
            bodies: self.bodies.max(other.bodies),
            checkpoints: self.checkpoints.max(other.checkpoints),
            backlog: self.backlog.max(other.backlog),
        };
    }
}

/// Statistics of one or many histories.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Histories.
    pub histories: u64,
    /// Blocks found by anybody.
    pub found: u64,
    /// Blocks on the chain at the end.
    pub chain: u64,
    /// Depths of reorganisations of honest nodes.
    pub reorgs: Histogram,
    /// Milliseconds from a block's discovery until an honest node had connected it.
    pub propagation: Histogram,
    /// Milliseconds from the moment at which a checkpoint was deep enough until an honest node had its certificate.
    pub finality: Histogram,
    /// By strategy.
    pub revenue: BTreeMap<&'static str, Revenue>,
    /// Double spends, by confirmations waited for.
    pub double_spends: BTreeMap<u32, DoubleSpends>,
    /// Messages sent.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of gossiped blocks.
    pub gossip_bytes: u64,
    /// Transactions handed in, and taken.
    pub transactions: (u64, u64),
    /// Transactions on the chain at the end.
    pub mined: u64,
    /// Attackers banned.
    pub bans: u64,
    /// The most points that an honest node held against another.
    pub points: u32,
    /// The most that one peer cost an engine in ten seconds, in units, and was asked by it.
    pub work: (u64, u64),
    /// How close honest nodes came to their limits.
    pub most: Most,
    /// Crashes.
    pub crashes: u64,
    /// Of these, between a member's vote and its sending.
    pub crashes_at_votes: u64,
    /// How often a node's operator asked the members, since it refused a certificate for its depth.
    pub refused: u64,
    /// How often he then had it followed: the chain may come there by work first, or the process end.
    pub accepted: u64,
    /// Events that engines handled.
    pub events: u64,
}

impl Stats {
    /// Part of the blocks found that are not on the chain.
    pub fn stale_rate(&self) -> f64 {
        self.found.saturating_sub(self.chain) as f64 / (self.found as f64).max(1.0)
    }

    /// Adds other histories.
    pub fn merge(&mut self, other: &Self) {
        self.histories += other.histories;
        self.found += other.found;
        self.chain += other.chain;
        self.reorgs.merge(&other.reorgs);
        self.propagation.merge(&other.propagation);
        self.finality.merge(&other.finality);
        for (name, theirs) in &other.revenue {
            let own = self.revenue.entry(name).or_default();
            own.share += theirs.share;
            own.histories += theirs.histories;
            own.found += theirs.found;
            own.kept += theirs.kept;
            own.chain += theirs.chain;
        }
        for (depth, theirs) in &other.double_spends {
            let own = self.double_spends.entry(*depth).or_default();
            own.tried += theirs.tried;
            own.published += theirs.published;
            own.done += theirs.done;
        }
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.gossip_bytes += other.gossip_bytes;
        self.transactions.0 += other.transactions.0;
        self.transactions.1 += other.transactions.1;
        self.mined += other.mined;
        self.bans += other.bans;
        self.points = self.points.max(other.points);
        self.work = (self.work.0.max(other.work.0), self.work.1.max(other.work.1));
        self.most.merge(&other.most);
        self.crashes += other.crashes;
        self.crashes_at_votes += other.crashes_at_votes;
        self.refused += other.refused;
        self.accepted += other.accepted;
        self.events += other.events;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "blocks: {} found, {} on chains, {:.2} % stale; transactions: {} handed in, {} taken, {} on chains",
            self.found,
            self.chain,
            100.0 * self.stale_rate(),
            self.transactions.0,
            self.transactions.1,
            self.mined
        )?;
        writeln!(
            f,
            "propagation: median {} ms, 95 % {} ms, mean {:.0} ms; {} messages, {} MB, {} MB of it gossip",
            self.propagation.quantile(0.5),
            self.propagation.quantile(0.95),
            self.propagation.mean(),
            self.messages,
            self.bytes >> 20,
            self.gossip_bytes >> 20
        )?;
        write!(f, "reorganisations by depth:")?;
        self.reorgs.iter().take(12).try_for_each(|(depth, count)| write!(f, " {depth}: {count}"))?;
        let rest: u64 = self.reorgs.iter().skip(12).map(|(_, count)| count).sum();
        writeln!(f, ", deeper: {rest}; crashes: {}; attackers banned: {}", self.crashes, self.bans)?;
        writeln!(
            f,
            "most points against an honest peer: {}; most for one peer in 10 s: {} units of work, {} questions",
            self.points, self.work.0, self.work.1
        )?;
        let Most { pool, comparison, orphans, partials, bodies, checkpoints, backlog } = self.most;
        writeln!(
            f,
            "most at once: {pool} transactions in a pool, {comparison} responses of a comparison, {orphans} orphans, {partials} \
             incomplete blocks, {bodies} blocks in flight, {checkpoints} hashes of headers not stored, {backlog} events for a slow processor"
        )?;
        if self.finality.count() > 0 {
            let [half, most] = [0.5, 0.95].map(|part| self.finality.quantile(part));
            let count = self.finality.count();
            writeln!(
                f,
                "finality: median {half} ms, 95 % {most} ms after a checkpoint is deep enough, {count} certificates; {} crashes \
                 between vote and sending; operators asked {} times for certificates that were refused for their depth, and accepted {}",
                self.crashes_at_votes, self.refused, self.accepted
            )?;
        }
        for (name, revenue) in &self.revenue {
            writeln!(
                f,
                "{name}: {:.1} % of hashes, {:.1} % of blocks, {:.1} % of its own blocks kept",
                100.0 * revenue.hash_share(),
                100.0 * revenue.part(),
                100.0 * revenue.kept as f64 / (revenue.found as f64).max(1.0)
            )?;
        }
        for (confirmations, DoubleSpends { tried, published, done }) in &self.double_spends {
            writeln!(
                f,
                "double spends against {confirmations} confirmations: {tried} tried, {published} published, {done} done"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_came() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.add(value));
        assert_eq!([0.01, 0.5, 0.95, 1.0].map(|part| histogram.quantile(part)), [1, 50, 95, 100]);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }

    #[test]
    fn large_values_keep_three_digits() {
        let mut histogram = Histogram::default();
        [999, 1_234, 1_239, 123_456].into_iter().for_each(|value| histogram.add(value));
        assert_eq!(histogram.iter().collect::<Vec<_>>(), [(999, 1), (1_230, 2), (123_000, 1)]);
    }
}
