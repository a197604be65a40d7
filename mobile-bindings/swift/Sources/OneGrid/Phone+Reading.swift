import OneGridFFI

extension Phone {
    /// A page of records.
    ///
    /// - Parameters:
    ///   - query: Which records; without one, all.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token` for a page of another query; `input.invalid` for an unknown kind,
    ///   stage or category, a radius over 100 km, or the order by distance without `near`.
    public func list(
        _ query: Query = Query(), page: String? = nil, rows: UInt32 = 50
    ) async throws -> RecordPage {
        try await local { core in try core.list(query: query, page: page, rows: rows) }
    }

    /// All records that pass a query, read page by page as the loop needs them.
    public func records(_ query: Query = Query()) -> Pages<RecordRow> {
        Pages { [self] page in
            let found = try await list(query, page: page)
            return (found.rows, found.next)
        }
    }

    /// The number of records that pass a query.
    public func count(_ query: Query = Query()) async throws -> UInt64 {
        try await local { core in try core.count(query: query) }
    }

    /// The number of records that pass a query, by stage; stages without any are left out.
    public func countByStage(_ query: Query = Query()) async throws -> [StageCount] {
        try await local { core in try core.countByStage(query: query) }
    }

    /// A page of the records that hold all the words, newest change first. Finds Chinese words of
    /// any length and English words by their beginning.
    ///
    /// - Parameters:
    ///   - text: The words.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    public func search(
        _ text: String, page: String? = nil, rows: UInt32 = 50
    ) async throws -> RecordPage {
        try await local { core in try core.search(text: text, page: page, rows: rows) }
    }

    /// The records inside a window of the map, at most 5,000; `cut` says when there are more.
    ///
    /// - Throws: `position.out_of_range`.
    public func map(_ window: MapWindow) async throws -> MapPage {
        try await local { core in try core.map(window: window) }
    }

    /// Open work of the member and the member's units that is due within this time or overdue, most
    /// urgent first.
    ///
    /// - Parameters:
    ///   - withinMs: How far ahead, milliseconds.
    ///   - rows: 1 to 200.
    public func due(withinMs: Int64, rows: UInt32 = 50) async throws -> [RecordRow] {
        try await local { core in try core.due(withinMs: withinMs, rows: rows) }
    }

    /// A record with its content, assignments, conflicts and comments.
    ///
    /// - Throws: `replica.no_record` where it is not on this phone.
    public func record(_ record: String) async throws -> RecordDetail {
        try await local { core in try core.record(record: record) }
    }

    /// A page of a record's story, in the order that counts.
    ///
    /// - Parameters:
    ///   - record: The record.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `replica.no_record`, `list.bad_token`.
    public func timeline(
        of record: String, page: String? = nil, rows: UInt32 = 50
    ) async throws -> TimelinePage {
        try await local { core in try core.timeline(record: record, page: page, rows: rows) }
    }

    /// A record's whole story, read page by page as the loop needs it.
    public func story(of record: String) -> Pages<TimelineItem> {
        Pages { [self] page in
            let found = try await timeline(of: record, page: page)
            return (found.items, found.next)
        }
    }

    /// Every move on a record: whether the member may make it now, and why not.
    ///
    /// - Throws: `replica.no_record`.
    public func moves(on record: String) async throws -> [MoveOption] {
        try await local { core in try core.moves(record: record) }
    }

    /// “148 recorded, 148 counted”: the member's work between two times (ms UTC), and how much of
    /// it counts.
    public func tally(
        sinceMs: Int64? = nil, untilMs: Int64? = nil
    ) async throws -> Tally {
        try await local { core in try core.tally(sinceMs: sinceMs, untilMs: untilMs) }
    }

    /// News about the person's own words that they have not seen, oldest first, at most 200.
    public func notices() async throws -> [Notice] {
        try await local { core in try core.notices() }
    }

    /// Messages for the lock screen with a number above `after`, oldest first.
    ///
    /// - Parameters:
    ///   - after: The number of the last one that is known; 0 for all.
    ///   - rows: 1 to 200.
    public func notifications(
        after: Int64 = 0, rows: UInt32 = 50
    ) async throws -> [PhoneNotification] {
        try await local { core in try core.notifications(after: after, rows: rows) }
    }

    /// The number of envelopes here that no server has judged: the member's own and those carried
    /// for others.
    public func undelivered() async throws -> UInt64 {
        try await local { core in try core.undelivered() }
    }

    /// The grid of a position, and the candidates where it is not sure.
    ///
    /// - Throws: `position.*`.
    public func locate(_ position: GeoPosition) async throws -> Located {
        try await local { core in try core.locate(position: position) }
    }

    /// A page of the areas directly below one; without one, of the districts.
    ///
    /// - Parameters:
    ///   - parent: The area above them.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token`.
    public func areas(
        below parent: String? = nil, page: String? = nil, rows: UInt32 = 50
    ) async throws -> AreaPage {
        try await local { core in try core.areas(parent: parent, page: page, rows: rows) }
    }

    /// A page of the units whose name holds the words, of an area or below it where one is given.
    ///
    /// - Parameters:
    ///   - search: Words of the name; empty for all.
    ///   - area: The area.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token`.
    public func units(
        _ search: String = "", area: String? = nil, page: String? = nil, rows: UInt32 = 50
    ) async throws -> UnitPage {
        try await local { core in
            try core.units(search: search, area: area, page: page, rows: rows)
        }
    }

    /// A page of the people of this phone's villages whose public name holds the words.
    ///
    /// - Parameters:
    ///   - search: Words of the name; empty for all.
    ///   - page: The `next` of the page before; without it the first page.
    ///   - rows: 1 to 200.
    /// - Throws: `list.bad_token`.
    public func people(
        _ search: String = "", page: String? = nil, rows: UInt32 = 50
    ) async throws -> PersonPage {
        try await local { core in try core.people(search: search, page: page, rows: rows) }
    }

    /// The categories of this deployment, at most 1,000.
    public func categories() async throws -> [Category] {
        try await local { core in try core.categories() }
    }
}
