/// A command line with a mistake.
struct Usage: Error {
    let text: String
}

/// A command with its words and options.
struct Arguments {
    let command: String
    private let words: [String]
    private let options: [String: String]
    private let flags: Set<String>

    private static let flagNames: Set<String> = ["mine", "open"]

    init(_ arguments: [String]) throws {
        var (words, options, flags) = ([String](), [String: String](), Set<String>())
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                words.append(argument)
                continue
            }
            let name = String(argument.dropFirst(2))
            if Self.flagNames.contains(name) {
                flags.insert(name)
            } else if let value = rest.popFirst() {
                options[name] = value
            } else {
                throw Usage(text: "\(argument) needs a value")
            }
        }
        guard let command = words.first else { throw Usage(text: "which command?") }
        self.command = command
        self.words = Array(words.dropFirst())
        (self.options, self.flags) = (options, flags)
    }

    /// All words after the command.
    var all: [String] { words }

    func word(_ number: Int, _ meaning: String) throws -> String {
        guard words.indices.contains(number) else {
            throw Usage(text: "\(command) needs \(meaning)")
        }
        return words[number]
    }

    func option(_ name: String) -> String? { options[name] }

    func has(_ flag: String) -> Bool { flags.contains(flag) }
}
