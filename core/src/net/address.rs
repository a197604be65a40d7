//! The address of a server, checked once.

use std::net::IpAddr;

use super::error::NetError;

/// A checked address: scheme, host and port, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    origin: String,
    /// As the header `host` has it: with the port where it is not the usual one.
    host: String,
    /// To look up and to check the certificate against: an IP address without brackets.
    name: String,
    port: u16,
    tls: bool,
}

impl Address {
    /// Reads `https://host[:port]`, or `http://…` for this machine itself or where `plain_allowed`. A text
    /// without scheme means https.
    pub fn parse(text: &str, plain_allowed: bool) -> Result<Self, NetError> {
        let text = text.trim();
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = url::Url::parse(&full).map_err(|_| NetError::BadAddress)?;
        let host = url.host_str().ok_or(NetError::BadAddress)?.to_owned();
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(NetError::BadAddress),
        };
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(NetError::BadAddress);
        }
        if !tls && !plain_allowed && !is_this_machine(&host) {
            return Err(NetError::PlainRefused);
        }
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = url.port_or_known_default().ok_or(NetError::BadAddress)?;
        let host = url
            .port()
            .map_or(host.clone(), |port| format!("{host}:{port}"));
        Ok(Self {
            origin: format!("{}://{host}", url.scheme()),
            host,
            name,
            port,
            tls,
        })
    }

    /// The URL of a path that begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The WebSocket URL of a path.
    #[must_use]
    pub fn live_url(&self, path: &str) -> String {
        format!(
            "{}://{}{path}",
            if self.tls { "wss" } else { "ws" },
            self.host
        )
    }

    /// Host and port, as the header `host` has them.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Name or IP address of the host, without port and brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_or_by_permission() {
        for good in [
            "http://127.0.0.1:80",
            "http://localhost:9",
            "http://[::1]:9",
            "https://a.b",
        ] {
            assert!(Address::parse(good, false).is_ok(), "{good}");
        }
        for plain in [
            "http://grid.example",
            "http://10.0.0.1",
            "http://127.0.0.1.example",
        ] {
            assert_eq!(
                Address::parse(plain, false),
                Err(NetError::PlainRefused),
                "{plain}"
            );
            assert!(Address::parse(plain, true).is_ok());
        }
        for bad in [
            "",
            "ftp://a",
            "https://a/path",
            "https://a?q",
            "https://u:p@a",
            "https://",
        ] {
            assert_eq!(
                Address::parse(bad, true),
                Err(NetError::BadAddress),
                "{bad}"
            );
        }
    }

    #[test]
    fn urls_are_made_of_the_origin() {
        let address = Address::parse("grid.example:8443", false).unwrap();
        assert_eq!(address.url("/v1/sync"), "https://grid.example:8443/v1/sync");
        assert_eq!(
            address.live_url("/v1/live"),
            "wss://grid.example:8443/v1/live"
        );
        let plain = Address::parse("http://[::1]:9", false).unwrap();
        assert_eq!(plain.live_url("/v1/live"), "ws://[::1]:9/v1/live");
        assert_eq!((plain.name(), plain.port()), ("::1", 9));
        let usual = Address::parse("grid.example", false).unwrap();
        assert_eq!((usual.host(), usual.port()), ("grid.example", 443));
    }
}
