//! The distributed table of peers (Kademlia), hardened against manipulation by peers: its searches dial and tell on only
//! addresses that reach as far as the network that this node is in, and a peer's addresses in it are few.

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{Endpoint, transport::PortUse},
    kad::{self, store::MemoryStore},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished,
    },
};
use std::{
    collections::HashMap,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::address::{self, Reach};
use crate::throttle::Bucket;

type Kad = kad::Behaviour<MemoryStore>;

/// Requests that a connection may make at once, and after how long it may make one more. The library answers as fast as it is asked, and
/// an attacker would have it do nothing else. An honest node searches every 15 s; while its table has fewer than 20 peers, each new one
/// has it refresh its buckets, of which such a table has about ten.
const REQUESTS: u32 = 256;
const REQUEST_AGAIN: Duration = Duration::from_secs(1);

/// How often the table is searched while peers are wanted, and otherwise.
const SEARCH: Duration = Duration::from_secs(15);
const SEARCH_CALMLY: Duration = Duration::from_secs(600);

/// A connection.
struct Connection {
    /// How far away the other end is.
    reach: Reach,
    /// What it may request.
    requests: Bucket,
}

impl Connection {
    fn new(reach: Reach) -> Self {
        Self { reach, requests: Bucket::new(REQUESTS, REQUEST_AGAIN, Instant::now()) }
    }
}

type Received = THandlerOutEvent<Kad>;

/// The table.
pub struct Table {
    kad: Kad,
    open: HashMap<ConnectionId, Connection>,
    next_search: Instant,
}

impl Table {
    /// The table knows peers only; records are refused, and peers enter once it is known that they are of this chain.
    pub fn new(id: PeerId, protocol: StreamProtocol) -> Self {
        let mut config = kad::Config::new(protocol);
        config
            .set_record_filtering(kad::StoreInserts::FilterBoth)
            .set_kbucket_inserts(kad::BucketInserts::Manual)
            .set_periodic_bootstrap_interval(None)
            .set_replication_interval(None)
            .set_publication_interval(None)
            .set_query_timeout(Duration::from_secs(30));
        let mut kad = kad::Behaviour::with_config(id, MemoryStore::new(id), config);
        kad.set_mode(Some(kad::Mode::Server));
        Self { kad, open: HashMap::new(), next_search: Instant::now() }
    }

    /// How far away the farthest peer is: what the table holds is worth what that peer says.
    pub fn reach(&self) -> Reach {
        self.open.values().map(|connection| connection.reach).max().unwrap_or(Reach::Machine)
    }

    /// Whether the table deals with an address. Others would have this node knock at ports of its own network, or learn from it
    /// who is there.
    fn deals_with(&self, address: &Multiaddr) -> bool {
        let (bare, _) = address::split(address.clone());
        address::can_dial(&bare) && address::ip(&bare).is_some_and(|ip| address::reach(ip) >= self.reach())
    }

    /// A peer is of this chain: these addresses stand for it from now on, and no earlier ones.
    pub fn enter(&mut self, peer: &PeerId, addresses: &[Multiaddr]) {
        self.kad.remove_peer(peer);
        for address in addresses {
            if !self.deals_with(address) {
                continue;
            }
            self.kad.add_address(peer, address.clone());
        }
    }

    /// Searches for peers near a random place from time to time: often while peers are wanted.
    pub fn search(&mut self, wanted: bool, now: Instant) {
        if now >= self.next_search {
            self.next_search = now + if wanted { SEARCH } else { SEARCH_CALMLY };
            self.kad.get_closest_peers(PeerId::random());
        }
    }

    /// Forgets addresses that reach less far than the network that this node turned out to be in.
    fn forget_near(&mut self) {
        let mut near = Vec::new();
        for bucket in self.kad.kbuckets() {
            for entry in bucket.iter() {
                let addresses = entry.node.value.iter().cloned();
                near.extend(addresses.map(|address| (*entry.node.key.preimage(), address)));
            }
        }
        near.retain(|(_, address)| !self.deals_with(address));
        near.iter().for_each(|(peer, address)| _ = self.kad.remove_address(peer, address));
    }
}

impl NetworkBehaviour for Table {
    type ConnectionHandler = <Kad as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = kad::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.kad.handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad.handle_established_inbound_connection(id, peer, local, remote)
    }

    /// Called for all attempts, but what is returned is used only for those that the table makes.
    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut told = self.kad.handle_pending_outbound_connection(id, peer, addresses, role)?;
        told.retain(|address| self.deals_with(address));
        Ok(told)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad.handle_established_outbound_connection(id, peer, remote, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        self.kad.on_swarm_event(event);
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, endpoint, .. }) => {
                let before = self.reach();
                let ip = address::ip(endpoint.get_remote_address());
                self.open.insert(connection_id, Connection::new(ip.map_or(Reach::Machine, address::reach)));
                if self.reach() > before {
                    self.forget_near();
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.open.remove(&connection_id);
            }
            _ => {}
        }
    }

    /// A request beyond what a connection may make stays without a response. Its stream waits, and the library reads from 32 streams
    /// of a connection at most.
    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: Received) {
        let may = |connection: &mut Connection| connection.requests.take(Instant::now());
        if !is_request(&event) || self.open.get_mut(&id).is_some_and(may) {
            self.kad.on_connection_handler_event(peer, id, event);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.kad.poll(context)
    }
}

fn is_request(event: &Received) -> bool {
    match event {
        Received::FindNodeReq { .. }
        | Received::GetProvidersReq { .. }
        | Received::AddProvider { .. }
        | Received::GetRecord { .. }
        | Received::PutRecord { .. } => true,
        Received::ProtocolConfirmed { .. }
        | Received::ProtocolNotSupported { .. }
        | Received::FindNodeRes { .. }
        | Received::GetProvidersRes { .. }
        | Received::QueryError { .. }
        | Received::GetRecordRes { .. }
        | Received::PutRecordRes { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use libp2p::{
        Swarm, SwarmBuilder,
        identity::Keypair,
        noise,
        swarm::{self, SwarmEvent},
        tcp, yamux,
    };

    fn table() -> Table {
        Table::new(PeerId::random(), StreamProtocol::new("/test/kad/1"))
    }

    impl Table {
        /// Addresses that the table would dial a peer at.
        fn dials(&mut self, peer: PeerId) -> Vec<String> {
            let id = ConnectionId::new_unchecked(0);
            let told = self.handle_pending_outbound_connection(id, Some(peer), &[], Endpoint::Dialer).unwrap();
            told.into_iter().map(|address| address::split(address).0.to_string()).collect()
        }
    }

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn new_addresses_take_the_place_of_old_ones() {
        let (mut table, peer) = (table(), PeerId::random());
        for number in 1..1_000 {
            table.enter(&peer, &[address(&format!("/ip4/9.9.9.9/tcp/{number}"))]);
        }
        assert_eq!(table.dials(peer), ["/ip4/9.9.9.9/tcp/999"]);
    }

    #[test]
    fn private_addresses_are_not_dialled_on_the_word_of_a_far_peer() {
        let (mut table, peer, other) = (table(), PeerId::random(), PeerId::random());
        let (near, far) = (address("/ip4/192.168.1.7/tcp/22"), address("/ip4/9.9.9.9/tcp/30303"));
        table.enter(&peer, &[near.clone(), far.clone()]);
        assert_eq!(table.dials(peer).len(), 2, "as long as nobody is far away");
        table.open.insert(ConnectionId::new_unchecked(1), Connection::new(Reach::Global));
        assert_eq!(table.dials(peer), [far.to_string()]);
        table.enter(&other, &[near, far.clone()]);
        assert_eq!(table.dials(other), [far.to_string()]);
    }

    #[test]
    fn the_table_tells_far_peers_nothing_of_near_ones() {
        let (mut table, peer) = (table(), PeerId::random());
        table.enter(&peer, &[address("/ip4/192.168.1.7/tcp/22")]);
        table.open.insert(ConnectionId::new_unchecked(1), Connection::new(Reach::Global));
        table.forget_near();
        assert_eq!(table.kad.kbuckets().map(|bucket| bucket.num_entries()).sum::<usize>(), 0);
    }

    fn swarm(mode: kad::Mode) -> Swarm<Table> {
        let builder = SwarmBuilder::with_new_identity().with_tokio();
        let builder = builder.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default).unwrap();
        let table = |key: &Keypair| Table::new(key.public().to_peer_id(), StreamProtocol::new("/test/kad/1"));
        let builder = builder.with_behaviour(table).unwrap();
        let idle = |config: swarm::Config| config.with_idle_connection_timeout(Duration::from_secs(60));
        let mut swarm = builder.with_swarm_config(idle).build();
        swarm.behaviour_mut().kad.set_mode(Some(mode));
        swarm
    }

    #[tokio::test]
    async fn a_flood_of_searches_is_answered_at_a_pace() {
        let (mut node, mut attacker) = (swarm(kad::Mode::Server), swarm(kad::Mode::Client));
        node.listen_on(address("/ip4/127.0.0.1/tcp/0")).unwrap();
        let listens = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = node.select_next_some().await {
                break address;
            }
        };
        let kad = &mut attacker.behaviour_mut().kad;
        kad.add_address(node.local_peer_id(), listens);
        (0..1_000).for_each(|_| _ = kad.get_closest_peers(PeerId::random()));
        let (mut answered, end) = (0, Instant::now() + Duration::from_secs(3));
        while Instant::now() < end {
            tokio::select! {
                _ = node.select_next_some() => {}
                event = attacker.select_next_some() => {
                    if let SwarmEvent::Behaviour(kad::Event::OutboundQueryProgressed { stats, .. }) = event {
                        answered += stats.num_successes();
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
        // One more in each second, and the attacker's own first search.
        assert!((REQUESTS..=REQUESTS + 4).contains(&answered), "{answered} were answered");
    }
}
