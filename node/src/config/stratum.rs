//! `--stratum` and `--stratum.*`; in the file `stratum = true`, or a table `[stratum]`.

use super::listener::listener_settings;

listener_settings! {
    /// Whether and where miners connect.
    StratumSettings, flags "stratum" of "Mining", port 3_333,
    "Serves SHA-256 miners by stratum v1, each for its own address (see docs/mining.md)",
    "Address that miners connect to; switches --stratum on [default: 127.0.0.1]",
    "Port that miners connect to; 0 for any that is free; switches --stratum on [default: 3333]"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use std::net::SocketAddr;

    fn address(text: &str) -> Option<String> {
        let settings: Settings = toml::from_str(text).unwrap();
        settings.resolve().unwrap().stratum.map(|address| address.to_string())
    }

    #[test]
    fn the_file_has_a_value_or_a_table() {
        assert_eq!(address(""), None);
        assert_eq!(address("stratum = false"), None);
        assert_eq!(address("stratum = true"), Some("127.0.0.1:3333".to_owned()));
        assert_eq!(address("[stratum]"), Some("127.0.0.1:3333".to_owned()));
        assert_eq!(address("[stratum]\naddr = \"0.0.0.0\"\nport = 3334"), Some("0.0.0.0:3334".to_owned()));
        assert_eq!(address("[stratum]\nenabled = false\nport = 3334"), None);
        let wrong = toml::from_str::<Settings>("[stratum]\nprot = 1").unwrap_err();
        assert_eq!(wrong.message(), "unknown field `prot`, expected one of `enabled`, `addr`, `port`");
    }

    #[test]
    fn a_flag_switches_it_on_and_wins_over_the_file() {
        let port = |port| StratumSettings { port, ..StratumSettings::default() };
        let off = StratumSettings { on: Some(false), ..StratumSettings::default() };
        assert_eq!(StratumSettings::default().address(), None);
        assert_eq!(port(Some(1)).address(), Some(SocketAddr::from(([127, 0, 0, 1], 1))));
        assert_eq!(off.or(&port(Some(1))).address(), None);
        assert_eq!(port(Some(2)).or(&port(Some(1))).address(), Some(SocketAddr::from(([127, 0, 0, 1], 2))));
    }
}
