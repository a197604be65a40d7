extension JSON {
    /// The first difference from an expectation, in words; `nil` where the value is as expected.
    ///
    /// `mobile-bindings/scenarios/README.md` states the rules.
    func difference(from expected: JSON, at path: String = "") -> String? {
        let mismatch = "\(path.isEmpty ? "the value" : path) is \(self), expected \(expected)"
        switch expected {
        case .object(let fields):
            if fields.count == 1, let least = fields["at_least"]?.number {
                return (number ?? -.infinity) >= least ? nil : mismatch
            }
            if fields.count == 1, let part = fields["contains"] {
                return contains(part) ? nil : mismatch
            }
            guard object != nil else { return mismatch }
            for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
                let inner = path.isEmpty ? key : "\(path).\(key)"
                if let found = self[key].difference(from: value, at: inner) { return found }
            }
            return nil
        case .list(let elements):
            guard let list, list.count == elements.count else { return mismatch }
            for (index, (own, other)) in zip(list, elements).enumerated() {
                if let found = own.difference(from: other, at: "\(path)[\(index)]") { return found }
            }
            return nil
        default:
            return self == expected ? nil : mismatch
        }
    }

    private func contains(_ part: JSON) -> Bool {
        if let text, let part = part.text { return text.contains(part) }
        return (list ?? []).contains { $0.difference(from: part) == nil }
    }
}
