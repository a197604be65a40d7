//! Names that the generated code uses itself, or that a language reserves.
//!
//! UniFFI changes the case of names for each language, so they are compared without case and underscores: the
//! method `to_string` becomes `toString` in Kotlin.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use super::item::Place;

/// Names that the configuration of the Kotlin binding changes for Kotlin.
static RENAMED_IN_KOTLIN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mobile-bindings/kotlin/uniffi.toml");
    let config = std::fs::read_to_string(path).unwrap_or_default();
    let lines = config.lines().skip_while(|line| !line.ends_with("rename]"));
    let lines = lines.skip(1).take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()));
    names.collect()
});

const KOTLIN_USES: &str =
    "generated Kotlin uses it; rename it in mobile-bindings/kotlin/uniffi.toml";
const KOTLIN_IMPORTS: &str =
    "generated Kotlin imports it from JNA; rename it in mobile-bindings/kotlin/uniffi.toml";
/// Reasons that do not hold for a name that is changed for Kotlin.
const KOTLIN: [&str; 2] = [KOTLIN_USES, KOTLIN_IMPORTS];

/// Types of the standard libraries that generated code names without their module. A type of ours with such a
/// name replaces them, and the code around it no longer compiles.
const TYPES: &[(&str, &[&str])] = &[
    (
        KOTLIN_USES,
        &[
            "Any",
            "Array",
            "Boolean",
            "Byte",
            "ByteArray",
            "Double",
            "Error",
            "Exception",
            "Float",
            "Int",
            "List",
            "Long",
            "Map",
            "Nothing",
            "Set",
            "Short",
            "String",
            "Throwable",
            "UByte",
            "UInt",
            "ULong",
            "UShort",
            "Unit",
        ],
    ),
    (
        KOTLIN_IMPORTS,
        &[
            "Callback",
            "IntegerType",
            "Library",
            "Native",
            "Pointer",
            "Structure",
        ],
    ),
    (
        "Swift uses it",
        &[
            "Bool",
            "Data",
            "Date",
            "Dictionary",
            "Never",
            "Optional",
            "Result",
            "Self",
            "Task",
            "TimeInterval",
            "Type",
            "UnsafeRawPointer",
            "Void",
        ],
    ),
    ("generated Python has it", &["InternalError"]),
];

/// Methods that every object has, or that generated code adds to objects.
const METHODS: &[(&str, &[&str])] = &[
    (
        "every object of Kotlin has it",
        &[
            "close",
            "destroy",
            "equals",
            "finalize",
            "getClass",
            "hashCode",
            "notify",
            "notifyAll",
            "toString",
            "wait",
        ],
    ),
    (
        "generated Swift has it",
        &["handle", "init", "self", "uniffiCloneHandle", "type"],
    ),
    ("every exported object has it in Rust", &["clone"]),
];

/// Fields of an error that Kotlin's `Throwable` has, with another type.
const ERROR_FIELDS: &[(&str, &[&str])] = &[
    (
        "Kotlin's Throwable has it",
        &[
            "cause",
            "localizedMessage",
            "message",
            "stackTrace",
            "suppressed",
        ],
    ),
    (
        "Swift's errors have it",
        &["errorDescription", "localizedDescription"],
    ),
    ("Python's exceptions have it", &["args", "withTraceback"]),
];

const FIELDS: &[(&str, &[&str])] = &[(
    "Kotlin's data classes have it",
    &["component1", "copy", "hashCode", "toString"],
)];

const VARIANTS: &[(&str, &[&str])] = &[
    (
        "Swift reserves it",
        &["Any", "Init", "None", "Protocol", "Self", "Some", "Type"],
    ),
    ("every enum of Kotlin has it", &["Companion", "Entries"]),
    ("every enum of Python has it", &["Mro"]),
];

/// Keywords that a language refuses as a name, or that UniFFI changes there. `class` is a keyword of all three
/// and stays allowed, because it is the domain's word for a group of categories, and UniFFI escapes it.
const KEYWORDS: &[(&str, &[&str])] = &[
    (
        "a keyword of Python, where it gets another name",
        &[
            "and", "as", "assert", "async", "await", "break", "continue", "def", "del", "elif",
            "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
            "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "self", "try", "while",
            "with", "yield",
        ],
    ),
    (
        "a keyword of Kotlin, which needs backticks at every use",
        &[
            "fun",
            "interface",
            "null",
            "object",
            "package",
            "super",
            "this",
            "throw",
            "typealias",
            "typeof",
            "val",
            "var",
            "when",
        ],
    ),
    (
        "a keyword of Swift, which needs backticks at every use",
        &[
            "associatedtype",
            "case",
            "catch",
            "default",
            "defer",
            "deinit",
            "enum",
            "extension",
            "fallthrough",
            "fileprivate",
            "func",
            "guard",
            "init",
            "inout",
            "internal",
            "let",
            "nil",
            "operator",
            "private",
            "protocol",
            "public",
            "repeat",
            "rethrows",
            "static",
            "struct",
            "subscript",
            "switch",
            "throws",
            "where",
        ],
    ),
];

/// Returns the reason why a name cannot be used in a place; `None` if it can.
pub(crate) fn taken(place: Place, name: &str) -> Option<&'static str> {
    let tables: &[&[(&'static str, &[&str])]] = match place {
        Place::Type => &[TYPES],
        Place::Method => &[METHODS, KEYWORDS],
        Place::Function | Place::Argument => &[KEYWORDS],
        Place::Field => &[FIELDS, KEYWORDS],
        Place::ErrorField => &[ERROR_FIELDS, KEYWORDS],
        Place::Variant => &[VARIANTS],
    };
    let renamed = RENAMED_IN_KOTLIN.contains(name);
    let name = plain(name);
    tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(|(why, _)| !(renamed && KOTLIN.contains(why)))
        .find(|(_, names)| names.iter().any(|taken| plain(taken) == name))
        .map(|(why, _)| *why)
}

fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}
