//! Policies as text, as in `or(key(ab..),and(key(cd..),older(10)))`.

use std::{fmt, str::FromStr};

use super::{MAX_DEPTH, Policy, PolicyNode};
use crate::transaction::coin::KeyBytes;

/// Why a text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: expected {expected}")]
pub struct ParsePolicyError {
    /// Position in the text in bytes, from 0.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// Formats as in `or(key(ab..),and(key(cd..),older(10)))`; a malformed policy as far as possible.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut open: Vec<u8> = Vec::new();
        for node in self.0.iter() {
            match node {
                PolicyNode::Key(key) => write!(f, "key({})", alloy_primitives::hex::encode(key.0))?,
                PolicyNode::After(height) => write!(f, "after({height})")?,
                PolicyNode::Older(blocks) => write!(f, "older({blocks})")?,
                PolicyNode::Sha256(hash) => write!(f, "sha256({})", alloy_primitives::hex::encode(hash))?,
                PolicyNode::And(_) => f.write_str("and(")?,
                PolicyNode::Or(_) => f.write_str("or(")?,
                PolicyNode::Threshold(k, _) => write!(f, "threshold({k},")?,
            }
            if let Some((_, n)) = node.branches() {
                open.push(n);
                continue;
            }
            while let Some(left) = open.last_mut() {
                *left = left.saturating_sub(1);
                if *left > 0 {
                    f.write_str(",")?;
                    break;
                }
                open.pop();
                f.write_str(")")?;
            }
        }
        Ok(())
    }
}

/// Parses the output of [`fmt::Display`], and `htlc(hash,receiver key,sender key,timeout)`, with spaces between words.
/// The result keeps POL-1.
impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        let mut parser = Parser { text, at: 0 };
        let policy = parser.policy(1)?;
        if parser.word() != "" || parser.at != text.len() {
            return Err(parser.expected("the end"));
        }
        Ok(policy)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn expected(&self, expected: &'static str) -> ParsePolicyError {
        ParsePolicyError { at: self.at, expected }
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
    }

    /// The next letters and digits, possibly none, without consuming them.
    fn word(&mut self) -> &'a str {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(rest.len());
        &rest[..end]
    }

    fn take<T>(&mut self, expected: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, ParsePolicyError> {
        let word = self.word();
        let value = read(word).ok_or(self.expected(expected))?;
        self.at += word.len();
        Ok(value)
    }

    fn number<T: FromStr>(&mut self, expected: &'static str) -> Result<T, ParsePolicyError> {
        self.take(expected, |word| word.parse().ok())
    }

    fn bytes(&mut self, expected: &'static str) -> Result<[u8; 32], ParsePolicyError> {
        self.take(expected, |word| {
            let mut bytes = [0; 32];
            let digits = word.len() == 64;
            (digits && alloy_primitives::hex::decode_to_slice(word, &mut bytes).is_ok()).then_some(bytes)
        })
    }

    fn key(&mut self) -> Result<KeyBytes, ParsePolicyError> {
        self.bytes("a key of 64 hexadecimal digits").map(KeyBytes)
    }

    fn symbol(&mut self, symbol: char, expected: &'static str) -> Result<(), ParsePolicyError> {
        self.skip_spaces();
        if !self.text[self.at..].starts_with(symbol) {
            return Err(self.expected(expected));
        }
        self.at += symbol.len_utf8();
        Ok(())
    }

    /// Parses one policy. Recursive, at most [`MAX_DEPTH`] deep.
    fn policy(&mut self, depth: usize) -> Result<Policy, ParsePolicyError> {
        const NAME: &str = "key, after, older, sha256, and, or, threshold or htlc";
        let start = self.at;
        let name = self.word();
        let inner = matches!(name, "and" | "or" | "threshold" | "htlc");
        if depth + usize::from(inner) + usize::from(name == "htlc") > MAX_DEPTH {
            return Err(self.expected("a policy at most 16 deep"));
        }
        if !inner && !matches!(name, "key" | "after" | "older" | "sha256") {
            return Err(self.expected(NAME));
        }
        self.at += name.len();
        self.symbol('(', "(")?;
        let policy = match name {
            "key" => Policy::key(self.key()?),
            "after" => Policy::after(self.number("a height")?),
            "older" => Policy::older(self.number("a number of blocks")?),
            "sha256" => Policy::sha256(self.bytes("a hash of 64 hexadecimal digits")?),
            "htlc" => self.htlc(depth)?,
            "and" => Policy::and(self.list(depth)?),
            "or" => Policy::or(self.list(depth)?),
            _ => {
                let k: u8 = self.number("how many branches are needed")?;
                self.symbol(',', ",")?;
                let policies = self.list(depth)?;
                if k == 0 || usize::from(k) > policies.len() {
                    return Err(ParsePolicyError {
                        at: start,
                        expected: "a threshold from 1 to the number of branches",
                    });
                }
                Policy::threshold(k, policies)
            }
        };
        self.symbol(')', ")")?;
        Ok(policy)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Policy>, ParsePolicyError> {
        let mut policies = Vec::new();
        loop {
            policies.push(self.policy(depth + 1)?);
            if self.symbol(',', ",").is_err() {
                return Ok(policies);
            }
            if policies.len() == usize::from(u8::MAX) {
                return Err(self.expected("at most 255 branches"));
            }
        }
    }

    fn htlc(&mut self, depth: usize) -> Result<Policy, ParsePolicyError> {
        let hash = self.bytes("a hash of 64 hexadecimal digits")?;
        self.symbol(',', ",")?;
        let receiver = self.key()?;
        self.symbol(',', ",")?;
        let sender = self.key()?;
        self.symbol(',', ",")?;
        if !matches!(self.word(), "after" | "older") {
            return Err(self.expected("after or older"));
        }
        Ok(Policy::htlc(hash, receiver, sender, self.policy(depth + 2)?))
    }
}
