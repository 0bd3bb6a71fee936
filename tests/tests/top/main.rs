//! `cairn-node top` on a terminal: it shows what a node does, reads keys, ends when it is told to, and costs next to nothing.

mod screen;
mod terminal;

use cairn_tests::{Node, TestKey, binary, cpu_ticks, wait_for};
use std::process::{Command, Output};

use screen::Screen;
use terminal::Terminal;

const SIZE: (u16, u16) = (80, 24);
const ACCOUNT: &str = "0x00000000000000000000000000000000000000aa";
/// Local modes of a terminal that makes lines, echoes, and makes signals of keys.
const LINES: libc::tcflag_t = libc::ICANON | libc::ECHO | libc::ISIG;
const KEYS: &str = " q quit   p pause   r refresh";

fn top(node: &Node) -> Command {
    let mut command = Command::new(binary("cairn-node"));
    // The cookie is found there.
    command.args(["top", "--rpc", &node.rpc.url]).env("HOME", node.folder.path()).env_remove("NO_COLOR");
    command
}

fn mine(node: &Node, blocks: u32) {
    node.mine(blocks, &TestKey::new(1, "ecrn").address(), ACCOUNT);
}

/// Whether the terminal is as it was before the program.
fn is_given_back(terminal: &mut Terminal, before: terminal::Modes) {
    terminal.settle();
    assert_eq!(terminal.modes(), before, "input, output, control and local modes");
    assert_eq!(terminal.shows(|screen| (screen.is_alternate, screen.hides_cursor)), (false, false));
}

#[test]
fn shows_the_tip_as_it_rises_and_ends_on_q() {
    let node = Node::start();
    mine(&node, 3);
    // The modes of a new terminal, before a program changes them.
    let before = {
        let mut other = Terminal::run(Command::new("true"), SIZE);
        other.ended();
        other.modes()
    };
    let mut terminal = Terminal::run(top(&node), SIZE);
    terminal.wait_for("tip        3  ");
    assert!(terminal.shows(|screen| screen.is_alternate && screen.hides_cursor && screen.had_colours));
    assert_ne!(terminal.modes(), before, "keys come without Enter");
    mine(&node, 2);
    terminal.wait_for("tip        5  ");
    terminal.wait_for("  block height=5 hash=");

    // Another size is drawn anew, down to the last row.
    assert_eq!(terminal.shows(|screen| screen.row(23)), KEYS);
    terminal.resize(100, 30);
    wait_for("the keys in the last row", 10, || (terminal.shows(|screen| screen.row(29)) == KEYS).then_some(()));
    terminal.resize(30, 8);
    wait_for("a small frame", 10, || terminal.shows(|screen| screen.row(7).starts_with(" q quit")).then_some(()));
    terminal.resize(80, 24);
    terminal.wait_for("Log (UTC)");

    // Paused, it asks nothing.
    terminal.keys(b"p");
    terminal.wait_for("p go on");
    // What was asked before is answered.
    Node::pause(300);
    mine(&node, 1);
    Node::pause(2_500);
    assert!(terminal.shows(Screen::text).contains("tip        5  "), "it is paused");
    terminal.keys(b"p");
    terminal.wait_for("tip        6  ");

    // It does not use arrow keys.
    terminal.keys(b"\x1b[A");
    terminal.keys(b"q");
    assert_eq!(terminal.ended().code(), Some(0));
    is_given_back(&mut terminal, before);
}

#[test]
fn costs_little_and_ends_by_a_signal_and_by_ctrl_c() {
    let node = Node::start();
    mine(&node, 3);
    let mut command = top(&node);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::run(command, SIZE);
    terminal.wait_for("tip        3  ");
    let before = cpu_ticks(terminal.pid());
    Node::pause(2_000);
    let used = cpu_ticks(terminal.pid()) - before;
    assert!(used < 40, "{used} hundredths of a second of CPU in 2 s");
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.ended().code(), Some(0));
    let modes = terminal.modes();
    is_given_back(&mut terminal, modes);
    assert_eq!(modes[3] & LINES, LINES, "the terminal makes lines again");
    assert!(!terminal.shows(|screen| screen.had_colours), "NO_COLOR");

    let mut terminal = Terminal::run(top(&node), SIZE);
    terminal.wait_for("tip        3  ");
    terminal.keys(b"\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    is_given_back(&mut terminal, modes);
}

#[test]
fn ends_with_its_terminal_and_by_a_signal_when_the_terminal_takes_nothing() {
    let node = Node::start();
    let mut terminal = Terminal::run(top(&node), SIZE);
    terminal.wait_for("tip        0  ");
    assert_eq!(terminal.hang_up().code(), Some(0));

    let mut terminal = Terminal::run(top(&node), SIZE);
    terminal.wait_for("tip        0  ");
    terminal.stop_output();
    // The next frame waits to be written.
    Node::pause(1_500);
    terminal.signal(libc::SIGTERM);
    assert_eq!(terminal.ended().code(), Some(1));
    assert_eq!(terminal.modes()[3] & LINES, LINES, "the terminal makes lines again");
}

#[test]
fn a_node_that_goes_away_is_asked_until_it_is_back() {
    let mut node = Node::start();
    mine(&node, 2);
    let mut terminal = Terminal::run(top(&node), SIZE);
    terminal.wait_for("tip        2  ");
    node.kill();
    terminal.wait_for(" no answer from ");
    assert!(terminal.shows(Screen::text).contains("tip        2  "), "what was known stays");
    node.restart();
    terminal.wait_for("the node answers again");
    mine(&node, 1);
    terminal.wait_for("tip        3  ");
    assert_eq!(terminal.shows(|screen| screen.row(23)), KEYS);
    terminal.keys(b"q");
    assert_eq!(terminal.ended().code(), Some(0));
}

#[test]
fn prints_one_frame_where_there_is_no_terminal() {
    let node = Node::start();
    mine(&node, 2);
    let run = |arguments: &[&str]| -> Output { top(&node).args(arguments).output().expect("the program can be run") };
    let refused = run(&[]);
    assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(1), b"".as_slice()));
    let error = String::from_utf8(refused.stderr).expect("it is text");
    assert!(error.starts_with("error: `top` needs a terminal") && error.contains("top --once"), "{error}");

    let frame = run(&["--once"]);
    let text = String::from_utf8(frame.stdout).expect("it is text");
    assert_eq!(frame.status.code(), Some(0), "{}", String::from_utf8_lossy(&frame.stderr));
    for part in [" tip        2  ", "  block height=2 hash=", " q quit ", "Peers: 0 in, 0 out"] {
        assert!(text.contains(part), "{part:?}:\n{text}");
    }
    assert!(!text.contains('\x1b') && text.lines().count() <= 24, "{text}");
    let mut nowhere = Command::new(binary("cairn-node"));
    let nowhere = nowhere.args(["top", "--once", "--rpc", "127.0.0.1:1"]).output().expect("the program can be run");
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).starts_with("error: no node answers at http://127.0.0.1:1"));
}
