//! The columns of `t_user` in a file: where each is, by the header or by the order of the table.

use crate::text::Field;

/// The columns of `t_user`, in their order.
pub(crate) const COLUMNS: [&str; 10] =
    ["id", "create_time", "update_time", "user_name", "gender", "birth_day", "province", "city", "phone", "is_delete"];

/// The one column in which the word NULL can be a value: a name.
const USER_NAME: usize = 3;

/// Where each of [`COLUMNS`] is in a line, and how many fields a line has.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    places: [usize; COLUMNS.len()],
    count: usize,
}

/// A row in the order of [`COLUMNS`]; NULL is empty.
pub(crate) type Row = [String; COLUMNS.len()];

impl Layout {
    /// That of a file with this first line, and whether the line is a header.
    ///
    /// # Errors
    /// What to do about a file with other columns.
    pub(crate) fn of(first: &[Field]) -> Result<(Self, bool), String> {
        let is_named =
            |name: &str| first.iter().position(|field| field.as_deref().is_some_and(|text| text.trim() == name));
        let found = COLUMNS.map(is_named);
        let missing: Vec<_> =
            COLUMNS.iter().zip(found).filter(|(_, place)| place.is_none()).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return Ok((Self { places: found.map(Option::unwrap_or_default), count: first.len() }, true));
        }
        if missing.len() < COLUMNS.len() {
            return Err(format!(
                "the header has no column {}; export them all: SELECT {} FROM t_user",
                missing.join(", "),
                COLUMNS.join(", ")
            ));
        }
        if first.len() != COLUMNS.len() {
            return Err(format!(
                "the first line has {} fields between tabs or commas and is no header; export with these columns: SELECT {} FROM t_user",
                first.len(),
                COLUMNS.join(", ")
            ));
        }
        Ok((Self { places: std::array::from_fn(|at| at), count: COLUMNS.len() }, false))
    }

    /// The row of a line.
    ///
    /// # Errors
    /// When the line has another number of fields.
    pub(crate) fn row(&self, mut fields: Vec<Field>) -> Result<Row, String> {
        if fields.len() != self.count {
            return Err(format!("has {} fields and not {}", fields.len(), self.count));
        }
        let mut row = Row::default();
        for (at, (value, place)) in row.iter_mut().zip(self.places).enumerate() {
            *value = fields[place].take().unwrap_or_default();
            // `mysql --batch` writes the word.
            if at != USER_NAME && value == "NULL" {
                value.clear();
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Vec<Field> {
        line.split(',').map(|text| Some(text.to_owned())).collect()
    }

    #[test]
    fn a_header_says_where_columns_are() {
        let (layout, is_header) = Layout::of(&fields(
            "phone,id,extra,create_time,update_time,user_name,gender,birth_day,province,city,is_delete",
        ))
        .unwrap();
        assert!(is_header);
        let row = layout.row(fields("p,1,x,c,NULL,NULL,2,b,,NULL,0")).unwrap();
        assert_eq!(row, ["1", "c", "", "NULL", "2", "b", "", "", "p", "0"].map(str::to_owned));
        assert_eq!(layout.row(fields("a,b")).unwrap_err(), "has 2 fields and not 11");
    }

    #[test]
    fn without_a_header_columns_are_in_the_order_of_the_table() {
        let (layout, is_header) = Layout::of(&fields("1,c,u,n,2,b,p,t,13800138000,0")).unwrap();
        assert!(!is_header);
        let row = layout.row(vec![None; 10]).unwrap();
        assert_eq!(row, Row::default());
    }

    #[test]
    fn other_columns_are_an_error_that_says_which_to_export() {
        for (line, begin) in [
            ("id,phone,user_name", "the header has no column create_time, update_time, gender"),
            ("1,2,3", "the first line has 3 fields"),
        ] {
            let error = Layout::of(&fields(line)).unwrap_err();
            assert!(error.starts_with(begin) && error.contains("SELECT id, create_time,"), "{error}");
        }
    }
}
