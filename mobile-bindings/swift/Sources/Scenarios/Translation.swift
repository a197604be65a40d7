import Foundation
import OneGrid

// Translates between the words of scenarios and the types of the SDK.

func texts(_ texts: [String]) -> JSON { .list(texts.map { .text($0) }) }

func position(_ value: JSON) throws -> GeoPosition {
    guard let lat = value["lat"].number, let lon = value["lon"].number else {
        throw Mismatch("\(value) is no position")
    }
    let accuracy = value["accuracy_m"].whole.map { UInt32(clamping: $0) }
    return GeoPosition(lat: lat, lon: lon, datum: .wgs84, accuracyM: accuracy)
}

func fieldValue(_ value: JSON) -> FieldValue? {
    switch value {
    case .text(let text): .text(text: text)
    case .whole(let number): .number(number: number)
    case .flag(let flag): .flag(flag: flag)
    case .object: (try? position(value)).map { .position(position: $0) }
    default: nil
    }
}

func draft(_ with: JSON) throws -> ReportDraft {
    let fields = (with["fields"].object ?? [:]).compactMap { field, value in
        fieldValue(value).map { FieldInput(field: field, value: $0) }
    }
    return ReportDraft(
        kind: with["kind"].text ?? "",
        fields: fields,
        position: with["position"] == .null ? nil : try position(with["position"]),
        area: with["area"].text,
        restricted: with["restricted"].flag ?? false,
        team: with["team"].text,
        named: with["named"].texts,
        linked: with["linked"].text,
        attachments: with["attachments"].texts
    )
}

func moveInput(_ with: JSON) -> MoveInput {
    MoveInput(
        movement: with["movement"].text ?? "",
        assignment: with["assignment"].text,
        text: with["text"].text,
        toUnit: with["to_unit"].text,
        toMember: with["to_member"].text,
        toArea: with["to_area"].text,
        part: with["part"].text,
        acceptByMs: with["accept_by_ms"].whole,
        arriveByMs: with["arrive_by_ms"].whole,
        resolveByMs: with["resolve_by_ms"].whole,
        into: with["into"].text,
        request: with["request"].text,
        satisfied: with["satisfied"].flag,
        untilMs: with["until_ms"].whole,
        category: with["category"].text,
        severity: with["severity"].whole.map { UInt8(clamping: $0) },
        grid: with["grid"].text,
        attachments: with["attachments"].texts,
        mentions: with["mentions"].texts,
        before: with["before"].texts,
        after: with["after"].texts,
        behalfReason: with["behalf_reason"].text,
        reason: with["reason"].text
    )
}

func formDraft(_ with: JSON) throws -> FormDraft {
    FormDraft(
        kind: with["kind"].text ?? "",
        template: with["template"].text ?? "",
        subject: with["subject"].text,
        title: with["title"].text,
        address: with["address"].text,
        position: with["position"] == .null ? nil : try position(with["position"]),
        area: with["area"].text,
        plannedMs: with["planned_ms"].whole,
        companions: with["companions"].texts,
        companionNames: with["companion_names"].text,
        restricted: with["restricted"].flag ?? false,
        team: with["team"].text,
        linked: with["linked"].text,
        note: with["note"].text
    )
}

func answers(_ with: JSON) -> [AnswerChange] {
    (with["answers"].object ?? [:]).map { question, value in
        AnswerChange(question: question, row: with["row"].text, value: fieldValue(value))
    }
}

func finding(_ with: JSON) -> FindingDraft {
    let fields = (with["fields"].object ?? [:]).compactMap { field, value in
        fieldValue(value).map { FieldInput(field: field, value: $0) }
    }
    return FindingDraft(
        kind: with["kind"].text ?? "",
        question: with["question"].text,
        row: with["row"].text,
        fields: fields,
        restricted: with["restricted"].flag ?? false,
        team: with["team"].text,
        language: .zh
    )
}

func dueQuery(_ with: JSON) throws -> DueQuery {
    DueQuery(
        beforeMs: with["before_ms"].whole,
        overdue: with["overdue"].flag ?? false,
        near: try near(with["near"]),
        inMyAreas: with["in_my_areas"].flag ?? false,
        area: with["area"].text,
        template: with["template"].text
    )
}

private func near(_ near: JSON) throws -> Near? {
    guard near != .null else { return nil }
    let radius = UInt32(clamping: near["radius_m"].whole ?? 0)
    return Near(position: try position(near["position"]), radiusM: radius)
}

func query(_ with: JSON) throws -> Query {
    let orders: [String: Order] = ["newest": .newest, "due": .due, "distance": .distance]
    let assigned: [String: AssignedTo] = ["me": .me, "my_units": .myUnits]
    return Query(
        kinds: with["kinds"].texts,
        stages: with["stages"].texts,
        open: with["open"].flag,
        category: with["category"].text,
        area: with["area"].text,
        mine: with["mine"].flag ?? false,
        assigned: with["assigned"].text.flatMap { assigned[$0] },
        undelivered: with["undelivered"].flag ?? false,
        inConflict: with["in_conflict"].flag ?? false,
        dueBeforeMs: with["due_before_ms"].whole,
        overdue: with["overdue"].flag ?? false,
        near: try near(with["near"]),
        order: with["order"].text.flatMap { orders[$0] }
    )
}

func described(_ me: Me) -> JSON {
    [
        "enrolled": .flag(me.enrolled), "member": JSON(me.member), "device": .text(me.device),
        "name": .text(me.zh), "roles": texts(me.roles.map(\.role.code)), "server": JSON(me.server),
    ]
}

func described(_ report: SyncReport) -> JSON {
    [
        "equal": .flag(report.equal), "more": .flag(report.more),
        "pushed": .whole(Int64(report.pushed)),
        "pulled": .whole(Int64(report.pulled)), "round_trips": .whole(Int64(report.roundTrips)),
        "closed": JSON(report.closed?.code),
    ]
}

func described(_ plan: SyncPlan) -> JSON {
    [
        "records": .whole(Int64(plan.records.count)), "open": .whole(Int64(plan.open.count)),
        "bytes": .whole(Int64(plan.records.bytes)),
        "open_bytes": .whole(Int64(plan.open.bytes)),
        "has_minutes": .flag(plan.records.minutes != nil),
        "changes": .whole(Int64(plan.changes)), "uploads": .whole(Int64(plan.uploads)),
        "photos": .whole(Int64(plan.photos.count)),
        "photo_bytes": .whole(Int64(plan.photos.bytes)),
        "photos_wanted": .whole(Int64(plan.photosWanted.count)),
        "photos_to_send": .whole(Int64(plan.photosToSend.count)),
        "at_least": .flag(plan.atLeast),
    ]
}

func described(_ report: MeetingReport) -> JSON {
    [
        "member": JSON(report.member), "given": .whole(Int64(report.given)),
        "taken": .whole(Int64(report.taken)),
        "parcel_given": .flag(report.parcelGiven), "parcel_taken": .flag(report.parcelTaken),
    ]
}

func described(_ parcels: ParcelCounts) -> JSON {
    [
        "carried": .whole(Int64(parcels.carried)), "waits": .flag(parcels.oldestMs != nil),
        "taken": .whole(Int64(parcels.taken)), "refused": .whole(Int64(parcels.refused)),
        "dropped": .whole(Int64(parcels.dropped)),
    ]
}

/// The digits of a file.
func hex(_ file: Data) -> String {
    file.map { String(format: "%02x", $0) }.joined()
}

/// A file from its digits.
func bytes(_ value: JSON) throws -> Data {
    let digits = Array(value.text ?? "")
    let pairs = stride(from: 0, to: digits.count - 1, by: 2)
    let bytes = pairs.compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    guard bytes.count * 2 == digits.count else { throw Mismatch("a file is hex digits") }
    return Data(bytes)
}

func described(_ detail: RecordDetail) -> JSON {
    let row = detail.row
    var description = JSON.null
    if case .text(let text)? = detail.fields.first(where: { $0.field == "description" })?.value {
        description = .text(text)
    }
    let moveCards = detail.conflicts.filter { $0.field == nil }
    return [
        "known": true,
        "kind": .text(row.kind.code), "stage": .text(row.stage.code),
        "category": JSON(row.category?.code), "severity": JSON(row.severity?.code),
        "open": .flag(row.open), "title": .text(row.title), "address": .text(row.address),
        "mine": .flag(row.mine), "undelivered": .whole(Int64(row.undelivered)),
        "provisional": .flag(row.provisional), "conflicts": .whole(Int64(row.conflicts)),
        "needs_review": .flag(row.needsReview), "overdue": .flag(row.overdue),
        "receipt": .text(snakeCase(row.receipt)),
        "description": description,
        "reporter": JSON(detail.reporter?.member),
        "assignments": texts(detail.assignments.map(\.state.code)),
        "cards": texts(detail.conflicts.map { $0.field ?? "moves" }),
        "card_words": texts(detail.conflicts.map(\.zh)),
        "card_people": .whole(Int64(moveCards.reduce(0) { $0 + $1.people.count })),
        "comments": texts(detail.comments.map(\.text)),
        "comment_files": texts(detail.comments.flatMap(\.attachments)),
        "set_aside": texts(detail.setAside.map(\.why.code)),
        "merged_into": JSON(detail.mergedInto), "linked": JSON(detail.linked),
        "supervised": .flag(detail.supervised), "suspended": .flag(detail.suspended),
    ]
}

func described(_ template: FormTemplate) -> JSON {
    [
        "id": .text(template.id), "version": JSON(template.version),
        "newer_version": JSON(template.newerVersion), "title": .text(template.zh),
        "usable": .flag(template.usable), "restricted_place": .flag(template.restrictedPlace),
    ]
}

func described(_ planned: PlannedForm) -> JSON {
    [
        "form": .text(planned.form), "subject": JSON(planned.subject), "note": JSON(planned.note),
    ]
}

func described(_ form: FormDetail) -> JSON {
    var rows: [String] = []
    for row in form.items.compactMap(\.row) where !rows.contains(row) { rows.append(row) }
    func key(_ item: FormItem) -> String {
        guard let row = item.row, let index = rows.firstIndex(of: row) else { return item.item.id }
        return "\(item.item.id)/\(index + 1)"
    }
    var (answers, problems) = ([String: JSON](), [String: JSON]())
    for item in form.items {
        if item.answer != nil { answers[key(item)] = .text(item.zhAnswer) }
        if let problem = item.problem { problems[key(item)] = .text(problem.code) }
    }
    return [
        "template": .text(form.template), "version": .whole(Int64(form.version)),
        "read_only": JSON(form.readOnly?.code),
        "shown": texts(form.items.filter(\.relevant).map(key)),
        "answers": .object(answers), "problems": .object(problems),
        "stored": texts(form.stored.map(\.key)),
        "answered": .whole(Int64(form.answered)), "required": .whole(Int64(form.required)),
        "complete": .flag(form.complete),
        "standing": JSON(form.standing.map { snakeCase($0) }),
        "next_due": .flag(form.nextDueMs != nil), "subject": JSON(form.subject?.title),
        "linked": .list(form.linked.map { described($0) }),
    ]
}

func described(_ linked: LinkedRecord) -> JSON {
    [
        "link": .text(snakeCase(linked.link)), "direction": .text(snakeCase(linked.direction)),
        "record": .text(linked.row.id), "kind": .text(linked.row.kind.code),
        "stage": .text(linked.row.stage.code),
    ]
}

func described(_ row: FormRow) -> JSON {
    [
        "record": .text(row.row.id), "title": .text(row.title),
        "version": .whole(Int64(row.version)), "standing": .text(snakeCase(row.standing)),
        "complete": row.complete.map { .flag($0) } ?? .null, "due": .flag(row.dueMs != nil),
        "distance_m": JSON(row.distanceM),
    ]
}

func described(_ counts: FormCounts) -> JSON {
    [
        "name": .text(counts.zh), "planned": .whole(Int64(counts.planned)),
        "begun": .whole(Int64(counts.begun)), "done": .whole(Int64(counts.done)),
        "in_vain": .whole(Int64(counts.inVain)), "called_off": .whole(Int64(counts.calledOff)),
    ]
}
