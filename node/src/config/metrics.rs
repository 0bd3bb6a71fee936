//! `--metrics` and `--metrics.*`; in the file `metrics = true`, or a table `[metrics]`.

use super::listener::listener_settings;

listener_settings! {
    /// Whether and where metrics are served.
    MetricsSettings, flags "metrics" of "Metrics", port 9_001,
    "Serves metrics for Prometheus, /health and /ready over HTTP (see docs/metrics.md)",
    "Address that metrics are served on; switches --metrics on [default: 127.0.0.1]",
    "Port that metrics are served on; 0 for any that is free; switches --metrics on [default: 9001]"
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    fn address(text: &str) -> Option<String> {
        let settings: Settings = toml::from_str(text).unwrap();
        settings.resolve().unwrap().metrics.map(|address| address.to_string())
    }

    #[test]
    fn metrics_are_off_unless_asked_for_and_for_this_machine_alone() {
        assert_eq!(address(""), None);
        assert_eq!(address("metrics = true"), Some("127.0.0.1:9001".to_owned()));
        assert_eq!(address("[metrics]\naddr = \"0.0.0.0\"\nport = 9002"), Some("0.0.0.0:9002".to_owned()));
        assert_eq!(address("[metrics]\nenabled = false\nport = 9002"), None);
    }
}
