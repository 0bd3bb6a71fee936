//! What a certificate takes by message delays alone: the protocol's rounds on random networks, without engines.

use cairn_sim::Random;

use super::finality::{MEMBERS, NODES};

/// Votes that a member needs: 2f + 1.
const QUORUM: usize = 2 * (MEMBERS - 1) / 3 + 1;

/// Milliseconds that a member waits in the first view, and how often that doubles at most.
const PATIENCE: f64 = 3_000.0;
const DOUBLINGS: u32 = 4;

/// Networks that are drawn.
const NETWORKS: usize = 200;

/// Connections that a node dials where not all are connected.
const DIALLED: usize = 3;

/// Milliseconds until nodes have certificates.
#[derive(Debug)]
pub struct Lags(Vec<f64>);

impl Lags {
    /// The least value that is not below this part of them.
    pub fn quantile(&self, part: f64) -> f64 {
        let at = (self.0.len() as f64 * part).ceil() as usize;
        self.0[at.clamp(1, self.0.len()) - 1]
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
}

/// Milliseconds from each node to each other, where nodes forward.
type Paths = [[f64; NODES]; NODES];

/// Checkpoints that each member leads in turn, on many networks, with members that are dead. Members are the last nodes.
pub fn cycle(delay: u64, complete: bool, dead: &[usize], random: &mut Random) -> Lags {
    let alive: Vec<usize> = (0..MEMBERS).filter(|member| !dead.contains(member)).collect();
    let mut lags = Vec::new();
    for _ in 0..NETWORKS {
        let paths = draw(delay as f64, complete, &alive, random);
        let mut patience = 0;
        // What members have learned in the first turn counts in the second.
        for checkpoint in 0..2 * MEMBERS {
            let finder = random.index(NODES - MEMBERS);
            let (view, got) = certificate(&paths, finder, checkpoint, &alive, patience);
            patience = if view == 0 { patience.saturating_sub(1) } else { (patience + view).min(DOUBLINGS) };
            if checkpoint >= MEMBERS {
                lags.extend(got);
            }
        }
    }
    lags.sort_by(f64::total_cmp);
    Lags(lags)
}

fn is_up(node: usize, alive: &[usize]) -> bool {
    node < NODES - MEMBERS || alive.contains(&(node - (NODES - MEMBERS)))
}

fn draw(delay: f64, complete: bool, alive: &[usize], random: &mut Random) -> Paths {
    let mut linked = [[complete; NODES]; NODES];
    for node in (0..NODES).filter(|node| is_up(*node, alive)) {
        let mut others: Vec<usize> = (0..NODES).filter(|other| *other != node && is_up(*other, alive)).collect();
        random.shuffle(&mut others);
        // The ring of the simulator's first connections is one of them, if the next node is up.
        others.sort_by_key(|other| *other != (node + 1) % NODES);
        others.into_iter().take(DIALLED).for_each(|other| linked[node][other] = true);
    }
    let mut paths = [[f64::INFINITY; NODES]; NODES];
    for from in (0..NODES).filter(|node| is_up(*node, alive)) {
        paths[from][from] = 0.0;
        for to in from + 1..NODES {
            let far = delay * (0.5 + random.unit());
            if is_up(to, alive) && (linked[from][to] || linked[to][from]) {
                (paths[from][to], paths[to][from]) = (far, far);
            }
        }
    }
    for over in 0..NODES {
        for from in 0..NODES {
            for to in 0..NODES {
                paths[from][to] = paths[from][to].min(paths[from][over] + paths[over][to]);
            }
        }
    }
    paths
}

/// One checkpoint: the view that decided it, and when each node that is up has its certificate.
fn certificate(paths: &Paths, finder: usize, checkpoint: usize, alive: &[usize], patience: u32) -> (u32, Vec<f64>) {
    let far = |from: usize, to: usize| paths[NODES - MEMBERS + from][NODES - MEMBERS + to];
    // When a member knows that the checkpoint is deep enough.
    let known: Vec<f64> = (0..MEMBERS).map(|member| paths[finder][NODES - MEMBERS + member]).collect();
    let quorum = |said: &[f64], to: usize| nth(alive.iter().map(|from| said[*from] + far(*from, to)).collect());
    let each = |said: &[f64]| -> Vec<f64> { (0..MEMBERS).map(|to| quorum(said, to)).collect() };
    let (mut view, mut began) = (0, known.clone());
    let leader = loop {
        let leader = (checkpoint + view as usize) % MEMBERS;
        if alive.contains(&leader) {
            break leader;
        }
        // All who are up lose patience, hear so of a quorum, and wait for the next leader from then on.
        let wait = PATIENCE * f64::from(1 << (view + patience).min(DOUBLINGS));
        began = each(&began.iter().map(|at| at + wait).collect::<Vec<_>>());
        view += 1;
    };
    let accepted: Vec<f64> =
        (0..MEMBERS).map(|member| known[member].max(began[leader] + far(leader, member))).collect();
    let committed = each(&each(&accepted));
    let has = |node: usize| {
        let heard = |member: &usize| committed[*member] + paths[NODES - MEMBERS + member][node];
        nth(alive.iter().map(heard).collect())
    };
    (view, (0..NODES).filter(|node| is_up(*node, alive)).map(has).collect())
}

/// When the vote that completes a quorum is there.
fn nth(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(QUORUM - 1).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, wanted: f64) -> bool {
        (value / wanted - 1.0).abs() < 0.02
    }

    #[test]
    fn dead_leaders_cost_their_timeouts() {
        let mut random = Random::new(1);
        let mut of = |dead: &[usize]| cycle(1, true, dead, &mut random);
        assert!(of(&[]).quantile(1.0) < 10.0);
        assert!(of(&[2]).quantile(0.5) < 10.0 && near(of(&[2]).quantile(0.95), 3_000.0));
        assert!(near(of(&[2, 5]).quantile(1.0), 3_000.0));
        // 9 s, and 12 s for the next, by then patient members.
        let pair = of(&[2, 3]);
        assert!(near(pair.quantile(0.8), 9_000.0) && near(pair.quantile(0.95), 12_000.0), "{pair:?}");
    }

    #[test]
    fn certificates_take_about_five_delays() {
        let lags = cycle(100, true, &[], &mut Random::new(2));
        // The block, a proposal and three rounds of votes; delays from 50 to 150.
        assert!((400.0..600.0).contains(&lags.quantile(0.5)), "{}", lags.quantile(0.5));
        assert!(lags.quantile(1.0) < 750.0);
    }
}
