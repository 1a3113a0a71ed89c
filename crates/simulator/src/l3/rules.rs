//! What the rows of the recording ask of an exchange: [`steps`] turns them into placing, shrinking, replacing and cancelling,
//! and counts by reason what it leaves out.
//!
//! The rules look at the rows alone, never at a book and never at the recorded trades. They look ahead in three places, all
//! named where they stand. Whether our own matching has done already what a row reports is not known here: `replay` finds
//! out as it goes. Reasons and counts of each rule: `docs/replay.md`.

use std::collections::{BTreeMap, HashMap};

use model::{PriceTicks, QtyLots, Side};

use super::rows::{Row, RowKind};

/// The price that the venue writes on a market order to buy.
pub const MARKET_BUY_PRICE: PriceTicks = PriceTicks(999_999_999);
/// The price that the venue writes on a market order to sell.
pub const MARKET_SELL_PRICE: PriceTicks = PriceTicks::ZERO;

/// What is to be done because of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The row's number.
    pub row: u32,
    /// When the venue says it happened, in milliseconds since 1970; never falls from step to step.
    pub time_ms: u64,
    /// The venue's number for the order.
    pub order: u64,
    /// Which way the order goes.
    pub side: Side,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Place it.
    Place {
        /// On what terms.
        entry: Entry,
        /// Its quantity.
        qty: QtyLots,
    },
    /// See to it that no more than this is open; it keeps its place in the queue.
    Amend {
        /// What is open after the row.
        open: QtyLots,
    },
    /// Take it off and place it anew, at the end of the queue.
    Replace {
        /// Its price from now on.
        price: PriceTicks,
        /// What is open after the row.
        open: QtyLots,
    },
    /// See to it that nothing of it is open.
    Cancel,
}

/// On what terms an order comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A limit order, good till cancelled.
    Limit(PriceTicks),
    /// A limit order that is refused when it would trade at once.
    PostOnly(PriceTicks),
    /// A market order by quantity.
    Market,
}

/// Why a row leads to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// The recorder made this delete up at the end, for an order that was still standing.
    MadeUpDelete,
    /// The recorder took the order from a list that was older than the first live row; it had gone in between.
    StaleWhenRecorded,
    /// A delete of an order that no row created.
    DeleteWithoutCreate,
    /// A change of an order that no row created.
    ChangeWithoutCreate,
    /// The order has no price that an order can have.
    NoPrice,
    /// The order has no quantity.
    NoQuantity,
    /// The order was created before.
    CreatedTwice,
    /// The order itself was left out.
    OrderLeftOut,
    /// The row says what the one before it said.
    NothingNew,
}

impl LeftOut {
    /// The reason in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::MadeUpDelete => "delete made up at the end of the recording",
            Self::StaleWhenRecorded => "create of an order that had gone before the recording began",
            Self::DeleteWithoutCreate => "delete of an order without a create",
            Self::ChangeWithoutCreate => "change of an order without a create",
            Self::NoPrice => "create at price 0, which is no limit",
            Self::NoQuantity => "create with quantity 0",
            Self::CreatedTwice => "create of an order that was created before",
            Self::OrderLeftOut => "row of an order that was left out",
            Self::NothingNew => "change that changes nothing",
        }
    }
}

/// The recording as steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What is to be done, in the order of the rows.
    pub steps: Vec<Step>,
    /// Rows that lead to no step.
    pub left_out: BTreeMap<LeftOut, u32>,
    /// The orders behind [`LeftOut::StaleWhenRecorded`].
    pub stale: Vec<u64>,
    /// Which part of the rows the recorder made up.
    pub span: Span,
}

/// Where the made-up rows end and begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// So many rows at the front were made up: the orders standing when the recording began.
    pub made_up_creates: u32,
    /// So many rows at the end were made up: deletes of what was still standing.
    pub made_up_deletes: u32,
    /// So many rows were received one by one.
    pub live: u32,
}

impl Span {
    /// The made-up creates are the creates at the front, two at least, that were received all at once: the list of standing
    /// orders. The made-up deletes those at the end that have all the same time, and the same for venue and recorder, which a message
    /// over a network never has.
    pub fn of(rows: &[Row]) -> Self {
        let creates = rows.iter().take_while(|row| {
            row.kind == RowKind::Created
                && row.local_ms == rows[0].local_ms
                && row.exchange_ms == rows[0].exchange_ms
        });
        let at_once = count(creates);
        let made_up_creates = if at_once >= 2 { at_once } else { 0 };
        let end_ms = rows.last().map_or(0, |last| last.local_ms);
        let deletes = rows.iter().rev().take_while(|row| {
            row.kind == RowKind::Deleted && row.local_ms == end_ms && row.exchange_ms == end_ms
        });
        let made_up_deletes = count(deletes);
        let all = u32::try_from(rows.len()).expect("row numbers have 32 bits");
        Self { made_up_creates, made_up_deletes, live: all - made_up_creates - made_up_deletes }
    }

    /// The last row that was received by itself.
    pub const fn last_live_row(&self) -> u32 {
        self.made_up_creates + self.live
    }
}

fn count<'a>(rows: impl Iterator<Item = &'a Row>) -> u32 {
    u32::try_from(rows.count()).expect("row numbers have 32 bits")
}

/// Turns rows into steps. The rows are those of a whole file, numbered from 1.
pub fn steps(rows: &[Row]) -> Flow {
    let span = Span::of(rows);
    let (listed, live) = rows[..span.last_live_row() as usize].split_at(span.made_up_creates as usize);
    let lives = Lives::of(live);
    let stale = stale_orders(listed, live, &lives);
    let mut reader = Reader { rows, lives, stale, known: HashMap::with_capacity(rows.len() / 2) };

    let mut steps = Vec::with_capacity(rows.len());
    let mut left_out = BTreeMap::new();
    for row in listed.iter().chain(live) {
        match reader.read(row) {
            Ok(action) => steps.push(Step {
                row: row.number,
                time_ms: row.exchange_ms,
                order: row.order,
                side: row.side,
                action,
            }),
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    if span.made_up_deletes > 0 {
        left_out.insert(LeftOut::MadeUpDelete, span.made_up_deletes);
    }
    Flow { steps, left_out, stale: reader.stale, span }
}

/// What is known of an order on the way through the rows.
#[derive(Clone, Copy)]
enum Known {
    /// It was placed; so much was open after its last row, at this price unless it was a market order.
    Placed { price: Option<PriceTicks>, open: QtyLots },
    /// Its create was left out.
    LeftOut,
}

struct Reader<'a> {
    rows: &'a [Row],
    lives: Lives,
    stale: Vec<u64>,
    known: HashMap<u64, Known>,
}

impl Reader<'_> {
    fn read(&mut self, row: &Row) -> Result<Action, LeftOut> {
        match (row.kind, self.known.get_mut(&row.order)) {
            (RowKind::Created, Some(_)) => Err(LeftOut::CreatedTwice),
            (RowKind::Created, None) => {
                let placed = self.created(row);
                let price = match placed {
                    Ok(Action::Place { entry: Entry::Market, .. }) => None,
                    Ok(_) | Err(_) => Some(row.price),
                };
                let known = placed.map_or(Known::LeftOut, |_| Known::Placed { price, open: row.open });
                self.known.insert(row.order, known);
                placed
            }
            (RowKind::Changed, None) => Err(LeftOut::ChangeWithoutCreate),
            (RowKind::Changed, Some(Known::Placed { price, open })) => changed(row, price, open),
            (RowKind::Deleted, None) => Err(LeftOut::DeleteWithoutCreate),
            // Neither price nor quantity of a delete matter: the order is gone, whatever it was.
            (RowKind::Deleted, Some(Known::Placed { .. })) => Ok(Action::Cancel),
            (RowKind::Changed | RowKind::Deleted, Some(Known::LeftOut)) => Err(LeftOut::OrderLeftOut),
        }
    }

    fn created(&self, row: &Row) -> Result<Action, LeftOut> {
        let market_price = match row.side {
            Side::Buy => MARKET_BUY_PRICE,
            Side::Sell => MARKET_SELL_PRICE,
        };
        let (entry, qty) = if self.stale.contains(&row.order) {
            return Err(LeftOut::StaleWhenRecorded);
        } else if row.price == market_price {
            let told = !row.open.is_zero();
            (Entry::Market, if told { row.open } else { traded_against(row, self.rows) })
        } else if row.price <= PriceTicks::ZERO {
            return Err(LeftOut::NoPrice);
        } else if self.lives.refused(row) {
            (Entry::PostOnly(row.price), row.open)
        } else {
            (Entry::Limit(row.price), row.open)
        };
        if qty.is_zero() { Err(LeftOut::NoQuantity) } else { Ok(Action::Place { entry, qty }) }
    }
}

/// The quantity of a market order by amount, which its create does not tell: what the rows of the same millisecond took from
/// orders of the other side, up to the row in which it is gone. (It looks ahead, within that millisecond.)
fn traded_against(row: &Row, rows: &[Row]) -> QtyLots {
    let behind = &rows[row.number as usize..];
    let same_moment = behind
        .iter()
        .take_while(|other| other.exchange_ms == row.exchange_ms)
        .take_while(|other| !(other.order == row.order && other.kind == RowKind::Deleted));
    let mut taken = QtyLots::ZERO;
    for other in same_moment.filter(|other| other.side != row.side && other.kind != RowKind::Created) {
        let before =
            rows[..other.number as usize - 1].iter().rev().find(|before| before.order == other.order);
        if let Some(before) = before
            && before.open > other.open
        {
            taken += before.open - other.open;
        }
    }
    taken
}

fn changed(row: &Row, price: &mut Option<PriceTicks>, open: &mut QtyLots) -> Result<Action, LeftOut> {
    let before = std::mem::replace(open, row.open);
    match price {
        // A market order never rests: whatever is said of it later reports its trades.
        None => Ok(Action::Amend { open: row.open }),
        // Less is open, by a trade or by its owner. The price is the trade's where the order was the arriving one.
        Some(_) if row.open < before => Ok(Action::Amend { open: row.open }),
        Some(price) if row.open == before && row.price == *price => Err(LeftOut::NothingNew),
        Some(_) if row.price <= PriceTicks::ZERO => Err(LeftOut::NoPrice),
        Some(price) => {
            *price = row.price;
            Ok(Action::Replace { price: row.price, open: row.open })
        }
    }
}

/// What the live rows say of each order's beginning and end.
struct Lives {
    by_order: HashMap<u64, Life>,
}

struct Life {
    /// The venue's time of its first live row, and whether that is its create.
    first_ms: u64,
    created: bool,
    /// The second live row, when there is one.
    second: Option<Row>,
    /// The last live row of the first row's millisecond says that it is gone.
    gone_at_once: bool,
}

impl Lives {
    fn of(live_rows: &[Row]) -> Self {
        let mut by_order: HashMap<u64, Life> = HashMap::with_capacity(live_rows.len() / 2);
        for row in live_rows {
            match by_order.get_mut(&row.order) {
                None => {
                    by_order.insert(
                        row.order,
                        Life {
                            first_ms: row.exchange_ms,
                            created: row.kind == RowKind::Created,
                            second: None,
                            gone_at_once: row.kind == RowKind::Deleted,
                        },
                    );
                }
                Some(life) => {
                    life.second.get_or_insert(*row);
                    life.gone_at_once |= row.exchange_ms == life.first_ms && row.kind == RowKind::Deleted;
                }
            }
        }
        Self { by_order }
    }

    /// True of a create whose order is deleted in the same millisecond with nothing of it traded: the venue did not let it
    /// in. Two thirds of all live orders end so; they are of the kind that may only rest. (It looks ahead, within that
    /// millisecond.)
    fn refused(&self, create: &Row) -> bool {
        self.by_order.get(&create.order).is_some_and(|life| {
            life.created
                && life.second.is_some_and(|second| {
                    second.kind == RowKind::Deleted
                        && second.exchange_ms == create.exchange_ms
                        && second.open == create.open
                })
        })
    }
}

/// Orders that the list of standing orders had, but that had gone before the first live row: no live row speaks of them, and
/// live orders of the other side came to rest at their price or beyond it. (It looks ahead, over the whole recording: what
/// was found gone at any time was gone from the start, since a live order does not go without a row.)
fn stale_orders(listed: &[Row], live: &[Row], lives: &Lives) -> Vec<u64> {
    let rested = |side: Side| {
        live.iter()
            .filter(move |row| {
                row.kind == RowKind::Created
                    && row.side == side
                    && row.price > PriceTicks::ZERO
                    && row.price < MARKET_BUY_PRICE
                    && !lives.by_order[&row.order].gone_at_once
            })
            .map(|row| row.price)
    };
    let highest_bid = rested(Side::Buy).max();
    let lowest_ask = rested(Side::Sell).min();
    listed
        .iter()
        .filter(|row| !lives.by_order.contains_key(&row.order))
        .filter(|row| match row.side {
            Side::Buy => lowest_ask.is_some_and(|ask| row.price >= ask),
            Side::Sell => highest_bid.is_some_and(|bid| row.price <= bid),
        })
        .map(|row| row.order)
        .collect()
}
