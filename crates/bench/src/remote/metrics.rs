//! What a running Rialto says of itself: the operator's `/metrics`.

use super::RemoteError;
use super::http::{Connection, HEADERS};
use super::server::AdminAccess;

/// A connection that asks for metrics.
pub(crate) struct Metrics {
    connection: Connection,
    request: Vec<u8>,
}

/// All metrics at one moment.
pub(crate) struct Shown(String);

impl Metrics {
    pub(crate) async fn open(access: &AdminAccess) -> Result<Self, RemoteError> {
        let token = &access.token;
        let request = format!("GET /metrics HTTP/1.1\r\n{HEADERS}Authorization: Bearer {token}\r\n\r\n");
        Ok(Self { connection: Connection::open(&access.address).await?, request: request.into_bytes() })
    }

    pub(crate) async fn ask(&mut self) -> Result<Shown, RemoteError> {
        self.connection.send(&self.request).await?;
        let answer = self.connection.answer().await?;
        if answer.status != 200 {
            return Err(RemoteError::Admin { path: "/metrics".to_owned(), answer: answer.to_string() });
        }
        Ok(Shown(String::from_utf8_lossy(answer.body).into_owned()))
    }
}

impl Shown {
    /// The value of a metric; of one with labels that of the only or the first line. 0 before there is any.
    pub(crate) fn value(&self, name: &str) -> f64 {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(name));
        let mut values =
            lines.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit_once(' '));
        values.next().and_then(|(_, value)| value.parse().ok()).unwrap_or(0.0)
    }

    /// As [`Self::value`], of something that is counted.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are whole, and far below 2^53"
    )]
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.value(name) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let shown = Shown(
            "# HELP rialto_sql_rows Rows.\nrialto_sql_rows_total{partition=\"0\"} 7\nrialto_sql_lag_seconds{partition=\"0\"} 0.25\nup 1\n"
                .to_owned(),
        );
        assert_eq!(shown.count("rialto_sql_rows_total"), 7);
        assert_eq!(shown.count("rialto_sql_rows"), 0);
        assert!((shown.value("rialto_sql_lag_seconds") - 0.25).abs() < 1e-9);
        assert_eq!(shown.count("up"), 1);
    }
}
