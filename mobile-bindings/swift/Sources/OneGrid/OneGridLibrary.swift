import Foundation
import OneGridFFI

private let lane = Lane("library", width: 2)

/// Questions to the library itself, which need no phone.
public enum OneGridLibrary {
    /// The version of the library.
    public static func version() async throws -> String {
        try await lane.run { try OneGridFFI.version() }
    }

    /// Every code that has a sentence.
    public static func errorCodes() async throws -> [String] {
        try await lane.run { try OneGridFFI.errorCodes() }
    }

    /// The sentence of a code; the code itself where there is none.
    public static func sentence(_ code: String, _ language: Language) async throws -> String {
        try await lane.run { try OneGridFFI.sentence(code: code, language: language) }
    }

    /// Reads an invitation without redeeming it, to check a scanned code at once.
    ///
    /// - Throws: `invitation.length`, `.character`, `.typo`, `.not_ours`.
    public static func checkInvitation(_ text: String) async throws -> InvitationInfo {
        try await lane.run { try OneGridFFI.checkInvitation(text: text) }
    }

    /// Reads the code of a meeting, so that the app can join its hotspot before
    /// ``Phone/meet(code:)``.
    ///
    /// - Throws: `meeting.bad_code`, `meeting.newer_code`.
    public static func checkMeetingCode(_ code: String) async throws -> MeetingCodeInfo {
        try await lane.run { try OneGridFFI.checkMeetingCode(code: code) }
    }

    /// Gives the lines of the log from now on, in place of an earlier call. Lines carry codes and
    /// counts, never content, names or positions.
    ///
    /// - Parameters:
    ///   - level: The verbosity.
    ///   - write: Takes a line, on a thread of OneGrid. Lines that come faster than it takes them
    ///     are left out.
    public static func setLog(
        _ level: LogLevel, _ write: @escaping @Sendable (LogLine) -> Void
    ) async throws {
        try await lane.run { try setLogSink(sink: Sink(write: write), level: level) }
    }

    /// Ends the log.
    public static func clearLog() async throws {
        try await lane.run { try clearLogSink() }
    }
}

private final class Sink: LogSink, Sendable {
    private let write: @Sendable (LogLine) -> Void

    init(write: @escaping @Sendable (LogLine) -> Void) { self.write = write }

    func log(line: LogLine) throws { write(line) }
}
