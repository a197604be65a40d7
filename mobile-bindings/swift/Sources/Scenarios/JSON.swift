import Foundation

/// A value of JSON.
public enum JSON: Sendable, Hashable, Codable {
    case null
    case flag(Bool)
    case whole(Int64)
    case number(Double)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    /// Reads a value of JSON.
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let whole = try? value.decode(Int64.self) {
            self = .whole(whole)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .flag(let flag): try value.encode(flag)
        case .whole(let whole): try value.encode(whole)
        case .number(let number): try value.encode(number)
        case .text(let text): try value.encode(text)
        case .list(let list): try value.encode(list)
        case .object(let object): try value.encode(object)
        }
    }

    /// Reads one value of JSON.
    public init(parsing data: Data) throws {
        self = try JSONDecoder().decode(JSON.self, from: data)
    }

    /// A text, or null.
    public init(_ text: String?) { self = text.map { .text($0) } ?? .null }

    /// A whole number, or null.
    public init(_ number: UInt32?) { self = number.map { .whole(Int64($0)) } ?? .null }

    /// A field of an object, or an element of a list; null where there is none.
    public subscript(_ key: String) -> JSON {
        switch self {
        case .object(let object): object[key] ?? .null
        case .list(let list):
            Int(key).flatMap { list.indices.contains($0) ? list[$0] : nil } ?? .null
        default: .null
        }
    }

    /// The text, if it is one.
    public var text: String? { if case .text(let text) = self { text } else { nil } }
    /// The flag, if it is one.
    public var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
    /// The whole number, if it is one.
    public var whole: Int64? { if case .whole(let whole) = self { whole } else { nil } }
    /// The number, if it is one.
    public var number: Double? {
        switch self {
        case .whole(let whole): Double(whole)
        case .number(let number): number
        default: nil
        }
    }
    /// The elements, if it is a list.
    public var list: [JSON]? { if case .list(let list) = self { list } else { nil } }
    /// The fields, if it is an object.
    public var object: [String: JSON]? {
        if case .object(let object) = self { object } else { nil }
    }
    /// The texts of a list; empty where there is none.
    public var texts: [String] { (list ?? []).compactMap(\.text) }
}

extension JSON: CustomStringConvertible {
    /// The value as JSON, fields in order.
    public var description: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try? encoder.encode(self)
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "…"
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
    /// A text.
    public init(stringLiteral text: String) { self = .text(text) }
    /// A flag.
    public init(booleanLiteral flag: Bool) { self = .flag(flag) }
    /// A whole number.
    public init(integerLiteral whole: Int64) { self = .whole(whole) }
    /// An object.
    public init(dictionaryLiteral fields: (String, JSON)...) {
        self = .object(Dictionary(fields) { _, later in later })
    }
    /// A list.
    public init(arrayLiteral elements: JSON...) { self = .list(elements) }
}
