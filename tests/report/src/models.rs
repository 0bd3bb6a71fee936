//! What was published: closed formulas, and small models of the same processes where those leave something out.

/// Probability that an attacker with part `q` of the hash rate overtakes `z` confirmations (Nakamoto 2008, section 11). The attacker's
/// progress in the meantime is taken for Poisson.
pub fn nakamoto(q: f64, z: u32) -> f64 {
    if q >= 0.5 {
        return 1.0;
    }
    let ratio = q / (1.0 - q);
    let mean = f64::from(z) * ratio;
    let mut poisson = (-mean).exp();
    let mut caught = 1.0;
    for k in 0..=z {
        if k > 0 {
            poisson *= mean / f64::from(k);
        }
        // Exponents are at most z.
        caught -= poisson * (1.0 - ratio.powi((z - k) as i32));
    }
    caught.max(0.0)
}

/// The same without that approximation (Rosenfeld 2014): the progress is negative binomial, and the attacker has one block in advance.
pub fn rosenfeld(q: f64, n: u32) -> f64 {
    if q >= 0.5 || n == 0 {
        return 1.0;
    }
    let p = 1.0 - q;
    let (n, ln_p, ln_q) = (f64::from(n), p.ln(), q.ln());
    // Where the attacker has m blocks of its own but the first, it has won with m > n, and catches up with (q / p)^(n - m) otherwise. All
    // terms are positive, so that small sums are exact, too; logarithms, since the numbers of ways are beyond what a float holds.
    let (mut wins, mut ln_ways, mut m) = (0.0, 0.0, 0.0);
    loop {
        if m > 0.0 {
            ln_ways += ((m + n - 1.0) / m).ln();
        }
        let exponent = if m <= n { m * ln_p + n * ln_q } else { n * ln_p + m * ln_q };
        let term = (ln_ways + exponent).exp();
        wins += term;
        if m > n && term < wins * 1e-12 {
            return wins.min(1.0);
        }
        m += 1.0;
    }
}

/// The same for an attacker that gives up once it is `hope` blocks behind.
pub fn with_hope(q: f64, n: u32, hope: u32) -> f64 {
    let ratio = q / (1.0 - q);
    let end = ratio.powi(hope as i32 + 1);
    // From so many blocks behind: it wins one ahead, and loses at `hope`.
    let ruin = |behind: i32| (ratio.powi(behind + 1) - end) / (1.0 - end);
    // Chances of (honest blocks, its own but the first), until there are n honest ones.
    let mut wins = 0.0;
    let mut level = vec![1.0];
    for honest in 0..=n {
        let most = 4 * (n as usize) + 60;
        level.resize(most, 0.0);
        let mut next = vec![0.0; most];
        for own in 0..most {
            let chance = level[own];
            let behind = honest as i32 - own as i32 - 1;
            if chance == 0.0 || behind >= hope as i32 {
                continue;
            }
            if honest == n {
                wins += chance * if behind < 0 { 1.0 } else { ruin(behind) };
                continue;
            }
            if let Some(next) = next.get_mut(own) {
                *next += chance * (1.0 - q);
            }
            match level.get_mut(own + 1) {
                Some(more) => *more += chance * q,
                // So far ahead that it wins.
                None => wins += chance * q,
            }
        }
        level = next;
    }
    wins
}

/// Confirmations after which an attacker succeeds with at most this probability, by a formula; `None` beyond 2,000.
pub fn confirmations(formula: fn(f64, u32) -> f64, q: f64, probability: f64) -> Option<u32> {
    (0..2_000).find(|z| formula(q, *z) < probability)
}

/// Part of the blocks on the chain that selfish miners have (Eyal and Sirer 2014, equation 8).
pub fn eyal_sirer(alpha: f64, gamma: f64) -> f64 {
    let a = alpha;
    let upper = a * (1.0 - a).powi(2) * (4.0 * a + gamma * (1.0 - 2.0 * a)) - a.powi(3);
    upper / (1.0 - a * (1.0 + (2.0 - a) * a))
}

/// Part of the hash rate from which on selfish mining pays (Eyal and Sirer 2014, equation 9).
pub fn threshold(gamma: f64) -> f64 {
    (1.0 - gamma) / (3.0 - 2.0 * gamma)
}

/// Probability that a second block is found before all have heard of the first (Decker and Wattenhofer 2013): `uninformed` is the part of
/// the hash rate that has not, integrated over time, in units of the interval between blocks.
pub fn decker_wattenhofer(uninformed: f64) -> f64 {
    1.0 - (-uninformed).exp()
}

/// The attacker's part of the hash rate that counts, where honest miners lose this part of their blocks and the attacker none.
pub fn effective(q: f64, stale: f64) -> f64 {
    q / (q + (1.0 - q) * (1.0 - stale))
}

/// ASERT as a differential equation: blocks in so many intervals after the hash rate, in balance until then, is `times` what it was.
///
/// The rate of blocks y obeys y' = (ln 2 / half-life) y (1 - y): logistic growth.
pub fn blocks_after_step(times: f64, half_life: f64, intervals: f64) -> f64 {
    let k = std::f64::consts::LN_2 / half_life;
    let u = 1.0 / times - 1.0;
    intervals + ((1.0 + u * (-k * intervals).exp()) / (1.0 + u)).ln() / k
}

/// Mean blocks per interval under ASERT while the hash rate doubles every `doubling` intervals.
pub fn rate_under_growth(half_life: f64, doubling: f64) -> f64 {
    1.0 + half_life / doubling
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64, by: f64) {
        assert!((one - other).abs() < by, "{one}, {other}");
    }

    #[test]
    fn nakamotos_table_is_met() {
        let tenth = [1.0, 0.204_587_3, 0.050_977_9, 0.013_172_2, 0.003_455_2, 0.000_913_7, 0.000_242_8, 0.000_064_7];
        tenth.iter().zip(0..).for_each(|(value, z)| near(nakamoto(0.1, z), *value, 6e-8));
        let third = [1.0, 0.177_352_3, 0.041_660_5, 0.010_100_8, 0.002_480_4, 0.000_613_2];
        third.iter().zip(0..).for_each(|(value, z)| near(nakamoto(0.3, 5 * z), *value, 6e-8));
        let least = [5, 8, 11, 15, 24, 41, 89, 340];
        for (z, q) in least.into_iter().zip([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45]) {
            assert_eq!(confirmations(nakamoto, q, 0.001), Some(z));
        }
    }

    #[test]
    fn rosenfelds_table_is_met() {
        // Table 1: 10 % of the hash rate, 1 to 4 confirmations; 30 %, 5; in per cent.
        for (q, n, value) in [(0.1, 1, 20.0), (0.1, 2, 5.6), (0.1, 3, 1.712), (0.1, 4, 0.546), (0.3, 5, 19.762)] {
            near(100.0 * rosenfeld(q, n), value, 6e-4);
        }
    }

    #[test]
    fn giving_up_late_costs_little() {
        for (q, n) in [(0.1, 3), (0.3, 6), (0.45, 2)] {
            near(with_hope(q, n, 200), rosenfeld(q, n), 1e-9);
            assert!(with_hope(q, n, n + 1) < rosenfeld(q, n));
        }
    }

    #[test]
    fn selfish_mining_pays_from_the_threshold_on() {
        for (gamma, value) in [(0.0, 1.0 / 3.0), (0.5, 0.25), (1.0, 0.0)] {
            near(threshold(gamma), value, 1e-12);
            near(eyal_sirer(value, gamma), value, 1e-12);
        }
    }

    #[test]
    fn a_step_gives_as_many_blocks_as_the_target_has_to_change() {
        near(blocks_after_step(4.0, 288.0, 1e5) - 1e5, 576.0, 1e-6);
        near(blocks_after_step(1.0, 288.0, 100.0), 100.0, 1e-9);
    }
}
