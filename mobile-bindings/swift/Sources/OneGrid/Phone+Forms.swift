import OneGridFFI

extension Phone {
    /// The templates on this phone in the order of their ids, each in the newest version that this
    /// app reads.
    public func templates() async throws -> [FormTemplate] {
        try await local { core in try core.templates() }
    }

    /// The items of a template in words, at most 500, in the order of the template.
    ///
    /// - Parameters:
    ///   - template: The id.
    ///   - version: Without it, the newest version that this app reads.
    /// - Throws: `form.no_template` if the template is not on this phone, `form.newer_template`.
    public func templateItems(
        of template: String, version: UInt32? = nil
    ) async throws -> [TemplateItem] {
        try await local { core in
            try core.templateItems(template: template, version: version)
        }
    }

    /// Plans a checklist, such as a visit. If the template hides the place, its name goes into a
    /// restricted record. The move `start` begins the checklist, and `finish` ends it.
    ///
    /// - Throws: `form.no_subject` without subject, title and linked record; `form.no_template`,
    ///   `form.newer_template`, `form.not_for_role`, `form.subject_merged`, `form.no_form` for a
    ///   kind without a form; `report.confirm_area`, `report.no_place`, `position.*`, `content.*`,
    ///   `may.*`, `replica.no_record`, `replica.disk_full`.
    public func planForm(_ draft: FormDraft) async throws -> PlannedForm {
        try await local { core in try core.planForm(draft: draft) }
    }

    /// The page of a checklist: every item with its answer and problem, the progress, and why the
    /// member may only read it.
    ///
    /// - Throws: `replica.no_record`, `form.no_form` for a record without a form.
    public func form(_ record: String) async throws -> FormDetail {
        try await local { core in try core.form(record: record) }
    }

    /// Sets and clears answers of a checklist, all of them or none, and gives the envelope's id. A
    /// value that is no answer to its question is refused. A value beyond the range or the rule of
    /// its question is saved, and becomes a problem on the page.
    ///
    /// - Parameters:
    ///   - record: The checklist.
    ///   - changes: 1 to 1,000 answers; a text has at most 4,000 characters.
    /// - Throws: `form.no_question`, `form.wrong_type`, `form.unknown_choice`, `form.answer_long`,
    ///   `form.no_form`, `form.no_template`, `form.newer_template`, `form.not_for_role`,
    ///   `replica.no_record`, `content.*`, `position.*`, `may.*`.
    @discardableResult
    public func answer(_ record: String, _ changes: [AnswerChange]) async throws -> String {
        try await local { core in try core.answer(record: record, changes: changes) }
    }

    /// Adds a row to a repeat and gives the row. At most 100 rows count.
    ///
    /// - Throws: `form.row_limit` where this phone has added 100 rows, and the errors of
    ///   ``answer(_:_:)``.
    public func addRow(to repeatId: String, of record: String) async throws -> String {
        try await local { core in try core.addRow(record: record, repeatId: repeatId) }
    }

    /// Removes a row of a repeat. The answers of the row stay in the record and count no longer.
    ///
    /// - Throws: the errors of ``answer(_:_:)``.
    @discardableResult
    public func removeRow(
        _ row: String, from repeatId: String, of record: String
    ) async throws -> String {
        try await local { core in
            try core.removeRow(record: record, repeatId: repeatId, row: row)
        }
    }

    /// Writes the member's private words about a checklist, or writes them anew, and gives the
    /// restricted record that holds them. Only the member, the people in `named` and the command
    /// room read it.
    ///
    /// - Parameters:
    ///   - record: The checklist.
    ///   - text: The words.
    ///   - named: At most 64 members; a later call keeps the people of the first one.
    /// - Throws: `form.no_words` for a first note without words, `form.no_form`,
    ///   `replica.no_record`, `content.*`, `may.*`.
    @discardableResult
    public func writeNote(
        on record: String, _ text: String, named: [String] = []
    ) async throws -> String {
        try await local { core in try core.writeNote(record: record, text: text, named: named) }
    }

    /// Reports a finding as a record that is linked to the checklist, and gives the new record.
    /// Place and address are copied if the readers of the new record may know them. The last line
    /// of its description names the question and its answer.
    ///
    /// - Throws: `form.no_form`, `form.no_question`, `replica.no_record`, `content.*`, `may.*`.
    public func reportFinding(of record: String, _ draft: FindingDraft) async throws -> String {
        try await local { core in try core.reportFinding(record: record, draft: draft) }
    }

    /// The records on this phone that are linked with a record, in both directions, at most 200 of
    /// each kind of link.
    public func linked(with record: String) async throws -> [LinkedRecord] {
        try await local { core in try core.linked(record: record) }
    }

    /// A page of what is due: each place and template once, with the open checklist that is planned
    /// first, or with the last one that was done.
    ///
    /// - Parameters:
    ///   - query: Which due dates; without one, all.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token`; `input.bad_value` for a radius of 0 or over 100 km.
    public func dueForms(
        _ query: DueQuery = DueQuery(), page: String? = nil, rows: UInt32 = 50
    ) async throws -> FormPage {
        try await local { core in try core.dueForms(query: query, page: page, rows: rows) }
    }

    /// A page of the checklists that are planned in a period, in the order of their times.
    ///
    /// - Parameters:
    ///   - fromMs: The begin, ms UTC.
    ///   - untilMs: The end, ms UTC, which is outside the period.
    ///   - member: With it, those alone that this person planned.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token`.
    public func plannedForms(
        fromMs: Int64 = .min, untilMs: Int64 = .max, member: String? = nil, page: String? = nil,
        rows: UInt32 = 50
    ) async throws -> FormPage {
        try await local { core in
            try core.plannedForms(
                fromMs: fromMs, untilMs: untilMs, member: member, page: page, rows: rows)
        }
    }

    /// A page of the checklists about one place or person, the newest first.
    ///
    /// - Parameters:
    ///   - record: The record of the subject, or one of the checklists.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token`.
    public func forms(
        about record: String, page: String? = nil, rows: UInt32 = 50
    ) async throws -> FormPage {
        try await local { core in try core.formsAbout(record: record, page: page, rows: rows) }
    }

    /// The numbers of checklists by person in a period.
    ///
    /// - Parameters:
    ///   - fromMs: The begin, ms UTC.
    ///   - untilMs: The end, ms UTC, which is outside the period.
    public func formCounts(
        fromMs: Int64 = .min, untilMs: Int64 = .max
    ) async throws -> [FormCounts] {
        try await local { core in try core.formCounts(fromMs: fromMs, untilMs: untilMs) }
    }
}
