import Foundation
import OneGrid
import Scenarios

// meeting: the README shows these functions.
/// Shows a code, and waits for the phone that scans it.
func showCode(
    _ phone: Phone, at address: String, show: (String) -> Void
) async throws -> MeetingReport {
    let listener = try await phone.listenForMeeting(at: address)
    show(try await listener.code())  // as a QR code
    return try await phone.acceptMeeting(listener)
}

/// Meets the phone that shows the code, and tells what came.
func scanCode(_ phone: Phone, _ code: String) async throws -> MeetingReport {
    if let hotspot = try await OneGridLibrary.checkMeetingCode(code).hotspot {
        print("join \(hotspot.name)")  // on iOS with NEHotspotConfiguration
    }
    let met = try await phone.meet(code: code)
    print("gave \(met.given), took \(met.taken)")
    if met.parcelTaken { print("carries sealed work of the other phone to the server") }
    return met
}

/// Writes the file for the phone whose request was scanned. The share sheet carries it.
func answer(_ phone: Phone, request: String, into file: URL) async throws {
    let made = try await phone.makeBundle(for: Data(request.utf8))
    try made.file.write(to: file)  // application/vnd.onegrid.bundle, with the ending .onegrid
}
// end of meeting

/// Lets two phones of a server of their own meet without a network: by a code, then by a file.
func runMeeting(testbed: Testbed, folder: URL) async throws {
    let worker = try await enrolled("grid-worker", testbed, folder)
    let room = try await enrolled("dispatcher", testbed, folder)
    try await testbed.ask("line", ["up": false])

    let here = GeoPosition(lat: 30.31215, lon: 120.11878, datum: .wgs84, accuracyM: 8)
    _ = try await worker.report(.hazard("楼道里有煤气罐", category: "gas", at: here))
    let (codes, shown) = AsyncStream.makeStream(of: String.self)
    async let accepted = showCode(worker, at: "127.0.0.1") { shown.yield($0) }
    for await code in codes.prefix(1) { _ = try await scanCode(room, code) }
    _ = try await accepted

    _ = try await worker.report(.hazard("井盖松动", category: "building", at: here))
    let file = folder.appendingPathComponent("work.onegrid")
    try await answer(worker, request: try await room.meetingRequest(), into: file)
    try await room.importBundle(Data(contentsOf: file))
    for try await row in room.records(Query(open: true)) {
        print("the room's phone has: \(row.title), provisional: \(row.provisional)")
    }
}

private func enrolled(_ who: String, _ testbed: Testbed, _ folder: URL) async throws -> Phone {
    let invited = try await testbed.ask("invite", ["who": .text(who)])
    let device = try await Device.open(
        folder: folder.appendingPathComponent(who), vault: MemoryVault())
    let (phone, _) = try await device.openSingle()
    try await phone.enrol(invited["qr"].text ?? "", deviceName: who)
    try await phone.sync()
    return phone
}
