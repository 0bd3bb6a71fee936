//! Hostile peers on raw libp2p, against a node that mines: it keeps its pace, its memory and its wits, and bans them.

mod attacker;
mod gossip;
mod introducer;
mod members;

use attacker::{Attacker, Manners, Question};
use cairn_node::wire::{Message, PROTOCOL, Request};
use cairn_tests::{Load, Node, NodeOptions, TestKey, genesis, mined_spec, wait_for};
use chain_core::{
    codec,
    hash::{BlockHash, TxId, sha256d},
};
use introducer::Introducer;
use serde_json::{Value, json};
use std::{
    io::Read,
    net::TcpStream,
    time::{Duration, Instant},
};

/// Where strangers come from: not the address that honest nodes of this machine use.
const STRANGER: &str = "127.0.0.66";
/// Most bytes that a node may grow by under an attack.
const GROWTH: u64 = 64 << 20;

/// A node that mines a block a second, and what it was like before it was attacked.
struct Victim {
    node: Node,
    genesis: BlockHash,
    memory: u64,
    height: u64,
    since: Instant,
}

impl Victim {
    fn start() -> Self {
        let address = TestKey::new(1, "ecrn").address();
        let flags = ["--mine", "--miner.threads", "1", "--miner.address", &address, "--cache", "16"];
        let flags = flags.map(str::to_owned).to_vec();
        Self::of(Node::with(NodeOptions { spec: mined_spec(), flags, file_limit: None }), 3)
    }

    /// A node that has this height at least.
    fn of(node: Node, height: u64) -> Self {
        wait_for("some blocks", 60, || (node.height() >= height).then_some(()));
        let (genesis, memory, height) = (genesis(&node.rpc), node.memory(), node.height());
        Self { node, genesis, memory, height, since: Instant::now() }
    }

    fn attacker(&self, manners: Manners) -> Attacker {
        self.attacker_from(STRANGER, manners)
    }

    fn attacker_from(&self, ip: &str, manners: Manners) -> Attacker {
        Attacker::dial(ip, &self.address(), &self.genesis, manners)
    }

    fn address(&self) -> String {
        self.node.peer_address().replace("/ip4/", "").replace("/tcp/", ":")
    }

    fn bans(&self, attacker: &Attacker) -> bool {
        let bans = self.node.rpc.call("admin_bans", json!([]));
        let holds = |target: &str| bans.as_array().into_iter().flatten().any(|ban| ban["target"] == target);
        assert!(!holds("127.0.0.1"), "honest nodes of this machine are not hit");
        let banned = holds(&attacker.id().to_string());
        assert_eq!(holds(STRANGER), banned, "an identity is banned with the host that it came from");
        banned
    }

    /// Lives on with an attacker until the node has banned it.
    fn wait_for_ban(&self, attacker: &mut Attacker, mut more: impl FnMut(&mut Attacker)) {
        wait_for("the ban", 60, || {
            more(attacker);
            attacker.run(Duration::from_millis(100));
            self.bans(attacker).then_some(())
        });
        attacker.run_until(Duration::from_secs(5), |attacker| !attacker.connected);
        assert!(!attacker.connected, "the banned are disconnected");
        assert!(!self.attacker(Manners::Handshake).connected, "another name from the same host does not help");
        assert!(self.attacker_from("127.0.0.77", Manners::Handshake).connected, "other hosts are not hit");
    }

    /// The node is what it was: it mines at its pace, and has not grown.
    fn is_well(&self) {
        let grown = self.node.memory().saturating_sub(self.memory);
        assert!(grown < GROWTH, "the node grew by {} MB", grown >> 20);
        let seconds = self.since.elapsed().as_secs();
        let mined = self.node.height() - self.height;
        println!(
            "{seconds} s, {mined} blocks, {} MB more, log of {} lines",
            grown >> 20,
            self.node.log().lines().count()
        );
        // A block a second is the aim; a busy machine may halve it.
        assert!(mined >= seconds / 4, "{mined} blocks in {seconds} s");
        assert!(self.node.log().len() < 200_000, "attackers do not fill the log");
    }
}

/// Hashes that mean nothing.
fn random_ids(seed: u64, count: usize) -> Vec<TxId> {
    (0..count as u64).map(|number| TxId(sha256d(&[seed.to_le_bytes(), number.to_le_bytes()].concat()))).collect()
}

#[test]
fn a_length_that_promises_gigabytes_is_refused_and_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    victim.wait_for_ban(&mut attacker, |attacker| {
        attacker.ask(Question { hold: true, ..Question::promising(u32::MAX, &[]) });
    });
    victim.is_well();
}

#[test]
fn one_byte_over_the_limit_is_refused_and_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    let bytes = vec![0; Request::MOST_BYTES + 1];
    victim.wait_for_ban(&mut attacker, |attacker| {
        attacker.ask(Question::framed(&bytes));
    });
    victim.is_well();
}

#[test]
fn promises_within_the_limit_that_are_not_kept_cost_nothing() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    let most = u32::try_from(Request::MOST_BYTES).expect("it is small");
    for _ in 0..1_000 {
        attacker.ask(Question { hold: true, ..Question::promising(most, &[1]) });
    }
    attacker.run(Duration::from_secs(5));
    victim.is_well();
}

#[test]
fn bytes_that_are_no_message_are_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    victim.wait_for_ban(&mut attacker, |attacker| {
        attacker.ask(Question::framed(&[0xee; 300]));
    });
    victim.is_well();
}

#[test]
fn answers_that_are_no_messages_are_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Nonsense);
    let id = attacker.id();
    wait_for("the punishment", 60, || {
        attacker.run(Duration::from_millis(200));
        let peers = victim.node.rpc.call("admin_peers", json!([]));
        let blamed = |peer: &Value| peer["id"] == id.to_string() && peer["points"].as_u64() >= Some(50);
        let blamed = peers.as_array().into_iter().flatten().any(blamed);
        (blamed || !attacker.connected || victim.bans(&attacker)).then_some(())
    });
    victim.is_well();
}

#[test]
fn who_never_answers_is_sent_away() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Silent);
    assert!(attacker.connected);
    let gone = attacker.run_until(Duration::from_secs(60), |attacker| !attacker.connected);
    assert!(gone, "a peer that does not say where it stands does not stay");
    victim.is_well();
}

#[test]
fn connections_that_say_nothing_are_few_and_end() {
    let victim = Victim::start();
    let address = victim.address();
    let mut silent: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(&address).expect("the node listens")).collect();
    let friend = Node::with(NodeOptions { spec: mined_spec(), ..NodeOptions::default() });
    let ended = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).expect("a socket has modes");
        // Whatever the node says first is not the end.
        let mut bytes = [0; 1_024];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    };
    wait_for("all to be closed for want of a handshake", 60, || silent.iter_mut().all(ended).then_some(()));
    friend.connect(&victim.node);
    wait_for("an honest node to get in", 20, || (victim.node.peers() == 1).then_some(()));
    victim.is_well();
}

#[test]
fn few_connections_come_from_one_host() {
    let victim = Victim::start();
    let mut attackers: Vec<Attacker> = (0..8).map(|_| victim.attacker(Manners::Handshake)).collect();
    attackers.iter_mut().for_each(|attacker| attacker.run(Duration::from_millis(300)));
    let peers = |count| (victim.node.peers() == count).then_some(());
    wait_for("as many as a host may have", 20, || peers(4));
    assert_eq!(attackers.iter().filter(|attacker| attacker.connected).count(), 4, "the others were refused");
    let other = victim.attacker_from("127.0.0.77", Manners::Handshake);
    assert!(other.connected);
    wait_for("another host, which has its own room", 20, || peers(5));
    victim.is_well();
}

#[test]
fn endless_announcements_of_nothing_are_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    let mut number = 0;
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end && attacker.connected {
        for _ in 0..32 {
            number += 1;
            attacker.ask(Question::honest(&Request::Announce(random_ids(number, 1_024))));
        }
        attacker.run(Duration::from_millis(50));
    }
    println!("{number} announcements");
    assert!(victim.bans(&attacker), "announcing without end and delivering nothing is punished");
    victim.is_well();
}

#[test]
fn a_flood_of_questions_waits_for_itself_alone() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    let mut number = 0;
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end && attacker.connected {
        for _ in 0..64 {
            number += 1;
            attacker.ask(Question::honest(&Request::Headers { locator: vec![victim.genesis], most: 2_000 }));
        }
        attacker.run(Duration::from_millis(20));
    }
    victim.node.height();
    attacker.run(Duration::from_millis(20));
    let waits = attacker.answered.len() < number;
    assert!(waits || !attacker.connected, "the node answers others while questions of the flood wait");
    println!("{number} questions, {} answered", attacker.answered.len());
    victim.is_well();
}

/// Blocks of 130 kB, asked for again and again and never read.
#[test]
fn a_slow_reader_does_not_fill_the_memory() {
    let mut load = Load::new();
    load.fan_out(60_000);
    let node = Node::with(NodeOptions {
        spec: load.spec.clone(),
        flags: ["--cache", "16"].map(str::to_owned).to_vec(),
        file_limit: None,
    });
    for block in &load.blocks {
        node.rpc.call("chain_submitBlock", json!([hex::encode(codec::encode(block))]));
    }
    let victim = Victim::of(node, load.blocks.len() as u64);
    let mut attackers: Vec<Attacker> = (0..4).map(|_| victim.attacker(Manners::Handshake)).collect();
    let hashes: Vec<BlockHash> = load.blocks.iter().map(|block| block.header.hash()).collect();
    for attacker in &mut attackers {
        attacker.run(Duration::from_millis(500));
        for _ in 0..1_000 {
            attacker.ask(Question { deaf: true, ..Question::honest(&Request::Blocks(hashes.clone())) });
        }
    }
    let end = Instant::now() + Duration::from_secs(45);
    let mut most = 0;
    while Instant::now() < end && attackers.iter().any(|attacker| attacker.connected) {
        attackers.iter_mut().for_each(|attacker| attacker.run(Duration::from_millis(100)));
        most = most.max(victim.node.memory().saturating_sub(victim.memory));
    }
    println!("the node grew by {} MB at most", most >> 20);
    assert!(most < GROWTH + (32 << 20), "the node grew by {} MB", most >> 20);
    assert!(attackers.iter().all(|attacker| !attacker.connected), "who does not read is sent away");
}

/// Key after key of one host: each connects, says what it is, says so again, and leaves.
#[test]
fn a_thousand_identities_of_one_host_leave_the_address_book_useful() {
    const IDENTITIES: usize = 1_060;
    let mut victim = Victim::start();
    let friends = [(); 2].map(|()| Node::with(NodeOptions { spec: mined_spec(), ..NodeOptions::default() }));
    let connect = |victim: &Victim, friend: &Node| {
        victim.node.connect(friend);
        let peers = || victim.node.rpc.call("admin_peers", json!([]));
        let named = |peer: &Value| peer["id"] == friend.peer_id() && peer["agent"] != "";
        wait_for("the friend", 20, || peers().as_array().into_iter().flatten().any(named).then_some(()));
    };
    connect(&victim, &friends[0]);
    let met = Introducer::crowd(&victim.address(), &victim.genesis, IDENTITIES);
    assert!(met > IDENTITIES * 9 / 10, "{met} got in");
    connect(&victim, &friends[1]);
    victim.is_well();
    assert!(victim.node.stop());
    let book = std::fs::read(victim.node.datadir().join("peers.json")).expect("the book is saved");
    let book: Vec<Value> = serde_json::from_slice(&book).expect("the book is JSON");
    let strangers = book.iter().filter(|entry| entry["met"] == 0).count();
    assert!((1..=128).contains(&strangers), "{strangers} strangers of one host");
    let met: Vec<&Value> = book.iter().filter(|entry| entry["met"] != 0).map(|entry| &entry["peer"]).collect();
    let friends = friends.map(|friend| friend.peer_id());
    assert!(met.len() == 2 && friends.iter().all(|friend| met.iter().any(|peer| *peer == friend)), "{met:?}");
}

#[test]
fn a_flood_of_introductions_is_punished() {
    let victim = Victim::start();
    let mut introducer = Introducer::dial(&victim.address(), &victim.genesis, PROTOCOL).expect("the node lets it in");
    let pushed = introducer.push_until_closed(Duration::from_secs(60));
    println!("{pushed} introductions");
    let bans = victim.node.rpc.call("admin_bans", json!([]));
    let id = introducer.id().to_string();
    let ban = bans.as_array().into_iter().flatten().find(|ban| ban["target"] == id.as_str());
    assert_eq!(ban.map(|ban| &ban["reason"]), Some(&json!("too many introductions")), "{bans}");
    victim.is_well();
}

#[test]
fn points_stay_with_a_host_that_comes_again_under_another_key() {
    let victim = Victim::start();
    let nonsense = Question::framed(&[0xee; 300]);
    let mut first = victim.attacker(Manners::Handshake);
    first.ask(nonsense.clone());
    wait_for("the points", 20, || {
        first.run(Duration::from_millis(100));
        let peers = victim.node.rpc.call("admin_peers", json!([]));
        peers.as_array().into_iter().flatten().any(|peer| peer["points"] == 50).then_some(())
    });
    drop(first);
    let mut second = victim.attacker(Manners::Handshake);
    second.ask(nonsense);
    victim.wait_for_ban(&mut second, |_| {});
    victim.is_well();
}

#[test]
fn a_peer_of_another_version_is_sent_away_with_a_reason_and_without_points() {
    let victim = Victim::start();
    let mut old = Introducer::dial(&victim.address(), &victim.genesis, PROTOCOL - 1).expect("the node lets it in");
    assert!(old.is_sent_away(Duration::from_secs(20)));
    let reason = format!(
        "speaks version {} of the protocol, and this node version {PROTOCOL}: its operator has to upgrade",
        PROTOCOL - 1
    );
    wait_for("the reason", 20, || victim.node.log().contains(&reason).then_some(()));
    assert!(!victim.node.log().contains("misbehaves"), "{}", victim.node.log());
    assert_eq!(victim.node.rpc.call("admin_bans", json!([])), json!([]));
    victim.is_well();
}

#[test]
fn a_clock_that_differs_from_that_of_the_peers_is_named_and_shown() {
    let victim = Victim::start();
    let offset = || victim.node.rpc.call("admin_nodeInfo", json!([]))["clockOffset"].clone();
    assert_eq!(offset(), Value::Null, "without peers nothing is known");
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.introduce(&victim.genesis, "late/1", 7_200);
    wait_for("the warning", 20, || {
        attacker.run(Duration::from_millis(100));
        let log = victim.node.log();
        // One peer alone may be the one that is wrong.
        (log.contains(" s behind that of /ip4/127.") && log.contains("check the date and time here")).then_some(())
    });
    let shown = offset().as_i64().expect("it is known");
    assert!((7_100..=7_200).contains(&shown), "{shown}");
    assert_eq!(victim.node.rpc.call("admin_bans", json!([])), json!([]), "a wrong clock is no offence");
}
