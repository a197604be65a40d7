import OneGridFFI

/// All rows of a list, for `for try await`, read page by page as they are needed.
public struct Pages<Element: Sendable>: AsyncSequence, Sendable {
    typealias Fetch = @Sendable (_ page: String?) async throws -> ([Element], String?)

    let fetch: Fetch

    /// Reads the rows one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let fetch: Fetch
        var rows: ArraySlice<Element> = []
        var page: String?
        var isLast = false

        /// The next row; `nil` at the end.
        public mutating func next() async throws -> Element? {
            while rows.isEmpty && !isLast {
                let (found, next) = try await fetch(page)
                (rows, page, isLast) = (found[...], next, next == nil)
            }
            return rows.popFirst()
        }
    }

    /// Begins at the first row.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(fetch: fetch)
    }
}
