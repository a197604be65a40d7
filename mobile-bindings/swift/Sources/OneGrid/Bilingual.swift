import Foundation
import OneGridFFI

/// Words that exist in Chinese and in English.
public protocol Bilingual {
    /// The words in Chinese.
    var zh: String { get }
    /// The words in English.
    var en: String { get }
}

extension Bilingual {
    /// The words in this language; in the other where this one has none.
    public func text(_ language: Language) -> String {
        let (asked, other) = language == .zh ? (zh, en) : (en, zh)
        return asked.isEmpty ? other : asked
    }

    /// The words in the language that the person prefers.
    public var localized: String { text(.preferred) }
}

extension Language {
    /// Chinese where the person prefers it before English, else English.
    public static var preferred: Language {
        for language in Locale.preferredLanguages {
            if language.hasPrefix("zh") { return .zh }
            if language.hasPrefix("en") { return .en }
        }
        return .en
    }
}

extension Area: Bilingual {}
extension Assignment: Bilingual {}
extension Category: Bilingual {}
extension ConflictCard: Bilingual {}
extension ConflictVersion: Bilingual {}
extension ContentField: Bilingual {}
extension DispatchUnit: Bilingual {}
extension FormCounts: Bilingual {}
extension FormDetail: Bilingual {}
extension FormTemplate: Bilingual {}
extension Me: Bilingual {}
extension Notice: Bilingual {}
extension Person: Bilingual {}
extension PhoneNotification: Bilingual {}
extension PlaceChoice: Bilingual {}
extension RoleGrant: Bilingual {}
extension Tally: Bilingual {}
extension TemplateItem: Bilingual {}
extension TimelineItem: Bilingual {}
extension Uncounted: Bilingual {}
extension WayBack: Bilingual {}
extension Word: Bilingual {}
