//! Of which class each code is: one line a code, grouped by area. The tidy test finds codes that are used
//! and missing here.

use super::Class;

/// Code and class.
pub(super) const CLASSES: &[(&str, Class)] = &[
    // Command line.
    ("cli.conflict", Class::Usage),
    ("cli.invalid_value", Class::Usage),
    ("cli.missing_argument", Class::Usage),
    ("cli.missing_command", Class::Usage),
    ("cli.output", Class::Internal),
    ("cli.unknown_argument", Class::Usage),
    ("cli.unknown_command", Class::Usage),
    ("cli.usage_wrong", Class::Usage),
    // Configuration.
    ("config.bad_value", Class::Usage),
    ("config.no_section", Class::Usage),
    ("config.no_value", Class::Usage),
    ("config.syntax", Class::Usage),
    ("config.tls_half", Class::Usage),
    ("config.tls_missing", Class::Usage),
    ("config.tls_unreadable", Class::Data),
    ("config.too_large", Class::Data),
    ("config.unknown_key", Class::Usage),
    ("config.unreadable", Class::Data),
    // HTTP, before any part of the protocol is reached.
    ("http.bad_request", Class::Usage),
    ("http.busy", Class::Busy),
    ("http.media_type", Class::MediaType),
    ("http.method", Class::Method),
    ("http.not_found", Class::NotFound),
    ("http.refused", Class::Refused),
    ("http.timeout", Class::Timeout),
    ("http.too_large", Class::TooLarge),
    ("http.unauthorized", Class::Unauthorized),
    ("http.unreadable", Class::Data),
    // The process.
    ("server.internal", Class::Internal),
    ("server.listen", Class::Internal),
    ("server.stopping", Class::Busy),
    // The store.
    ("store.damaged", Class::Internal),
    ("store.failed", Class::Internal),
    ("store.full", Class::Internal),
    ("store.locked", Class::Internal),
    ("store.newer", Class::Internal),
    ("store.stopped", Class::Busy),
];

/// The class of a code; `None` when it has no line.
pub(super) fn class_of(code: &str) -> Option<Class> {
    CLASSES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, class)| *class)
}
