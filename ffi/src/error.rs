//! The one error of the surface: a coarse kind that the host branches on, a stable code, and a sentence in both
//! languages. A table maps codes to kinds. The sentences are in `core/src/texts.tsv`.

use onegrid_core::net::NetError;
use onegrid_core::net::meeting::MeetingError;
use onegrid_core::replica::ReplicaError;
use onegrid_core::sync::bundle_file::BundleError;
use onegrid_core::texts::{Lang, say, text};
use onegrid_core::vault::VaultError as CoreVaultError;

/// The reason why a call failed. Every variant carries the stable code (`area.reason`) and one sentence in
/// Chinese and English that names the problem, the work that was kept, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum OneGridError {
    /// The rules do not allow the call to this person here and now. Nothing was changed.
    #[error("{code}")]
    Denied {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// A value is missing, too long, malformed or not one that the field takes. Nothing was changed.
    #[error("{code}")]
    BadInput {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// The record, account or conflict is not on this phone, or was removed.
    #[error("{code}")]
    NotFound {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// A key, the vault or the PIN prevents the call. No file was touched.
    #[error("{code}")]
    Key {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// The storage is full, refuses, or is damaged. Saved work is kept.
    #[error("{code}")]
    Storage {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// There is no network, or the server refuses or answers wrongly. Undelivered work is kept and sent later.
    #[error("{code}")]
    Network {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// The phone cannot take the call now, because it is open elsewhere, suspended, shut, or called from within
    /// a callback. The same call works later.
    #[error("{code}")]
    Busy {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// A newer app wrote the data. They are kept, and an update of the app reads them.
    #[error("{code}")]
    NewerApp {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// The host cancelled the call. Acknowledged work is kept.
    #[error("{code}")]
    Cancelled {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
    /// A defect of OneGrid. Saved work is kept; the support bundle helps to find the defect.
    #[error("{code}")]
    Bug {
        /// The stable code.
        code: String,
        /// The sentence in Chinese.
        zh: String,
        /// The sentence in English.
        en: String,
    },
}

/// The result of every call.
pub type Answer<T> = Result<T, OneGridError>;

/// The kinds, for the table of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Denied,
    BadInput,
    NotFound,
    Key,
    Storage,
    Network,
    Busy,
    NewerApp,
    Cancelled,
    Bug,
}

/// The kind of a code. The first line with the whole code or its area decides.
const KINDS: &[(&str, Kind)] = &[
    ("replica.missing", Kind::NotFound),
    ("replica.no_record", Kind::NotFound),
    ("replica.no_conflict", Kind::NotFound),
    ("replica.nothing_to_undo", Kind::NotFound),
    ("replica.wrong_key", Kind::Key),
    ("replica.newer_schema", Kind::NewerApp),
    ("replica.needs_newer_app", Kind::NewerApp),
    ("may.newer", Kind::NewerApp),
    ("replica.in_use", Kind::Busy),
    ("replica.suspended", Kind::Busy),
    ("phone.shut", Kind::Busy),
    ("phone.called_back_in", Kind::Busy),
    ("phone.undelivered", Kind::Denied),
    ("phone.bug", Kind::Bug),
    ("phone.server_needed", Kind::BadInput),
    ("phone.listener_failed", Kind::Bug),
    ("phone.unknown_code", Kind::Bug),
    ("replica.bad_input", Kind::BadInput),
    ("replica.awaits_review", Kind::Denied),
    ("replica.not_enrolled", Kind::Denied),
    ("phone.enrolled_already", Kind::Denied),
    ("replica.inconsistent", Kind::Bug),
    ("replica.database", Kind::Bug),
    ("net.cancelled", Kind::Cancelled),
    ("meeting.cancelled", Kind::Cancelled),
    ("meeting.bad_address", Kind::BadInput),
    ("meeting.bad_code", Kind::BadInput),
    ("meeting.newer_code", Kind::NewerApp),
    ("meeting", Kind::Network),
    ("peer.no_secret", Kind::Denied),
    ("peer.revoked", Kind::Denied),
    ("peer.not_proved", Kind::Denied),
    ("peer", Kind::Network),
    ("bundle.newer", Kind::NewerApp),
    ("bundle.certificate_expired", Kind::Denied),
    ("bundle", Kind::BadInput),
    ("join.newer_code", Kind::NewerApp),
    ("join.no_record", Kind::NotFound),
    ("join.not_lead", Kind::Denied),
    ("join.revoked", Kind::Denied),
    ("join.closed", Kind::Denied),
    ("join", Kind::BadInput),
    ("checkpoint.newer_code", Kind::NewerApp),
    ("checkpoint", Kind::BadInput),
    ("track.newer", Kind::NewerApp),
    ("track", Kind::BadInput),
    ("section", Kind::BadInput),
    ("net.bad_address", Kind::BadInput),
    ("net.plain_refused", Kind::BadInput),
    ("net.bad_roots", Kind::BadInput),
    ("invitation", Kind::BadInput),
    ("report", Kind::BadInput),
    ("form.newer", Kind::NewerApp),
    ("form.newer_template", Kind::NewerApp),
    ("form.not_for_role", Kind::Denied),
    ("form.subject_merged", Kind::Denied),
    ("form.no_template", Kind::NotFound),
    ("form", Kind::BadInput),
    ("position", Kind::BadInput),
    ("content", Kind::BadInput),
    ("vault.bad_pin", Kind::BadInput),
    ("vault.bad_name", Kind::BadInput),
    ("vault.no_account", Kind::NotFound),
    ("vault.busy", Kind::Busy),
    ("vault.storage", Kind::Storage),
    ("media.unknown_id", Kind::NotFound),
    ("media.absent", Kind::NotFound),
    ("media.disk_full", Kind::Storage),
    ("media.unreadable", Kind::Storage),
    ("media.offset", Kind::Network),
    ("media", Kind::BadInput),
    ("attachment", Kind::Network),
    ("event", Kind::BadInput),
    ("list", Kind::BadInput),
    ("id", Kind::BadInput),
    ("text", Kind::BadInput),
    ("input", Kind::BadInput),
    ("device.several_accounts", Kind::BadInput),
    ("device", Kind::Denied),
    ("may", Kind::Denied),
    ("case", Kind::Denied),
    ("void", Kind::Denied),
    ("held", Kind::Denied),
    ("vault", Kind::Key),
    ("replica", Kind::Storage),
    ("sync", Kind::Network),
    ("net", Kind::Network),
    ("session", Kind::Network),
    ("enrolment.newer", Kind::NewerApp),
    ("enrolment.malformed", Kind::Network),
    ("enrolment.bad_answer", Kind::Network),
    ("enrolment", Kind::BadInput),
    ("trust", Kind::Network),
    ("registry", Kind::Denied),
    ("refused", Kind::Denied),
    ("wire", Kind::Network),
    ("http", Kind::Network),
    ("store", Kind::Network),
    ("server", Kind::Network),
];

/// Returns the code whose sentence a person sees. Some sentences name a number that a server knows
/// and a phone does not, so a general sentence takes their place.
pub(crate) fn speakable<'c>(code: &'c str, values: &[(&str, &str)]) -> &'c str {
    let blank: Vec<_> = values.iter().map(|(name, _)| (*name, "")).collect();
    if say(code, Lang::En, &blank).contains('{') {
        "sync.refused"
    } else {
        code
    }
}

fn kind_of(code: &str) -> Kind {
    let area = code.split('.').next().unwrap_or_default();
    KINDS
        .iter()
        .find(|(key, _)| *key == code || *key == area)
        .map_or(Kind::Bug, |(_, kind)| *kind)
}

impl OneGridError {
    /// Returns the error of a code, with its sentences.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self::with(code, &[])
    }

    /// Returns the error of a code whose sentence has placeholders.
    #[must_use]
    pub fn with(code: &str, values: &[(&str, &str)]) -> Self {
        let known = text(code, Lang::En).is_some();
        // A server of another version may answer a code that has no sentence here. The error keeps the server's
        // code.
        let spoken = if known { code } else { "phone.unknown_code" };
        let values: Vec<_> = values.iter().copied().chain([("code", code)]).collect();
        let spoken = speakable(spoken, &values);
        let (zh, en) = (
            say(spoken, Lang::Zh, &values),
            say(spoken, Lang::En, &values),
        );
        Self::spoken(code, zh, en)
    }

    /// Returns the error of a code with finished sentences.
    fn spoken(code: &str, zh: String, en: String) -> Self {
        let code = code.to_owned();
        match kind_of(&code) {
            Kind::Denied => Self::Denied { code, zh, en },
            Kind::BadInput => Self::BadInput { code, zh, en },
            Kind::NotFound => Self::NotFound { code, zh, en },
            Kind::Key => Self::Key { code, zh, en },
            Kind::Storage => Self::Storage { code, zh, en },
            Kind::Network => Self::Network { code, zh, en },
            Kind::Busy => Self::Busy { code, zh, en },
            Kind::NewerApp => Self::NewerApp { code, zh, en },
            Kind::Cancelled => Self::Cancelled { code, zh, en },
            Kind::Bug => Self::Bug { code, zh, en },
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Denied { code, .. }
            | Self::BadInput { code, .. }
            | Self::NotFound { code, .. }
            | Self::Key { code, .. }
            | Self::Storage { code, .. }
            | Self::Network { code, .. }
            | Self::Busy { code, .. }
            | Self::NewerApp { code, .. }
            | Self::Cancelled { code, .. }
            | Self::Bug { code, .. } => code,
        }
    }
}

impl From<ReplicaError> for OneGridError {
    fn from(error: ReplicaError) -> Self {
        match error {
            ReplicaError::Input(input) => {
                let (zh, en) = (input.sentence(Lang::Zh), input.sentence(Lang::En));
                Self::spoken(input.code(), zh, en)
            }
            other => Self::of(other.code()),
        }
    }
}

impl From<NetError> for OneGridError {
    fn from(error: NetError) -> Self {
        Self::of(error.code())
    }
}

impl From<MeetingError> for OneGridError {
    fn from(error: MeetingError) -> Self {
        Self::of(error.code())
    }
}

impl From<BundleError> for OneGridError {
    fn from(error: BundleError) -> Self {
        Self::of(error.code())
    }
}

impl From<CoreVaultError> for OneGridError {
    fn from(error: CoreVaultError) -> Self {
        Self::of(error.code())
    }
}

thread_local! {
    static GUARDED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Keeps the message of a caught panic out of the host's output, because it may quote content. Every other
/// panic of the process reaches the previous hook.
pub(crate) fn silence_caught_panics() {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let other = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if onegrid_core::crdt::is_guarded() {
                return;
            }
            if GUARDED.get() == 0 {
                return other(panic);
            }
            let place = panic.location().map(ToString::to_string);
            tracing::error!(code = "phone.bug", place, "a panic was caught");
        }));
    });
}

/// Counts the calls of this thread that catch panics.
struct Guard;

impl Guard {
    fn new() -> Self {
        GUARDED.set(GUARDED.get() + 1);
        Self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDED.set(GUARDED.get() - 1);
    }
}

/// Runs a call. A panic is our bug: it becomes an error with a code, the host continues, and the transaction
/// under way was rolled back.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Answer<T>) -> Answer<T> {
    let _guard = Guard::new();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!(code = "phone.bug", "a call ended in a panic");
        Err(OneGridError::of("phone.bug"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The kind decides the reaction of an app, so every code that a person may meet has a deliberate kind.
    #[test]
    fn every_code_of_a_phone_has_its_kind() {
        const AREAS: &[&str] = &[
            "attachment",
            "bundle",
            "case",
            "checkpoint",
            "content",
            "device",
            "enrolment",
            "form",
            "held",
            "input",
            "invitation",
            "join",
            "list",
            "may",
            "media",
            "meeting",
            "net",
            "peer",
            "phone",
            "position",
            "refused",
            "registry",
            "replica",
            "report",
            "server",
            "session",
            "store",
            "sync",
            "text",
            "track",
            "trust",
            "vault",
            "void",
            "wire",
        ];
        let codes = onegrid_core::texts::codes();
        let unnamed: Vec<_> = codes
            .filter(|code| {
                let area = code.split('.').next().unwrap();
                let named = |key: &str| key == *code || key == area;
                AREAS.contains(&area) && !KINDS.iter().any(|(key, _)| named(key))
            })
            .collect();
        assert_eq!(unnamed, Vec::<&str>::new());
        assert_eq!(kind_of("enrolment.expired"), Kind::BadInput);
        assert_eq!(kind_of("phone.server_needed"), Kind::BadInput);
    }

    #[test]
    fn whole_code_beats_area_and_unknown_code_keeps_its_name() {
        assert_eq!(kind_of("replica.wrong_key"), Kind::Key);
        assert_eq!(kind_of("replica.damaged"), Kind::Storage);
        assert_eq!(kind_of("vault.wrong_pin"), Kind::Key);
        let foreign = OneGridError::of("sync.of_tomorrow");
        assert_eq!(foreign.code(), "sync.of_tomorrow");
        let OneGridError::Network { en, .. } = foreign else {
            panic!("{foreign:?}");
        };
        assert!(en.contains("sync.of_tomorrow"), "{en}");
    }

    #[test]
    fn sentence_without_its_values_gives_way() {
        let sentences = |error: OneGridError| match error {
            OneGridError::Network { zh, en, .. } | OneGridError::BadInput { zh, en, .. } => {
                zh + &en
            }
            other => panic!("{other:?}"),
        };
        for code in ["http.too_many", "http.too_large"] {
            let shown = sentences(OneGridError::of(code));
            assert!(!shown.contains('{'), "{shown}");
        }
        // Braces that a person typed stay.
        let typed = sentences(OneGridError::with(
            "input.bad_value",
            &[("field", "{seconds}")],
        ));
        assert!(typed.contains("{seconds}"), "{typed}");
    }

    #[test]
    fn panic_becomes_a_bug_and_the_caller_goes_on() {
        let outcome: Answer<()> = guarded(|| panic!("a bug"));
        assert_eq!(outcome.unwrap_err().code(), "phone.bug");
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
    }
}
