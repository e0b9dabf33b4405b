//! Lines and fields as MySQL and MariaDB write them: `SELECT … INTO OUTFILE` and `mysqldump --tab` with any usual
//! `FIELDS` (MySQL Reference Manual, "LOAD DATA Statement"), `mysql --batch`, and CSV of other tools (RFC 4180).
//!
//! The crate `csv` knows no escapes outside of quotes. A backslash escapes in all of these. A line ends where a line feed is not
//! escaped, also inside of quotes: no good row has a line feed, and so a quote that is not closed spoils one line alone.

use std::io::{self, BufRead, Read};

/// The longest line in bytes; a row of `t_user` has a few hundred.
const LONGEST_LINE: u64 = 64 * 1024;

/// One field: a text, or SQL's NULL.
pub(crate) type Field = Option<String>;

/// Why a line is no row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    TooLong,
    NotUtf8,
    OpenQuote,
    BehindQuote,
}

impl Fault {
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::TooLong => "is longer than 64 KiB",
            Self::NotUtf8 => "is not UTF-8; export with --default-character-set=utf8mb4",
            Self::OpenQuote => "has a quote that is not closed",
            Self::BehindQuote => "has text behind a closing quote",
        }
    }
}

/// Fields that commas separate can be in double quotes; between tabs a quote is a character like others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Tabs,
    Commas,
}

impl Format {
    /// That of a file with this first line.
    pub(crate) fn of(line: &[u8]) -> Self {
        if line.contains(&b'\t') { Self::Tabs } else { Self::Commas }
    }

    fn separator(self) -> u8 {
        match self {
            Self::Tabs => b'\t',
            Self::Commas => b',',
        }
    }

    /// The fields of a line.
    pub(crate) fn fields(self, line: &[u8]) -> Result<Vec<Field>, Fault> {
        let (mut fields, mut rest) = (Vec::new(), line);
        loop {
            let (field, end) = if self == Self::Commas && rest.first() == Some(&b'"') {
                quoted(rest, self.separator())?
            } else {
                plain(rest, self.separator())
            };
            fields.push(field.map(String::from_utf8).transpose().map_err(|_| Fault::NotUtf8)?);
            match rest.get(end) {
                Some(_) => rest = &rest[end + 1..],
                None => return Ok(fields),
            }
        }
    }
}

/// A field without quotes, and where it ends.
fn plain(text: &[u8], separator: u8) -> (Option<Vec<u8>>, usize) {
    let (mut field, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at).filter(|byte| **byte != separator) {
        if *byte == b'\\' && at + 1 < text.len() {
            at += 1;
            field.push(unescaped(text[at]));
        } else {
            field.push(*byte);
        }
        at += 1;
    }
    let is_null = &text[..at] == br"\N";
    ((!is_null).then_some(field), at)
}

/// A field in double quotes, and where it ends. A quote in it is doubled or escaped.
fn quoted(text: &[u8], separator: u8) -> Result<(Option<Vec<u8>>, usize), Fault> {
    let (mut field, mut at) = (Vec::new(), 1);
    loop {
        match (text.get(at), text.get(at + 1)) {
            (Some(b'\\'), Some(next)) => {
                field.push(unescaped(*next));
                at += 2;
            }
            (Some(b'"'), Some(b'"')) => {
                field.push(b'"');
                at += 2;
            }
            (Some(b'"'), None) => return Ok((Some(field), at + 1)),
            (Some(b'"'), Some(next)) if *next == separator => return Ok((Some(field), at + 1)),
            (Some(b'"'), Some(_)) => return Err(Fault::BehindQuote),
            (Some(byte), _) => {
                field.push(*byte);
                at += 1;
            }
            (None, _) => return Err(Fault::OpenQuote),
        }
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'0' => 0,
        b'b' => 0x08,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 0x1a,
        other => other,
    }
}

/// The lines of a file, with the number of their first one.
pub(crate) struct Lines<R> {
    input: R,
    number: u64,
}

/// A line: its number, and its bytes without the line's end.
pub(crate) type Line = (u64, Result<Vec<u8>, Fault>);

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// The next line that is not empty.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let first = self.number + 1;
            let mut line = Vec::new();
            loop {
                let room = LONGEST_LINE.saturating_sub(line.len() as u64);
                let read = self.input.by_ref().take(room).read_until(b'\n', &mut line)?;
                if read == 0 && line.is_empty() {
                    return Ok(None);
                }
                self.number += u64::from(read > 0);
                if read == 0 || line.last() != Some(&b'\n') {
                    if line.len() as u64 >= LONGEST_LINE {
                        self.input.skip_until(b'\n')?;
                        return Ok(Some((first, Err(Fault::TooLong))));
                    }
                    // The end of the file.
                    break;
                }
                let escapes = line[..line.len() - 1].iter().rev().take_while(|byte| **byte == b'\\').count();
                if escapes % 2 == 0 {
                    line.pop();
                    break;
                }
            }
            if first == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                return Ok(Some((first, Ok(line))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(format: Format, line: &str) -> Result<Vec<Option<String>>, Fault> {
        format.fields(line.as_bytes())
    }

    fn texts(of: &[&str]) -> Vec<Field> {
        of.iter().map(|text| Some((*text).to_owned())).collect()
    }

    fn lines(text: &[u8]) -> Vec<(u64, Result<String, Fault>)> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push((number, line.map(|line| String::from_utf8(line).unwrap())));
        }
        found
    }

    #[test]
    fn every_way_to_write_a_field_is_read() {
        for (format, line, expected) in [
            (Format::Tabs, "1\t张三\t\tx", texts(&["1", "张三", "", "x"])),
            (Format::Tabs, r"a\tb	c\\d	e\	f	\0\n\Z", texts(&["a\tb", r"c\d", "e\tf", "\0\n\u{1a}"])),
            (Format::Tabs, "\"q\"\tNULL", texts(&["\"q\"", "NULL"])),
            (Format::Commas, r#"1,"张, 三","a""b","c\"d",e\,f,"#, texts(&["1", "张, 三", "a\"b", "c\"d", "e,f", ""])),
            (Format::Commas, r#""","#, texts(&["", ""])),
            (Format::Commas, r#"a"b"#, texts(&["a\"b"])),
            (Format::Commas, r#""\N","N""#, texts(&["N", "N"])),
        ] {
            assert_eq!(fields(format, line), Ok(expected), "{line}");
        }
        assert_eq!(fields(Format::Tabs, r"\N	\\N	x\N"), Ok(vec![None, Some(r"\N".to_owned()), Some("xN".to_owned())]));
        assert_eq!(fields(Format::Commas, r"1,\N"), Ok(vec![Some("1".to_owned()), None]));
        assert_eq!(fields(Format::Commas, r#""a"#), Err(Fault::OpenQuote));
        assert_eq!(fields(Format::Commas, r#""a\""#), Err(Fault::OpenQuote));
        assert_eq!(fields(Format::Commas, r#""a"b,c"#), Err(Fault::BehindQuote));
        assert_eq!(Format::Tabs.fields(b"a\t\xff"), Err(Fault::NotUtf8));
    }

    #[test]
    fn a_line_has_the_number_of_its_first_line() {
        let good = |text: &str| Ok(text.to_owned());
        assert_eq!(
            lines(b"\xef\xbb\xbfa\r\n\nb\\\nc\\\\\nd"),
            [(1, good("a")), (3, good("b\\\nc\\\\")), (5, good("d"))]
        );
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\\\n"), [(1, good("a\\\n"))]);
    }

    #[test]
    fn a_line_without_end_spoils_itself_alone() {
        let mut text = vec![b'x'; 70_000];
        text.extend(b"\nb\n");
        assert_eq!(lines(&text), [(1, Err(Fault::TooLong)), (2, Ok("b".to_owned()))]);
        let mut text = b"x\\\n".repeat(22_000);
        text.extend(b"y\nb\n");
        let found = lines(&text);
        assert_eq!((&found[0].1, &found.last().unwrap().1), (&Err(Fault::TooLong), &Ok("b".to_owned())));
    }

    /// As MySQL writes a field between tabs.
    fn escaped(text: &str) -> String {
        let escape = |c| match c {
            '\\' => r"\\".to_owned(),
            '\t' => "\\\t".to_owned(),
            '\n' => "\\\n".to_owned(),
            '\0' => r"\0".to_owned(),
            c => c.to_string(),
        };
        text.chars().map(escape).collect()
    }

    proptest! {
        #[test]
        fn what_mysql_writes_reads_back(texts in prop::collection::vec("[^\r\u{feff}]{0,12}", 2..5)) {
            let line = texts.iter().map(|text| escaped(text)).collect::<Vec<_>>().join("\t");
            let mut read = Lines::new(line.as_bytes());
            let (_, bytes) = read.next().unwrap().unwrap();
            let expected: Vec<_> = texts.into_iter().map(Some).collect();
            prop_assert_eq!(Format::Tabs.fields(&bytes.unwrap()), Ok(expected));
            prop_assert!(read.next().unwrap().is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut lines = Lines::new(&bytes[..]);
            while let Some((_, line)) = lines.next().unwrap() {
                if let Ok(line) = line {
                    let _ = Format::Commas.fields(&line);
                    let _ = Format::Tabs.fields(&line);
                }
            }
        }
    }
}
