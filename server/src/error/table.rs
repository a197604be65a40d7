//! The class of each code: one line a code, grouped by area. A tidy test finds used codes that are
//! missing here.

use super::Class;

/// Pairs of code and class.
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
    ("http.too_many", Class::TooMany),
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
    // Keys.
    ("keys.damaged", Class::Data),
    ("keys.exist", Class::Conflict),
    ("keys.generation_not_listed", Class::Conflict),
    ("keys.list_not_newer", Class::Conflict),
    ("keys.list_not_signed", Class::Refused),
    ("keys.list_of_another_request", Class::Conflict),
    ("keys.nothing_requested", Class::Conflict),
    ("keys.of_another_deployment", Class::Conflict),
    ("keys.unreadable", Class::Data),
    ("keys.unwritable", Class::Internal),
    // Members, devices, reviews.
    ("registry.device_revoked", Class::Conflict),
    ("registry.own_author", Class::Refused),
    ("registry.too_many_grants", Class::Data),
    ("registry.unknown_device", Class::NotFound),
    ("registry.unknown_record", Class::NotFound),
    ("registry.unknown_member", Class::NotFound),
    ("review.not_waiting", Class::Conflict),
    // Rules of automatic triage.
    ("rules.bad_rule", Class::Data),
    ("rules.malformed", Class::Data),
    ("rules.unreadable", Class::Data),
    // The store.
    ("store.initialised", Class::Conflict),
    ("store.not_initialised", Class::Conflict),
    // Sessions and enrolment.
    ("session.malformed", Class::Data),
    ("session.no_common_version", Class::Data),
    ("session.wrong_authority", Class::Refused),
    ("session.unknown_server", Class::Refused),
    ("session.older_keys", Class::Refused),
    ("session.uncertified_generation", Class::Refused),
    ("session.bad_server_proof", Class::Refused),
    ("session.bad_client_proof", Class::Unauthorized),
    ("session.bad_certificate", Class::Unauthorized),
    ("session.bad_key", Class::Data),
    ("session.handshake_over", Class::Unauthorized),
    ("session.revoked", Class::Unauthorized),
    ("session.unknown", Class::Unauthorized),
    ("session.expired", Class::Unauthorized),
    ("session.certificate_expired", Class::Refused),
    ("session.bad_mac", Class::Unauthorized),
    ("session.same_device", Class::Refused),
    ("enrolment.malformed", Class::Data),
    ("enrolment.newer", Class::Data),
    ("enrolment.unknown", Class::Refused),
    ("enrolment.expired", Class::Refused),
    ("enrolment.used", Class::Refused),
    ("enrolment.bad_proof", Class::Refused),
    ("enrolment.wrong_authority", Class::Refused),
    ("enrolment.bad_answer", Class::Data),
    // Messages and the directory.
    ("area.bad_code", Class::Data),
    ("area.bad_level", Class::Data),
    ("area.bad_validity", Class::Data),
    ("area.code_of_other_level", Class::Data),
    ("area.duplicate_code", Class::Data),
    ("area.level_changed", Class::Data),
    ("area.too_many_parts", Class::Data),
    ("area.unknown_parent", Class::Data),
    ("area.wrong_parent_level", Class::Data),
    ("category.bad_code", Class::Data),
    ("category.bad_columns", Class::Data),
    ("category.bad_standard_code", Class::Data),
    ("category.class_changed", Class::Data),
    ("category.duplicate", Class::Data),
    ("category.too_many", Class::Data),
    ("category.unknown_class", Class::Data),
    ("directory.template_changed", Class::Data),
    ("directory.too_large", Class::Data),
    ("directory.unknown_area", Class::Data),
    ("wire.damaged", Class::Data),
    ("wire.inflates", Class::Data),
    ("wire.newer", Class::Data),
    ("wire.shape", Class::Data),
    ("wire.too_large", Class::Data),
    ("zone.bad_validity", Class::Data),
    ("zone.no_areas", Class::Data),
    ("zone.too_many_parts", Class::Data),
    ("zone.unknown_area", Class::Data),
    // The data folder.
    ("data.not_prepared", Class::Usage),
    ("data.prepared", Class::Conflict),
    ("data.served", Class::Conflict),
    ("data.unusable", Class::Internal),
    // Backup.
    ("backup.exists", Class::Conflict),
    ("backup.none", Class::Data),
    ("restore.clock_behind", Class::Conflict),
    // Import.
    ("import.no_file", Class::Data),
    ("import.nothing_taken", Class::Data),
    ("import.rest_taken", Class::Data),
    // Templates of checklists.
    ("template.too_many", Class::Conflict),
    ("template.unknown", Class::NotFound),
    ("template.unreadable", Class::Data),
    ("xlsform.no_place", Class::Data),
    // Verification.
    ("verify.wrong", Class::Internal),
    // The demo.
    ("demo.bad_seed", Class::Internal),
    ("demo.differs", Class::Internal),
    ("demo.interrupted", Class::Internal),
    ("demo.io", Class::Internal),
    ("demo.no_server", Class::Internal),
    ("demo.outside", Class::Data),
    ("demo.step_failed", Class::Internal),
    ("demo.unequal", Class::Internal),
];

/// Class of a code; `None` if the table lacks it.
pub(super) fn class_of(code: &str) -> Option<Class> {
    CLASSES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, class)| *class)
}
