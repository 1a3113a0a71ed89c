//! Every file in `scenarios/` is one story: `> command` lines, and under each the events it caused (`story` has the words).
//! `UPDATE_EXPECT=1 cargo test -p exchange scenarios` rewrites the events; the diff is what you review.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use crate::story;

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let stories = sorted_files(&folder);
    assert!(stories.len() >= 35, "no stories found: a moved folder must not pass silently");
    for story in stories {
        println!("{}", story.display());
        let text = fs::read_to_string(&story).unwrap();
        assert!(text.starts_with("# "), "{}: a story opens with the rule it is about", story.display());
        expect_file![story].assert_eq(&story::play(&text));
    }
}

pub fn sorted_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
