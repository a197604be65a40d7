import Foundation

/// A real server of a small town, commanded by lines of JSON
/// (`mobile-bindings/scenarios/README.md`).
public final class Testbed: @unchecked Sendable {
    /// A refusal of the testbed, or its end.
    public struct Failure: Error, CustomStringConvertible {
        /// The stable code.
        public let code: String
        /// The reason.
        public let text: String
        /// Code and reason.
        public var description: String { "\(code): \(text)" }
    }

    // Everything below is touched on this queue alone.
    private let queue = DispatchQueue(label: "onegrid.testbed")
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var unread = Data()

    /// Starts a testbed; the answer to its first command says when it is ready.
    public init(program: String, arguments: [String] = []) throws {
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit {
        // The testbed ends with its standard input.
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Gives a command and waits for its answer.
    @discardableResult
    public func ask(_ command: String, _ with: JSON = [:]) async throws -> JSON {
        try await withCheckedThrowingContinuation { waiting in
            queue.async { [self] in
                waiting.resume(with: Result { try answer(["do": .text(command), "with": with]) })
            }
        }
    }

    private func answer(_ request: JSON) throws -> JSON {
        let line = Data("\(request)\n".utf8)
        try input.fileHandleForWriting.write(contentsOf: line)
        let answer = try JSON(parsing: try readLine())
        if let error = answer["error"].object {
            throw Failure(code: error["code"]?.text ?? "", text: error["text"]?.text ?? "")
        }
        return answer["ok"]
    }

    private func readLine() throws -> Data {
        let newline = UInt8(ascii: "\n")
        while true {
            if let end = unread.firstIndex(of: newline) {
                let line = unread[unread.startIndex..<end]
                unread = unread[unread.index(after: end)...]
                return Data(line)
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw Failure(code: "testbed.ended", text: "the testbed has ended") }
            unread.append(more)
        }
    }
}
