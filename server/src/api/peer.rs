//! The caller of a request, as limits need it. Addresses are kept in memory only, for at most one quiet
//! minute, and never logged.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};

use crate::config::{Network, ServerConfig};

/// The key for counting a caller's requests: an IPv4 address, or the network of an IPv6 address, because
/// every IPv6 network has a nearly endless number of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Caller(IpAddr);

impl Caller {
    /// Finds the caller of a request. Each proxy of the chain adds the address that it saw to
    /// `x-forwarded-for`, so the entry of the first own proxy is as far from the end as the chain is long.
    /// Any caller could have written the entries before it.
    ///
    /// A request that did not come through the whole chain is counted by the address of the connection, and
    /// named as such.
    pub(super) fn of(peer: SocketAddr, headers: &HeaderMap, chain: &Chain) -> (Self, Passage) {
        if chain.hops == 0 {
            return (Self::from(peer.ip()), Passage::AsConfigured);
        }
        let forwarded = chain
            .admits(peer.ip())
            .then(|| nth_from_end(headers, chain.hops - 1))
            .flatten();
        match forwarded {
            Some(address) => (Self::from(address), Passage::AsConfigured),
            None => (Self::from(peer.ip()), Passage::Other),
        }
    }
}

/// The reverse proxies in front of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Proxies that a request passes; 0 without a proxy.
    hops: usize,
    /// Addresses of the last proxy; empty if any address may be it.
    from: Vec<Network>,
}

impl Chain {
    pub(super) fn of(config: &ServerConfig) -> Self {
        Self {
            hops: if config.behind_proxy {
                config.proxy_hops
            } else {
                0
            },
            from: config.proxy_from.clone(),
        }
    }

    fn admits(&self, peer: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|network| network.contains(peer))
    }
}

/// Whether a request came through the configured proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// It did, or there are none.
    AsConfigured,
    /// It came from another address, or with too few entries.
    Other,
}

/// Returns an entry of `x-forwarded-for`, 0 for the last one. Several header lines count as one list.
fn nth_from_end(headers: &HeaderMap, back: usize) -> Option<IpAddr> {
    let lines: Vec<&HeaderValue> = headers.get_all("x-forwarded-for").iter().collect();
    let mut entries = lines
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    // A caller may have written anything before the entries of the own proxies.
    let entry = std::str::from_utf8(entries.nth(back)?).ok()?.trim();
    // Some proxies add the port.
    let bare = entry.parse().ok();
    bare.or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl From<IpAddr> for Caller {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    fn chain(hops: usize, from: &[&str]) -> Chain {
        Chain {
            hops,
            from: from.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn caller(forwarded: &[&str], chain: &Chain) -> (Caller, Passage) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        Caller::of("10.0.0.1:9".parse().unwrap(), &headers, chain)
    }

    fn plain(address: &str) -> Caller {
        Caller::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn only_what_the_own_proxies_saw_counts() {
        use Passage::{AsConfigured, Other};
        let (none, one, two) = (chain(0, &[]), chain(1, &[]), chain(2, &[]));
        let peer = plain("10.0.0.1");
        assert_eq!(caller(&["1.1.1.1"], &none), (peer, AsConfigured));
        let seen = (plain("2.2.2.2"), AsConfigured);
        assert_eq!(caller(&["6.6.6.6, 2.2.2.2"], &one), seen);
        assert_eq!(caller(&["6.6.6.6", "2.2.2.2"], &one), seen);
        assert_eq!(caller(&["2.2.2.2:4711"], &one), seen);
        assert_eq!(caller(&["6.6.6.6, 2.2.2.2, 3.3.3.3"], &two), seen);
        assert_eq!(caller(&["6.6.6.6, 2.2.2.2", "3.3.3.3"], &two), seen);
        assert_eq!(caller(&["nonsense"], &one), (peer, Other));
        assert_eq!(caller(&[], &one), (peer, Other));
        assert_eq!(caller(&["2.2.2.2"], &two), (peer, Other), "one is missing");
    }

    /// One foreign byte must not hide the entry that the own proxy has written.
    #[test]
    fn foreign_byte_hides_no_entry_of_the_proxy() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"\xe9, 2.2.2.2").unwrap();
        headers.append("x-forwarded-for", value);
        let peer = "10.0.0.1:9".parse().unwrap();
        let found = Caller::of(peer, &headers, &chain(1, &[]));
        assert_eq!(found, (plain("2.2.2.2"), Passage::AsConfigured));
    }

    /// A caller that reaches the server past the proxy can write any address.
    #[test]
    fn request_past_the_proxy_is_counted_by_its_own_address() {
        let forged = &["2.2.2.2"];
        let past = caller(forged, &chain(1, &["10.0.0.2", "192.168.0.0/16"]));
        assert_eq!(past, (plain("10.0.0.1"), Passage::Other));
        for from in ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0"] {
            let through = caller(forged, &chain(1, &[from]));
            assert_eq!(through, (plain("2.2.2.2"), Passage::AsConfigured), "{from}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_caller_and_a_mapped_address_is_ipv4() {
        assert_eq!(plain("2001:db8:1:2::1"), plain("2001:db8:1:2:ffff::9"));
        assert_ne!(plain("2001:db8:1:2::1"), plain("2001:db8:1:3::1"));
        assert_eq!(plain("::ffff:1.2.3.4"), plain("1.2.3.4"));
        assert_ne!(plain("1.2.3.4"), plain("1.2.3.5"));
    }
}
