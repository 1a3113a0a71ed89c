//! What a book answers in these yardsticks, and what is made of the answers.

/// One answer; 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// A new order has arrived.
    Ack {
        /// Its number.
        order: u64,
    },
    /// An arriving order has traded with a resting one.
    Trade {
        /// The resting order.
        maker: u64,
        /// The arriving order.
        taker: u64,
        /// The resting order's, in ticks.
        price: i64,
        /// In lots.
        qty: u32,
    },
    /// An order is off the book.
    CancelAck {
        /// Its number.
        order: u64,
    },
    /// An order is off the book, and comes again as it is wanted now.
    ModifyAck {
        /// Its number.
        order: u64,
    },
    /// There is no such order to cancel.
    CancelReject {
        /// The number asked for.
        order: u64,
    },
    /// There is no such order to modify.
    ModifyReject {
        /// The number asked for.
        order: u64,
    },
}

const ACK: u64 = 0;
const TRADE: u64 = 1;
const CANCEL_ACK: u64 = 2;
const MODIFY_ACK: u64 = 3;
const CANCEL_REJECT: u64 = 4;
const MODIFY_REJECT: u64 = 5;

impl Report {
    /// As it lies in memory that two threads share: kind and quantity, the order (of a trade, the taker), maker, price.
    #[inline]
    pub fn to_words(self) -> [u64; 4] {
        match self {
            Self::Ack { order } => [ACK, order, 0, 0],
            Self::Trade { maker, taker, price, qty } => {
                [TRADE | u64::from(qty) << 32, taker, maker, price.cast_unsigned()]
            }
            Self::CancelAck { order } => [CANCEL_ACK, order, 0, 0],
            Self::ModifyAck { order } => [MODIFY_ACK, order, 0, 0],
            Self::CancelReject { order } => [CANCEL_REJECT, order, 0, 0],
            Self::ModifyReject { order } => [MODIFY_REJECT, order, 0, 0],
        }
    }

    /// Back from [`Self::to_words`]. Panics on anything else.
    #[inline]
    pub fn from_words([head, order, maker, price]: [u64; 4]) -> Self {
        match head & u64::from(u32::MAX) {
            ACK => Self::Ack { order },
            TRADE => {
                let qty = u32::try_from(head >> 32).expect("half a word");
                Self::Trade { maker, taker: order, price: price.cast_signed(), qty }
            }
            CANCEL_ACK => Self::CancelAck { order },
            MODIFY_ACK => Self::ModifyAck { order },
            CANCEL_REJECT => Self::CancelReject { order },
            MODIFY_REJECT => Self::ModifyReject { order },
            kind => unreachable!("no report has the kind {kind}"),
        }
    }
}

/// Who is told.
pub trait Reports {
    /// An answer.
    fn tell(&mut self, report: Report);
    /// The batch is over: all that was told goes out.
    fn batch_done(&mut self) {}
}

/// Everything that was told, counted. Two books that did the same have equal tallies, for practical purposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// New orders.
    pub acks: u64,
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub volume: u64,
    /// Wrapping sum over trades of `maker x lots + (price << 20)`, as the traces define it.
    pub check: u64,
    /// Cancels.
    pub cancels: u64,
    /// Modifies.
    pub modifies: u64,
    /// Refused cancels.
    pub cancel_rejects: u64,
    /// Refused modifies.
    pub modify_rejects: u64,
    /// Wrapping sum of all numbers of orders told of, takers included.
    pub orders: u64,
}

impl Tally {
    /// How many reports.
    pub fn reports(&self) -> u64 {
        self.acks + self.trades + self.cancels + self.modifies + self.cancel_rejects + self.modify_rejects
    }
}

impl Reports for Tally {
    #[inline]
    fn tell(&mut self, report: Report) {
        let order = match report {
            Report::Ack { order } => {
                self.acks += 1;
                order
            }
            Report::Trade { maker, taker, price, qty } => {
                self.trades += 1;
                self.volume += u64::from(qty);
                let check = maker.wrapping_mul(u64::from(qty)).wrapping_add(price.cast_unsigned() << 20);
                self.check = self.check.wrapping_add(check);
                taker
            }
            Report::CancelAck { order } => {
                self.cancels += 1;
                order
            }
            Report::ModifyAck { order } => {
                self.modifies += 1;
                order
            }
            Report::CancelReject { order } => {
                self.cancel_rejects += 1;
                order
            }
            Report::ModifyReject { order } => {
                self.modify_rejects += 1;
                order
            }
        };
        self.orders = self.orders.wrapping_add(order);
    }
}

/// Keeps everything that was told.
impl Reports for Vec<Report> {
    fn tell(&mut self, report: Report) {
        self.push(report);
    }
}
