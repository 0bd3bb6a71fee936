//! Members and other nodes over a network: what is told, to whom, and at whose cost.

use chain_core::{
    U256,
    finality::{Certificate, Evidence, Lock, Statement, Vote},
    hash::BlockHash,
    units::Height,
};

use super::{
    hostile::answer,
    net::{HOSTILE, Net},
};
use crate::{
    engine::{
        Failure, InboundId, Offence, PeerAction, PeerEvent, PeerId,
        tests::{
            finality::{certificate, final_spec, key},
            kit::Kit,
        },
    },
    finality::MemberKey,
    mempool::MempoolConfig,
    store::memory::Faults,
    wire::{Request, Response, Status},
};

fn node(member: Option<MemberKey>) -> Kit {
    let mut kit = Kit::with(final_spec(4, 100), MempoolConfig::default());
    kit.member = member;
    kit.restart();
    kit
}

/// So many members, and so many nodes that are none.
fn net(members: u8, others: usize) -> Net {
    let members = (0..members).map(|member| node(Some(key(member))));
    Net::new(members.chain((0..others).map(|_| node(None))).collect())
}

fn heights(net: &Net) -> Vec<Height> {
    net.nodes.iter().map(|node| node.engine.chain().finality().unwrap().height()).collect()
}

/// Lets nodes mine in turn, and time pass after each block.
fn mine(net: &mut Net, nodes: &[usize], blocks: usize) {
    for block in 0..blocks {
        net.mine(nodes[block % nodes.len()]);
        net.run(2_000);
    }
}

#[test]
fn members_finalize_and_all_nodes_hear_of_it() {
    let mut net = net(4, 2);
    net.connect_all();
    net.run(1_000);
    mine(&mut net, &[0, 4], 11);
    assert!(net.agree());
    assert_eq!(heights(&net), [8; 6]);
    assert_eq!(net.offences, []);
    assert!(net.nodes.iter().all(|node| node.penalties.is_empty()));
}

#[test]
fn three_of_four_members_are_enough_and_two_are_not() {
    let mut three = net(3, 1);
    three.connect_all();
    mine(&mut three, &[0], 10);
    three.run(20_000);
    assert_eq!(heights(&three), [8; 4]);
    let mut two = net(2, 2);
    two.connect_all();
    mine(&mut two, &[0], 10);
    two.run(60_000);
    assert_eq!(heights(&two), [0; 4]);
    assert!(two.agree(), "the chain goes on");
}

#[test]
fn a_partition_stops_finality_and_after_it_all_goes_on() {
    let mut net = net(4, 0);
    for (a, b) in [(0, 1), (2, 3)] {
        net.connect(a, b);
    }
    mine(&mut net, &[0, 2], 14);
    assert_eq!(heights(&net), [0; 4]);
    for (a, b) in [(0, 2), (1, 3), (0, 3)] {
        net.connect(a, b);
    }
    net.mine(0);
    net.run(200_000);
    assert!(net.agree());
    assert_eq!(heights(&net), [4; 4], "eight blocks, of which six are deep enough for one checkpoint");
    mine(&mut net, &[1], 8);
    net.run(20_000);
    assert!(heights(&net).iter().all(|height| *height == 12));
    assert_eq!(net.offences, []);
}

#[test]
fn members_that_only_one_node_joins_finalize_through_it() {
    // A star: nobody but node 4, which is no member, is connected with others.
    let mut net = net(4, 1);
    (0..4).for_each(|member| net.connect(member, 4));
    net.run(1_000);
    mine(&mut net, &[4], 7);
    net.run(10_000);
    assert_eq!(heights(&net), [4; 5]);
}

// FIN-1
#[test]
fn a_new_node_follows_the_certificate_and_not_the_longer_chain() {
    // Members have 8 blocks, of which 4 are final. An attacker that forgot the certificate has 30 of its own.
    let mut net = net(4, 2);
    let (attacker, new) = (4, 5);
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        net.connect(a, b);
    }
    (0..30).for_each(|_| net.mine(attacker));
    mine(&mut net, &[0], 8);
    let tip = net.nodes[0].tip();
    net.mute = |node, request| node == 4 && matches!(request, Request::Finality { .. });
    net.connect(attacker, new);
    net.connect(0, new);
    net.run(60_000);
    assert_eq!((net.nodes[new].tip(), heights(&net)[new]), (tip, 4));
    // The attacker's node hears of the certificate from the new one, and goes back: that is within the window.
    assert_eq!((net.nodes[attacker].tip(), heights(&net)[attacker]), (tip, 4));
    assert_eq!(net.offences, []);
}

#[test]
fn a_node_that_only_liars_told_its_chain_fetches_a_certified_branch_of_less_work() {
    let mut net = net(4, 2);
    let (attacker, late) = (4, 5);
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        net.connect(a, b);
    }
    (0..30).for_each(|_| net.mine(attacker));
    net.connect(attacker, late);
    net.run(10_000);
    assert_eq!(net.nodes[late].height(), 30);
    mine(&mut net, &[0], 8);
    let certified = net.nodes[0].tip();
    net.connect(0, late);
    net.run(60_000);
    assert_eq!((net.nodes[late].tip(), heights(&net)[late]), (certified, 4));
}

/// A node that is no member, and a hostile peer that it has met.
fn attacked() -> Net {
    let mut net = net(0, 1);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    net
}

fn say(net: &mut Net, request: Request) {
    net.inject(0, HOSTILE, PeerEvent::Request(InboundId(7), request));
}

fn votes(votes: Vec<Vote>) -> Request {
    Request::Finality { newest: 0, certificate: None, votes, evidence: Vec::new() }
}

fn vote(net: &Net, height: Height, member: u8, statement: Statement) -> Vote {
    let electorate = net.nodes[0].engine.chain().finality().unwrap().electorate();
    Vote::sign(electorate, height, statement, member, key(member).pair())
}

fn prepare(net: &Net, height: Height, member: u8, hash: u8) -> Vote {
    vote(net, height, member, Statement::Prepare { view: 0, hash: BlockHash([hash; 32]) })
}

#[test]
fn votes_and_evidence_that_nobody_signed_ban_their_sender() {
    let mut net = attacked();
    let good = prepare(&net, 4, 2, 1);
    say(&mut net, votes(vec![good.clone()]));
    assert_eq!(net.offences, []);
    let mut forged = prepare(&net, 4, 1, 1);
    forged.signed.member = 3;
    let before = net.nodes[0].engine.peer_units(PeerId(HOSTILE));
    say(&mut net, votes(vec![forged]));
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidVote(_)]));
    let units = net.nodes[0].engine.peer_units(PeerId(HOSTILE)) - before;
    assert_eq!(units, 4 + 1 + 8, "the signature was verified at its cost");

    let mut net = attacked();
    let evidence = Evidence { first: good.clone(), second: good };
    say(&mut net, Request::Finality { newest: 0, certificate: None, votes: Vec::new(), evidence: vec![evidence] });
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidEvidence(_)]));
    assert_eq!(net.nodes[0].engine.chain().finality().unwrap().evidence().count(), 0);

    let mut net = attacked();
    let mut forged = certificate(&net.nodes[0], 4, BlockHash([1; 32]), [0, 1, 2]);
    forged.signatures.swap(0, 1);
    say(&mut net, Request::Finality { newest: 4, certificate: Some(forged), votes: Vec::new(), evidence: Vec::new() });
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidCertificate(_)]));
    assert_eq!(Offence::NoFinality.points(), 100);
}

// FIN-2
#[test]
fn certificates_with_too_few_foreign_duplicate_or_malformed_signatures_ban_their_sender() {
    let bad: [fn(&mut Certificate); 5] = [
        |bad| _ = bad.signatures.pop(),
        |bad| bad.signatures[2].member = 4,
        |bad| bad.signatures[1] = bad.signatures[0],
        |bad| bad.signatures[1].signature.0 = [0xff; 64],
        |bad| bad.height = 6,
    ];
    for spoil in bad {
        let mut net = attacked();
        net.nodes[0].mine_many(6);
        let hash = net.nodes[0].block_at(4).hash();
        let mut certificate = certificate(&net.nodes[0], 4, hash, [0, 1, 2]);
        spoil(&mut certificate);
        let certificate = Some(certificate);
        say(&mut net, Request::Finality { newest: 4, certificate, votes: Vec::new(), evidence: Vec::new() });
        assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidCertificate(_)]));
        assert_eq!(heights(&net), [0]);
    }
}

#[test]
fn a_message_of_more_signatures_than_honest_nodes_send_is_not_verified_to_its_end() {
    let mut net = attacked();
    let signed = prepare(&net, 4, 0, 1).signed;
    let leave = |net: &Net, view| {
        let lock = Lock { view: 0, hash: BlockHash([1; 32]), signatures: vec![signed; 67] };
        vote(net, 4, 1, Statement::ViewChange { view, prepared: Some(lock) })
    };
    // They are for a checkpoint that is not voted on, so that none is verified, nor found to be forged.
    let many: Vec<Vote> = (1..=30).map(|view| Vote { height: 4_000, ..leave(&net, view) }).collect();
    say(&mut net, votes(many));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::TooMany("signatures")]);
}

#[test]
fn evidence_of_one_message_takes_one_write() {
    let mut net = attacked();
    let evidence = |member| {
        let hash = |number| BlockHash([number; 32]);
        let vote = |number| vote(&net, 4, member, Statement::Finalize { hash: hash(number) });
        Evidence { first: vote(1), second: vote(2) }
    };
    let evidence: Vec<Evidence> = (0..4).map(evidence).collect();
    net.nodes[0].kv.set_faults(Faults { writes_left: Some(1), unreadable: false });
    say(&mut net, Request::Finality { newest: 0, certificate: None, votes: Vec::new(), evidence });
    assert_eq!(net.nodes[0].fatal, None);
    assert_eq!(net.nodes[0].engine.store().evidence().unwrap().len(), 4);
}

/// The votes that a node asks the hostile peer to take, whose questions are answered.
fn told(net: &mut Net) -> Vec<Vote> {
    let mut told = Vec::new();
    for (_, id, request) in net.questions(HOSTILE) {
        if let Request::Finality { votes, .. } = request {
            told.extend(votes);
            answer(net, id, Response::Ack);
        }
    }
    told
}

#[test]
fn votes_for_the_next_checkpoint_that_wait_for_a_peer_are_not_lost_when_votes_are_told_again() {
    let mut net = attacked();
    let (ours, theirs) = (HOSTILE, HOSTILE + 1);
    let status = net.status(0);
    net.intrude(0, theirs, status);
    // The first message to it is open: what comes meanwhile waits.
    let ahead = prepare(&net, 8, 2, 1);
    net.inject(0, theirs, PeerEvent::Request(InboundId(8), votes(vec![ahead.clone()])));
    net.run(9_000);
    assert!(!told(&mut net).contains(&ahead), "of {ours} nothing was answered yet");
    assert!(told(&mut net).contains(&ahead));
}

/// The hostile peer claims a chain of much work and shows nothing of it; asked again where it stands, it says where.
fn lie(net: &mut Net, number: u8) {
    let honest = net.status(0);
    let claim = Status { best: BlockHash([number; 32]), height: 99, work: U256::MAX >> 1, ..honest.clone() };
    say(net, Request::Status(claim));
    for _ in 0..14 {
        for (_, id, request) in net.questions(HOSTILE) {
            let response = match request {
                Request::Headers { .. } => Response::Headers(Vec::new()),
                Request::Status(_) => Response::Status(honest.clone()),
                Request::Pool { .. } => Response::ShortIds(Vec::new()),
                _ => Response::Ack,
            };
            answer(net, id, response);
        }
        net.run(5_000);
    }
}

// FIN-1
#[test]
fn each_certificate_excuses_a_claim_of_too_much_work_once() {
    let mut net = attacked();
    lie(&mut net, 1);
    assert_eq!(net.offences_of(0, HOSTILE), [], "a certificate may have taken it elsewhere");
    lie(&mut net, 2);
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::LessWork]);
    net.nodes[0].mine_many(6);
    let hash = net.nodes[0].block_at(4).hash();
    let newest = Some(certificate(&net.nodes[0], 4, hash, [0, 1, 2]));
    say(&mut net, Request::Finality { newest: 4, certificate: newest, votes: Vec::new(), evidence: Vec::new() });
    lie(&mut net, 3);
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::LessWork]);
    lie(&mut net, 4);
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::LessWork, Offence::LessWork]);
}

// FIN-1
#[test]
fn a_certified_branch_is_followed_though_it_forks_off_below_what_counts_as_stale() {
    let member = |member| {
        let mut kit = Kit::with(final_spec(4, 1_000), MempoolConfig::default());
        kit.member = member;
        kit.restart();
        kit
    };
    let mut net = Net::new((0..4).map(|number| member(Some(key(number)))).chain([member(None)]).collect());
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        net.connect(a, b);
    }
    (0..300).for_each(|_| net.mine(4));
    mine(&mut net, &[0], 8);
    let certified = net.nodes[0].tip();
    net.connect(0, 4);
    net.run(120_000);
    assert_eq!((net.nodes[4].tip(), heights(&net)[4]), (certified, 4));
    assert_eq!(net.offences, []);
}

#[test]
fn evidence_of_two_votes_is_kept_and_told() {
    let mut net = attacked();
    let (first, second) = (prepare(&net, 4, 2, 1), prepare(&net, 4, 2, 2));
    say(&mut net, votes(vec![first, second]));
    assert_eq!(net.offences, [], "who forwards is not to blame");
    let accused: Vec<u8> = net.nodes[0].engine.chain().finality().unwrap().evidence().map(Evidence::member).collect();
    assert_eq!(accused, [2]);
    assert_eq!(net.nodes[0].engine.store().evidence().unwrap().len(), 1);
}

#[test]
fn a_flood_of_votes_for_far_heights_is_not_kept_and_is_paid_for() {
    let mut net = attacked();
    let far: Vec<Vote> = (0..64).map(|at| prepare(&net, 4_000 + 4 * at, 2, 1)).collect();
    let before = net.nodes[0].engine.peer_units(PeerId(HOSTILE));
    for _ in 0..400 {
        say(&mut net, votes(far.clone()));
    }
    let finality = net.nodes[0].engine.chain().finality().unwrap();
    assert_eq!(finality.round().votes().count(), 0);
    let units = net.nodes[0].engine.peer_units(PeerId(HOSTILE)) - before;
    assert!(units >= 4_900, "{units} units: its budget is spent");
    let offences = net.offences_of(0, HOSTILE);
    assert!(offences.contains(&Offence::TooMany("requests")), "what it sends beyond is held against it");
}

#[test]
fn evidence_in_a_message_that_was_lost_is_told_again() {
    let mut net = attacked();
    let evidence_told = |net: &mut Net, failure: Option<Failure>| {
        let mut told = false;
        for (_, id, request) in net.questions(HOSTILE) {
            let Request::Finality { evidence, .. } = request else { continue };
            told |= !evidence.is_empty();
            match failure.clone() {
                Some(failure) => net.inject(0, HOSTILE, PeerEvent::Response(id, Err(failure))),
                None => answer(net, id, Response::Ack),
            }
        }
        told
    };
    evidence_told(&mut net, None);
    let other = HOSTILE + 1;
    let status = net.status(0);
    net.intrude(0, other, status);
    let both = votes(vec![prepare(&net, 4, 2, 1), prepare(&net, 4, 2, 2)]);
    net.inject(0, other, PeerEvent::Request(InboundId(8), both));
    assert!(evidence_told(&mut net, Some(Failure::Refused)));
    net.run(11_000);
    assert!(evidence_told(&mut net, None), "the first message was lost");
    net.run(11_000);
    assert!(!evidence_told(&mut net, None), "it has it now");
}

#[test]
fn votes_on_a_chain_without_members_ban_their_sender() {
    let mut net = Net::new(vec![Kit::new()]);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    say(&mut net, votes(Vec::new()));
    assert_eq!(net.offences_of(0, HOSTILE), [Offence::NoFinality]);
}

#[test]
fn who_lags_behind_is_told_the_newest_certificate() {
    let mut net = attacked();
    net.nodes[0].mine_many(6);
    let hash = net.nodes[0].block_at(4).hash();
    let newest: Certificate = certificate(&net.nodes[0], 4, hash, [0, 1, 2]);
    say(
        &mut net,
        Request::Finality { newest: 4, certificate: Some(newest.clone()), votes: Vec::new(), evidence: Vec::new() },
    );
    net.outside.clear();
    say(&mut net, votes(Vec::new()));
    let told = net
        .outside
        .iter()
        .any(|(_, action)| matches!(action, PeerAction::Respond(_, _, Response::Certificate(told)) if *told == newest));
    assert!(told);
    assert_eq!(net.offences, []);
}
