//! Sources: queues outside that hand in commands and may hand in the same one twice. A partition keeps a mark for each: what
//! has a place at or below it is not applied again, whatever came of it the first time.
//!
//! A source is registered with each partition by itself, which gives it a number; its entries reach a partition in the order
//! of their places, with gaps where entries in between went to other partitions.

use crate::{
    AccountId, AmendOrder, CancelAllOrders, CancelOrder, EntryId, MarketId, PartitionId, PlaceOrder,
    ReplaceOrder, SourceId, SourceKey, SourceName, TimeNs,
};

/// What makes a source the one that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceTerms {
    /// What it is called in the settings.
    pub name: SourceName,
    /// What the queue is called where it is.
    pub key: SourceKey,
    /// Told apart from an earlier queue of the same name and key, whose places say nothing about those of this one.
    pub incarnation: u64,
}

/// Registers a source with a partition. Whoever is registered already keeps its number and its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterSource {
    /// With which partition.
    pub partition: PartitionId,
    /// Which source.
    pub terms: SourceTerms,
    /// How many of its newest entries that were applied are remembered one by one, so that one that comes again is told from
    /// a new one whose place has gone by. 16 bytes each, in memory and in snapshots.
    pub remember: u32,
}

impl RegisterSource {
    /// Most sources of a partition.
    pub const MAX_SOURCES: u32 = 1_024;
}

/// What a source may ask for, on behalf of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// Places an order.
    Place(PlaceOrder),
    /// Cancels an order.
    Cancel(CancelOrder),
    /// Cancels all orders of an account in one market.
    CancelAll(CancelAllOrders),
    /// Cancels one order and places another.
    Replace(ReplaceOrder),
    /// Makes an order smaller without moving it.
    Amend(AmendOrder),
}

/// Which of them it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderAction {
    /// Places an order.
    Place = 0,
    /// Cancels an order.
    Cancel = 1,
    /// Cancels all orders of an account in one market.
    CancelAll = 2,
    /// Cancels one order and places another.
    Replace = 3,
    /// Makes an order smaller without moving it.
    Amend = 4,
}

impl OrderCommand {
    /// Which one it is.
    pub const fn action(&self) -> OrderAction {
        match self {
            Self::Place(_) => OrderAction::Place,
            Self::Cancel(_) => OrderAction::Cancel,
            Self::CancelAll(_) => OrderAction::CancelAll,
            Self::Replace(_) => OrderAction::Replace,
            Self::Amend(_) => OrderAction::Amend,
        }
    }

    /// What it is called in logs and metrics: as the same without a source.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Place(_) => "place_order",
            Self::Cancel(_) => "cancel_order",
            Self::CancelAll(_) => "cancel_all_orders",
            Self::Replace(_) => "replace_order",
            Self::Amend(_) => "amend_order",
        }
    }

    /// On whose behalf.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Place(place) => place.account,
            Self::Cancel(cancel) => cancel.account,
            Self::CancelAll(cancel) => cancel.account,
            Self::Replace(replace) => replace.place.account,
            Self::Amend(amend) => amend.account,
        }
    }

    /// In which market.
    pub const fn market(&self) -> MarketId {
        match self {
            Self::Place(place) => place.market,
            Self::Cancel(cancel) => cancel.market,
            Self::CancelAll(cancel) => cancel.market,
            Self::Replace(replace) => replace.place.market,
            Self::Amend(amend) => amend.market,
        }
    }

    /// The deadline after which it is refused.
    pub const fn valid_until_ns(&self) -> TimeNs {
        match self {
            Self::Place(place) => place.valid_until_ns,
            Self::Cancel(cancel) => cancel.valid_until_ns,
            Self::CancelAll(cancel) => cancel.valid_until_ns,
            Self::Replace(replace) => replace.place.valid_until_ns,
            Self::Amend(amend) => amend.valid_until_ns,
        }
    }
}

/// What an entry of a source asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromSource {
    /// The source, by the number that this partition gave it.
    pub source: SourceId,
    /// The entry's place there.
    pub entry: EntryId,
    /// What it asks.
    pub order: OrderCommand,
}
