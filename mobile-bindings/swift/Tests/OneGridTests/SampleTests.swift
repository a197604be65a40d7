import Foundation
import OneGrid
import Scenarios
import XCTest

/// The sample as a person runs it.
enum SampleProgram {
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String
    }

    static func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> Outcome {
        let built = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let process = Process()
        process.executableURL = built.appendingPathComponent("onegrid-sample")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in
            new
        }
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        // Errors are short, so they fit into the pipe while the output is read.
        let said = output.fileHandleForReading.readDataToEndOfFile()
        let failed = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: String(decoding: said, as: UTF8.self),
            errors: String(decoding: failed, as: UTF8.self))
    }
}

final class SampleTests: PhoneTestCase {
    func testQuickStartEndsWithAReportThatAnotherPhoneSees() throws {
        let outcome = try SampleProgram.run(["quickstart", "--testbed", Project.testbed])
        XCTAssertEqual(outcome.status, 0, outcome.errors)
        XCTAssertTrue(
            outcome.output.contains("the grid worker's phone sees: 楼道里有煤气罐"), outcome.output)
    }

    func testReadmeShowsTheQuickStartThatIsCompiled() throws {
        let source = Project.package.appendingPathComponent("Sources/Sample/QuickStart.swift")
        let lines = try String(contentsOf: source, encoding: .utf8).components(separatedBy: "\n")
        let first = try XCTUnwrap(lines.firstIndex { $0.hasPrefix("// quick start") })
        let last = try XCTUnwrap(lines.firstIndex { $0.hasPrefix("// end of quick start") })
        let code = lines[(first + 1)..<last].joined(separator: "\n")
        let readme = try String(
            contentsOf: Project.package.appendingPathComponent("README.md"), encoding: .utf8)
        XCTAssertTrue(
            readme.contains("```swift\nimport Foundation\nimport OneGrid\n\n\(code)\n```"))
    }

    func testVisitEndsAndItsFindingIsAHazard() async throws {
        let client = ["--folder", folder.appendingPathComponent("visitor").path]
        func run(_ arguments: String...) throws -> String {
            let outcome = try SampleProgram.run(client + arguments)
            XCTAssertEqual(outcome.status, 0, "\(arguments): \(outcome.errors)")
            return outcome.output
        }
        _ = try run("enrol", try await invitation(of: "grid-worker"))
        _ = try run("sync")
        let output = try run("visit", "30.31215,120.11878,8")
        XCTAssertTrue(output.contains("充电数量不能超过总数"), output)
        XCTAssertTrue(output.contains("没有任何改动"), output)
        let lines = output.split(separator: "\n")
        let ids = try XCTUnwrap(lines.last).split(separator: " ").map(String.init)
        XCTAssertEqual(ids.count, 2, output)
        XCTAssertTrue(try run("show", ids[0]).contains("竹竿巷3幢"))
        XCTAssertTrue(try run("show", ids[1]).contains("充满"))
        XCTAssertTrue(try run("sync").contains("equal: true"))
    }

    func testReadmeShowsTheVisitThatIsCompiled() throws {
        let source = Project.package.appendingPathComponent("Sources/Sample/Visit.swift")
        let lines = try String(contentsOf: source, encoding: .utf8).components(separatedBy: "\n")
        let first = try XCTUnwrap(lines.firstIndex { $0.hasPrefix("// visit") })
        let last = try XCTUnwrap(lines.firstIndex { $0.hasPrefix("// end of visit") })
        let code = lines[(first + 1)..<last].joined(separator: "\n")
        let readme = try String(
            contentsOf: Project.package.appendingPathComponent("README.md"), encoding: .utf8)
        XCTAssertTrue(readme.contains("```swift\n\(code)\n```"))
    }

    func testTwoPhonesMeetByACodeAndByAFile() throws {
        let outcome = try SampleProgram.run(["meeting", "--testbed", Project.testbed])
        XCTAssertEqual(outcome.status, 0, outcome.errors)
        XCTAssertTrue(outcome.output.contains("gave 0, took 1"), outcome.output)
        for title in ["楼道里有煤气罐", "井盖松动"] {
            let line = "the room's phone has: \(title), provisional: true"
            XCTAssertTrue(outcome.output.contains(line), outcome.output)
        }
    }

    func testReadmeShowsTheMeetingThatIsCompiled() throws {
        let source = Project.package.appendingPathComponent("Sources/Sample/Meeting.swift")
        let lines = try String(contentsOf: source, encoding: .utf8).components(separatedBy: "\n")
        let first = try XCTUnwrap(lines.firstIndex { $0.hasPrefix("// meeting") })
        let last = try XCTUnwrap(lines.firstIndex { $0.hasPrefix("// end of meeting") })
        let code = lines[(first + 1)..<last].joined(separator: "\n")
        let readme = try String(
            contentsOf: Project.package.appendingPathComponent("README.md"), encoding: .utf8)
        XCTAssertTrue(readme.contains("```swift\n\(code)\n```"))
    }

    func testFieldClientReportsActsAndSearches() async throws {
        let client = ["--folder", folder.appendingPathComponent("client").path]
        func run(_ arguments: String...) throws -> String {
            let outcome = try SampleProgram.run(client + arguments)
            XCTAssertEqual(outcome.status, 0, "\(arguments): \(outcome.errors)")
            return outcome.output
        }
        _ = try run("enrol", try await invitation(of: "volunteer-1"))
        _ = try run("sync")
        let record = try run("report", "煤气罐", "--at", "30.31215,120.11878,8", "--category", "gas")
            .trimmingCharacters(in: .whitespacesAndNewlines)
        XCTAssertTrue(try run("list", "--mine").contains("↑ \(record)"))
        _ = try run("comment", record, "还有两个")
        XCTAssertTrue(try run("sync").contains("sent 2"))
        XCTAssertTrue(try run("search", "煤气").contains(record))
        XCTAssertTrue(try run("show", record).contains("煤气罐"))
        XCTAssertTrue(try run("moves", record).contains("comment"))
        XCTAssertTrue(try run("status").contains("0 to deliver"))
        _ = try run("tally")
        _ = try run("notices")
    }

    func testUnknownCommandIsAUsageErrorAndTheProcessEndsWell() throws {
        // The sample ends with an open phone here, which the SDK closes.
        for _ in 0..<20 {
            let outcome = try SampleProgram.run(["--folder", folder.path, "dance"])
            XCTAssertEqual(outcome.status, 2, outcome.errors)
            XCTAssertTrue(outcome.errors.contains("dance"))
        }
    }
}
