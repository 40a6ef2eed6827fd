//! The command line says what the pages say.

use std::fs;
use std::path::Path;

use clap::CommandFactory;

use super::*;

fn parses(line: &str) -> Result<Cli, clap::Error> {
    let end = line.find(" #").or_else(|| line.find(" | ")).unwrap_or(line.len());
    Cli::try_parse_from(line[..end].split_whitespace())
}

/// Every command line of a page: what stands after a prompt, and what the text quotes with its options.
fn command_lines(page: &str) -> Vec<&str> {
    let typed = page.lines().filter_map(|line| line.strip_prefix("$ "));
    let quoted = page.split('`').skip(1).step_by(2).filter(|words| words.contains(" --"));
    typed.chain(quoted).filter(|line| line.starts_with("yikatong ") && !line.contains("...")).collect()
}

#[test]
fn every_command_line_in_the_documentation_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = [root.clone(), root.join("docs"), root.join("docs/zh"), root.join("registry")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = entries.map(|entry| entry.unwrap().path());
    let mut lines = 0_usize;
    for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        for line in command_lines(&fs::read_to_string(&file).unwrap()) {
            parses(line).unwrap_or_else(|error| panic!("{}: {line}\n{error}", file.display()));
            lines = lines.saturating_add(1);
        }
    }
    assert!(lines > 40, "only {lines} command lines were found");
}

#[test]
fn every_command_or_its_group_has_an_example_and_every_example_parses() {
    let mut open = vec![(Cli::command(), true)];
    while let Some((command, shown_above)) = open.pop() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> =
            help.lines().filter_map(|line| line.get(line.find("yikatong ")?..)).collect();
        for example in &examples {
            parses(example).unwrap_or_else(|error| panic!("{example}\n{error}"));
        }
        let shown = !examples.is_empty();
        let parts: Vec<_> = command.get_subcommands().map(|part| (part.clone(), shown)).collect();
        assert!(shown || shown_above || !parts.is_empty(), "{} has no example", command.get_name());
        open.extend(parts);
    }
}

#[test]
fn a_line_that_the_program_does_not_know_is_refused() {
    assert!(parses("yikatong taps make --number 20 --out day").is_err());
    assert!(parses("yikatong tap --card tcp:127.0.0.1:9001 --terminal 200001010001 --entry --exit").is_err());
}
