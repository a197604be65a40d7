//! The adapter to clap: help in two languages, and clap's errors as problems with codes.
//!
//! The derive attributes hold codes of `texts.tsv` instead of sentences. [`localise`] replaces the codes
//! before parsing.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};
use onegrid_core::texts::{self, Lang};

use crate::error::{Phrase, Problem};

/// Name of the command that shows the help of the others.
const HELP: &str = "help";

/// The argument of that command: the words of another one.
const COMMAND: &str = "command";

/// Place of the first option that every command has, after all options of a command itself.
const COMMON_FROM: usize = 1_000;

/// Place of `--help` and `--version`, after all other options.
const LAST_FROM: usize = 2_000;

/// Reason for running no command.
pub(super) enum Stop {
    /// Text of the requested help or version.
    Shown(String),
    /// The command line is not understood.
    Problem(Problem),
}

/// Finds the language: `--lang` overrides `ONEGRID_LANG`, which overrides the locale. This happens before
/// parsing, so that problems of the command line are printed in the right language.
pub(super) fn language(args: &[OsString], env: &[(String, String)]) -> Lang {
    let mut words = args
        .iter()
        .map_while(|arg| arg.to_str())
        .take_while(|arg| *arg != "--");
    let mut flag = None;
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--lang") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => continue,
        };
        flag = value.and_then(|v| v.parse().ok()).or(flag);
    }
    let variable = |name: &str| {
        env.iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    };
    flag.or_else(|| variable("ONEGRID_LANG").parse().ok())
        .unwrap_or_else(|| Lang::from_locale(["LC_ALL", "LC_MESSAGES", "LANG"].map(variable)))
}

pub(super) fn parse<P: Parser>(args: &[OsString], lang: Lang) -> Result<P, Stop> {
    let mut command = localise(with_help(P::command()), lang, true);
    let found = command
        .try_get_matches_from_mut(args)
        .map_err(|error| stop(&error))?;
    let Some((HELP, asked)) = found.subcommand() else {
        return P::from_arg_matches(&found).map_err(|error| stop(&error));
    };
    // `help import areas` means `import areas --help`, with the same suggestion for a misspelt command.
    let words = asked.get_many::<String>(COMMAND).into_iter().flatten();
    let line: Vec<String> = std::iter::once(command.get_name().to_owned())
        .chain(words.cloned())
        .chain(std::iter::once("--help".to_owned()))
        .collect();
    Err(match command.try_get_matches_from_mut(line) {
        Err(error) => stop(&error),
        Ok(_) => Stop::Problem(Problem::new("cli.usage_wrong")),
    })
}

/// Adds the command [`HELP`] to a program that has commands.
fn with_help(command: Command) -> Command {
    if !command.has_subcommands() {
        return command;
    }
    let words = Arg::new(COMMAND)
        .value_name("COMMAND")
        .num_args(0..)
        .help("cli.arg_help_of");
    command.subcommand(Command::new(HELP).about("cli.help").arg(words))
}

/// Replaces every code of a command and its subcommands with its sentence.
pub(super) fn localise(command: Command, lang: Lang, root: bool) -> Command {
    let say = |code: &str| texts::say(code, lang, &[]);
    let about = command.get_about().map(|code| say(&code.to_string()));
    let has_commands = command.has_subcommands();
    let has_arguments = command.get_positionals().next().is_some();
    let mut template = format!(
        "{{about}}\n\n{}: {{usage}}\n",
        texts::say("cli.help_usage", lang, &[])
    );
    for (there, code, tag) in [
        (has_commands, "cli.help_commands", "subcommands"),
        (has_arguments, "cli.help_arguments", "positionals"),
        (true, "cli.help_options", "options"),
    ] {
        if there {
            template.extend(["\n", &say(code), ":\n{", tag, "}\n"]);
        }
    }
    let flag = |name: &'static str, short: char, action: ArgAction, code: &str, place: usize| {
        Arg::new(name)
            .short(short)
            .long(name)
            .action(action)
            .help(say(code))
            .display_order(place)
    };
    let mut place = 0;
    let mut localised = command
        .mut_args(|arg| {
            place += 1;
            // The options of the program come after the options of a command, in the order of the source.
            let first = if arg.is_global_set() { COMMON_FROM } else { 0 };
            let arg = arg.display_order(first + place);
            let help = arg
                .get_help()
                .map(|code| texts::say(&code.to_string(), lang, &[]));
            let arg = if arg.get_action().takes_values() {
                arg.hide_possible_values(true).hide_default_value(true)
            } else {
                arg
            };
            match help {
                Some(help) => arg.help(help),
                None => arg,
            }
        })
        .mut_subcommands(|sub| localise(sub, lang, false))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .help_template(template)
        .arg(flag(
            "help",
            'h',
            ArgAction::Help,
            "cli.arg_help",
            LAST_FROM,
        ));
    if let Some(about) = about {
        localised = localised.about(about);
    }
    if root {
        let version = flag(
            "version",
            'V',
            ArgAction::Version,
            "cli.arg_version",
            LAST_FROM + 1,
        );
        localised = localised.arg(version);
    }
    localised
}

fn stop(error: &clap::Error) -> Stop {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let unknown = |code, arg, suggested| {
        let hint = match context(suggested) {
            similar if similar.is_empty() => Phrase::new("cli.hint_help"),
            similar => Phrase::new("cli.hint_similar").with("similar", similar),
        };
        Problem::new(code)
            .with("arg", context(arg))
            .with_phrase("hint", hint)
    };
    Stop::Problem(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Stop::Shown(error.render().to_string());
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Problem::new("cli.missing_command")
        }
        ErrorKind::UnknownArgument => unknown(
            "cli.unknown_argument",
            ContextKind::InvalidArg,
            ContextKind::SuggestedArg,
        ),
        ErrorKind::InvalidSubcommand => unknown(
            "cli.unknown_command",
            ContextKind::InvalidSubcommand,
            ContextKind::SuggestedSubcommand,
        ),
        ErrorKind::MissingRequiredArgument => {
            Problem::new("cli.missing_argument").with("arg", context(ContextKind::InvalidArg))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
            if context(ContextKind::InvalidValue).is_empty() =>
        {
            Problem::new("cli.missing_argument").with("arg", context(ContextKind::InvalidArg))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => Problem::new("cli.invalid_value")
            .with("arg", context(ContextKind::InvalidArg))
            .with("value", context(ContextKind::InvalidValue)),
        ErrorKind::ArgumentConflict => Problem::new("cli.conflict")
            .with("arg", context(ContextKind::InvalidArg))
            .with("other", context(ContextKind::PriorArg)),
        _ => Problem::new("cli.usage_wrong"),
    })
}
