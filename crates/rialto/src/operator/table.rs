//! Lists as people read them: columns under their headings, numbers to the right.

use serde_json::Value;

/// A list of objects, one a line: `columns` are the headings and the fields that stand below them.
pub fn table(list: &Value, columns: &[(&str, &str)]) -> String {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return "none".to_owned();
    }
    let columns: Vec<Vec<String>> = columns
        .iter()
        .map(|(heading, field)| {
            let cells = entries.iter().map(|entry| cell(&entry[*field]));
            std::iter::once((*heading).to_owned()).chain(cells).collect()
        })
        .collect();
    let laid_out: Vec<Vec<String>> = columns.iter().map(|column| laid_out(column)).collect();
    let line = |row: usize| {
        let cells: Vec<&str> = laid_out.iter().map(|column| column[row].as_str()).collect();
        cells.join("  ").trim_end().to_owned()
    };
    (0..=entries.len()).map(line).collect::<Vec<_>>().join("\n")
}

fn laid_out(column: &[String]) -> Vec<String> {
    let width = column.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
    let is_number = |cell: &String| cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let right = column[1..].iter().all(is_number);
    let pad = |cell: &String| if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
    column.iter().map(pad).collect()
}

/// One value.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is) => (if *is { "yes" } else { "NO" }).to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let list = json!([
            {"account": 1, "name": "alice", "free": "0.50"},
            {"account": 12, "name": "bo", "free": "10.00"},
        ]);
        let columns = [("number", "account"), ("name", "name"), ("free", "free")];
        assert_eq!(
            table(&list, &columns),
            "number  name    free\n     1  alice   0.50\n    12  bo     10.00"
        );
        assert_eq!(table(&json!([]), &columns), "none");
    }
}
