//! `onegrid verify`: checks that all stored data is consistent.

use super::Context;
use crate::admin::verify::verify;
use crate::error::{Phrase, Problem, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Checks all data; the exit code is 1 if there are findings.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let found = verify(&server, &mut |_, _| {})?;
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
        if found.wrong.is_empty() {
            context.say(&Phrase::new("verify.sound"))?;
        }
    }
    match found.wrong.len() {
        0 => Ok(()),
        count => Err(Problem::new("verify.wrong").with("count", count)),
    }
}
