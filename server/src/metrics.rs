//! Counters and durations of the process, in the text format of Prometheus / OpenMetrics.
//!
//! Each part of the server registers its own metrics. Labels have few fixed values (route template, method,
//! status), never ids, names or addresses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds of the buckets of request durations, in seconds.
const SECONDS: [f64; 9] = [0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0, 16.0, 60.0];

/// All metrics of one server; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    panics: Counter,
    problems: Family<Problem, Counter>,
    connections: Family<End, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Problem {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Creates the metrics of HTTP.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            registry: Mutex::new(Registry::with_prefix("onegrid")),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            panics: Counter::default(),
            problems: Family::default(),
            connections: Family::default(),
        };
        let metrics = Self {
            inner: Arc::new(inner),
        };
        let Inner {
            requests,
            seconds,
            panics,
            problems,
            connections,
            ..
        } = &*metrics.inner;
        metrics.register("http_requests", "Answered requests", requests.clone());
        metrics.register("http_request_seconds", "Time to answer", seconds.clone());
        metrics.register("http_panics", "Requests that met a bug", panics.clone());
        let help = "Failed answers by code";
        metrics.register("http_problems", help, problems.clone());
        let help = "Connections that the server refused or ended";
        metrics.register("connections_ended", help, connections.clone());
        metrics
    }

    /// Adds a metric. The name gets the prefix `onegrid_`, and a counter the suffix `_total`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().register(name, help, metric);
    }

    /// Counts an answered request. `route` is the template (`/v1/records/{id}`), never the path.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let request = Request {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.inner.requests.get_or_create(&request).inc();
        let route = Route {
            route: route.to_owned(),
        };
        self.inner
            .seconds
            .get_or_create(&route)
            .observe(took.as_secs_f64());
    }

    /// Counts a request that ended in a panic.
    pub fn panicked(&self) {
        self.inner.panics.inc();
    }

    /// Counts a failed answer.
    pub fn refused(&self, code: &'static str) {
        self.inner.problems.get_or_create(&Problem { code }).inc();
    }

    /// Counts a connection that found no place, or that the server ended.
    pub fn connection_ended(&self, reason: &'static str) {
        self.inner.connections.get_or_create(&End { reason }).inc();
    }

    /// All metrics as text, for `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut out, &self.registry());
        out
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        // A panic during registration leaves a usable registry.
        self.inner
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered() {
        let metrics = Metrics::new();
        metrics.answered("POST", "/v1/sync", 200, Duration::from_millis(3));
        metrics.answered("POST", "/v1/sync", 200, Duration::from_millis(3));
        let own = Counter::<u64>::default();
        metrics.register("ingest_envelopes", "Envelopes", own.clone());
        own.inc_by(7);
        let text = metrics.render();
        let line = r#"onegrid_http_requests_total{method="POST",route="/v1/sync",status="200"} 2"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("onegrid_ingest_envelopes_total 7"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
