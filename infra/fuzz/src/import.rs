//! The reader of `make import`, whose crate is a program and no library.

#[expect(dead_code, reason = "the sentences are for the terminal")]
#[path = "../../import/src/text.rs"]
mod text;

use text::{Field, Format, Lines};

/// A file: each line is read or refused, and the fields of one that is read are the same once MySQL has written them again.
pub(crate) fn lines(data: &[u8]) {
    let format = Format::of(data.split(|&byte| byte == b'\n').next().unwrap_or_default());
    let (mut lines, mut last) = (Lines::new(data), 0);
    while let Some((number, line)) = lines.next().expect("memory that can be read") {
        assert!(number > last);
        last = number;
        let Some(fields) = line.ok().and_then(|line| format.fields(&line).ok()) else { continue };
        let written = fields.iter().map(escaped).collect::<Vec<_>>().join("\t");
        assert_eq!(Format::Tabs.fields(written.as_bytes()), Ok(fields));
    }
}

/// As MySQL writes a field between tabs.
fn escaped(field: &Field) -> String {
    let Some(text) = field else { return r"\N".to_owned() };
    let escape = |c| match c {
        '\\' | '\t' | '\n' => format!("\\{c}"),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
