import Foundation
import OneGrid
import Scenarios
import XCTest

#if os(Linux)
    /// Phones whose clock is ten years wrong. The sample runs as a process of its own with a
    /// shifted clock, while the server keeps the true time.
    final class ClockTests: PhoneTestCase {
        private static let tenYearsS = 315_576_000

        func testPhoneTenYearsAheadLosesNothing() async throws {
            try await reportUnderAClock(shiftedBy: Self.tenYearsS)
        }

        func testPhoneTenYearsBehindLosesNothing() async throws {
            try await reportUnderAClock(shiftedBy: -Self.tenYearsS)
        }

        /// A phone that enrolled at the true time reports and syncs under the wrong clock. The sync
        /// delivers or says why not by its code; at the latest under the true time all is
        /// delivered.
        private func reportUnderAClock(shiftedBy seconds: Int) async throws {
            let clock = try shiftedClock()
            let client = ["--folder", folder.appendingPathComponent("client").path]
            let wrong = ["LD_PRELOAD": clock, "ONEGRID_CLOCK_SHIFT_S": "\(seconds)"]

            let code = try await invitation(of: "volunteer-1")
            let enrol = try SampleProgram.run(client + ["enrol", code])
            XCTAssertEqual(enrol.status, 0, enrol.errors)
            XCTAssertEqual(try SampleProgram.run(client + ["sync"]).status, 0)

            let report = try SampleProgram.run(
                client + ["report", "煤气罐", "--at", "30.31215,120.11878,8", "--category", "gas"],
                environment: wrong)
            XCTAssertEqual(report.status, 0, report.errors)
            let record = report.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let shifted = try SampleProgram.run(client + ["sync"], environment: wrong)
            if shifted.status != 0 {
                XCTAssertEqual(shifted.status, 1, shifted.errors)
                XCTAssertTrue(shifted.errors.contains("."), shifted.errors)
            }

            let sync = try SampleProgram.run(client + ["sync"])
            XCTAssertEqual(sync.status, 0, sync.errors)
            let view = try await testbed().ask("server_view", ["record": .text(record)])
            // A wrong clock is reported. The server holds the report until a reviewer decides.
            XCTAssertEqual(view["envelopes"], 1, "\(view)\(shifted.output)\(shifted.errors)")
            let list = try SampleProgram.run(client + ["list", "--mine"])
            XCTAssertTrue(list.output.contains(record), list.output)
        }

        /// A library that shifts the clock of the process that preloads it.
        private func shiftedClock() throws -> String {
            let source = Project.scenarios.appendingPathComponent("clock.c")
            let library = folder.appendingPathComponent("clock.so").path
            let compile = Process()
            compile.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            compile.arguments = ["cc", "-shared", "-fPIC", "-O1", "-o", library, source.path]
            try compile.run()
            compile.waitUntilExit()
            XCTAssertEqual(compile.terminationStatus, 0)
            return library
        }
    }
#endif
