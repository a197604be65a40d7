import Foundation

/// A scenario that all bindings share: `mobile-bindings/scenarios/README.md` describes the format.
public struct Scenario: Sendable, Decodable {
    /// A device with an enrolled phone of the same name.
    public struct Enrolled: Sendable, Decodable {
        /// The name in the steps.
        public let name: String
        /// The person, in the words of the testbed.
        public let who: String
    }

    /// A sentence, a command of the testbed, or a call of the SDK.
    public struct Step: Sendable, Decodable {
        /// A sentence for people.
        public let say: String?
        /// A command of the testbed.
        public let testbed: String?
        /// The device or phone, or a list of them.
        public let actor: JSON?
        /// The call of the SDK.
        public let verb: String?
        /// Arguments.
        public let with: JSON?
        /// The value that must come back.
        public let expected: JSON?
        /// The code that the error must have, or a list of possible codes.
        public let error: JSON?
        /// The name under which the value is saved.
        public let save: String?
        /// The name of the phone that the call opens.
        public let savePhone: String?

        enum CodingKeys: String, CodingKey {
            case say, testbed, with, error, save
            case actor = "as"
            case verb = "do"
            case expected = "is"
            case savePhone = "save_phone"
        }

        /// Reads a step; `"is": null` is an expectation, a missing `is` is none.
        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            say = try fields.decodeIfPresent(String.self, forKey: .say)
            testbed = try fields.decodeIfPresent(String.self, forKey: .testbed)
            actor = try fields.decodeIfPresent(JSON.self, forKey: .actor)
            verb = try fields.decodeIfPresent(String.self, forKey: .verb)
            with = try fields.decodeIfPresent(JSON.self, forKey: .with)
            expected =
                fields.contains(.expected) ? try fields.decode(JSON.self, forKey: .expected) : nil
            error = try fields.decodeIfPresent(JSON.self, forKey: .error)
            save = try fields.decodeIfPresent(String.self, forKey: .save)
            savePhone = try fields.decodeIfPresent(String.self, forKey: .savePhone)
        }
    }

    /// The name of the file.
    public let name: String
    /// One sentence for people.
    public let about: String
    /// Devices that are empty at the beginning.
    public let devices: [String]?
    /// Phones that are enrolled before the first step.
    public let phones: [Enrolled]?
    /// The steps, in order.
    public let steps: [Step]

    /// Reads a file.
    public init(contentsOf file: URL) throws {
        self = try JSONDecoder().decode(Scenario.self, from: Data(contentsOf: file))
    }
}
