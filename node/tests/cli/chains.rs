//! Chains as the command line shows them.

use super::*;

#[test]
fn chains_are_shown_and_dumped() {
    let folder = tempfile::tempdir().unwrap();
    let dumped = success(&["chain", "dump-spec", "local"]);
    let path = folder.path().join("chain.toml");
    std::fs::write(&path, &dumped).unwrap();
    let shown = success(&["chain", "show", "local"]);
    assert_eq!(shown, success(&["chain", "show", path.to_str().unwrap()]));
    assert!(shown.starts_with("chain      local\nchain id   133702\naddresses  lcrn1...\ngenesis    "), "{shown}");
    let json: Value = serde_json::from_str(&success(&["chain", "show", "main", "--json"])).unwrap();
    assert_eq!(json["chainId"], 133_700);
    assert_eq!(success(&["version"]), format!("cairn-node {VERSION}\n"));
    assert_eq!(success(&["--version"]), format!("cairn-node {VERSION}\n"));
    assert!(VERSION.starts_with(env!("CARGO_PKG_VERSION")));
}
