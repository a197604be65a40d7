import Foundation
import OneGrid

/// Plays a scenario against a real server, with as many devices as it names.
public actor Player {
    /// A step with another result than it says.
    public struct Failure: Error, CustomStringConvertible {
        /// The scenario.
        public let scenario: String
        /// The number of the step, from 1; 0 for the preparations.
        public let step: Int
        /// The reason.
        public let reason: String
        /// Scenario, step and reason.
        public var description: String { "\(scenario), step \(step): \(reason)" }
    }

    let scenario: Scenario
    let testbed: Testbed
    private let folder: URL
    private let say: @Sendable (String) -> Void
    private let adapt: @Sendable (Phone) -> Phone
    private var devices: [String: DeviceActor] = [:]
    private var phones: [String: PhoneActor] = [:]
    private var saved: [String: JSON] = [:]

    /// A player of one scenario.
    ///
    /// - Parameters:
    ///   - folder: An empty folder for the files of the devices.
    ///   - say: Takes the sentences of the scenario.
    ///   - adapt: Replaces each phone that opens, for tests of the player.
    public init(
        _ scenario: Scenario, testbed: Testbed, folder: URL,
        say: @escaping @Sendable (String) -> Void = { _ in },
        adapt: @escaping @Sendable (Phone) -> Phone = { $0 }
    ) {
        (self.scenario, self.testbed, self.folder) = (scenario, testbed, folder)
        (self.say, self.adapt) = (say, adapt)
    }

    /// Plays the scenario to its end, or to the first step with another result than it says.
    public func play() async throws {
        var number = 0
        do {
            try await prepare()
            for step in scenario.steps {
                number += 1
                try await play(step)
            }
        } catch {
            throw Failure(scenario: scenario.name, step: number, reason: "\(error)")
        }
        for phone in phones.values { await phone.end() }
    }

    private func prepare() async throws {
        for name in scenario.devices ?? [] {
            devices[name] = try await unpacked(name)
        }
        for enrolled in scenario.phones ?? [] {
            let device = try await unpacked(enrolled.name)
            devices[enrolled.name] = device
            let (phone, _) = try await device.device.openSingle()
            phones[enrolled.name] = PhoneActor(adapt(phone))
            let invitation = try await testbed.ask("invite", ["who": .text(enrolled.who)])
            try await phone.enrol(
                invitation["qr"].text ?? "", deviceName: "\(enrolled.name) (Swift)")
            try await phone.sync()
        }
    }

    private func unpacked(_ name: String) async throws -> DeviceActor {
        try await DeviceActor(folder: folder.appendingPathComponent(name))
    }

    private func play(_ step: Scenario.Step) async throws {
        if let sentence = step.say { say(sentence) }
        let with = try resolved(step.with ?? [:])
        if let command = step.testbed {
            try await play(step, "testbed \(command)") { try await testbed.ask(command, with) }
        } else if let verb = step.verb {
            let names = step.actor?.texts ?? []
            for name in names.isEmpty ? [step.actor?.text ?? ""] : names {
                try await play(step, "\(name) \(verb)") { try await call(name, verb, with, step) }
            }
        }
    }

    /// Makes a call, compares its value, and saves it.
    private func play(
        _ step: Scenario.Step, _ title: String, _ call: () async throws -> JSON
    ) async throws {
        let value: JSON
        do {
            value = try await call()
        } catch {
            let code = (error as? OneGridError)?.code ?? (error as? Testbed.Failure)?.code ?? ""
            let allowed = step.error.map { $0.text.map { [$0] } ?? $0.texts } ?? []
            if allowed.contains(code) { return }
            throw Mismatch("\(title) failed: \(error)")
        }
        if let refusal = step.error { throw Mismatch("\(title) was not refused with \(refusal)") }
        if let expected = step.expected,
            let difference = value.difference(from: try resolved(expected))
        {
            throw Mismatch("\(title): \(difference)")
        }
        if let name = step.save { saved[name] = value }
    }

    private func call(
        _ name: String, _ verb: String, _ with: JSON, _ step: Scenario.Step
    ) async throws -> JSON {
        if let device = devices[name], let (value, phone) = try await device.call(verb, with) {
            if let phone { phones[step.savePhone ?? name] = PhoneActor(adapt(phone)) }
            return value
        }
        guard let phone = phones[name] else { throw Mismatch("nobody is called \(name)") }
        return try await phone.call(verb, with)
    }

    /// The value with every reference replaced by the saved value.
    private func resolved(_ value: JSON) throws -> JSON {
        switch value {
        case .text(let text) where text.hasPrefix("$"):
            var parts = text.dropFirst().split(separator: ".").map(String.init)
            guard var found = saved[parts.removeFirst()] else {
                throw Mismatch("\(text) was not saved")
            }
            for part in parts { found = found[part] }
            return found
        case .list(let list): return .list(try list.map(resolved))
        case .object(let object): return .object(try object.mapValues(resolved))
        default: return value
        }
    }
}

/// A step with another result than it says.
struct Mismatch: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
