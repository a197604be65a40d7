import Foundation
import OneGrid

/// Runs a command on the phone in the folder of the sample.
func runOnPhone(_ arguments: Arguments) async throws {
    let folder = URL(fileURLWithPath: arguments.option("folder") ?? "onegrid-sample-data")
    let vault = try FileVault(folder: folder.appendingPathComponent("vault"))
    let device = try await Device.open(folder: folder.appendingPathComponent("data"), vault: vault)
    let (phone, wayBack) = try await device.openSingle()
    if !wayBack.localized.isEmpty { print(wayBack.localized) }

    var isKnown = try await connection(arguments, phone)
    if !isKnown { isKnown = try await reading(arguments, phone) }
    if !isKnown { isKnown = try await writing(arguments, phone) }
    guard isKnown else { throw Usage(text: "no command is called \(arguments.command)") }
    try await phone.shut()
}

private func connection(_ arguments: Arguments, _ phone: Phone) async throws -> Bool {
    switch arguments.command {
    case "enrol":
        let invitation = try arguments.word(0, "an invitation")
        let me = try await phone.enrol(
            invitation, server: arguments.option("server"), deviceName: "Swift sample")
        print("enrolled as \(me.localized.isEmpty ? me.device : me.localized)")
    case "sync":
        let report = try await phone.sync()
        print("sent \(report.pushed), received \(report.pulled), equal: \(report.equal)")
        for incident in report.incidents { print("! \(incident.localized)") }
        if let closed = report.closed { print(closed.localized) }
    case "status":
        print(line(try await phone.status()))
    case "live":
        try await live(phone)
    default:
        return false
    }
    return true
}

private func live(_ phone: Phone) async throws {
    let (changes, states) = (try await phone.changes(), try await phone.statusUpdates())
    try await phone.startLive()
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            for await status in states { print(line(status)) }
        }
        group.addTask {
            for await change in changes {
                for id in change.records {
                    let row = try await phone.record(id).row
                    print("\(row.id)  \(row.stage.localized)  \(row.title)")
                }
            }
        }
        try await group.waitForAll()
    }
}

private func line(_ status: SyncStatus) -> String {
    let synced = status.syncedMs.map { "\(Date(oneGridMs: $0))" } ?? "never"
    let reason = status.reason.map { ", \($0.localized)" } ?? ""
    return "\(status.state), \(status.pending) to deliver, last sync: \(synced)\(reason)"
}

private func reading(_ arguments: Arguments, _ phone: Phone) async throws -> Bool {
    switch arguments.command {
    case "list":
        let query = Query(open: arguments.has("open") ? true : nil, mine: arguments.has("mine"))
        for try await row in phone.records(query) { show(row) }
    case "search":
        let found = try await phone.search(try arguments.word(0, "words"))
        found.rows.forEach(show)
    case "show":
        let id = try arguments.word(0, "a record")
        try await phone.opened(id)
        let record = try await phone.record(id)
        show(record.row)
        for field in record.fields {
            print("  \(field.localizedLabel): \(field.localized)")
        }
        for card in record.conflicts { print("  ⚠ \(card.localized)") }
        for try await item in phone.story(of: id) {
            print("  \(Date(oneGridMs: item.atMs))  \(item.localized)")
        }
    case "moves":
        for option in try await phone.moves(on: try arguments.word(0, "a record")) {
            let why = option.allowed ? "allowed" : option.why?.localized ?? "not allowed"
            print("\(option.movement.code)  \(option.movement.localized): \(why)")
        }
    case "tally":
        let tally = try await phone.tally()
        print(tally.localized)
        for one in tally.uncounted { print("  \(one.words): \(one.localized)") }
    case "notices":
        let notices = try await phone.notices()
        for notice in notices { print("\(notice.localized) \(notice.detail)") }
        if let last = notices.last { try await phone.noticesSeen(upTo: last.no) }
    default:
        return false
    }
    return true
}

private func show(_ row: RecordRow) {
    let mark = row.undelivered > 0 ? "↑" : " "
    print("\(mark) \(row.id)  \(row.stage.localized)  \(row.receipt)  \(row.title)")
}

extension ContentField {
    /// The field's name in the person's language.
    fileprivate var localizedLabel: String { Language.preferred == .zh ? zhLabel : enLabel }
}

private func writing(_ arguments: Arguments, _ phone: Phone) async throws -> Bool {
    switch arguments.command {
    case "report":
        let title = try arguments.word(0, "a title")
        guard let place = arguments.option("at") else {
            throw Usage(text: "report needs --at LAT,LON")
        }
        let position = try position(place)
        let located = try await phone.locate(position)
        // A real app lets the person choose among the candidates.
        let area = located.needsConfirmation ? located.candidates.first?.area : nil
        let category = arguments.option("category")
        print(try await phone.report(.hazard(title, category: category, at: position, area: area)))
    case "visit":
        let made = try await visit(phone, at: try position(try arguments.word(0, "LAT,LON")))
        print(made.visit, made.hazard)
    case "comment":
        let (id, words) = (try arguments.word(0, "a record"), try arguments.word(1, "words"))
        try await phone.comment(on: id, words)
    case "move":
        let (id, code) = (try arguments.word(0, "a record"), try arguments.word(1, "a move"))
        let option = try await phone.moves(on: id).first { $0.movement.code == code }
        let input = MoveInput(
            movement: code, assignment: option?.assignment, text: arguments.option("text"),
            toUnit: arguments.option("unit"))
        try await phone.act(on: id, input)
    default:
        return false
    }
    return true
}

private func position(_ text: String) throws -> GeoPosition {
    let numbers = text.split(separator: ",").map { Double($0) }
    guard (2...3).contains(numbers.count), let lat = numbers[0], let lon = numbers[1] else {
        throw Usage(text: "\(text) is no LAT,LON or LAT,LON,METRES")
    }
    let accuracy = numbers.count == 3 ? numbers[2].flatMap { UInt32(exactly: $0.rounded()) } : nil
    return GeoPosition(lat: lat, lon: lon, datum: .wgs84, accuracyM: accuracy)
}
