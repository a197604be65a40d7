//! The caller of a request, as limits need it. Addresses are kept in memory only, for at most one quiet
//! minute, and never logged.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;

/// The key for counting a caller's requests: an IPv4 address, or the network of an IPv6 address, because
/// every IPv6 network has a nearly endless number of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Caller(IpAddr);

impl Caller {
    /// Finds the caller of a request. Behind a trusted proxy, the last entry of `x-forwarded-for` is the
    /// address that the proxy saw. Any caller could have written the entries before it.
    pub(super) fn of(peer: SocketAddr, headers: &HeaderMap, behind_proxy: bool) -> Self {
        let forwarded = headers
            .get_all("x-forwarded-for")
            .iter()
            .next_back()
            .filter(|_| behind_proxy)
            .and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        Self::from(forwarded.unwrap_or_else(|| peer.ip()))
    }
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

    fn caller(peer: &str, forwarded: &[&str], behind_proxy: bool) -> Caller {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        Caller::of(peer.parse().unwrap(), &headers, behind_proxy)
    }

    fn plain(address: &str) -> Caller {
        Caller::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn only_what_the_own_proxy_saw_counts() {
        let proxy = "10.0.0.1:9";
        assert_eq!(caller(proxy, &["1.1.1.1"], false), plain("10.0.0.1"));
        assert_eq!(caller(proxy, &["6.6.6.6, 2.2.2.2"], true), plain("2.2.2.2"));
        assert_eq!(
            caller(proxy, &["6.6.6.6", "3.3.3.3"], true),
            plain("3.3.3.3")
        );
        assert_eq!(caller(proxy, &["nonsense"], true), plain("10.0.0.1"));
        assert_eq!(caller(proxy, &[], true), plain("10.0.0.1"));
    }

    #[test]
    fn an_ipv6_network_is_one_caller_and_a_mapped_address_is_ipv4() {
        assert_eq!(plain("2001:db8:1:2::1"), plain("2001:db8:1:2:ffff::9"));
        assert_ne!(plain("2001:db8:1:2::1"), plain("2001:db8:1:3::1"));
        assert_eq!(plain("::ffff:1.2.3.4"), plain("1.2.3.4"));
        assert_ne!(plain("1.2.3.4"), plain("1.2.3.5"));
    }
}
