//! How sure a block or a transaction is.

use chain_core::{
    hash::{BlockHash, TxId},
    units::Height,
};
use serde_json::{Value, json};

use crate::{
    rpc::base::{Args, Context, Method, RpcResult, fork_point, header, is_active, param, render},
    store::Verdict,
};

pub const METHODS: &[Method] = &[
    Method::new("chain_getBlockStatus", &["hash"], get_block_status).reads(),
    Method::new("chain_confidence", &["txid", "attackerShare"], confidence),
];

fn get_block_status(context: &Context, mut args: Args) -> RpcResult<Value> {
    let hash: BlockHash = args.required()?;
    let snapshot = context.snapshot()?;
    let Some(record) = snapshot.header(&hash)? else {
        return Ok(json!({
            "hash": hash.to_string(), "status": "unknown", "height": null, "validated": false, "depth": null,
            "confirmations": null, "forkPoint": null,
        }));
    };
    let (at, tip) = (record.at(), snapshot.tip().height);
    let active = is_active(&snapshot, at)?;
    let fork = fork_point(&snapshot, at, &args.call())?;
    let status = match record.verdict {
        _ if active => "active",
        Verdict::Invalid => "invalid",
        Verdict::Valid | Verdict::Unknown => "side",
    };
    let depth = tip.saturating_sub(fork.height);
    Ok(json!({
        "hash": hash.to_string(),
        "status": status,
        "height": at.height,
        "validated": record.verdict == Verdict::Valid,
        "depth": depth,
        "confirmations": if active { i64::from(depth) + 1 } else { -1 },
        "forkPoint": { "hash": fork.hash.to_string(), "height": fork.height },
    }))
}

/// A part of all hash power.
struct Share(f64);

param!(Share, "a number from 0 to 1", |value| value.as_f64().filter(|share| (0.0..=1.0).contains(share)).map(Self));

fn confidence(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (txid, Share(share)) = (args.required::<TxId>()?, args.required()?);
    // The mempool first: a transaction leaves it for a block, not the other way round.
    let pending = context.query(move |engine| engine.mempool().contains(&txid))?;
    let snapshot = context.snapshot()?;
    let Some(place) = snapshot.transaction(&txid)? else {
        let waits = json!({
            "txid": txid.to_string(), "blockHash": null, "height": null, "depth": null, "confirmations": 0,
            "workOnTop": null, "attackerShare": share, "reversalProbability": 1.0,
        });
        return Ok(if pending { waits } else { Value::Null });
    };
    let tip = snapshot.tip();
    let confirmations = tip.height.saturating_sub(place.block.height).saturating_add(1);
    let on_top = header(&snapshot, tip)?.work.saturating_sub(header(&snapshot, place.block)?.work);
    Ok(json!({
        "txid": txid.to_string(),
        "blockHash": place.block.hash.to_string(),
        "height": place.block.height,
        "depth": confirmations - 1,
        "confirmations": confirmations,
        "workOnTop": render::word(on_top),
        "attackerShare": share,
        "reversalProbability": reversal(share, confirmations),
    }))
}

/// The probability that an attacker with the share `q` of all hash power overtakes a block with `n` confirmations, of which it
/// began to mine the rival one block ahead (Rosenfeld 2014, "Analysis of hashrate-based double spending").
///
/// With p = 1 - q it is 1 - sum over m = 0..n of C(m+n-1, m) (p^n q^m - p^m q^n). The first terms sum up to 1 over all m, so
/// that this is the sum of those beyond n, and of the second ones: no term is subtracted, and small results are exact.
fn reversal(q: f64, n: Height) -> f64 {
    if n == 0 || q >= 0.5 {
        return 1.0;
    }
    let (n, p) = (u64::from(n), 1.0 - q);
    // C(2n-1, n) (pq)^n: where both meet, at m = n.
    let mut middle = p * q;
    for k in 1..n {
        middle *= 2.0 * (2 * k + 1) as f64 / (k + 1) as f64 * (p * q);
        if middle == 0.0 {
            return 0.0;
        }
    }
    let (mut sum, mut term) = (middle, middle);
    for m in (1..=n).rev() {
        term *= m as f64 / ((m + n - 1) as f64 * p);
        if !adds(&mut sum, term) {
            break;
        }
    }
    term = middle;
    for m in n.. {
        term *= (m + n) as f64 / (m + 1) as f64 * q;
        if !adds(&mut sum, term) {
            break;
        }
    }
    sum.min(1.0)
}

/// Adds a term of a sum whose terms fall; whether more of them could matter.
fn adds(sum: &mut f64, term: f64) -> bool {
    *sum += term;
    term > *sum * 1e-18
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum as it is written.
    fn plain(q: f64, n: u32) -> f64 {
        let p = 1.0 - q;
        let choose = |m: u32| (1..=m).map(|k| f64::from(n - 1 + k) / f64::from(k)).product::<f64>();
        let term = |m: u32| choose(m) * (p.powf(n.into()) * q.powf(m.into()) - p.powf(m.into()) * q.powf(n.into()));
        1.0 - (0..=n).map(term).sum::<f64>()
    }

    /// Table 1 of the paper, in percent.
    #[test]
    fn equals_the_published_table() {
        let table = [
            (0.02, [4.0, 0.237, 0.016, 0.001]),
            (0.10, [20.0, 5.600, 1.712, 0.546]),
            (0.20, [40.0, 20.800, 11.584, 6.669]),
            (0.30, [60.0, 43.200, 32.616, 25.207]),
            (0.40, [80.0, 70.400, 63.488, 57.958]),
            (0.50, [100.0, 100.0, 100.0, 100.0]),
        ];
        for (q, row) in table {
            for (n, percent) in (1..).zip(row) {
                let got = 100.0 * reversal(q, n);
                assert!((got - percent).abs() < 0.0006, "q {q}, n {n}: {got}, not {percent}");
            }
        }
    }

    #[test]
    fn equals_the_sum_as_it_is_written() {
        for q in [0.01, 0.1, 0.25, 0.33, 0.45, 0.49, 0.499] {
            for n in 1..60 {
                let (got, expected) = (reversal(q, n), plain(q, n));
                assert!((got - expected).abs() < 1e-9, "q {q}, n {n}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn is_between_none_and_certainty_and_falls_with_every_block() {
        assert_eq!((reversal(0.0, 1), reversal(0.3, 0), reversal(0.5, 9), reversal(1.0, 9)), (0.0, 1.0, 1.0, 1.0));
        for q in [1e-9, 0.1, 0.4, 0.499_999] {
            let mut before = 1.0;
            for n in (1..2_000).chain([10_000, 1_000_000]) {
                let now = reversal(q, n);
                assert!((0.0..=before).contains(&now), "q {q}, n {n}: {now} after {before}");
                before = now;
            }
        }
        assert!(reversal(0.1, 100) > 0.0 && reversal(0.1, 100) < 1e-40);
    }
}
