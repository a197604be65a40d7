import Foundation
import OneGridFFI

extension Phone {
    /// The text of a QR code that takes people into a patrol. Only the phone that opened the patrol
    /// shows one. Neither phone needs a network.
    ///
    /// - Parameters:
    ///   - record: The patrol.
    ///   - minutes: How long the code is valid, 1 to 60.
    /// - Throws: `join.not_lead`, `join.closed`, `join.minutes`, `join.too_large`,
    ///   `replica.no_record`.
    public func joinCode(for record: String, minutes: UInt8 = 10) async throws -> String {
        try await local { core in try core.joinCode(record: record, minutes: minutes) }
    }

    /// Joins the patrol of a scanned code and gives its record. A code that is expired, used or of
    /// another district changes nothing.
    ///
    /// - Throws: `join.*`, `case.not_now` if this phone joined before, `may.not_readable`.
    @discardableResult
    public func join(byCode code: String) async throws -> String {
        try await local { core in try core.joinByCode(code: code) }
    }

    /// Adds points to the way of this phone, by time. Points that are no part of the walk are left
    /// out and counted.
    ///
    /// - Throws: `track.outside` if all points are from another time; `track.*`, `position.*`,
    ///   `join.closed`, `replica.no_record`, `may.*`.
    @discardableResult
    public func addTrack(to record: String, _ points: [WayPoint]) async throws -> TrackAdded {
        try await local { core in try core.addTrack(record: record, points: points) }
    }

    /// Keeps a scan of a printed checkpoint with the position of the phone.
    ///
    /// - Throws: `checkpoint.*` if the code was not printed for this district, and then nothing is
    ///   written; `position.*`, `join.closed`, `replica.no_record`, `may.*`.
    @discardableResult
    public func scanCheckpoint(
        on record: String, code: String, at position: GeoPosition? = nil
    ) async throws -> ScannedCheckpoint {
        try await local { core in
            try core.scanCheckpoint(record: record, code: code, position: position)
        }
    }

    /// Notes that the person leaves the patrol before its end, and gives the envelope.
    ///
    /// - Throws: `join.closed`, `replica.no_record`, `may.*`.
    @discardableResult
    public func leaveWalk(_ record: String) async throws -> String {
        try await local { core in try core.leaveWalk(record: record) }
    }

    /// The walk of a patrol. The places of other phones are for the team, for the people who walk
    /// along, and for the heads of the place; other people get times and lengths.
    ///
    /// - Parameters:
    ///   - record: The patrol.
    ///   - section: The section, which says which scans count.
    /// - Throws: `replica.no_record`, `join.closed` for a record of another kind, `section.*`,
    ///   `position.*`.
    public func walk(
        of record: String, section: WalkSection? = nil
    ) async throws -> WalkDetail {
        try await local { core in try core.walk(record: record, section: section) }
    }

    /// The coverage of a section on a day in China by these patrols. Records that are not on this
    /// phone are left out.
    ///
    /// - Parameters:
    ///   - section: The section.
    ///   - records: The patrols.
    ///   - day: The day, such as `2026-10-01`.
    /// - Throws: `input.bad_value` for a text that is no day; `section.*`, `position.*`.
    public func coverage(
        of section: WalkSection, by records: [String], on day: String
    ) async throws -> WalkCoverage {
        try await local { core in
            try core.coverage(section: section, records: records, day: day)
        }
    }
}
