//! The page that shows the chain in a browser: files of `assets`, which are part of the program.
//!
//! It is served beside the RPC and knows nothing of the node: in the browser it asks the RPC, as any other client does.

use chain_core::hash::sha256;
use std::sync::OnceLock;

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is served.
    pub path: &'static str,
    /// What it holds.
    pub text: &'static str,
    tag: OnceLock<String>,
}

macro_rules! assets {
    ($($name:literal)*) => {
        [
            File::new("/", include_str!("assets/index.html")),
            File::new("/assets/style.css", STYLE),
            $(File::new(concat!("/assets/", $name), include_str!(concat!("assets/", $name))),)*
        ]
    };
}

/// The style sheets, served as one: each that the browser asked for by itself would delay the first paint.
const STYLE: &str =
    concat!(include_str!("assets/app.css"), include_str!("assets/parts.css"), include_str!("assets/views.css"));

/// All files; `index.html` is at `/`.
pub static FILES: [File; 34] = assets! {
    "abi.js" "account.js" "address.js" "app.js" "block.js" "blocks.js" "branches.js" "chain.js" "coming.js" "contract.js" "dev.js" "devnet.js"
    "dom.js" "finality.js" "format.js" "found.js" "home.js" "icon.svg" "keccak.js" "mining.js" "money.js" "network.js" "parts.js" "reorgs.js"
    "rpc.js" "search.js" "theme.js" "tokens.js" "trace.js" "transaction.js" "tree.js" "wallet.js"
};

/// The file at a path.
pub fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl File {
    const fn new(path: &'static str, text: &'static str) -> Self {
        Self { path, text, tag: OnceLock::new() }
    }

    /// Its media type.
    pub fn media(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        }
    }

    /// Its entity tag, which follows from what it holds. It is hashed once.
    pub fn tag(&self) -> &str {
        self.tag.get_or_init(|| format!("\"{}\"", hex::encode(&sha256(self.text.as_bytes())[..12])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_file_of_the_folder_is_served_and_all_are_under_300_kb() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page/assets");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| match entry.unwrap().file_name().into_string().unwrap() {
                name if name == "index.html" => "/".to_owned(),
                name if name.ends_with(".css") => "/assets/style.css".to_owned(),
                name => format!("/assets/{name}"),
            })
            .collect();
        assert_eq!(there, FILES.iter().map(|file| file.path.to_owned()).collect());
        let size: usize = FILES.iter().map(|file| file.text.len()).sum();
        assert!(size < 300_000, "{size} bytes");
    }

    #[test]
    fn tags_tell_files_apart() {
        assert_eq!(FILES.iter().map(File::tag).collect::<BTreeSet<_>>().len(), FILES.len());
        assert!(std::ptr::eq(FILES[0].tag(), FILES[0].tag()), "it is computed once");
        assert_eq!(find("/").map(File::media), Some("text/html; charset=utf-8"));
        assert_eq!(find("/assets/app.js").map(File::media), Some("text/javascript; charset=utf-8"));
        assert_eq!((find("/assets/"), find("/assets/../page/mod.rs"), find("/index.html")), (None, None, None));
    }
}
