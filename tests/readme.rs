//! The README's table of Python's names: every row has a test, and every demo that it names is there.

use std::path::Path;

/// A section of the README, up to the next one.
fn section(title: &str) -> String {
    let readme = read(Path::new("README.md"));
    let (_, rest) = readme.split_once(title).expect("the section");
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

fn read(path: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const PYTHON: &str = "## From Python's `multiprocessing`";

#[test]
fn each_of_pythons_names_has_a_test() {
    let section = section(PYTHON);
    let (shown, _) = section.split_once("<!--").unwrap_or((&section, ""));
    // Without the head, and the line below it.
    let rows = shown.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Python"));
    let mut count = 0;
    for row in rows {
        let (_, test) = row.trim_end_matches(" |").rsplit_once("| [`").expect(row);
        let (name, file) = test.trim_end_matches(')').split_once("`](").expect(row);
        let source = read(Path::new(file));
        assert!(source.contains(&format!("#[test]\nfn {name}() {{")), "no {name} in {file}: {row}");
        count += 1;
    }
    assert!(count >= 40, "{count} rows");
}

#[test]
fn each_demo_is_there() {
    let section = section(PYTHON);
    let (_, list) = section.split_once("NAME`):").expect("the list of demos");
    let (list, _) = list.split_once("\n\n").expect("its end");
    let names: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    assert!(names.len() >= 11, "{names:?}");
    for name in names {
        read(&Path::new("examples").join(name).with_extension("rs"));
    }
}
