//! A market that has moved here from another partition: what the public saw of it there.
//!
//! Views know their own partition's events and nothing else, so that they can be made again from them. What was traded in a
//! market while it lived here stays here as a [`Stay`] when it leaves. Its new home begins with nothing, and whoever has the
//! views of all partitions gives it what the others have: [`Views::adopt`] with what [`history_of`] has found. That is done as
//! soon as the market has arrived, and again after every start from a snapshot that was made without it.

use codec::{Coded, DecodeError, Reader};
use model::{MarketId, TimeNs};

use crate::candles::Candles;
use crate::trades::Tape;
use crate::{ViewSettings, Views};

/// What was traded in a market while it lived in a partition that it has left.
#[derive(Clone, Debug)]
pub struct Stay {
    /// When it left.
    pub(crate) left_ns: TimeNs,
    /// Number of the last change of its book then.
    pub(crate) last_update_id: u64,
    pub(crate) tape: Tape,
    pub(crate) candles: Candles,
    /// All that was traded before is in here too.
    pub(crate) is_complete: bool,
}

impl Stay {
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        self.left_ns.encode(out);
        self.last_update_id.encode(out);
        self.is_complete.encode(out);
        self.tape.save(out);
        self.candles.save(out);
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            left_ns: Coded::decode(input)?,
            last_update_id: Coded::decode(input)?,
            is_complete: Coded::decode(input)?,
            tape: Tape::load(settings, input)?,
            candles: Candles::load(settings, input)?,
        })
    }
}

/// What all views together know of a market from before its present stay at `home`, oldest first. `None` while the views of its
/// former home are not as far as its departure. Views that do not know the market yet have nothing of it.
pub fn history_of<'a>(home: &'a Views, others: &[&'a Views], market: MarketId) -> Option<Vec<&'a Stay>> {
    let knows = |views: &&&Views| views.catalog().market(market).is_some();
    if others.iter().filter(knows).any(|views| views.has_something_of_its_own(market)) {
        return None;
    }
    let everybody = others.iter().filter(knows).copied().chain([home]);
    let mut stays: Vec<&Stay> = everybody.flat_map(|views| views.stays(market)).collect();
    stays.sort_by_key(|stay| stay.left_ns);
    let complete = stays.iter().rposition(|stay| stay.is_complete)?;
    stays.drain(..complete);
    Some(stays)
}
