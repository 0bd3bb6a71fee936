//! A peer that speaks the node's protocols byte by byte, and says what it likes. Shares no code with the node but its
//! messages.

use cairn_node::wire::{Message, PROTOCOL, Request, Response, Status};
use chain_core::{U256, finality::Vote, hash::BlockHash};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder,
    gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode},
    noise,
    request_response::{self, OutboundRequestId, ProtocolSupport},
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp,
};
use std::{
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket},
    runtime::Runtime,
    time::timeout,
};

/// How a question is put.
#[derive(Clone, Debug)]
pub struct Question {
    /// All bytes of it, the length included.
    pub bytes: Vec<u8>,
    /// Whether the stream is then held open in silence.
    pub hold: bool,
    /// Whether the answer is never read.
    pub deaf: bool,
}

impl Question {
    /// A message as an honest node frames it.
    pub fn honest(request: &Request) -> Self {
        Self::framed(&request.encode())
    }

    /// Bytes behind their true length.
    pub fn framed(bytes: &[u8]) -> Self {
        Self::promising(u32::try_from(bytes.len()).expect("tests are small"), bytes)
    }

    /// Bytes behind any length.
    pub fn promising(length: u32, bytes: &[u8]) -> Self {
        Self { bytes: [&length.to_le_bytes(), bytes].concat(), hold: false, deaf: false }
    }
}

/// Writes and reads raw bytes.
#[derive(Clone)]
pub struct RawCodec;

impl request_response::Codec for RawCodec {
    type Protocol = StreamProtocol;
    type Request = Question;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Question> {
        Ok(Question { bytes: read(io).await?, hold: false, deaf: false })
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Vec<u8>> {
        read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, question: Question) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&question.bytes).await?;
        io.flush().await?;
        if question.hold {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        if question.deaf {
            io.close().await?;
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Ok(())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&answer).await
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io.take(16 << 20).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    exchange: request_response::Behaviour<RawCodec>,
    gossip: gossipsub::Behaviour,
    /// Writes to streams of gossip what no library would.
    raw_gossip: request_response::Behaviour<RawCodec>,
}

/// What the attacker makes of the node's questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Answers where it stands as an honest node does, and nothing else.
    Handshake,
    /// Never answers.
    Silent,
    /// Answers everything with bytes that are no message.
    Nonsense,
}

/// An attacker with a key and an address of its own.
pub struct Attacker {
    runtime: Runtime,
    swarm: Swarm<Behaviour>,
    node: PeerId,
    topic: IdentTopic,
    manners: Manners,
    /// Questions that the node has answered, well or badly, or refused.
    pub answered: Vec<OutboundRequestId>,
    /// Questions that the node put.
    pub asked: usize,
    /// Votes of finality that the node told, the first thousand that nobody has taken.
    pub votes: Vec<Vote>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether the node let it in at no time.
    refused: bool,
    kept: Vec<request_response::ResponseChannel<Vec<u8>>>,
}

impl Attacker {
    /// An attacker that comes from this IP of loopback and dials a node, given as `IP:PORT`.
    pub fn dial(from: &str, node: &str, genesis: &BlockHash, manners: Manners) -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let guard = runtime.enter();
        let name = format!("/cairn/{genesis}/exchange/{PROTOCOL}");
        let protocol = StreamProtocol::try_from_owned(name).expect("a name begins with a slash");
        let topic = IdentTopic::new(format!("cairn/{genesis}/blocks/{PROTOCOL}"));
        let address = runtime.block_on(detour(from, node)).expect("loopback is wide");
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, libp2p::yamux::Config::default)
            .expect("the key can sign")
            .with_behaviour(|_| Behaviour {
                exchange: exchange(protocol),
                gossip: gossip(&topic),
                raw_gossip: writes(StreamProtocol::new("/meshsub/1.1.0")),
            })
            .expect("the behaviour needs nothing")
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
            .build();
        swarm.dial(address).expect("a dial can begin");
        drop(guard);
        let mut attacker = Self {
            runtime,
            swarm,
            node: PeerId::random(),
            topic,
            manners,
            answered: Vec::new(),
            asked: 0,
            votes: Vec::new(),
            connected: false,
            refused: false,
            kept: Vec::new(),
        };
        attacker.run_until(Duration::from_secs(5), |attacker| attacker.connected || attacker.refused);
        attacker
    }

    /// Its key.
    pub fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Asks the node something.
    pub fn ask(&mut self, question: Question) -> OutboundRequestId {
        let node = self.node;
        self.swarm.behaviour_mut().exchange.send_request(&node, question)
    }

    /// Says where it stands, at the genesis block, by a clock that is ahead by so many seconds.
    pub fn introduce(&mut self, genesis: &BlockHash, agent: &str, ahead: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
        let status = Status {
            genesis: *genesis,
            best: *genesis,
            height: 0,
            work: U256::ZERO,
            protocol: PROTOCOL,
            agent: agent.into(),
            oldest: 1,
            time: now + ahead,
        };
        self.ask(Question::honest(&Request::Status(status)));
    }

    /// Gossips bytes as if they were a block.
    pub fn gossip(&mut self, bytes: Vec<u8>) {
        // Nobody may be listening any more.
        let _ = self.swarm.behaviour_mut().gossip.publish(self.topic.clone(), bytes);
    }

    /// Writes packets of gossip, one after the other, on a stream of their own. The node takes five streams of a peer.
    pub fn gossip_raw(&mut self, packets: &[Vec<u8>]) {
        let question = Question { bytes: packets.concat(), hold: false, deaf: false };
        let node = self.node;
        self.swarm.behaviour_mut().raw_gossip.send_request(&node, question);
    }

    /// The topic of blocks.
    pub fn topic(&self) -> String {
        self.topic.to_string()
    }

    /// Lives for a while.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Lives until something has come about, or for so long; answers whether it has.
    pub fn run_until(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + time;
        while !done(self) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let next = self.runtime.block_on(async { timeout(left, self.swarm.select_next_some()).await });
            match next {
                Ok(event) => self.on_event(event),
                Err(_) => return done(self),
            }
        }
        true
    }

    /// Keeps the votes that a question has.
    fn listen(&mut self, question: &[u8]) {
        let request = question.get(4..).and_then(|bytes| Request::decode(bytes).ok());
        if let Some(Request::Finality { votes, .. }) = request {
            let space = 1_000_usize.saturating_sub(self.votes.len());
            self.votes.extend(votes.into_iter().take(space));
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        use request_response::{Event, Message as Exchanged};
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => (self.node, self.connected) = (peer_id, true),
            SwarmEvent::ConnectionClosed { num_established: 0, .. } => self.connected = false,
            SwarmEvent::OutgoingConnectionError { .. } => self.refused = true,
            SwarmEvent::Behaviour(BehaviourEvent::Exchange(event)) => match event {
                Event::Message { message: Exchanged::Request { request, channel, .. }, .. } => {
                    self.asked += 1;
                    self.listen(&request.bytes);
                    match answer(self.manners, &request.bytes) {
                        // It has gone, or waits for ever.
                        Some(bytes) => _ = self.swarm.behaviour_mut().exchange.send_response(channel, bytes),
                        None => self.kept.push(channel),
                    }
                }
                Event::Message { message: Exchanged::Response { request_id, .. }, .. }
                | Event::OutboundFailure { request_id, .. } => self.answered.push(request_id),
                _ => {}
            },
            _ => {}
        }
    }
}

/// An address that leads to a node by way of another IP of this machine: libp2p itself dials loopback from 127.0.0.1 alone.
async fn detour(from: &str, node: &str) -> io::Result<Multiaddr> {
    let entry = TcpListener::bind("127.0.0.1:0").await?;
    let port = entry.local_addr()?.port();
    let exit = TcpSocket::new_v4()?;
    exit.bind(format!("{from}:0").parse().expect("an address"))?;
    let node = node.parse().expect("an address");
    tokio::spawn(async move {
        let (mut dialler, _) = entry.accept().await?;
        let mut node = exit.connect(node).await?;
        copy_bidirectional(&mut dialler, &mut node).await
    });
    Ok(format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("an address"))
}

/// What to answer; nothing leaves the asker waiting.
pub fn answer(manners: Manners, question: &[u8]) -> Option<Vec<u8>> {
    let framed = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("tests are small").to_le_bytes(), bytes].concat();
    match manners {
        Manners::Silent => None,
        Manners::Nonsense => Some(framed(&[0xff; 40])),
        // The node's own status, sent back: the same chain, and nothing that it lacks.
        Manners::Handshake => match Request::decode(question.get(4..)?).ok()? {
            Request::Status(status) => Some(framed(&Response::Status(status).encode())),
            Request::Finality { .. } => Some(framed(&Response::Ack.encode())),
            _ => Some(framed(&Response::Unknown.encode())),
        },
    }
}

/// Questions and answers under this name, without limits.
pub fn exchange(protocol: StreamProtocol) -> request_response::Behaviour<RawCodec> {
    let config = request_response::Config::default()
        .with_request_timeout(Duration::from_secs(600))
        .with_max_concurrent_streams(10_000);
    request_response::Behaviour::with_codec(RawCodec, [(protocol, ProtocolSupport::Full)], config)
}

/// Streams of this name to write to.
fn writes(protocol: StreamProtocol) -> request_response::Behaviour<RawCodec> {
    let config = request_response::Config::default().with_request_timeout(Duration::from_secs(600));
    request_response::Behaviour::with_codec(RawCodec, [(protocol, ProtocolSupport::Outbound)], config)
}

/// A packet of gossip with these messages on a topic: the fields 2 (data) and 4 (topic) of each.
pub fn packet(topic: &str, messages: &[Vec<u8>]) -> Vec<u8> {
    let message = |data: &Vec<u8>| field(2, &[field(2, data), field(4, topic.as_bytes())].concat());
    let packet: Vec<u8> = messages.iter().flat_map(message).collect();
    [varint(packet.len()), packet].concat()
}

/// A field of protocol buffers that has a length.
fn field(number: usize, bytes: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2)[..], &varint(bytes.len()), bytes].concat()
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 & 0x7f | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn gossip(topic: &IdentTopic) -> gossipsub::Behaviour {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(|message| gossipsub::MessageId::from(message.data.clone()))
        .heartbeat_initial_delay(Duration::from_millis(100))
        .max_transmit_size(64 << 20)
        .build()
        .expect("the settings fit each other");
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).expect("nothing is signed");
    gossip.subscribe(topic).expect("nothing forbids it");
    gossip
}
