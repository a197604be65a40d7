import Foundation
import OneGridFFI

extension Phone {
    /// Listens for other phones at an address of this phone, on a free port. Show its code, then
    /// call ``acceptMeeting(_:)``.
    ///
    /// - Parameter address: An address of this phone; `0.0.0.0` for all.
    /// - Throws: `meeting.bad_address`, `meeting.cannot_listen`, `replica.not_enrolled`.
    public func listenForMeeting(at address: String = "0.0.0.0") async throws -> MeetingListener {
        MeetingListener(
            core: try await local { core in try core.listenForMeeting(address: address) })
    }

    /// Waits for the next phone and exchanges work with it; calls of strangers are left. The
    /// exchanged work is provisional until the server has judged it. Cancelling the task ends the
    /// call within a second.
    ///
    /// - Throws: `meeting.*`, `peer.revoked`, `peer.no_secret`. Imported work is kept.
    @discardableResult
    public func acceptMeeting(_ listener: MeetingListener) async throws -> MeetingReport {
        try await overNetwork { core in try core.acceptMeeting(listener: listener.core) }
    }

    /// Calls the phone whose code was scanned, and exchanges work with it. No other phone is met.
    /// Where ``OneGridLibrary/checkMeetingCode(_:)`` names a hotspot, join it first.
    ///
    /// - Throws: `meeting.*`, `session.other_phone`, `peer.revoked`, `peer.no_secret`.
    @discardableResult
    public func meet(code: String) async throws -> MeetingReport {
        try await overNetwork { core in try core.meet(code: code) }
    }

    /// Calls a phone that Bonjour found. Any phone of the deployment may answer.
    ///
    /// - Parameter addresses: Each with its port, such as `192.168.43.1:40123`.
    @discardableResult
    public func meet(at addresses: [String]) async throws -> MeetingReport {
        try await overNetwork { core in try core.meetAt(addresses: addresses) }
    }

    /// Exchanges work with the phone at the other end of a pipe, such as a Bluetooth channel. The
    /// pipe is shut afterwards. Its methods are called on a thread of OneGrid and may block.
    @discardableResult
    public func meet(over pipe: any BytePipe, as side: MeetingSide) async throws -> MeetingReport {
        try await overNetwork { core in try core.meetOver(pipe: pipe, side: side) }
    }

    /// How far the meeting under way has come. Answers at any time.
    public func meetingProgress() async throws -> MeetingProgress {
        try await lanes.control.run { [core] in try core.meetingProgress() }
    }

    /// The sealed parcels of other phones that this phone carries to the server, and the earlier
    /// ones by their end.
    public func parcelCounts() async throws -> ParcelCounts {
        try await local { core in try core.parcelCounts() }
    }

    /// Asks for a file of another phone, by the text of a QR code. It is valid for seven days.
    ///
    /// - Throws: `bundle.too_long_for_code`; then use ``meetingRequestFile()``.
    public func meetingRequest() async throws -> String {
        try await local { core in try core.meetingRequest() }
    }

    /// Asks for a file of another phone, by a file. The answer holds only the differences.
    public func meetingRequestFile() async throws -> Data {
        try await local { core in try core.meetingRequestFile() }
    }

    /// Answers a request. The file is for that phone alone and holds only records that its member
    /// may read.
    ///
    /// - Parameter request: The bytes of a file, or the text of a QR code in UTF-8.
    /// - Throws: `bundle.*`, `peer.revoked`, `peer.not_proved`.
    public func makeBundle(for request: Data) async throws -> BundleFile {
        try await local { core in try core.makeBundle(request: request) }
    }

    /// Imports a file that answers a request of this phone. After any error the same file may be
    /// imported again.
    ///
    /// - Throws: `bundle.*`, `peer.revoked`, `peer.not_proved`.
    @discardableResult
    public func importBundle(_ file: Data) async throws -> MeetingReport {
        try await local { core in try core.importBundle(file: file) }
    }
}

/// Waits for other phones under one shown code, until it is dropped.
public final class MeetingListener: Sendable {
    let core: OneGridFFI.MeetingListener

    init(core: OneGridFFI.MeetingListener) {
        self.core = core
    }

    /// The text of the QR code.
    ///
    /// - Parameters:
    ///   - hotspot: The network that this phone opened for the meeting.
    ///   - addresses: The addresses of this phone (IPv4) in that network, needed if it listens at
    ///     `0.0.0.0`.
    /// - Throws: `meeting.cannot_listen` where this phone has no address in a local network.
    public func code(hotspot: Hotspot? = nil, addresses: [String] = []) async throws -> String {
        try await Self.lane.run { [core] in try core.code(hotspot: hotspot, addresses: addresses) }
    }

    /// The announcement for Bonjour. It tells no name.
    public func service() async throws -> MeetingService {
        try await Self.lane.run { [core] in try core.service() }
    }

    private static let lane = Lane("meeting", width: 1)
}
