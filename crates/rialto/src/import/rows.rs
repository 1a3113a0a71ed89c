//! A row of a query, and what is wrong with it.

use std::fmt::Display;

use dialect::decimal;

/// A row of one of the map's queries: each column's name and text.
pub struct Row<'r> {
    /// Whose query.
    pub section: &'static str,
    /// Which row, from 1.
    pub number: u64,
    pub names: &'r [String],
    pub values: &'r [Option<String>],
}

impl<'r> Row<'r> {
    /// A column's text; `None` where it is NULL, or where the query has no such column.
    pub fn optional(&self, name: &str) -> Option<&'r str> {
        let at = self.names.iter().position(|known| known == name)?;
        self.values[at].as_deref()
    }

    /// A column's text.
    pub fn text(&self, name: &str) -> Result<&'r str, String> {
        if !self.names.iter().any(|known| known == name) {
            return Err(format!(
                "{}: the query has no column named {name}; it has {}. SELECT ... AS {name} names one",
                self.section,
                self.names.join(", ")
            ));
        }
        self.optional(name).ok_or_else(|| self.wrong(name, "NULL", "a value is needed"))
    }

    /// A decimal number in units of 10^-`scale`: exact, or an error.
    pub fn decimal(&self, name: &str, scale: u8) -> Result<i128, String> {
        let text = self.text(name)?;
        decimal::parse(text, scale).map_err(|error| self.wrong(name, text, error))
    }

    /// A whole number.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N, String> {
        let text = self.text(name)?;
        text.parse().map_err(|_| self.wrong(name, text, "a whole number is needed"))
    }

    /// The sentence that says that a column's value cannot be used.
    pub fn wrong(&self, name: &str, value: &str, problem: impl Display) -> String {
        format!("{}, row {}: {name} is '{value}': {problem}", self.section, self.number)
    }

    /// The sentence that says that the row cannot be used.
    pub fn problem(&self, problem: impl Display) -> String {
        format!("{}, row {}: {problem}", self.section, self.number)
    }
}
