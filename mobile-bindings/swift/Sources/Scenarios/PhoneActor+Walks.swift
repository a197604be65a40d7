import Foundation
import OneGrid

extension PhoneActor {
    /// The verbs of walks; nil for another verb.
    func callWalks(_ verb: String, _ with: JSON) async throws -> JSON? {
        let record = with["record"].text ?? ""
        switch verb {
        case "join_code":
            let minutes = UInt8(clamping: with["minutes"].whole ?? 10)
            return .text(try await phone.joinCode(for: record, minutes: minutes))
        case "join_by_code":
            return .text(try await phone.join(byCode: with["code"].text ?? ""))
        case "add_track":
            let added = try await phone.addTrack(to: record, try wayPoints(with["points"]))
            return ["left_out": .whole(Int64(added.leftOut))]
        case "scan_checkpoint":
            let place = with["position"] == .null ? nil : try position(with["position"])
            let scanned = try await phone.scanCheckpoint(
                on: record, code: with["code"].text ?? "", at: place)
            return ["section": .text(scanned.section), "number": .whole(Int64(scanned.number))]
        case "leave_walk":
            return .text(try await phone.leaveWalk(record))
        case "walk":
            let section = with["section"] == .null ? nil : try walkSection(with["section"])
            return described(try await phone.walk(of: record, section: section))
        case "coverage":
            let found = try await phone.coverage(
                of: try walkSection(with["section"]), by: with["records"].texts,
                on: with["day"].text ?? "")
            return described(found)
        default:
            return nil
        }
    }
}

private func wayPoints(_ points: JSON) throws -> [WayPoint] {
    let nowMs = Int64(Date().timeIntervalSince1970 * 1_000)
    return try (points.list ?? []).map { point in
        WayPoint(
            atMs: nowMs - 1_000 * (point["ago_s"].whole ?? 0), position: try position(point),
            afterGap: point["after_gap"].flag ?? false)
    }
}

private func walkSection(_ section: JSON) throws -> WalkSection {
    func small(_ value: JSON) -> UInt16 { UInt16(clamping: value.whole ?? 0) }
    return WalkSection(
        id: section["id"].text ?? "",
        line: try (section["line"].list ?? []).map(position),
        checkpoints: try (section["checkpoints"].list ?? []).map { one in
            SectionCheckpoint(
                number: small(one["number"]), position: try position(one["position"]),
                name: one["name"].text ?? "")
        },
        targets: (section["targets"].list ?? []).map { one in
            SectionTarget(
                fromMinute: small(one["from_minute"]), toMinute: small(one["to_minute"]),
                wanted: small(one["wanted"]), perHour: one["per_hour"].flag ?? false)
        }
    )
}

private func described(_ walk: WalkDetail) -> JSON {
    [
        "section": JSON(walk.section), "ended": .flag(walk.endedMs != nil),
        "abandoned": .flag(walk.abandoned), "walkers": .list(walk.walkers.map(described)),
    ]
}

private func described(_ walker: Walker) -> JSON {
    let scans = walker.scans.map { scan -> JSON in
        [
            "checkpoint": JSON(scan.checkpoint.map { UInt32($0) }),
            "refused": JSON(scan.refused?.code),
        ]
    }
    return [
        "own": .flag(walker.own), "lead": .flag(walker.isLead),
        "refused": JSON(walker.refused?.code), "points": .whole(Int64(walker.points)),
        "outside": .whole(Int64(walker.outside)), "way": .whole(Int64(walker.way.count)),
        "left": .flag(walker.leftMs != nil), "withheld": .flag(walker.withheld),
        "scans": .list(scans),
    ]
}

private func described(_ found: WalkCoverage) -> JSON {
    let shortfalls = found.shortfalls.map { JSON.whole(Int64($0.wanted) - Int64($0.found)) }
    return [
        "passes": .whole(Int64(found.passes.count)),
        "records": texts(found.passes.flatMap(\.records)), "shortfalls": .list(shortfalls),
    ]
}
