import Foundation
import OneGridFFI

/// The reason why a call failed. Every call that throws throws this type.
///
/// Branch on ``kind``, or on ``code`` where one case matters. Show `localizedDescription`: it is a
/// sentence in the person's language that gives the cause, the work that was kept, and the next
/// step.
public struct OneGridError: Error, Sendable, Hashable {
    /// A coarse class of errors.
    public enum Kind: String, Sendable, CaseIterable {
        /// The rules do not allow it to this person here and now. Nothing was changed.
        case denied
        /// A value is missing, too long or malformed. Nothing was changed.
        case badInput
        /// The record, account or conflict is not on this phone, or no longer.
        case notFound
        /// A key, the vault or the PIN prevents it. No file was touched.
        case key
        /// The storage is full, refuses, or is damaged. Saved work is kept.
        case storage
        /// There is no network, or the server refuses. Undelivered work is kept and sent later.
        case network
        /// The phone takes no calls now: it is open elsewhere, suspended, shut, or called
        /// from within a callback. The same call works later.
        case busy
        /// A newer app wrote it. It is kept, and an update of the app reads it.
        case newerApp
        /// The task or the app cancelled the call. The phone keeps everything that the server
        /// acknowledged.
        case cancelled
        /// A defect of OneGrid. Saved work is kept; ``Phone/supportBundle()`` helps to
        /// find it.
        case bug
    }

    /// The coarse class.
    public let kind: Kind
    /// The stable code, `area.reason`, such as `sync.offline`.
    public let code: String
    /// The sentence in Chinese.
    public let zh: String
    /// The sentence in English.
    public let en: String
}

extension OneGridError: LocalizedError {
    /// The sentence in the person's language.
    public var errorDescription: String? { text(.preferred) }
}

extension OneGridError: Bilingual {}

extension OneGridError {
    /// The error for anything that a call of the core threw.
    init(_ error: any Error) {
        guard let error = error as? OneGridFFI.OneGridError else {
            self = (error as? OneGridError) ?? .bug
            return
        }
        let (kind, code, zh, en): (Kind, String, String, String) =
            switch error {
            case .Denied(let code, let zh, let en): (.denied, code, zh, en)
            case .BadInput(let code, let zh, let en): (.badInput, code, zh, en)
            case .NotFound(let code, let zh, let en): (.notFound, code, zh, en)
            case .Key(let code, let zh, let en): (.key, code, zh, en)
            case .Storage(let code, let zh, let en): (.storage, code, zh, en)
            case .Network(let code, let zh, let en): (.network, code, zh, en)
            case .Busy(let code, let zh, let en): (.busy, code, zh, en)
            case .NewerApp(let code, let zh, let en): (.newerApp, code, zh, en)
            case .Cancelled(let code, let zh, let en): (.cancelled, code, zh, en)
            case .Bug(let code, let zh, let en): (.bug, code, zh, en)
            }
        self.init(kind: kind, code: code, zh: zh, en: en)
    }

    /// The call was cancelled before the core began with it.
    static let cancelled = of("net.cancelled", kind: .cancelled)
    /// The bytes of a photo or recording are more than the core takes.
    static let tooLarge = of("media.too_large", kind: .badInput)
    /// The border itself failed, which only an error of OneGrid explains.
    static let bug = of("phone.bug", kind: .bug)

    private static func of(_ code: String, kind: Kind) -> Self {
        let words = { (language: Language) in
            (try? sentence(code: code, language: language)) ?? code
        }
        return Self(kind: kind, code: code, zh: words(.zh), en: words(.en))
    }
}
