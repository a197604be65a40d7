import OneGridFFI

extension Phone {
    /// Writes a report and gives the record's id. When it returns, the report survives power loss.
    ///
    /// - Throws: `report.confirm_area` where the grid is not sure: ask ``locate(_:)``, let the
    ///   person choose, and set the draft's `area`. Also `report.no_place` without position and
    ///   area, `content.*`, `position.*`, `may.*`, `replica.not_enrolled`, `replica.disk_full`.
    public func report(_ draft: ReportDraft) async throws -> String {
        try await local { core in try core.report(draft: draft) }
    }

    /// Changes fields of a record and gives the envelope's id. Changes of others at the same time
    /// are merged; if both wrote one field, a conflict card shows it.
    ///
    /// - Throws: `replica.no_record`, `content.*`, `may.*`.
    @discardableResult
    public func edit(
        _ record: String, changes: [FieldChange]
    ) async throws -> String {
        try await local { core in try core.edit(record: record, changes: changes) }
    }

    /// Writes a comment on a record and mentions people by name. It changes no state.
    ///
    /// - Parameters:
    ///   - record: The record.
    ///   - text: 1 to 2,000 characters.
    ///   - mentions: Ids of members, at most 32.
    ///   - attachments: Ids of photos and recordings that are staged or in the record, at most 16.
    /// - Throws: `replica.no_record`, `may.not_readable`, `text.*`, `media.unknown_id`.
    @discardableResult
    public func comment(
        on record: String, _ text: String, mentioning mentions: [String] = [],
        attachments: [String] = []
    ) async throws -> String {
        try await local { core in
            try core.comment(
                record: record, text: text, mentions: mentions, attachments: attachments)
        }
    }

    /// Notes that the person looks at a record. The first opening by a dispatcher or handler
    /// becomes the step “seen” of the reporter's receipt; then the call gives `true`.
    ///
    /// - Throws: `replica.no_record`.
    @discardableResult
    public func opened(_ record: String) async throws -> Bool {
        try await local { core in try core.opened(record: record) }
    }

    /// Makes a move and gives the envelope's id. The phone refuses it at once if the rules do not
    /// allow it in the state that the phone knows; ``moves(on:)`` lists the allowed moves.
    ///
    /// - Throws: `input.unknown_move`, `input.missing`, `input.invalid`, `input.too_many`,
    ///   `case.*`, `may.*`, `replica.no_record`.
    @discardableResult
    public func act(on record: String, _ input: MoveInput) async throws -> String {
        try await local { core in try core.act(record: record, input: input) }
    }

    /// Settles a field in conflict: from now on it has this value, one of the conflict's or
    /// another. Gives the envelope's id, for ``undoSettle(_:envelope:)``.
    ///
    /// - Throws: `replica.no_conflict` where it was settled already, `content.*`, `may.*`.
    public func settle(
        _ record: String, field: String, as value: FieldValue
    ) async throws -> String {
        try await local { core in try core.settle(record: record, field: field, value: value) }
    }

    /// Undoes a settling, as long as the field has not been written since.
    ///
    /// - Throws: `replica.nothing_to_undo`.
    @discardableResult
    public func undoSettle(_ record: String, envelope: String) async throws -> String {
        try await local { core in try core.undoSettle(record: record, envelope: envelope) }
    }

    /// Notes that the person has seen the notices up to this number.
    public func noticesSeen(upTo no: Int64) async throws {
        try await local { core in try core.noticesSeen(upTo: no) }
    }

    /// Notes that the phone has shown the notifications up to this number. They are not given
    /// again.
    public func notificationsTaken(upTo no: Int64) async throws {
        try await local { core in try core.notificationsTaken(upTo: no) }
    }
}
