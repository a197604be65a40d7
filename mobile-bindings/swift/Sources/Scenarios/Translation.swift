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
        linked: with["linked"].text
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

func query(_ with: JSON) throws -> Query {
    let near = with["near"]
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
        near: near == .null
            ? nil
            : Near(
                position: try position(near["position"]),
                radiusM: UInt32(clamping: near["radius_m"].whole ?? 0)),
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
        "card_people": .whole(Int64(moveCards.reduce(0) { $0 + $1.people.count })),
        "comments": texts(detail.comments.map(\.text)),
        "set_aside": texts(detail.setAside.map(\.why.code)),
        "merged_into": JSON(detail.mergedInto), "linked": JSON(detail.linked),
        "supervised": .flag(detail.supervised), "suspended": .flag(detail.suspended),
    ]
}
