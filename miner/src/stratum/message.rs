//! Lines of stratum v1: JSON objects, one a line.

use cairn_client::plain;
use chain_core::U256;
use serde_json::{Map, Value, json};

/// Longest line that is read: a job's coinbase with hundreds of outputs has some tens of kilobytes.
pub const MAX_LINE: usize = 256 << 10;

/// What servers are told that this program is.
pub const AGENT: &str = concat!("cairn-miner/", env!("CARGO_PKG_VERSION"));

/// Longest text of a server that is shown, in characters.
const MAX_TEXT: usize = 500;
const MAX_JOB_ID: usize = 256;
const MAX_EXTRANONCE1: usize = 32;
/// Largest extranonce2, in bytes.
const MAX_EXTRANONCE2: usize = 32;
const MAX_BRANCH: usize = 32;

/// What a server sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// To a request with this id: a result, or why not.
    Response(u64, Result<Value, Refusal>),
    /// `mining.notify`.
    Job(Box<Job>),
    /// `mining.set_difficulty`, as the target of shares.
    Target(U256),
    /// `mining.set_extranonce`.
    Extranonce(Extranonce),
    /// `mining.set_version_mask`.
    VersionMask(u32),
    /// `client.reconnect`: host, port and seconds to wait, where given.
    Reconnect(Option<String>, Option<u16>, u64),
    /// `client.show_message`.
    Show(String),
    /// `client.get_version`, and its id.
    GetVersion(Value),
    /// `mining.ping`, and its id.
    Ping(Value),
    /// Another method, and its id if it waits for a response.
    Other(Option<Value>),
}

/// Why a request was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// 20 to 25, if given.
    pub code: Option<i64>,
    /// The server's words.
    pub text: String,
}

impl Refusal {
    /// Whether the share came too late.
    pub fn is_stale(&self) -> bool {
        self.code == Some(21) || self.text.to_lowercase().contains("stale")
    }
}

/// The server's part of the search space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extranonce {
    /// Its bytes.
    pub one: Vec<u8>,
    /// Number of bytes that are the miner's.
    pub two_size: usize,
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// The server's id.
    pub id: String,
    /// As in the header.
    pub prev: [u8; 32],
    /// The coinbase up to the extranonce.
    pub coinbase1: Vec<u8>,
    /// And from there on.
    pub coinbase2: Vec<u8>,
    /// Merkle branch of the coinbase.
    pub branch: Vec<[u8; 32]>,
    /// Fields of the header.
    pub version: u32,
    /// Bits of the header.
    pub bits: u32,
    /// Time of the header.
    pub time: u32,
    /// Earlier jobs are worth nothing.
    pub clean: bool,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &[u8]) -> Result<Message, String> {
    // serde_json refuses more than 128 levels.
    let mut fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("no JSON object ({error})"))?;
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    let (id, method, params) = (take("id"), take("method"), take("params"));
    let Some(method) = method.as_str() else { return response(&id, take("result"), &take("error")) };
    let at = |index: usize| params.get(index).unwrap_or(&Value::Null);
    Ok(match method {
        "mining.notify" => Message::Job(Box::new(job(&params)?)),
        "mining.set_difficulty" => Message::Target(target_of(at(0))?),
        "mining.set_extranonce" => Message::Extranonce(extranonce(at(0), at(1))?),
        "mining.set_version_mask" => Message::VersionMask(word("version mask", at(0))?),
        "client.reconnect" => {
            let host = at(0).as_str().filter(|host| !host.is_empty()).map(shown);
            let port = number(at(1)).and_then(|port| port.try_into().ok()).filter(|port| *port != 0);
            Message::Reconnect(host, port, at(2).as_u64().unwrap_or(0))
        }
        "client.show_message" => Message::Show(shown(at(0).as_str().unwrap_or_default())),
        "client.get_version" => Message::GetVersion(id),
        "mining.ping" | "client.ping" => Message::Ping(id),
        _ => Message::Other(Some(id).filter(|id| !id.is_null())),
    })
}

fn response(id: &Value, result: Value, error: &Value) -> Result<Message, String> {
    // Of no request: the server says why it will do something else, or that it did not understand.
    if id.is_null() && !error.is_null() {
        return Ok(Message::Show(refusal(error).text));
    }
    let id = number(id).ok_or("neither a method nor a response to a request")?;
    Ok(Message::Response(id, if error.is_null() { Ok(result) } else { Err(refusal(error)) }))
}

/// Some servers write numbers as texts.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// `[code, text, ...]`, an object, or a text.
fn refusal(error: &Value) -> Refusal {
    let (code, text) = match error {
        Value::Array(parts) => (parts.first(), parts.get(1)),
        Value::Object(fields) => (fields.get("code"), fields.get("message")),
        other => (None, Some(other)),
    };
    let text = text.map_or_else(String::new, |text| text.as_str().map_or_else(|| text.to_string(), str::to_owned));
    Refusal { code: code.and_then(Value::as_i64), text: shown(&text) }
}

/// A server's text, short and without control characters.
fn shown(text: &str) -> String {
    plain(text).chars().take(MAX_TEXT).collect()
}

fn job(params: &Value) -> Result<Job, String> {
    let at = |index: usize| params.get(index).unwrap_or(&Value::Null);
    let id = at(0).as_str().filter(|id| id.len() <= MAX_JOB_ID).ok_or("a job without an id")?;
    let branch = at(4).as_array().filter(|branch| branch.len() <= MAX_BRANCH);
    let branch = branch.ok_or_else(|| format!("a merkle branch that is not a list of at most {MAX_BRANCH} hashes"))?;
    let prev: [u8; 32] = hash("previous block", at(1))?;
    Ok(Job {
        id: id.to_owned(),
        prev: words_reversed(prev),
        coinbase1: bytes("coinbase", at(2))?,
        coinbase2: bytes("coinbase", at(3))?,
        branch: branch.iter().map(|sibling| hash("merkle branch", sibling)).collect::<Result<_, _>>()?,
        version: word("version", at(5))?,
        bits: word("bits", at(6))?,
        time: word("time", at(7))?,
        clean: at(8).as_bool().unwrap_or(false),
    })
}

/// Stratum sends the previous hash as eight words of four bytes, each reversed.
fn words_reversed(mut hash: [u8; 32]) -> [u8; 32] {
    hash.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    hash
}

/// The extranonces of a response to `mining.subscribe`, or of `mining.set_extranonce`.
pub fn extranonce(one: &Value, two_size: &Value) -> Result<Extranonce, String> {
    let one = bytes("extranonce1", one)?;
    if one.len() > MAX_EXTRANONCE1 {
        return Err(format!("an extranonce1 of {} bytes, expected at most {MAX_EXTRANONCE1}", one.len()));
    }
    let size = two_size.as_u64().and_then(|size| usize::try_from(size).ok());
    let two_size = size.filter(|size| (1..=MAX_EXTRANONCE2).contains(size));
    let two_size = two_size.ok_or_else(|| format!("an extranonce2 size that is not 1 to {MAX_EXTRANONCE2}"))?;
    Ok(Extranonce { one, two_size })
}

fn bytes(name: &str, value: &Value) -> Result<Vec<u8>, String> {
    let text = value.as_str().ok_or_else(|| format!("a {name} that is not a string"))?;
    hex::decode(text).map_err(|error| format!("{name}: {error}"))
}

fn hash(name: &str, value: &Value) -> Result<[u8; 32], String> {
    bytes(name, value)?.try_into().map_err(|bytes: Vec<u8>| format!("{name}: {} bytes, expected 32", bytes.len()))
}

/// 32 bits, as eight digits.
pub fn word(name: &str, value: &Value) -> Result<u32, String> {
    let bytes =
        bytes(name, value)?.try_into().map_err(|bytes: Vec<u8>| format!("{name}: {} bytes, expected 4", bytes.len()));
    bytes.map(u32::from_be_bytes)
}

/// The target of a difficulty, 0xffff x 2^208 divided by it, to the 53 bits of a float.
fn target_of(difficulty: &Value) -> Result<U256, String> {
    let difficulty = difficulty.as_f64().filter(|difficulty| *difficulty > 0.0);
    let difficulty = difficulty.ok_or("a difficulty that is not a positive number")?;
    let quotient = f64::from(0xffff_u16) / difficulty;
    if quotient >= 2_f64.powi(48) {
        return Err(format!("difficulty {difficulty:e}, at which every hash is a share"));
    }
    // quotient = fraction x 2^exponent, the fraction a whole number of 53 bits.
    let bits = quotient.to_bits();
    let exponent = i32::try_from(bits >> 52).map_or(0, |exponent| exponent - 1_075);
    let fraction = U256::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let shift = exponent + 208;
    let target = match usize::try_from(shift) {
        Ok(up) => fraction << up,
        Err(_) => fraction >> usize::try_from(-shift).unwrap_or(usize::MAX).min(255),
    };
    if target.is_zero() { Err(format!("difficulty {difficulty:e}, at which no hash is a share")) } else { Ok(target) }
}

/// A request, as a line.
pub fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "id": id, "method": method, "params": params }).to_string() + "\n"
}

/// A response, as a line.
pub fn reply(id: &Value, result: &Value, error: &Value) -> String {
    json!({ "id": id, "result": result, "error": error }).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify() -> Value {
        json!([
            "6a",
            "4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000",
            "01000000",
            "ffff",
            ["11".repeat(32)],
            "20000000",
            "1d00ffff",
            "504e86ed",
            true,
        ])
    }

    fn parsed(method: &str, params: &Value) -> Result<Message, String> {
        parse(json!({ "id": null, "method": method, "params": params }).to_string().as_bytes())
    }

    #[test]
    fn reads_a_job() {
        let Ok(Message::Job(job)) = parsed("mining.notify", &notify()) else { panic!("a job") };
        assert_eq!((job.id.as_str(), job.version, job.bits, job.time), ("6a", 0x2000_0000, 0x1d00_ffff, 0x504e_86ed));
        assert_eq!(job.prev[..8], [0xf8, 0xb6, 0x16, 0x4d, 0x19, 0xe2, 0xf6, 0x5a]);
        assert_eq!((&job.coinbase1[..], &job.coinbase2[..], job.clean), (&[1, 0, 0, 0][..], &[0xff, 0xff][..], true));
        assert_eq!(job.branch, [[0x11; 32]]);
    }

    #[test]
    fn refuses_a_malformed_job() {
        for (index, value) in [
            (0, json!(7)),
            (0, json!("x".repeat(257))),
            (1, json!("00")),
            (1, Value::Null),
            (2, json!("0")),
            (3, json!("zz")),
            (4, json!("00")),
            (4, json!(["00"])),
            (4, json!(vec!["00".repeat(32); 33])),
            (5, json!("2000000000")),
            (6, json!(0x1d00_ffff)),
            (7, json!("")),
        ] {
            let mut params = notify();
            params[index] = value.clone();
            assert!(parsed("mining.notify", &params).is_err(), "{index}: {value}");
        }
        for params in [json!([]), json!({}), Value::Null, json!(5)] {
            assert!(parsed("mining.notify", &params).is_err(), "{params}");
        }
    }

    #[test]
    fn the_target_of_a_difficulty_is_that_of_bitcoin() {
        let target = |difficulty: f64| parsed("mining.set_difficulty", &json!([difficulty]));
        let one = U256::from(0xffff_u32) << 208;
        for (difficulty, expected) in [
            (1.0, one),
            (2.0, one >> 1),
            (0.5, one << 1),
            (65_536.0, one >> 16),
            (1.0 / 65_536.0, one << 16),
            (4_294_967_296.0, one >> 32),
        ] {
            assert_eq!(target(difficulty), Ok(Message::Target(expected)), "{difficulty}");
        }
        // Of regtest and development chains.
        let Ok(Message::Target(easy)) = target(4.656_542_373_906_925e-10) else { panic!("a target") };
        assert_eq!(easy >> 224, U256::from(0x7fff_ff00));
    }

    #[test]
    fn difficulties_that_leave_no_hash_or_every_hash_are_refused() {
        for (difficulty, reason) in [
            (json!(0), "a difficulty that is not a positive number"),
            (json!(-1.5), "a difficulty that is not a positive number"),
            (json!("1"), "a difficulty that is not a positive number"),
            (Value::Null, "a difficulty that is not a positive number"),
            (json!(1e-300), "difficulty 1e-300, at which every hash is a share"),
            (json!(5e-324), "difficulty 5e-324, at which every hash is a share"),
            (json!(1e300), "difficulty 1e300, at which no hash is a share"),
            (json!(f64::MAX), "difficulty 1.7976931348623157e308, at which no hash is a share"),
        ] {
            assert_eq!(parsed("mining.set_difficulty", &json!([difficulty])), Err(reason.into()));
        }
    }

    #[test]
    fn reads_responses_and_refusals_of_each_form() {
        let read = |text: &str| parse(text.as_bytes()).unwrap();
        assert_eq!(read(r#"{"id":4,"result":true,"error":null}"#), Message::Response(4, Ok(json!(true))));
        for (error, code, text) in [
            (r#"[21,"Job not found",null]"#, Some(21), "Job not found"),
            (r#"{"code":23,"message":"Difficulty too low"}"#, Some(23), "Difficulty too low"),
            (r#""no\u001b[31m""#, None, "no[31m"),
            ("[]", None, ""),
            ("7", None, "7"),
        ] {
            let refusal = Refusal { code, text: text.into() };
            assert_eq!(
                read(&format!(r#"{{"id":4,"result":null,"error":{error}}}"#)),
                Message::Response(4, Err(refusal))
            );
        }
    }

    #[test]
    fn an_error_of_no_request_is_a_text_to_show() {
        let read = |line: &str| parse(line.as_bytes()).unwrap();
        let limited = r#"{"id":null,"result":null,"error":[24,"rate limited",null]}"#;
        assert_eq!(read(limited), Message::Show("rate limited".into()));
        assert_eq!(read(r#"{"id":"4","result":true,"error":null}"#), Message::Response(4, Ok(json!(true))));
    }

    #[test]
    fn reads_what_a_server_may_ask_of_its_client() {
        let read = |method: &str, params: Value| parsed(method, &params).unwrap();
        let away = Message::Reconnect(Some("pool.example".into()), Some(3_333), 5);
        assert_eq!(read("client.reconnect", json!(["pool.example", 3_333, 5])), away);
        assert_eq!(read("client.reconnect", json!(["pool.example", "3333", 5])), away);
        assert_eq!(read("client.reconnect", json!([])), Message::Reconnect(None, None, 0));
        assert_eq!(read("client.reconnect", json!(["", 0, 3])), Message::Reconnect(None, None, 3));
        assert_eq!(read("client.show_message", json!(["a\u{1b}b"])), Message::Show("ab".into()));
        assert_eq!(read("mining.set_version_mask", json!(["1fffe000"])), Message::VersionMask(0x1fff_e000));
        assert_eq!(read("mining.unheard_of", json!([])), Message::Other(None));
        let Ok(Message::Extranonce(new)) = parsed("mining.set_extranonce", &json!(["abcd", 4])) else { panic!() };
        assert_eq!(new, Extranonce { one: vec![0xab, 0xcd], two_size: 4 });
        for odd in
            [json!(["abcd", 0]), json!(["abcd", 33]), json!(["00".repeat(33), 4]), json!(["abcd"]), json!([1, 4])]
        {
            assert!(parsed("mining.set_extranonce", &odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn nonsense_is_an_error_and_no_panic() {
        let deep = "[".repeat(100_000);
        let nested = format!("{{\"id\":1,\"result\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        for line in [
            "",
            "{",
            "null",
            "5",
            "[]",
            "{}",
            "\"\u{0}\"",
            "{\"id\":-1}",
            "{\"id\":\"x\"}",
            "{\"id\":null}",
            &deep,
            &nested,
        ] {
            assert!(parse(line.as_bytes()).is_err(), "{}", &line[..line.len().min(40)]);
        }
        assert!(parse(&[0xff, 0xfe, 0x00]).is_err());
    }
}
