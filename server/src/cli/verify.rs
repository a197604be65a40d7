//! `onegrid verify`: checks that all stored data is consistent.

use super::Context;
use crate::admin::data_dir::DataDir;
use crate::admin::verify::{FileCheck, verify, verify_files};
use crate::error::{Phrase, Problem, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(
        long,
        value_name = "full|fast",
        default_value = "full",
        hide_default_value = true,
        help = "cli.arg_verify_files"
    )]
    files: Files,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Depth of the check of photos and recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Files {
    Full,
    Fast,
}

/// Checks all data; the exit code is 1 if there are findings.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (config, server) = context.deployment()?;
    let mut found = verify(&server, &mut |_, _| {})?;
    let check = match args.files {
        Files::Full => FileCheck::Full,
        Files::Fast => FileCheck::Fast,
    };
    verify_files(&server, &DataDir::of(&config).files(), check, &mut found)?;
    let lang = context.lang;
    if args.json {
        let wrong = found.wrong.iter().map(|phrase| {
            serde_json::json!({ "code": phrase.code(), "sentence": phrase.sentence(lang) })
        });
        context.json(&serde_json::json!({
            "records": found.records,
            "envelopes": found.envelopes,
            "positions": found.positions,
            "audit": found.audit,
            "files": found.files,
            "bytes": found.bytes,
            "wrong": wrong.collect::<Vec<_>>(),
        }))?;
    } else {
        for wrong in &found.wrong {
            context.say(wrong)?;
        }
        context.say(
            &Phrase::new("verify.walked")
                .with("records", found.records)
                .with("envelopes", found.envelopes)
                .with("positions", found.positions)
                .with("audit", found.audit),
        )?;
        context.say(
            &Phrase::new("verify.files")
                .with("files", found.files)
                .with("bytes", found.bytes),
        )?;
        if found.wrong.is_empty() {
            context.say(&Phrase::new("verify.sound"))?;
        }
    }
    match found.wrong.len() {
        0 => Ok(()),
        count => Err(Problem::new("verify.wrong").with("count", count)),
    }
}
