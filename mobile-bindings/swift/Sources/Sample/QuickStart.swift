import Foundation
import OneGrid

// quick start: the README shows this function.
/// Reports a hazard and delivers it.
func quickStart(folder: URL, invitation: String) async throws -> String {
    // Open the phone. On iOS the vault is `KeychainVault()`.
    let vault = try FileVault(folder: folder.appendingPathComponent("vault"))
    let device = try await Device.open(folder: folder.appendingPathComponent("data"), vault: vault)
    let (phone, _) = try await device.openSingle()

    // Enrol once, with the text of the QR code, and get the grids of this member.
    if try await !phone.me().enrolled {
        try await phone.enrol(invitation, deviceName: "Swift sample")
        try await phone.sync()
    }

    // Report. No network is needed: the report is on disk when the call returns.
    let here = GeoPosition(lat: 30.31215, lon: 120.11878, datum: .wgs84, accuracyM: 8)
    let record = try await phone.report(.hazard("楼道里有煤气罐", category: "gas", at: here))

    // Deliver, and show how far each report has got.
    try await phone.sync()
    for try await row in phone.records(Query(mine: true)) {
        print(row.title, row.stage.localized, row.receipt)
    }
    return record
}
// end of quick start
