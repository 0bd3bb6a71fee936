//! Why a node's RPC gave no answer, in words for users: the HTTP library's errors name its own parts.

use std::time::Duration;

use ureq::{Error, Timeout};

use crate::bounded;

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// A connection cannot be made: most likely nothing listens there.
    Unreachable(String),
    /// Something listens there, and did not answer within so many seconds.
    Busy(u64),
    /// What answers is not a node.
    NotANode(String),
}

impl Silence {
    /// The reason of an error, with the timeouts that the connection and the whole request had.
    pub fn of(error: &Error, connect: Duration, whole: Duration) -> Self {
        match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Self::Unreachable(format!("no connection within {} s", connect.min(whole).as_secs()))
            }
            Error::Timeout(_) => Self::Busy(whole.as_secs()),
            Error::Io(error) => Self::Unreachable(bounded(&error.to_string())),
            Error::ConnectionFailed | Error::HostNotFound | Error::BadUri(_) | Error::Http(_) => {
                Self::Unreachable(bounded(&error.to_string()))
            }
            Error::Protocol(_) => Self::NotANode("it does not speak HTTP".to_owned()),
            Error::BodyExceedsLimit(most) => Self::NotANode(format!("its answer is larger than {most} bytes")),
            other => Self::NotANode(bounded(&other.to_string())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener},
        thread,
    };

    use super::*;

    const CONNECT: Duration = Duration::from_secs(5);

    /// Why a request is not answered.
    fn asked(url: &str) -> Silence {
        let whole = Duration::from_secs(1);
        let config = ureq::Agent::config_builder().timeout_connect(Some(CONNECT)).timeout_global(Some(whole));
        let error = config.build().new_agent().post(url).send("{}").unwrap_err();
        Silence::of(&error, CONNECT, whole)
    }

    /// The same of a server that does this with a connection.
    fn silence(serve: impl FnOnce(TcpListener) + Send + 'static) -> Silence {
        let (listener, url) = listen();
        let server = thread::spawn(move || serve(listener));
        let silence = asked(&url);
        server.join().unwrap();
        silence
    }

    fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    }

    #[test]
    fn tells_a_busy_server_from_a_stranger_and_from_nobody() {
        let (listener, url) = listen();
        drop(listener);
        let refused = Silence::Unreachable("Connection refused (os error 111)".to_owned());
        assert_eq!(asked(&url), refused);
        let busy = silence(|listener| {
            let _open = listener.accept().unwrap();
            thread::sleep(Duration::from_millis(1_500));
        });
        assert_eq!(busy, Silence::Busy(1));
        let binary = silence(|listener| {
            let mut client = listener.accept().unwrap().0;
            client.write_all(&[0x16, 3, 1, 0, 0xff, b'\r', b'\n']).unwrap();
            // The client may still be writing: it is to see the answer, and no broken connection.
            client.shutdown(Shutdown::Write).unwrap();
            let _ = client.read_to_end(&mut Vec::new());
        });
        assert_eq!(binary, Silence::NotANode("it does not speak HTTP".to_owned()));
    }
}
