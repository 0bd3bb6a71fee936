//! `cairn-node devnet`: several nodes of one chain on this machine, to cut, kill and reorganise at will.

mod board;
mod fleet;
mod keyboard;
mod leftovers;
mod member;
mod members;
mod order;
mod reorg;
mod screen;
mod stop;

use cairn_client::{counted, plain};
use std::{
    net::TcpListener,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    time::Duration,
};

use self::{
    board::Board,
    fleet::{Fleet, Row},
    keyboard::Keyboard,
    member::Member,
    members::Members,
    order::{HELP, Input, Order},
    screen::Screen,
    stop::Stop,
};
use crate::error::CommandError;
use crate::{cli::Devnet, config, dev, signals::Signals, store::DirectoryLock};

/// Of a chain with money that everybody can spend.
const WARNING: &str = "ten accounts have money, to send from on a node's page (Dev). Everybody knows their keys (they are those \
                       of cairn-node --dev): use them nowhere else";

/// How often the table is drawn.
const DRAW: Duration = Duration::from_secs(1);

/// Runs a devnet until it is told to stop.
///
/// # Errors
/// [`CommandError`].
pub fn run(flags: &Devnet) -> Result<(), CommandError> {
    let spec = config::load_spec(&flags.chain)?;
    let nodes = usize::from(flags.nodes);
    if flags.miners > flags.nodes {
        let most = format!("--miners {}: expected at most {nodes}, as many as there are nodes (--nodes)", flags.miners);
        return Err(CommandError::Flag(most));
    }
    if spec.name == "dev" {
        return Err(CommandError::Flag("the dev chain has no network: choose devnet or a TOML file".to_owned()));
    }
    let finality = match flags.members {
        0 => None,
        count => Some(Members::plan(spec.clone(), usize::from(count), nodes, flags.datadir.as_deref())?),
    };
    let (sender, inputs) = mpsc::channel();
    let stop = Stop::default();
    let board = Board::new(nodes, sender.clone());
    let keyboard = Keyboard::default();
    listen(sender, stop.clone(), keyboard.clone())?;
    let ports = free_ports(flags, nodes)?;
    // Held until all has ended.
    let (folder, _lock) = match &flags.datadir {
        Some(folder) => (folder.clone(), DirectoryLock::acquire(folder)?),
        None => leftovers::make(&std::env::temp_dir())?,
    };
    let chain = finality.map_or_else(|| Ok(flags.chain.clone()), |members| members.write(&folder))?;
    let screen = Screen::new(flags.json);
    let socket =
        board.open(&folder).inspect_err(|error| screen.say(format_args!("no buttons on the page: {error}"))).ok();
    let members = ports.iter().enumerate().map(|(index, ports)| {
        let folder = folder.join(format!("node-{index}"));
        Member::new(folder, &chain, *ports, mines(index, nodes, usize::from(flags.miners)), socket.as_deref())
    });
    let (started, log) = (counted(nodes, "node"), folder.join("node-0/log"));
    screen.say(format_args!("starting {started} in {}; the log of the first is {}", folder.display(), log.display()));
    let fleet = match Fleet::start(members.collect(), &folder, flags.datadir.is_some(), stop) {
        Err(CommandError::Interrupted) => return Ok(()),
        fleet => fleet?,
    };
    let urls: Vec<String> = fleet.members.iter().map(|member| member.rpc.clone()).collect();
    screen.clear(nodes);
    screen.say(HELP);
    screen.say(format_args!("the page of the first node is {}/", urls[0]));
    if dev::is_funded(&spec) {
        screen.say(WARNING);
    }
    let mut desk = Desk { fleet, screen, board, urls, keyboard };
    let result = desk.attend(&inputs);
    desk.screen.release();
    desk.screen.say("stopping all nodes");
    result
}

/// Whether a node mines: the miners are spread, so that a partition in the order of nodes has miners on both sides.
fn mines(index: usize, nodes: usize, miners: usize) -> bool {
    (0..miners).any(|miner| miner * nodes / miners == index)
}

/// Two free ports for each node: the first above those asked for, so that they look alike.
fn free_ports(flags: &Devnet, nodes: usize) -> Result<Vec<(u16, u16)>, CommandError> {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let rpc: Vec<u16> = (flags.rpc_port..u16::MAX).filter(free).take(nodes).collect();
    let peers: Vec<u16> = (flags.port..u16::MAX).filter(free).filter(|port| !rpc.contains(port)).take(nodes).collect();
    if rpc.len() < nodes || peers.len() < nodes {
        return Err(CommandError::Stopped(
            "there are not enough free ports: choose a lower --rpc-port or --port".to_owned(),
        ));
    }
    Ok(rpc.into_iter().zip(peers).collect())
}

/// Passes on lines and signals. A signal is seen at once by what takes long, which looks at `asked`.
fn listen(sender: Sender<Input>, asked: Stop, keyboard: Keyboard) -> Result<(), CommandError> {
    let (stop, quit) = (sender.clone(), asked.clone());
    // Both threads end with the process; the receiver may have gone before.
    Signals::in_thread(async move |mut signals| {
        signals.next().await;
        asked.ask();
        let _ = stop.send(Input::Stop);
        signals.force().await;
    })?;
    std::thread::spawn(move || keyboard.read(&sender, &quit));
    Ok(())
}

/// Where orders are carried out.
struct Desk {
    fleet: Fleet,
    screen: Screen,
    board: Board,
    urls: Vec<String>,
    keyboard: Keyboard,
}

impl Desk {
    fn attend(&mut self, inputs: &Receiver<Input>) -> Result<(), CommandError> {
        self.screen.prompt();
        loop {
            match inputs.recv_timeout(DRAW) {
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                // Without anybody to type, a signal ends it.
                Ok(Input::End) => {}
                Err(RecvTimeoutError::Timeout) => {
                    let rows = self.look();
                    self.screen.update(&rows, &self.urls);
                }
                Ok(Input::Order(line, order)) => {
                    self.screen.say(format_args!("from the page: {}", plain(&line)));
                    if !self.carry_out(&line, &order) {
                        return Ok(());
                    }
                    self.screen.prompt();
                }
                Ok(Input::Line(line)) => {
                    match Order::parse(&line, self.fleet.members.len()) {
                        Ok(Some(Order::Quit)) => return Ok(()),
                        Ok(Some(Order::Status)) => self.screen.print(&self.fleet.status(), &self.urls),
                        Ok(Some(Order::Help)) => self.screen.say(HELP),
                        Ok(Some(order)) if !self.carry_out(&line, &order) => return Ok(()),
                        Ok(_) => {}
                        Err(message) => self.screen.result(&line, Err(message)),
                    }
                    self.keyboard.done();
                    self.screen.prompt();
                }
            }
        }
    }

    /// How all nodes are, for the page too.
    fn look(&mut self) -> Vec<Row> {
        let rows = self.fleet.status();
        self.board.show(screen::nodes(&rows, &self.urls));
        rows
    }

    /// Whether to go on.
    fn carry_out(&mut self, line: &str, order: &Order) -> bool {
        self.board.begin(line);
        let result = match self.obey(order) {
            Err(CommandError::Interrupted) => return false,
            result => result.map_err(|error| format!("error: {error}")),
        };
        self.look();
        self.board.end(line, &result);
        self.screen.result(line, result);
        true
    }

    fn obey(&mut self, order: &Order) -> Result<(), CommandError> {
        let (screen, board, fleet) = (&self.screen, &self.board, &mut self.fleet);
        let tell = |line: String| {
            board.note(&line);
            screen.say(line);
        };
        match order {
            Order::Partition(groups) => fleet.partition(groups),
            Order::Heal => fleet.heal(),
            Order::Kill(index) | Order::Mine(_, index) if !fleet.is_alive(*index) => {
                Err(CommandError::Stopped(format!("node {index} does not run")))
            }
            Order::Kill(index) => {
                fleet.members[*index].kill();
                Ok(())
            }
            Order::Restart(index) if fleet.is_alive(*index) => {
                Err(CommandError::Stopped(format!("node {index} runs: kill it first")))
            }
            Order::Restart(index) => fleet.restart(*index),
            Order::Mine(count, index) => reorg::mine(fleet, *index, *count, tell),
            Order::Pay(address) => fleet.pay(address),
            Order::Reorg(depth) => reorg::reorg(fleet, *depth, tell),
            Order::Status | Order::Help | Order::Quit => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mines;

    #[test]
    fn miners_are_spread_over_the_nodes() {
        let miners = |nodes, count| (0..nodes).filter(|index| mines(*index, nodes, count)).collect::<Vec<_>>();
        assert_eq!(miners(5, 2), [0, 2]);
        assert_eq!(miners(4, 1), [0]);
        assert_eq!(miners(3, 3), [0, 1, 2]);
        assert_eq!(miners(7, 3), [0, 2, 4]);
        assert!(miners(4, 0).is_empty());
    }
}
