//! Peers that misuse the protocol by which peers say what they are (identify).

use cairn_node::wire::PROTOCOL;
use chain_core::hash::BlockHash;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, noise, request_response,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp,
};
use std::time::{Duration, Instant};
use tokio::{runtime::Runtime, task::JoinSet, time::sleep};

use super::attacker::{RawCodec, exchange};

/// Identities that are at it at a time: fewer than the node has inbound places.
const AT_A_TIME: usize = 8;

#[derive(NetworkBehaviour)]
struct Behaviour {
    exchange: request_response::Behaviour<RawCodec>,
    /// Only its name counts: a node that speaks it may be found.
    table: request_response::Behaviour<RawCodec>,
    identify: identify::Behaviour,
}

/// A peer that says what it is, again and again.
pub struct Introducer {
    runtime: Runtime,
    session: Session,
}

struct Session {
    swarm: Swarm<Behaviour>,
    node: PeerId,
    connected: bool,
    /// Times that it was told what the node is.
    told: usize,
    /// Times that it said what it is.
    pushed: usize,
}

impl Introducer {
    /// A peer with a key of its own that is connected with the node at `IP:PORT`, and speaks this version of the protocol.
    pub fn dial(node: &str, genesis: &BlockHash, version: u32) -> Option<Self> {
        let runtime = Runtime::new().expect("threads can be started");
        let session = runtime.block_on(Session::dial(node.to_owned(), *genesis, version))?;
        Some(Self { runtime, session })
    }

    /// Its key.
    pub fn id(&self) -> PeerId {
        *self.session.swarm.local_peer_id()
    }

    /// Whether the node ends the connection in that time.
    pub fn is_sent_away(&mut self, time: Duration) -> bool {
        self.runtime.block_on(self.session.run(time, |session| !session.connected))
    }

    /// Says what it is, with fresh addresses each time, until the node ends the connection; answers how often.
    pub fn push_until_closed(&mut self, time: Duration) -> usize {
        let end = Instant::now() + time;
        self.runtime.block_on(async {
            while self.session.connected && Instant::now() < end {
                self.session.push();
                self.session.run(Duration::from_millis(10), |_| false).await;
            }
        });
        self.session.pushed
    }

    /// So many identities, one after the other: each connects, says what it is twice, and leaves. Answers how many got so far.
    pub fn crowd(node: &str, genesis: &BlockHash, identities: usize) -> usize {
        let runtime = Runtime::new().expect("threads can be started");
        runtime.block_on(async {
            let (mut sessions, mut met) = (JoinSet::new(), 0);
            for _ in 0..identities {
                if sessions.len() >= AT_A_TIME {
                    met += usize::from(matches!(sessions.join_next().await, Some(Ok(true))));
                }
                sessions.spawn(visit(node.to_owned(), *genesis));
            }
            met + sessions.join_all().await.into_iter().filter(|met| *met).count()
        })
    }
}

async fn visit(node: String, genesis: BlockHash) -> bool {
    let Some(mut session) = Session::dial(node, genesis, PROTOCOL).await else { return false };
    if !session.run(Duration::from_secs(10), |session| session.told > 0 && session.pushed > 0).await {
        return false;
    }
    session.push();
    session.run(Duration::from_secs(10), |session| session.pushed > 1).await
}

impl Session {
    async fn dial(node: String, genesis: BlockHash, version: u32) -> Option<Self> {
        let name = |what: &str| {
            let name = format!("/cairn/{genesis}/{what}/{version}");
            StreamProtocol::try_from_owned(name).expect("a name begins with a slash")
        };
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, libp2p::yamux::Config::default)
            .expect("the key can sign")
            .with_behaviour(|key| Behaviour {
                exchange: exchange(name("exchange")),
                table: exchange(name("kad")),
                identify: identify::Behaviour::new(identify::Config::new("/cairn/1".to_owned(), key.public())),
            })
            .expect("the behaviour needs nothing")
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
            .build();
        let (ip, port) = node.split_once(':')?;
        swarm.add_external_address(random_address());
        swarm.dial(format!("/ip4/{ip}/tcp/{port}").parse::<Multiaddr>().ok()?).ok()?;
        let mut session = Self { swarm, node: PeerId::random(), connected: false, told: 0, pushed: 0 };
        session.run(Duration::from_secs(10), |session| session.connected).await.then_some(session)
    }

    /// Says what it is, at four addresses that it never named before.
    fn push(&mut self) {
        let old: Vec<Multiaddr> = self.swarm.external_addresses().cloned().collect();
        old.iter().for_each(|address| self.swarm.remove_external_address(address));
        (0..4).for_each(|_| self.swarm.add_external_address(random_address()));
        self.swarm.behaviour_mut().identify.push([self.node]);
    }

    /// Lives until something has come about, or for so long; answers whether it has.
    async fn run(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = sleep(time);
        tokio::pin!(end);
        while !done(self) {
            let event = tokio::select! {
                event = self.swarm.select_next_some() => event,
                () = &mut end => return done(self),
            };
            match event {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => (self.node, self.connected) = (peer_id, true),
                SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                    self.connected = false;
                    return done(self);
                }
                SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => match event {
                    identify::Event::Received { .. } => self.told += 1,
                    identify::Event::Sent { .. } | identify::Event::Pushed { .. } => self.pushed += 1,
                    identify::Event::Error { .. } => {}
                },
                _ => {}
            }
        }
        true
    }
}

/// An address of this machine at which nobody listens, most likely.
fn random_address() -> Multiaddr {
    let bytes = PeerId::random().to_bytes();
    let tail = &bytes[bytes.len() - 4..];
    format!("/ip4/127.{}.{}.{}/tcp/{}", tail[0], tail[1], tail[2], 1_024 + u16::from(tail[3]))
        .parse()
        .expect("an address")
}
