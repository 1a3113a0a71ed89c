//! Sources: queues outside that hand in commands and may hand in the same one twice. A partition keeps a mark for each: what
//! has a place at or below it is not applied again, whatever came of it the first time.
//!
//! A source is registered with each partition by itself, which gives it a number; its entries reach a partition in the order
//! of their places, with gaps where entries in between went to other partitions.

use crate::{
    AccountId, AmendOrder, CancelAlgoOrder, CancelAllAlgoOrders, CancelAllOrders, CancelOrder, EntryId,
    MarketId, ModifyContractOrder, PartitionId, PlaceAlgoOrder, PlaceContractOrder, PlaceGoodTillDate,
    PlaceOrder, ReplaceOrder, SourceId, SourceKey, SourceName, TimeNs,
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
    /// Places an order at a contract.
    PlaceContract(PlaceContractOrder),
    /// Places an order at a contract that is good till a date.
    PlaceGoodTillDate(PlaceGoodTillDate),
    /// Gives an order at a contract another price or another quantity.
    Modify(ModifyContractOrder),
    /// Places an order that waits for a price of a contract.
    PlaceAlgo(PlaceAlgoOrder),
    /// Cancels one of those.
    CancelAlgo(CancelAlgoAt),
    /// Cancels all of those of an account at one contract.
    CancelAllAlgos(CancelAllAlgoOrders),
}

/// Cancels an algo order of a contract that is named, so that the answer can be told there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelAlgoAt {
    /// At which contract; an algo order at another one is not meant.
    pub market: MarketId,
    /// What it asks.
    pub cancel: CancelAlgoOrder,
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
    /// Makes an order smaller without moving it; at a contract, gives it another price or another quantity.
    Amend = 4,
    /// Places an order that waits for a price of a contract.
    PlaceAlgo = 5,
    /// Cancels one of those.
    CancelAlgo = 6,
    /// Cancels all of those of an account at one contract.
    CancelAllAlgos = 7,
}

impl OrderCommand {
    /// Which one it is.
    pub const fn action(&self) -> OrderAction {
        match self {
            Self::Place(_) | Self::PlaceContract(_) | Self::PlaceGoodTillDate(_) => OrderAction::Place,
            Self::Cancel(_) => OrderAction::Cancel,
            Self::CancelAll(_) => OrderAction::CancelAll,
            Self::Replace(_) => OrderAction::Replace,
            Self::Amend(_) | Self::Modify(_) => OrderAction::Amend,
            Self::PlaceAlgo(_) => OrderAction::PlaceAlgo,
            Self::CancelAlgo(_) => OrderAction::CancelAlgo,
            Self::CancelAllAlgos(_) => OrderAction::CancelAllAlgos,
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
            Self::PlaceContract(_) => "place_contract_order",
            Self::PlaceGoodTillDate(_) => "place_good_till_date",
            Self::Modify(_) => "modify_contract_order",
            Self::PlaceAlgo(_) => "place_algo_order",
            Self::CancelAlgo(_) => "cancel_algo_order",
            Self::CancelAllAlgos(_) => "cancel_all_algo_orders",
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
            Self::PlaceContract(place) => place.account,
            Self::PlaceGoodTillDate(place) => place.account,
            Self::Modify(modify) => modify.account,
            Self::PlaceAlgo(place) => place.account,
            Self::CancelAlgo(at) => at.cancel.account,
            Self::CancelAllAlgos(cancel) => cancel.account,
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
            Self::PlaceContract(place) => place.market,
            Self::PlaceGoodTillDate(place) => place.market,
            Self::Modify(modify) => modify.market,
            Self::PlaceAlgo(place) => place.market,
            Self::CancelAlgo(at) => at.market,
            Self::CancelAllAlgos(cancel) => cancel.market,
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
            Self::PlaceContract(place) => place.valid_until_ns,
            Self::PlaceGoodTillDate(place) => place.valid_until_ns,
            Self::Modify(modify) => modify.valid_until_ns,
            Self::PlaceAlgo(place) => place.valid_until_ns,
            Self::CancelAlgo(at) => at.cancel.valid_until_ns,
            Self::CancelAllAlgos(cancel) => cancel.valid_until_ns,
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
