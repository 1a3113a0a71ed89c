//! The map: which query of the old database brings what. Names of tables differ from house to house, so the map has whole queries,
//! and the names of their columns say what is what.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::config::WrongSettings;

/// All queries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// `name`, `scale`.
    pub assets: Option<Section>,
    /// The columns are those of a `[[market]]` in the settings file.
    pub markets: Option<Section>,
    /// `id`, `name`; `trade_group` if they are told apart for self-trade prevention.
    pub accounts: Section,
    /// `account`, `asset`, `free`, `held`.
    pub balances: Option<Balances>,
    /// `account`, `key`, `secret`, `permissions`; `label` and `ip_ranges` if there are any.
    pub api_keys: Option<Section>,
    /// `id`, `account`, `market`, `side`, `price`, `quantity`, by ascending `id`; `name` if its owner calls it something.
    pub open_orders: Option<Section>,
}

/// What brings one kind of thing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// In the words of the old database.
    pub query: String,
}

/// What brings the balances.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balances {
    /// In the words of the old database.
    pub query: String,
    /// What becomes of a hold that the open orders do not explain.
    #[serde(default)]
    pub unexplained_holds: UnexplainedHolds,
}

/// What becomes of a hold that the open orders do not explain: of withdrawals under way, or left over by mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnexplainedHolds {
    /// Nothing is imported until somebody has looked at it.
    #[default]
    Refuse,
    /// It comes free.
    Free,
}

impl Map {
    /// Reads a map; a wrong one is refused with its line.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the map {}", path.display()))?;
        let wrong =
            |error: &dyn std::fmt::Display| WrongSettings::new(format!("{}: {error}", path.display()));
        Ok(toml::from_str(&text).map_err(|error| wrong(&error))?)
    }
}
