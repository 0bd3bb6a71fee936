//! The protocols that a node speaks, with their limits.

use libp2p::{
    autonat,
    gossipsub::{
        self, MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicHash, TopicScoreParams,
        ValidationMode, WhitelistSubscriptionFilter,
    },
    identify,
    identity::Keypair,
    mdns, ping, request_response,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{codec::Codec, config::NetConfig, gate::Gate, names::Names, table::Table, topic::Topic};
use crate::{
    version::AGENT,
    wire::{CompactBlock, Message},
};

/// Streams for questions and answers that a connection may have open, both ways.
const STREAMS: usize = 40;
/// An answer takes no longer. The engine does not wait so long by far: this bounds what a slow reader may hold.
pub const ANSWER: Duration = Duration::from_secs(30);
/// How many gossiped messages may wait for one slow peer.
const GOSSIP_QUEUE: usize = 64;
/// Peers of a lower gossip score are ignored by gossip, and in the end disconnected.
pub const GRAYLIST: f64 = -80.0;

/// Carries requests and responses.
pub type ExchangeProtocol = request_response::Behaviour<Codec>;

/// All protocols. The gate stands first: whom it refuses, none of the others hears of.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    /// Who may connect.
    pub gate: Gate,
    /// Names, addresses and protocols of peers.
    pub identify: identify::Behaviour,
    /// Whether they are still there.
    pub ping: ping::Behaviour,
    /// Finds peers anywhere.
    pub kad: Toggle<Table>,
    /// Finds peers in the local network.
    pub mdns: Toggle<mdns::tokio::Behaviour>,
    /// Spreads blocks.
    pub gossip: Topic,
    /// Requests and responses.
    pub exchange: ExchangeProtocol,
    /// Asks others whether this node can be reached.
    pub autonat: Toggle<autonat::v1::Behaviour>,
}

impl Behaviour {
    /// The protocols of a node with this key.
    ///
    /// # Errors
    /// If the system has no mDNS sockets to give.
    pub fn new(key: &Keypair, config: &NetConfig, names: &Names, gate: Gate) -> std::io::Result<Self> {
        let id = key.public().to_peer_id();
        let identify = identify::Config::new("/cairn/1".to_owned(), key.public())
            .with_agent_version(AGENT.to_owned())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let ping = ping::Config::new().with_interval(Duration::from_secs(15)).with_timeout(Duration::from_secs(20));
        let exchange =
            request_response::Config::default().with_request_timeout(ANSWER).with_max_concurrent_streams(STREAMS);
        let mdns =
            config.asks_neighbours().then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), id)).transpose()?;
        let autonat = config.nat.then(|| autonat::v1::Behaviour::new(id, autonat::v1::Config::default()));
        Ok(Self {
            gate,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
            kad: config.discover.then(|| Table::new(id, names.kad.clone())).into(),
            mdns: mdns.into(),
            gossip: gossip(names),
            exchange: request_response::Behaviour::with_codec(
                Codec::default(),
                [(names.exchange.clone(), request_response::ProtocolSupport::Full)],
                exchange,
            ),
            autonat: autonat.into(),
        })
    }
}

/// The topic carries the genesis hash, not the protocol's name: under a name of ours the library would not speak version 1.2,
/// and so would not say what it has no need of (IDONTWANT).
pub(super) fn gossip(names: &Names) -> Topic {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        // Other bytes are another message, so that nobody can take an honest block's place.
        .message_id_fn(|message| MessageId::from(blake3::hash(&message.data).as_bytes().as_slice()))
        .max_transmit_size(CompactBlock::MOST_BYTES + 1_024)
        .heartbeat_initial_delay(Duration::from_secs(1))
        .heartbeat_interval(Duration::from_secs(1))
        // A block that waits for its missing transactions is still there when the verdict comes.
        .history_length(30)
        .history_gossip(3)
        // Later, a block is old: it is neither passed on nor asked for. Each message is remembered for so long.
        .duplicate_cache_time(Duration::from_secs(120))
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .max_ihave_messages_heartbeat(10)
        .idontwant_message_size_threshold(1_000)
        .build()
        .expect("the settings fit each other");
    let topic = names.blocks.hash();
    let filter = WhitelistSubscriptionFilter(HashSet::from([topic.clone()]));
    let mut gossip = gossipsub::Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .expect("nothing is signed, and nothing is expected to be");
    gossip.with_peer_score(scores(topic.clone()), thresholds()).expect("the parameters fit each other");
    gossip.subscribe(&names.blocks).expect("the filter knows the topic");
    Topic::new(gossip, topic)
}

/// What counts is who brings blocks first, who brings invalid ones, and who breaks the protocol. How *many* a peer brings
/// does not: a chain may be slow, and honest peers of a slow topic are never punished.
fn scores(topic: TopicHash) -> PeerScoreParams {
    let blocks = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 300.0,
        first_message_deliveries_weight: 1.0,
        first_message_deliveries_decay: 0.9,
        first_message_deliveries_cap: 20.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -20.0,
        invalid_message_deliveries_decay: 0.99,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: HashMap::from([(topic, blocks)]),
        // The gate limits how many come from one host.
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: -1.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: 0.9,
        ..PeerScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -20.0,
        publish_threshold: -40.0,
        graylist_threshold: GRAYLIST,
        ..PeerScoreThresholds::default()
    }
}
