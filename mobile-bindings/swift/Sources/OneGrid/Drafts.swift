import OneGridFFI

extension ReportDraft {
    /// A hazard: something dangerous at a place.
    ///
    /// - Parameters:
    ///   - title: One line, 1 to 200 characters.
    ///   - category: Code of the category, such as `gas`; ``Phone/categories()`` lists them.
    ///   - position: The place. The phone finds the grid where the accuracy is 50 m or better.
    ///   - area: The grid or village, where the person chose it.
    ///   - fields: Further fields, such as `.address("133 Wulin Road")`.
    public static func hazard(
        _ title: String, category: String? = nil, at position: GeoPosition? = nil,
        area: String? = nil,
        fields: [FieldInput] = []
    ) -> ReportDraft {
        let first = [FieldInput.title(title)] + (category.map { [.category($0)] } ?? [])
        return ReportDraft(kind: "hazard", fields: first + fields, position: position, area: area)
    }

    /// A request for help.
    ///
    /// - Parameters:
    ///   - title: One line, 1 to 200 characters.
    ///   - urgency: 1 (can wait) to 4 (immediate).
    ///   - position: The place. The phone finds the grid where the accuracy is 50 m or better.
    ///   - area: The grid or village, where the person chose it.
    ///   - fields: Further fields, such as `.description("…")`.
    public static func request(
        _ title: String, urgency: Int64? = nil, at position: GeoPosition? = nil,
        area: String? = nil,
        fields: [FieldInput] = []
    ) -> ReportDraft {
        let first = [FieldInput.title(title)] + (urgency.map { [.urgency($0)] } ?? [])
        return ReportDraft(kind: "request", fields: first + fields, position: position, area: area)
    }
}

extension FieldInput {
    /// The title, one line.
    public static func title(_ text: String) -> FieldInput { words("title", text) }
    /// The code of the category.
    public static func category(_ code: String) -> FieldInput { words("category", code) }
    /// The address as people say it.
    public static func address(_ text: String) -> FieldInput { words("address", text) }
    /// The description.
    public static func description(_ text: String) -> FieldInput { words("description", text) }
    /// The severity, 1 (general) to 4 (critical).
    public static func severity(_ step: Int64) -> FieldInput { number("severity", step) }
    /// The urgency, 1 (can wait) to 4 (immediate).
    public static func urgency(_ step: Int64) -> FieldInput { number("urgency", step) }

    private static func words(_ field: String, _ text: String) -> FieldInput {
        FieldInput(field: field, value: .text(text: text))
    }

    private static func number(_ field: String, _ number: Int64) -> FieldInput {
        FieldInput(field: field, value: .number(number: number))
    }
}
