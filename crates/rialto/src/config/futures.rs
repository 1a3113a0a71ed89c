//! What is told of perpetual contracts, and when: `[futures]`.

use std::time::Duration;

use gateway_http::FuturesSettings;
use serde::Deserialize;

use super::within;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Futures {
    #[serde(deserialize_with = "within::<0, 3_600, _, _>")]
    pub adl_refresh_s: u64,
    #[serde(deserialize_with = "within::<1, 10_080, _, _>")]
    pub listen_key_min: u64,
    /// 0 switches margin calls off.
    #[serde(deserialize_with = "within::<0, 100, _, _>")]
    pub margin_call_percent: u32,
}

/// Millionths in one per cent.
const PPM_PER_PERCENT: u32 = 10_000;

impl Default for Futures {
    fn default() -> Self {
        let futures = FuturesSettings::default();
        Self {
            adl_refresh_s: futures.adl_refresh.as_secs(),
            listen_key_min: futures.listen_key_life.as_secs() / 60,
            margin_call_percent: futures.margin_call_ppm / PPM_PER_PERCENT,
        }
    }
}

impl Futures {
    pub fn settings(&self) -> FuturesSettings {
        FuturesSettings {
            adl_refresh: Duration::from_secs(self.adl_refresh_s),
            listen_key_life: Duration::from_mins(self.listen_key_min),
            margin_call_ppm: self.margin_call_percent * PPM_PER_PERCENT,
        }
    }
}
