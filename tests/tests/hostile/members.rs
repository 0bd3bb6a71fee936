//! Members of finality that sign everything: their keys are held by strangers on raw libp2p, while the other members are nodes.

use cairn_node::{finality::MemberKey, wire::Request};
use cairn_tests::{Node, TestKey, agree, connect_all, cut, genesis, heal, members, wait_for};
use chain_core::{
    finality::{Electorate, Statement, Vote},
    hash::BlockHash,
    spec::ChainSpec,
    units::Height,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::attacker::{Attacker, Manners, Question};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

/// The key of a faulty member, by its place among the members.
fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes([0x70 + member; 32]).expect("a small number is a key")
}

/// The faulty members, with one connection to each node.
struct TwoFaced {
    electorate: Electorate,
    members: Vec<u8>,
    links: Vec<Attacker>,
    /// What it has said to each.
    said: BTreeSet<(usize, Height, u64, Option<BlockHash>)>,
}

impl TwoFaced {
    fn dial(nodes: &[Node]) -> Self {
        let genesis = genesis(&nodes[0].rpc);
        let chain = std::fs::read_to_string(nodes[0].chain_file()).expect("the spec can be read");
        let spec = ChainSpec::from_toml(&chain).expect("the node has read it");
        let rules = spec.finality.expect("it has members");
        let own = u8::try_from(nodes.len()).expect("a few nodes");
        let members = (own..rules.count()).collect();
        let links = (0..nodes.len()).map(|place| dial(place, &nodes[place], &genesis)).collect();
        Self { electorate: Electorate { genesis, rules }, members, links, said: BTreeSet::new() }
    }

    /// Tells a node, whatever it was told before.
    fn tell(&mut self, place: usize, height: Height, says: Vec<Statement>) {
        let sign = |(statement, member): (&Statement, &u8)| {
            Vote::sign(&self.electorate, height, statement.clone(), *member, key(*member).pair())
        };
        let votes = says.iter().flat_map(|statement| self.members.iter().map(move |member| (statement, member)));
        let votes = votes.map(sign).collect();
        let request = Request::Finality { newest: 0, certificate: None, votes, evidence: Vec::new() };
        self.links[place].ask(Question::honest(&request));
    }

    /// Calls a block accepted, committed and final, in the first view.
    fn call_final(&mut self, place: usize, height: Height, hash: BlockHash) {
        self.tell(place, height, agreement(0, hash));
    }

    /// For a while: says yes to each node's own votes, and goes with it into each view.
    fn agree(&mut self, time: Duration) {
        let each = time / u32::try_from(self.links.len()).expect("a few nodes");
        for place in 0..self.links.len() {
            self.links[place].run(each);
            for vote in std::mem::take(&mut self.links[place].votes) {
                let (view, hash) = (vote.statement.view(), vote.statement.hash());
                if self.members.contains(&vote.signed.member) || !self.said.insert((place, vote.height, view, hash)) {
                    continue;
                }
                match (hash, &vote.statement) {
                    (Some(hash), _) => self.tell(place, vote.height, agreement(view, hash)),
                    (None, Statement::ViewChange { .. }) => {
                        self.tell(place, vote.height, vec![Statement::ViewChange { view, prepared: None }]);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Agrees with everybody until something holds.
    fn agree_until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        wait_for(what, 120, || {
            self.agree(Duration::from_millis(150));
            done().then_some(())
        });
    }

    /// Comes back to a node that was started anew.
    fn come_back(&mut self, place: usize, node: &Node) {
        self.links[place] = dial(place, node, &self.electorate.genesis);
    }
}

fn dial(place: usize, node: &Node, genesis: &BlockHash) -> Attacker {
    let address = node.peer_address().replace("/ip4/", "").replace("/tcp/", ":");
    let mut attacker = Attacker::dial(&format!("127.0.0.{}", 70 + place), &address, genesis, Manners::Handshake);
    assert!(attacker.connected, "a member is let in");
    attacker.introduce(genesis, "member", 0);
    attacker
}

fn agreement(view: u64, hash: BlockHash) -> Vec<Statement> {
    vec![Statement::Prepare { view, hash }, Statement::Commit { view, hash }, Statement::Finalize { hash }]
}

fn finality(node: &Node) -> Value {
    node.rpc.call("chain_getFinality", json!([]))
}

fn final_height(node: &Node) -> u64 {
    finality(node)["finalized"]["height"].as_u64().expect("a number")
}

fn mine(node: &Node, blocks: u32) {
    node.mine(blocks, &TestKey::new(1, "ecrn").address(), NOBODY);
}

fn names_the_faulty(node: &Node) -> bool {
    let evidence = finality(node)["evidence"].clone();
    let members: Vec<_> = evidence.as_array().into_iter().flatten().map(|piece| piece["member"].clone()).collect();
    assert!(members.iter().all(|member| *member == 3), "only the faulty one is accused: {evidence}");
    !members.is_empty()
}

/// Nothing that was final once, on any node, is ever anything else.
fn note_final(known: &mut BTreeMap<u64, Value>, nodes: &[Node]) {
    for node in nodes {
        let told = finality(node)["finalized"].clone();
        let first = known.entry(told["height"].as_u64().expect("a number")).or_insert_with(|| told.clone());
        assert_eq!(*first, told);
    }
}

// FIN-2, FIN-3
#[test]
fn a_member_that_signs_two_blocks_is_named_and_finalizes_no_second_one_while_others_are_killed() {
    let mut nodes = members(1_000, &[], &[key(3).public()]);
    connect_all(&nodes);
    let mut faulty = TwoFaced::dial(&nodes);
    let mut known = BTreeMap::new();
    mine(&nodes[0], 3);
    agree(&nodes, 30);
    // Two members and the faulty one are enough on one side; on the other, one member and the faulty one are not.
    let (two, one) = ([&nodes[0], &nodes[1]], [&nodes[2]]);
    cut(&two, &one);
    mine(&nodes[0], 6);
    mine(&nodes[2], 12);
    faulty.agree_until("one side's certificate", || final_height(&nodes[0]) == 5 && final_height(&nodes[1]) == 5);
    faulty.agree(Duration::from_secs(3));
    assert_eq!(final_height(&nodes[2]), 0, "two of four make nothing final");
    note_final(&mut known, &nodes[..2]);
    heal(&two, &one);
    faulty.agree_until("the longer branch to be given up", || final_height(&nodes[2]) == 5);
    assert_eq!(agree(&nodes, 60), 9);
    note_final(&mut known, &nodes);

    // Each node is told of other blocks, is killed in the midst of voting, and comes back.
    for round in 0..6_u64 {
        mine(&nodes[0], 5);
        let height = 10 + 5 * u32::try_from(round).expect("a small number");
        for place in 0..nodes.len() {
            let number = u8::try_from(round * 3 + place as u64).expect("a small number");
            faulty.call_final(place, height, BlockHash([number; 32]));
        }
        faulty.agree(Duration::from_millis(100 + 100 * round));
        let killed = usize::try_from(round).expect("a small number") % 3;
        nodes[killed].kill();
        nodes[killed].restart();
        faulty.come_back(killed, &nodes[killed]);
        (0..3).filter(|other| *other != killed).for_each(|other| nodes[killed].connect(&nodes[other]));
        faulty.agree_until("the round to become final", || {
            note_final(&mut known, &nodes);
            nodes.iter().all(|node| final_height(node) >= u64::from(height) - 5)
        });
    }
    faulty.agree_until("all to be final", || nodes.iter().all(|node| final_height(node) >= 35));
    faulty.agree_until("all to name it", || nodes.iter().all(names_the_faulty));
    for node in &nodes {
        assert_eq!(finality(node)["alarm"], Value::Null);
        for (height, finalized) in &known {
            assert_eq!(node.rpc.call("chain_getBlockHash", json!([height])), finalized["hash"]);
        }
    }
    // What it did is on disk.
    nodes.iter_mut().for_each(Node::kill);
    nodes.iter_mut().for_each(Node::restart);
    assert!(nodes.iter().all(names_the_faulty), "evidence outlives kill -9");
}

// FIN-4
#[test]
fn two_of_four_members_that_sign_two_blocks_finalize_both_and_everybody_is_told() {
    let nodes = members(1_000, &[], &[key(2).public(), key(3).public()]);
    connect_all(&nodes);
    let mut faulty = TwoFaced::dial(&nodes);
    mine(&nodes[0], 3);
    agree(&nodes, 30);
    let (one, other) = ([&nodes[0]], [&nodes[1]]);
    cut(&one, &other);
    mine(&nodes[0], 6);
    mine(&nodes[1], 12);
    faulty.agree_until("two certificates", || nodes.iter().all(|node| final_height(node) >= 5));
    let finalized: Vec<Value> = nodes.iter().map(|node| node.rpc.call("chain_getBlockHash", json!([5]))).collect();
    assert_ne!(finalized[0], finalized[1]);
    heal(&one, &other);
    faulty.agree_until("the alarms", || nodes.iter().all(|node| finality(node)["alarm"].is_string()));
    for (node, block) in nodes.iter().zip(finalized) {
        assert_eq!(node.rpc.call("chain_getBlockHash", json!([5])), block, "each keeps what was final first");
        let accused: Vec<Value> = finality(node)["evidence"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|piece| piece["member"].clone())
            .collect();
        assert_eq!(accused, [2, 3]);
    }
}
