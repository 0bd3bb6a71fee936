//! What finality adds to connecting blocks: a chain without it beside the same with seven members, on a node that is not a member
//! and on one that is, with all votes of each checkpoint arriving from peers.
//!
//! Run: `cargo bench -p cairn-tests --bench finality`. `CAIRN_BENCH_BLOCKS` sets another number of blocks.

use cairn_node::{
    engine::{
        Action, BlockOutcome, Engine, EngineConfig, Event, InboundId, Payer, PeerAction, PeerEvent, PeerId, Reply,
        Side, Time,
    },
    finality::{MemberKey, Record},
    store::{Store, StoreConfig},
    wire::{PROTOCOL, Request, Response, Status},
};
use cairn_tests::{Cost, Load, measure, setting};
use chain_core::{
    block::Block,
    finality::{Electorate, Statement, Vote},
    hash::BlockHash,
    spec::{ChainSpec, Finality},
    units::{Amount, GRAINS_PER_CRN, Height},
};
use std::time::Duration;

/// Members; the first one's node is measured, too.
const MEMBERS: u8 = 7;
/// Blocks between checkpoints, and how deep one must be, as docs/finality.md has them.
const EVERY: u32 = 20;
const DEPTH: u32 = 6;
/// Connected peers, and of how many each vote comes.
const PEERS: u64 = 8;
const TELLERS: u64 = 3;
/// Small coins to be spent.
const COINS: usize = 60_000;
/// The aim.
const MOST: f64 = 1.02;

fn main() {
    // Whole intervals are measured.
    let blocks = setting("CAIRN_BENCH_BLOCKS", 100, EVERY as usize..=usize::MAX);
    for transactions in [1_000, 0] {
        compare(blocks, transactions);
    }
}

fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes([0x40 + member; 32]).expect("small numbers are keys")
}

fn load(blocks: usize, transactions: usize, finality: Option<Finality>) -> (Load, usize) {
    let spec = ChainSpec { finality, ..cairn_tests::spec() };
    let mut load = Load::on(spec, 100, Amount::from_grains(5_000 * GRAINS_PER_CRN));
    load.fan_out(if transactions > 0 { COINS } else { 0 });
    let prefix = load.blocks.len();
    for _ in 0..blocks {
        let transactions = load.coin_transactions(transactions);
        load.block(transactions.into_iter().map(|transaction| (transaction, None)).collect());
    }
    (load, prefix)
}

fn compare(blocks: usize, transactions: usize) {
    let members = (0..MEMBERS).map(|member| key(member).public()).collect();
    let rules = Finality { members, interval: EVERY, depth: DEPTH, window: 1_000 };
    let (plain, prefix) = load(blocks, transactions, None);
    let (with, _) = load(blocks, transactions, Some(rules));
    let mut benches =
        [Bench::new(&plain, prefix, None), Bench::new(&with, prefix, None), Bench::new(&with, prefix, Some(key(0)))];
    let mut samples: [Vec<Cost>; 3] = Default::default();
    // Whole intervals between checkpoints: each has one checkpoint's votes.
    for interval in (prefix..plain.blocks.len()).collect::<Vec<_>>().chunks_exact(EVERY as usize) {
        let mut costs = [Cost::default(); 3];
        for number in interval {
            // In turns, so that none always finds the processor's caches warm.
            for place in 0..benches.len() {
                let turn = (number + place) % benches.len();
                let block = if turn == 0 { &plain.blocks[*number] } else { &with.blocks[*number] };
                costs[turn].add(&benches[turn].next(block.clone()));
            }
        }
        costs.iter().zip(&mut samples).for_each(|(cost, samples)| samples.push(*cost));
    }
    let base = samples[0].clone();
    println!(
        "{blocks} blocks of {transactions} coin transactions, {EVERY} at a time, each with a checkpoint of {MEMBERS} members (aim: {MOST} x):"
    );
    for (name, (samples, bench)) in
        ["without finality", "with, no member", "with, a member"].iter().zip(samples.iter().zip(&benches))
    {
        bench.check_final();
        println!("  {name:<18} {}", summary(samples, &base));
        if !bench.votes.is_empty() {
            println!("{:>20} {}", "votes alone", summary(&bench.votes, &base));
        }
    }
}

/// Medians, and the median of what the same blocks cost beside those without finality.
fn summary(samples: &[Cost], base: &[Cost]) -> String {
    let milliseconds =
        |of: fn(&Cost) -> Duration| median(samples.iter().map(|cost| of(cost).as_secs_f64() * 1e3).collect());
    let ratio = |of: fn(&Cost) -> Duration| {
        let each = samples.iter().zip(base).map(|(cost, base)| of(cost).as_secs_f64() / of(base).as_secs_f64());
        median(each.collect())
    };
    let cpu: fn(&Cost) -> Duration = |cost| cost.cpu;
    let wall: fn(&Cost) -> Duration = |cost| cost.wall;
    format!(
        "{:9.2} ms CPU, {:9.2} ms   {:.4} x by CPU, {:.4} x",
        milliseconds(cpu),
        milliseconds(wall),
        ratio(cpu),
        ratio(wall)
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// An engine over RocksDB, with peers that tell it the votes of all members.
struct Bench {
    engine: Engine,
    now: Time,
    electorate: Option<Electorate>,
    /// The member that it is itself, who is not told its own votes.
    member: Option<u8>,
    /// What hearing all votes of a checkpoint cost, those of this node included.
    votes: Vec<Cost>,
    /// Its blocks by height.
    hashes: Vec<BlockHash>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(load: &Load, prefix: usize, member: Option<MemberKey>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut store = Store::open(folder.path(), &load.spec, &StoreConfig::default()).expect("a new store opens");
        let genesis = load.spec.genesis_block().0.hash();
        if let Some(key) = &member {
            let path = folder.path().join(Record::FILE);
            Record::begin(&path, key.public()).expect("the folder can be written");
            store
                .keep_record(Record::open(&path, key.public(), genesis).expect("it was begun"))
                .expect("it can be written");
        }
        let own = member.as_ref().map(|_| 0);
        let config = EngineConfig { member, ..EngineConfig::default() };
        let engine = Engine::open(store, load.spec.clone(), config).expect("a new chain opens");
        let electorate = load.spec.finality.clone().map(|rules| Electorate { genesis, rules });
        let last = load.blocks.last().expect("there are blocks").header.time;
        let now = Time(u64::from(last) * 1_000);
        let mut bench =
            Self { engine, now, electorate, member: own, votes: Vec::new(), hashes: vec![genesis], _folder: folder };
        for peer in 1..=PEERS {
            bench.handle(Event::Peer(PeerId(peer), PeerEvent::Connected(Side::Inbound, Payer(peer))));
            let status = Status {
                genesis,
                best: genesis,
                height: 0,
                work: bench.engine.chain_info().work,
                protocol: PROTOCOL,
                agent: "bench".into(),
                oldest: 1,
                time: now.0 / 1_000,
            };
            bench.ask(peer, Request::Status(status));
        }
        for block in &load.blocks[..prefix] {
            bench.next(block.clone());
        }
        bench.votes.clear();
        bench
    }

    /// Connects a block, flushes it, and hears what members say of a checkpoint that is deep enough now.
    fn next(&mut self, block: Block) -> Cost {
        self.hashes.push(block.hash());
        let told = self.told();
        let mut cost = measure(|| {
            self.handle(Event::Block(0, block));
            self.handle(Event::Continue);
        });
        if !told.is_empty() {
            let votes = measure(|| self.hear(told));
            self.votes.push(votes);
            cost.add(&votes);
        }
        cost
    }

    fn hear(&mut self, votes: Vec<Vote>) {
        for vote in votes {
            for peer in 1..=TELLERS {
                self.ask(peer, finality(vote.clone()));
            }
        }
        self.handle(Event::Continue);
    }

    /// All votes of the checkpoint that becomes deep enough with this block, in the order in which they come.
    fn told(&self) -> Vec<Vote> {
        let Some(electorate) = &self.electorate else { return Vec::new() };
        let tip = self.hashes.len() as Height - 1;
        let Some(height) = tip.checked_sub(DEPTH).filter(|height| *height > 0 && height % EVERY == 0) else {
            return Vec::new();
        };
        let (view, hash) = (0, self.hashes[height as usize]);
        let leader = electorate.rules.leader(height, view);
        let members = (0..MEMBERS).map(|turn| (leader + turn) % MEMBERS).filter(|member| Some(*member) != self.member);
        let says = [Statement::Prepare { view, hash }, Statement::Commit { view, hash }, Statement::Finalize { hash }];
        let sign = |statement: Statement| {
            members
                .clone()
                .map(move |member| Vote::sign(electorate, height, statement.clone(), member, key(member).pair()))
        };
        says.into_iter().flat_map(sign).collect()
    }

    fn ask(&mut self, peer: u64, request: Request) {
        self.handle(Event::Peer(PeerId(peer), PeerEvent::Request(InboundId(0), request)));
    }

    /// Peers answer what they are told.
    fn handle(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.engine.handle(event, self.now) {
                match action {
                    Action::Reply(_, Reply::Block(result)) => {
                        let connected = BlockOutcome::Connected { disconnected: 0 };
                        assert_eq!(result.expect("the load keeps the rules"), connected);
                    }
                    Action::Peer(PeerAction::Request(peer, id, Request::Finality { .. })) => {
                        events.push(Event::Peer(peer, PeerEvent::Response(id, Ok(Response::Ack))));
                    }
                    Action::Peer(PeerAction::Penalize(peer, offence)) => panic!("{peer:?}: {offence:?}"),
                    Action::Fatal(message) => panic!("{message}"),
                    _ => {}
                }
            }
        }
    }

    /// Every checkpoint that is deep enough is final.
    fn check_final(&self) {
        let height = self.engine.chain().finality().map_or(0, |finality| finality.height());
        let tip = self.engine.chain_info().height;
        assert!(self.electorate.is_none() || height + EVERY + DEPTH > tip, "{height} is final of {tip}");
    }
}

fn finality(vote: Vote) -> Request {
    Request::Finality { newest: 0, certificate: None, votes: vec![vote], evidence: Vec::new() }
}
