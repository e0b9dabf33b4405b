//! The rows of a file, checked one after the other: a million rows take some 100 MB, for the phones and ids that were met.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::Failure;
use crate::legacy_user::{LegacyUser, Reader};
use crate::report::Report;
use crate::table::Layout;
use crate::text::{Fault, Field, Format, Lines};

/// The checked rows of a file.
pub(crate) struct Checked<'a> {
    lines: Lines<BufReader<File>>,
    format: Format,
    layout: Layout,
    /// The first line, when it is no header.
    first: Option<(u64, Vec<Field>)>,
    reader: &'a Reader,
    /// The lines of phones, by their digits, and of ids.
    phones: HashMap<u64, u64>,
    ids: HashMap<u64, u64>,
}

/// A row, with the number of its line and its id if it has one.
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) id: String,
    pub(crate) outcome: Outcome,
}

/// What a row is.
pub(crate) enum Outcome {
    Good(Box<LegacyUser>),
    /// Of a user who was deleted, and who is not imported.
    Deleted,
    Bad(String),
    /// Of a phone or an id that a line before has.
    Doubled(String),
}

/// How many rows there are.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) good: u64,
    pub(crate) deleted: u64,
    pub(crate) bad: u64,
    pub(crate) doubled: u64,
}

impl<'a> Checked<'a> {
    /// Opens a file and finds its columns.
    ///
    /// # Errors
    /// What is wrong with the file, and what to do about it.
    pub(crate) fn open(path: &Path, reader: &'a Reader) -> Result<Self, Failure> {
        let failed = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
        let file = File::open(path).map_err(|cause| failed(&cause))?;
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, file));
        let Some((number, line)) = lines.next().map_err(|cause| failed(&cause))? else {
            return Err(failed(&"is empty").into());
        };
        let line = line.map_err(|fault| failed(&format!("line 1 {}", fault.sentence())))?;
        let format = Format::of(&line);
        let fields = format.fields(&line).map_err(|fault| failed(&format!("line 1 {}", fault.sentence())))?;
        let (layout, is_header) = Layout::of(&fields).map_err(|sentence| failed(&sentence))?;
        let first = (!is_header).then_some((number, fields));
        Ok(Self { lines, format, layout, first, reader, phones: HashMap::new(), ids: HashMap::new() })
    }

    /// The next row.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Failure> {
        if let Some((number, fields)) = self.first.take() {
            return Ok(Some(self.row(number, Ok(fields))));
        }
        let Some((number, line)) = self.lines.next()? else { return Ok(None) };
        let fields = line.and_then(|line| self.format.fields(&line));
        Ok(Some(self.row(number, fields)))
    }

    fn row(&mut self, line: u64, fields: Result<Vec<Field>, Fault>) -> Row {
        let row = fields.map_err(|fault| fault.sentence().to_owned()).and_then(|fields| self.layout.row(fields));
        let row = match row {
            Ok(row) => row,
            Err(sentence) => return Row { line, id: String::new(), outcome: Outcome::Bad(sentence) },
        };
        // Free text in a broken row; only a number is repeated.
        let id = Some(row[0].clone())
            .filter(|id| id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit()))
            .unwrap_or_default();
        let outcome = match self.reader.read(row) {
            Ok(Some(user)) => self.first_of_its_kind(line, user),
            Ok(None) => Outcome::Deleted,
            Err(sentence) => Outcome::Bad(sentence),
        };
        Row { line, id, outcome }
    }

    fn first_of_its_kind(&mut self, line: u64, user: LegacyUser) -> Outcome {
        // E.164 has at most 15 digits.
        let digits =
            user.phone.e164().bytes().filter(u8::is_ascii_digit).fold(0, |digits, b| digits * 10 + u64::from(b - b'0'));
        if let Some(other) = self.phones.get(&digits) {
            return Outcome::Doubled(format!("has the phone of line {other}"));
        }
        if let Some(other) = self.ids.get(&user.id) {
            return Outcome::Doubled(format!("has the id of line {other}"));
        }
        self.phones.insert(digits, line);
        self.ids.insert(user.id, line);
        Outcome::Good(Box::new(user))
    }

    /// Reads all rows, and reports those that cannot be imported.
    ///
    /// # Errors
    /// When the file cannot be read, or the report not written.
    pub(crate) fn count(mut self, report: &mut Report) -> Result<Counts, Failure> {
        let mut counts = Counts::default();
        while let Some(row) = self.next()? {
            match row.outcome {
                Outcome::Good(_) => counts.good += 1,
                Outcome::Deleted => counts.deleted += 1,
                Outcome::Bad(problem) => {
                    counts.bad += 1;
                    report.problem(row.line, &row.id, &problem)?;
                }
                Outcome::Doubled(problem) => {
                    counts.doubled += 1;
                    report.problem(row.line, &row.id, &problem)?;
                }
            }
        }
        Ok(counts)
    }
}
