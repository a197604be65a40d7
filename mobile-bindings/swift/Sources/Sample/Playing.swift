import Foundation
import OneGrid
import Scenarios

/// Plays the quick start against a server of its own, and shows that another phone sees the report.
func runQuickStart(_ arguments: Arguments) async throws {
    try await withFolder { folder in
        let testbed = try Testbed(program: try program(arguments))
        let invited = try await testbed.ask("invite", ["who": "volunteer-1"])
        let record = try await quickStart(folder: folder, invitation: invited["qr"].text ?? "")

        let other = try await testbed.ask("invite", ["who": "grid-worker"])
        let device = try await Device.open(
            folder: folder.appendingPathComponent("other"), vault: MemoryVault())
        let (phone, _) = try await device.openSingle()
        try await phone.enrol(other["qr"].text ?? "", deviceName: "Second phone")
        try await phone.sync()
        let seen = try await phone.record(record).row
        print("the grid worker's phone sees: \(seen.title), \(seen.stage.localized)")
    }
}

/// Plays the meeting of two phones beside a server of its own.
func runMeeting(_ arguments: Arguments) async throws {
    try await withFolder { folder in
        try await runMeeting(testbed: try Testbed(program: try program(arguments)), folder: folder)
    }
}

/// Plays scenarios, each against a server of its own.
func play(_ arguments: Arguments) async throws {
    let program = try program(arguments)
    for file in arguments.all {
        let scenario = try Scenario(contentsOf: URL(fileURLWithPath: file))
        print("== \(scenario.name): \(scenario.about)")
        try await withFolder { folder in
            let testbed = try Testbed(program: program)
            try await Player(scenario, testbed: testbed, folder: folder) { print("   \($0)") }
                .play()
        }
    }
}

private func program(_ arguments: Arguments) throws -> String {
    guard let program = arguments.option("testbed") else {
        throw Usage(
            text: "\(arguments.command) needs --testbed PROGRAM, such as target/debug/testbed")
    }
    return program
}

private func withFolder(_ work: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("onegrid-sample-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await work(folder)
}
