//! A peer that introduces itself as it likes: `foreign_peer IP:PORT GENESIS AGENT`. It keeps the connection, says `connected`
//! once it has introduced itself, and ends with its standard input.
//!
//! The page's tests (`tests/page/network.js`) look at how a node shows it.

// The peer of the tests in `hostile`; not everything that it can do is done here.
#[allow(dead_code, reason = "those tests use it")]
#[path = "../tests/hostile/attacker.rs"]
mod attacker;

use attacker::{Manners, RawCodec, answer, exchange};
use cairn_node::wire::PROTOCOL;
use futures::StreamExt;
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, SwarmBuilder, identify, noise, request_response,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};
use std::{error::Error, io::Read, process::ExitCode, thread, time::Duration};
use tokio::{runtime::Runtime, sync::oneshot};

#[derive(NetworkBehaviour)]
struct Behaviour {
    exchange: request_response::Behaviour<RawCodec>,
    identify: identify::Behaviour,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [node, genesis, agent] = arguments.as_slice() else {
        eprintln!("usage: foreign_peer IP:PORT GENESIS AGENT");
        return Ok(ExitCode::from(2));
    };
    Runtime::new()?.block_on(async {
        let mut swarm = swarm(genesis, agent)?;
        let (ip, port) = node.split_once(':').ok_or("the node is IP:PORT")?;
        swarm.dial(format!("/ip4/{ip}/tcp/{port}").parse::<Multiaddr>()?)?;
        tokio::select! {
            error = live(&mut swarm) => Err(error.into()),
            _ = end_of_input() => Ok(ExitCode::SUCCESS),
        }
    })
}

fn swarm(genesis: &str, agent: &str) -> Result<Swarm<Behaviour>, Box<dyn Error>> {
    let protocol = StreamProtocol::try_from_owned(format!("/cairn/{genesis}/exchange/{PROTOCOL}"))?;
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            let config =
                identify::Config::new("/cairn/1".to_owned(), key.public()).with_agent_version(agent.to_owned());
            Behaviour { exchange: exchange(protocol), identify: identify::Behaviour::new(config) }
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build();
    Ok(swarm)
}

/// Answers until the connection ends; why it did.
async fn live(swarm: &mut Swarm<Behaviour>) -> String {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Sent { .. })) => println!("connected"),
            SwarmEvent::Behaviour(BehaviourEvent::Exchange(request_response::Event::Message { message, .. })) => {
                let request_response::Message::Request { request, channel, .. } = message else { continue };
                if let Some(bytes) = answer(Manners::Handshake, &request.bytes) {
                    // The peer that asked may be gone.
                    let _ = swarm.behaviour_mut().exchange.send_response(channel, bytes);
                }
            }
            SwarmEvent::ConnectionClosed { cause, .. } => return format!("the node ended the connection: {cause:?}"),
            SwarmEvent::OutgoingConnectionError { error, .. } => return format!("no connection: {error}"),
            _ => {}
        }
    }
}

async fn end_of_input() {
    let (end, ended) = oneshot::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = end.send(());
    });
    let _ = ended.await;
}
