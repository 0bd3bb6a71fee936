//! What the program does when nobody reads what it prints.

use std::process::{Command, Stdio};

#[test]
fn a_reader_that_has_gone_ends_the_program_without_a_word() {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("paxos")
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the program can be run");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    // What a shell shows of a program that SIGPIPE ended.
    assert_eq!(output.status.code(), Some(141));
}
