//! `rpc-compat`: Ethereum's test cases of the JSON-RPC (ethereum/execution-apis) against a node of Cairn over HTTP.

mod compare;
mod original;
mod replay;

use cairn_tests::{Node, NodeOptions};
use cairn_vm_tests::input;
use replay::{Names, Replay};
use serde_json::Value;
use std::{error::Error, path::Path, process::ExitCode};

/// Where the cases are, in the folder of vectors.
const ARCHIVE: &str = "execution-apis.tar.zst";

/// Cases that Cairn's chain cannot answer, by the start of their names, and why.
const SKIPPED: &[(&str, &str)] = &[
    ("debug_getRawBlock/", "the bytes are those of Ethereum's blocks"),
    ("debug_getRawHeader/", "the bytes are those of Ethereum's headers"),
    ("debug_getRawTransaction/get-tx", "a transaction without a chain id (before EIP-155)"),
    ("eth_estimateGas/estimate-with-eip4844", "blobs"),
    ("eth_sendRawTransaction/send-blob-tx", "blobs"),
    ("eth_simulateV1/ethSimulate-blobs", "blobs"),
    ("eth_simulateV1/ethSimulate-overflow-nonce", "a nonce of 2^64 - 1, which no account can use (EIP-2681)"),
    ("eth_simulateV1/ethSimulate-use-as-many-features", "its log indexes count the logs of calls that reverted"),
    ("testing_buildBlockV1/", "builds blocks for a beacon chain"),
];

/// Words that contracts return and that are PREVRANDAO, which is proof of work here, or hashes of simulated blocks, by case.
const WORDS: &[(&str, &[usize])] = &[
    ("eth_call/call-callenv", &[4]),
    ("eth_simulateV1/ethSimulate-add-more-non-defined-BlockStateCalls-than-fit-but-now-with-fit", &[3, 9]),
    ("eth_simulateV1/ethSimulate-blockhash-", &[0]),
    ("eth_simulateV1/ethSimulate-get-block-properties", &[3]),
    ("eth_simulateV1/ethSimulate-overwrite-existing-contract", &[3, 9]),
];

/// A file of requests and their answers.
struct Case {
    name: String,
    /// Requests, each with its answer.
    exchanges: Vec<(String, Value)>,
    /// Only the form of the answers is defined.
    form_only: bool,
}

impl Case {
    fn read(name: &str, text: &str) -> Result<Self, Box<dyn Error>> {
        let mut exchanges = Vec::new();
        let mut request = None;
        for line in text.lines() {
            if let Some(sent) = line.strip_prefix(">>") {
                request = Some(sent.trim().to_owned());
            } else if let Some(answer) = line.strip_prefix("<<") {
                let request = request.take().ok_or_else(|| format!("{name}: an answer without a request"))?;
                exchanges.push((request, serde_json::from_str(answer)?));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            exchanges,
            form_only: text.lines().any(|line| line.starts_with("// speconly")),
        })
    }

    /// What is wrong with the node's answers; `None` if nothing is.
    fn run(&self, url: &str, names: &Names) -> Option<String> {
        self.exchanges.iter().find_map(|(request, expected)| {
            let answer = match send(url, &names.here(request)) {
                Ok(answer) => names.original(&answer),
                Err(error) => return Some(format!("no answer: {error}")),
            };
            match serde_json::from_str(&answer) {
                Ok(actual) => self.compare(expected, &actual, names),
                Err(error) => Some(format!("the answer is not JSON: {error}")),
            }
        })
    }

    fn compare(&self, expected: &Value, actual: &Value, names: &Names) -> Option<String> {
        match (expected.get("error"), actual.get("error")) {
            (None, None) if self.form_only => compare::shapes(&expected["result"], &actual["result"], "result"),
            (None, None) => compare::difference(&expected["result"], &actual["result"], self.masked(), names),
            (Some(_), Some(_)) if self.form_only => None,
            (Some(expected), Some(actual)) if expected["code"] == actual["code"] => None,
            (None, Some(actual)) => Some(format!("error {}", compare::short(actual))),
            (Some(expected), _) => {
                let got = actual.get("error").unwrap_or(&actual["result"]);
                Some(format!("{} instead of error {}", compare::short(got), compare::short(expected)))
            }
        }
    }

    fn masked(&self) -> compare::Case {
        let words = WORDS.iter().find(|(start, _)| self.name.starts_with(start)).map_or(&[][..], |(_, words)| *words);
        compare::Case { simulated: self.name.starts_with("eth_simulateV1/"), words }
    }

    fn skipped(&self) -> Option<&'static str> {
        SKIPPED.iter().find(|(start, _)| self.name.starts_with(start)).map(|(_, reason)| *reason)
    }
}

fn send(url: &str, request: &str) -> Result<String, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.post(url).header("content-type", "application/json").send(request)?;
    response.body_mut().with_config().limit(64 << 20).read_to_string()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), filter) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: rpc-compat FOLDER [TEXT]: runs the cases of FOLDER/{ARCHIVE} whose names hold TEXT");
        return ExitCode::from(2);
    };
    let archive = Path::new(&folder).join(ARCHIVE);
    if !archive.exists() {
        println!("skipped: no vectors at {}", archive.display());
        return ExitCode::SUCCESS;
    }
    let filter = filter.unwrap_or_default().to_string_lossy().into_owned();
    run(&archive, &filter).unwrap_or_else(|error| {
        eprintln!("rpc-compat: {error}");
        ExitCode::from(2)
    })
}

fn run(archive: &Path, filter: &str) -> Result<ExitCode, Box<dyn Error>> {
    let wanted = |path: &str| path.ends_with(".io") || path.ends_with("/genesis.json") || path.ends_with("/chain.rlp");
    let files = input::read_archive(archive, wanted)?;
    let file = |end: &str| {
        let found = files.iter().find(|file| file.path.ends_with(end));
        found.map(|file| &file.bytes).ok_or_else(|| format!("{} has no {end}", archive.display()))
    };
    let mut cases = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".io")) {
        let name = file.path.trim_start_matches("tests/").trim_end_matches(".io");
        cases.push(Case::read(name, &String::from_utf8_lossy(&file.bytes))?);
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    let replay = Replay::new(&serde_json::from_slice(file("genesis.json")?)?, file("chain.rlp")?)?;
    println!(
        "{} blocks with {} transactions, {} of them signed anew",
        replay.blocks.len(),
        replay.transactions,
        replay.names.count_anew()
    );
    let node = Node::with(NodeOptions { spec: replay.spec.clone(), flags: flags(), file_limit: None });
    for block in &replay.blocks {
        node.submit(block).map_err(|error| format!("the node refuses a block: {error:?}"))?;
    }
    Ok(report(&cases, filter, &node.rpc.url, &replay.names))
}

fn flags() -> Vec<String> {
    ["--http.api", "eth,net,web3,txpool,debug,chain,miner,admin"].map(str::to_owned).into()
}

fn report(cases: &[Case], filter: &str, url: &str, names: &Names) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in cases.iter().filter(|case| case.name.contains(filter)) {
        if let Some(reason) = case.skipped() {
            skipped += 1;
            println!("skipped {}: {reason}", case.name);
        } else if let Some(difference) = case.run(url, names) {
            failed += 1;
            println!("FAILED {}: {difference}", case.name);
        } else {
            passed += 1;
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
