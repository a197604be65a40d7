import Foundation
import OneGridFFI
import XCTest

@testable import OneGrid

final class ErrorTests: XCTestCase {
    private typealias Thrown = OneGridFFI.OneGridError
    private typealias Kind = OneGrid.OneGridError.Kind

    func testEveryKindOfTheCoreHasItsKind() {
        let kinds: [(Thrown, Kind)] = [
            (.Denied(code: "a.b", zh: "中", en: "e"), .denied),
            (.BadInput(code: "a.b", zh: "中", en: "e"), .badInput),
            (.NotFound(code: "a.b", zh: "中", en: "e"), .notFound),
            (.Key(code: "a.b", zh: "中", en: "e"), .key),
            (.Storage(code: "a.b", zh: "中", en: "e"), .storage),
            (.Network(code: "a.b", zh: "中", en: "e"), .network),
            (.Busy(code: "a.b", zh: "中", en: "e"), .busy),
            (.NewerApp(code: "a.b", zh: "中", en: "e"), .newerApp),
            (.Cancelled(code: "a.b", zh: "中", en: "e"), .cancelled),
            (.Bug(code: "a.b", zh: "中", en: "e"), .bug),
        ]
        for (thrown, kind) in kinds {
            let error = OneGrid.OneGridError(thrown)
            XCTAssertEqual(error, .init(kind: kind, code: "a.b", zh: "中", en: "e"))
        }
        XCTAssertEqual(Set(kinds.map(\.1)), Set(Kind.allCases))
    }

    func testForeignErrorBecomesABugWithItsSentence() {
        struct Foreign: Error {}
        let error = OneGrid.OneGridError(Foreign())
        XCTAssertEqual(error.kind, .bug)
        XCTAssertEqual(error.code, "phone.bug")
        XCTAssertNotEqual(error.en, error.code)
        XCTAssertNotEqual(error.zh, error.en)
    }

    func testDescriptionIsTheSentenceOfThePerson() {
        let error = OneGrid.OneGridError(kind: .denied, code: "a.b", zh: "中文", en: "English")
        XCTAssertEqual(error.text(.zh), "中文")
        XCTAssertEqual(error.text(.en), "English")
        XCTAssertEqual((error as any Error).localizedDescription, error.text(.preferred))
    }

    func testCodesAreThoseOfTheTableOfSentences() async throws {
        let table = Project.root.appendingPathComponent("core/src/texts.tsv")
        let lines = try String(contentsOf: table, encoding: .utf8).split(separator: "\n")
        let codes = lines.filter { !$0.hasPrefix("#") }.compactMap {
            $0.split(separator: "\t").first
        }
        let known = try await OneGridLibrary.errorCodes()
        XCTAssertEqual(known.sorted(), codes.map(String.init).sorted())
        XCTAssertGreaterThan(known.count, 100)

        let line = try XCTUnwrap(lines.first { $0.hasPrefix("sync.offline\t") })
        let columns = line.components(separatedBy: "\t")
        let (zh, en) = (
            try await OneGridLibrary.sentence("sync.offline", .zh),
            try await OneGridLibrary.sentence("sync.offline", .en)
        )
        XCTAssertEqual([zh, en], [columns[1], columns[2]])
    }

    func testLibrarySaysItsVersion() async throws {
        let version = try await OneGridLibrary.version()
        XCTAssertEqual(version.split(separator: ".").count, 3, version)
    }
}
