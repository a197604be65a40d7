//! `make bench`: measures what the product promises; prints one table, writes `target/bench.json`.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::path::PathBuf;
use std::process::ExitCode;

use onegrid_tests::bench;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [task, folder] = &arguments[..]
        && task == "local-child"
    {
        bench::local_child(&PathBuf::from(folder));
        return ExitCode::SUCCESS;
    }
    let table = bench::run(&arguments);
    println!("{}", table.text());
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "target", "bench.json"]
        .iter()
        .collect();
    match table.write(&path) {
        Ok(()) => println!("target/bench.json"),
        Err(error) => eprintln!("target/bench.json: {error}"),
    }
    ExitCode::SUCCESS
}
