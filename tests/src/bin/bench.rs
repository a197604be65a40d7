//! `make bench`: measures the promises of the product; prints one table, writes
//! `target/bench.json`.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use onegrid_server::cli::{self, Process};
use onegrid_tests::bench;

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // The other processes of a measurement.
        ["onegrid", ..] => return onegrid(),
        ["local-child", folder] => bench::local_child(Path::new(folder)),
        ["fresh-child", url, code] => bench::fresh_child(url, code),
        ["meeting-child", side, address, folder] => {
            bench::meeting_child(side, address, Path::new(folder));
        }
        ["phone-child", part, folder, url, code] => {
            bench::phone_child(part, Path::new(folder), url, code);
        }
        ["photos-child", near, line, code, count] => {
            bench::photos_child(near, line, code, count);
        }
        ["visits-child", folder] => bench::visits_child(Path::new(folder)),
        _ => return measure(&words),
    }
    ExitCode::SUCCESS
}

fn measure(words: &[&str]) -> ExitCode {
    let (mut only, mut check) = (Vec::new(), false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--check" => check = true,
            "--only" => match words.next().map(|names| sections(names)) {
                Some(Some(names)) => only.extend(names),
                _ => return usage(),
            },
            "--help" | "-h" => {
                println!("{}", help());
                return ExitCode::SUCCESS;
            }
            _ => return usage(),
        }
    }
    let table = bench::run(&only);
    println!("{}", table.text());
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "target", "bench.json"]
        .iter()
        .collect();
    match table.write(&path) {
        Ok(()) => println!("target/bench.json"),
        Err(error) => eprintln!("target/bench.json: {error}"),
    }
    let over = table.over();
    if check && over > 0 {
        eprintln!("超出预算 / over budget: {over}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Returns the names, if each is the name of a section.
fn sections(names: &str) -> Option<Vec<String>> {
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    let known = |name: &String| bench::SECTIONS.contains(&name.as_str());
    names.iter().all(known).then_some(names)
}

fn usage() -> ExitCode {
    eprintln!("{}", help());
    ExitCode::from(USAGE)
}

fn help() -> String {
    let sections = bench::SECTIONS.join(", ");
    format!(
        "性能测量：打印一张表，写入 target/bench.json，退出码 0。
  --only 名称[,名称]   只测这些部分：{sections}
  --check              有超出预算的数字时退出码为 1

Measures; prints one table, writes target/bench.json, exits with 0.
  --only NAME[,NAME]   only these sections: {sections}
  --check              exit with 1 when a figure is over its budget"
    )
}

/// Runs the real command line, so that a server under measurement is a process of its own.
fn onegrid() -> ExitCode {
    ExitCode::from(cli::run(Process {
        args: std::env::args_os().skip(1).collect(),
        env: std::env::vars().collect(),
        default_file: None,
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
    }))
}
