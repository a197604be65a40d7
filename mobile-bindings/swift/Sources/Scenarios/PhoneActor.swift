import Foundation
import OneGrid

/// A phone of a scenario: the verbs of phones.
actor PhoneActor {
    private static let pageRows: UInt32 = 5

    let phone: Phone
    private var sync: Task<SyncReport, any Error>?
    private var listener: MeetingListener?
    private var accepting: Task<MeetingReport, any Error>?
    private var heard: Heard?

    init(_ phone: Phone) {
        self.phone = phone
    }

    /// Ends what still runs.
    func end() {
        sync?.cancel()
        accepting?.cancel()
        heard = nil
    }

    func call(_ verb: String, _ with: JSON) async throws -> JSON {
        if let value = try await callConnection(verb, with) { return value }
        if let value = try await callMeeting(verb, with) { return value }
        if let value = try await callWriting(verb, with) { return value }
        if let value = try await callReading(verb, with) { return value }
        if let value = try await callForms(verb, with) { return value }
        if let value = try await callWalks(verb, with) { return value }
        if let value = try await callAttachments(verb, with) { return value }
        throw Mismatch("no verb is called \(verb)")
    }

    private func callConnection(_ verb: String, _ with: JSON) async throws -> JSON? {
        switch verb {
        case "enrol":
            let invitation = with["invitation"].text ?? ""
            let me = try await phone.enrol(
                invitation, server: with["server"].text, deviceName: "scenario (Swift)")
            return described(me)
        case "plan":
            return described(try await phone.plan())
        case "sync":
            return described(try await phone.sync())
        case "sync_files":
            return described(try await phone.syncFiles())
        case "sync_until_equal":
            return described(try await syncUntilEqual(tries: with["tries"].whole ?? 1))
        case "start_sync":
            sync = Task { [phone] in try await phone.sync() }
        case "join_sync":
            guard let sync else { throw Mismatch("no sync was started") }
            self.sync = nil
            return described(try await sync.value)
        case "cancel": try await phone.cancel()
        case "suspend": try await phone.suspend()
        case "resume": try await phone.resume()
        case "shut": try await phone.shut()
        case "live_start": try await phone.startLive()
        case "live_stop": try await phone.stopLive()
        case "status":
            let status = try await phone.status()
            return [
                "state": .text(snakeCase(status.state)), "reason": JSON(status.reason?.code),
                "pending": .whole(Int64(status.pending)),
                "files_left": .whole(Int64(status.filesLeft)),
                "bytes_left": .whole(Int64(status.bytesLeft)),
            ]
        case "watch":
            heard = try await Heard(phone)
        case "wait_change":
            try await heard?.wait(for: .record(with["record"].text ?? ""))
        case "wait_state":
            try await heard?.wait(for: .state(with["state"].text ?? ""))
        default:
            return nil
        }
        return .null
    }

    private func callMeeting(_ verb: String, _ with: JSON) async throws -> JSON? {
        switch verb {
        case "listen":
            let listening = try await phone.listenForMeeting(at: "127.0.0.1")
            listener = listening
            return .text(try await listening.code())
        case "start_accept":
            guard let listener else { throw Mismatch("no phone listens") }
            accepting = Task { [phone] in try await phone.acceptMeeting(listener) }
            return .null
        case "join_accept":
            guard let accepting else { throw Mismatch("no phone accepts") }
            self.accepting = nil
            return described(try await accepting.value)
        case "meet":
            return described(try await phone.meet(code: with["code"].text ?? ""))
        case "parcel_counts":
            return described(try await phone.parcelCounts())
        case "meeting_request":
            return .text(try await phone.meetingRequest())
        case "meeting_request_file":
            return .text(hex(try await phone.meetingRequestFile()))
        case "make_bundle":
            let request = try with["code"].text.map { Data($0.utf8) } ?? bytes(with["file"])
            let made = try await phone.makeBundle(for: request)
            return [
                "file": .text(hex(made.file)), "member": JSON(made.member),
                "given": .whole(Int64(made.given)), "more": .flag(made.more),
            ]
        case "import_bundle":
            return described(try await phone.importBundle(try bytes(with["file"])))
        default:
            return nil
        }
    }

    private func syncUntilEqual(tries: Int64) async throws -> SyncReport {
        for _ in 1..<max(tries, 1) {
            do {
                let report = try await phone.sync()
                if report.equal { return report }
            } catch let error as OneGridError {
                if error.kind != .network { throw error }
            }
        }
        return try await phone.sync()
    }

    private func callWriting(_ verb: String, _ with: JSON) async throws -> JSON? {
        let record = with["record"].text ?? ""
        switch verb {
        case "act_as":
            let role = with["role"].text
            let roles = try await phone.me().roles
            // A role that the member does not hold is left to the SDK to refuse.
            let id = role.map { role in roles.first { $0.role.code == role }?.id ?? role }
            try await phone.act(as: id)
            return .null
        case "report":
            return .text(try await phone.report(draft(with)))
        case "edit":
            let changes = (with["fields"].object ?? [:]).map { field, value in
                FieldChange(field: field, value: fieldValue(value))
            }
            return .text(try await phone.edit(record, changes: changes))
        case "comment":
            let (text, mentions) = (with["text"].text ?? "", with["mentions"].texts)
            return .text(
                try await phone.comment(
                    on: record, text, mentioning: mentions,
                    attachments: with["attachments"].texts))
        case "opened":
            return .flag(try await phone.opened(record))
        case "act":
            return .text(try await phone.act(on: record, await move(on: record, with)))
        case "settle":
            guard let value = fieldValue(with["value"]) else {
                throw Mismatch("settle needs a value")
            }
            return .text(try await phone.settle(record, field: with["field"].text ?? "", as: value))
        case "undo_settle":
            let envelope = with["envelope"].text ?? ""
            return .text(try await phone.undoSettle(record, envelope: envelope))
        default:
            return nil
        }
    }

    private func move(on record: String, _ with: JSON) async throws -> MoveInput {
        var input = moveInput(with)
        if input.assignment == nil {
            let movement = input.movement
            let options = try await phone.moves(on: record)
                .filter { $0.movement.code == movement }
            input.assignment = (options.first(where: \.allowed) ?? options.first)?.assignment
        }
        return input
    }

    private func callReading(_ verb: String, _ with: JSON) async throws -> JSON? {
        let record = with["record"].text ?? ""
        switch verb {
        case "me": return described(try await phone.me())
        case "locate":
            let located = try await phone.locate(try position(with["position"]))
            return [
                "grid": JSON(located.grid?.zh),
                "candidates": .whole(Int64(located.candidates.count)),
                "needs_confirmation": .flag(located.needsConfirmation),
            ]
        case "moves":
            var moves: [String: JSON] = [:]
            for option in try await phone.moves(on: record)
            where moves[option.movement.code] != true {
                let code = option.movement.code
                moves[code] = option.allowed ? true : moves[code] ?? JSON(option.why?.code)
            }
            return .object(moves)
        case "record":
            do {
                return described(try await phone.record(record))
            } catch let error as OneGridError where error.code == "replica.no_record" {
                return ["known": false]
            }
        case "timeline":
            return try await all { [phone] page in
                let found = try await phone.timeline(of: record, page: page, rows: Self.pageRows)
                return (found.items.compactMap(\.movement), found.next)
            }
        case "list":
            let query = try query(with)
            return try await all { [phone] page in
                let found = try await phone.list(query, page: page, rows: Self.pageRows)
                return (found.rows.map(\.title), found.next)
            }
        case "search":
            let text = with["text"].text ?? ""
            return try await all { [phone] page in
                let found = try await phone.search(text, page: page, rows: Self.pageRows)
                return (found.rows.map(\.title), found.next)
            }
        case "count": return .whole(Int64(try await phone.count(query(with))))
        case "undelivered": return .whole(Int64(try await phone.undelivered()))
        case "tally":
            let tally = try await phone.tally()
            return [
                "recorded": .whole(Int64(tally.recorded)), "counted": .whole(Int64(tally.counted)),
                "waiting": .whole(Int64(tally.waiting)), "held": .whole(Int64(tally.held)),
            ]
        case "notices": return texts(try await phone.notices().map(\.code))
        case "notifications": return texts(try await phone.notifications(rows: 200).map(\.code))
        case "unit": return .text(try only(try await phone.units(with["name"].text ?? "").units).id)
        case "person":
            return .text(try only(try await phone.people(with["name"].text ?? "").people).member)
        default: return nil
        }
    }

    private func callForms(_ verb: String, _ with: JSON) async throws -> JSON? {
        let record = with["record"].text ?? ""
        switch verb {
        case "templates":
            return .list(try await phone.templates().map { described($0) })
        case "template_items":
            let version = with["version"].whole.map { UInt32(clamping: $0) }
            let items = try await phone.templateItems(
                of: with["template"].text ?? "", version: version)
            return texts(items.map(\.id))
        case "plan_form": return described(try await phone.planForm(try formDraft(with)))
        case "form": return described(try await phone.form(record))
        case "answer": return .text(try await phone.answer(record, answers(with)))
        case "add_row":
            return .text(try await phone.addRow(to: with["repeat_id"].text ?? "", of: record))
        case "remove_row":
            let (item, row) = (with["repeat_id"].text ?? "", with["row"].text ?? "")
            return .text(try await phone.removeRow(row, from: item, of: record))
        case "write_note":
            let (text, named) = (with["text"].text ?? "", with["named"].texts)
            return .text(try await phone.writeNote(on: record, text, named: named))
        case "report_finding":
            return .text(try await phone.reportFinding(of: record, finding(with)))
        case "linked":
            return .list(try await phone.linked(with: record).map { described($0) })
        case "due_forms":
            let query = try dueQuery(with)
            return try await allForms { [phone] page in
                try await phone.dueForms(query, page: page, rows: Self.pageRows)
            }
        case "planned_forms":
            let (first, last) = period(with)
            return try await allForms { [phone] page in
                try await phone.plannedForms(
                    fromMs: first, untilMs: last, member: with["member"].text, page: page,
                    rows: Self.pageRows)
            }
        case "forms_about":
            return try await allForms { [phone] page in
                try await phone.forms(about: record, page: page, rows: Self.pageRows)
            }
        case "form_counts":
            let (first, last) = period(with)
            let counts = try await phone.formCounts(fromMs: first, untilMs: last)
            return .list(counts.map { described($0) })
        default: return nil
        }
    }

    private func period(_ with: JSON) -> (Int64, Int64) {
        (with["from_ms"].whole ?? .min, with["until_ms"].whole ?? .max)
    }

    private func allForms(
        _ fetch: (_ page: String?) async throws -> FormPage
    ) async throws -> JSON {
        var (rows, next) = ([JSON](), String?.none)
        repeat {
            let found = try await fetch(next)
            rows += found.rows.map { described($0) }
            next = found.next
        } while next != nil
        return .list(rows)
    }

    private func all(
        _ fetch: (_ page: String?) async throws -> ([String], String?)
    ) async throws -> JSON {
        var (found, next) = try await fetch(nil)
        while let page = next {
            let more: [String]
            (more, next) = try await fetch(page)
            found += more
        }
        return texts(found)
    }

    private func only<Element>(_ found: [Element]) throws -> Element {
        guard let first = found.first, found.count == 1 else {
            throw Mismatch("\(found.count) were found instead of one")
        }
        return first
    }
}
