//! What the sequencer counts while it works, for whoever watches it: one short lock a batch, and nothing that anything
//! depends on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use exchange::Progress;
use model::{Command, Event, EventBatch, Reject, Sequenced};

/// All counts, since the start of the program.
#[derive(Debug, Default)]
pub struct Stats {
    counts: Mutex<Counts>,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Commands that are durable and answered, by what they were and what came of them.
    pub commands: Vec<CommandCount>,
    /// Commands in a batch.
    pub batch_commands: Histogram<BatchSizes>,
    /// Nanoseconds that the append and the sync of a batch took.
    pub journal_ns: Histogram<SyncTimes>,
    /// Bytes of memory with events that are not in the event log yet.
    pub events_waiting_bytes: usize,
    /// By partition: envelopes to there that are not known to have been taken. Empty where there is no other partition; after
    /// [`Self::join`], those of one sender behind those of the other.
    pub outboxes: Vec<usize>,
    /// The snapshots since the start.
    pub snapshots: Snapshots,
}

impl Counts {
    /// Adds what another partition has counted. Of snapshots the times are those of whichever is worse off.
    pub fn join(&mut self, other: &Self) {
        for row in &other.commands {
            let same = |mine: &&mut CommandCount| (mine.command, mine.outcome) == (row.command, row.outcome);
            match self.commands.iter_mut().find(same) {
                Some(mine) => mine.count += row.count,
                None => self.commands.push(*row),
            }
        }
        self.batch_commands.join(&other.batch_commands);
        self.journal_ns.join(&other.journal_ns);
        self.events_waiting_bytes += other.events_waiting_bytes;
        // One for each sender and receiver now; whoever sums them up does not mind.
        self.outboxes.extend(&other.outboxes);
        let (mine, other) = (&mut self.snapshots, &other.snapshots);
        mine.written += other.written;
        mine.failed += other.failed;
        mine.under_way = earlier(mine.under_way, other.under_way);
        mine.last_written = earlier(mine.last_written, other.last_written);
        mine.last_took = mine.last_took.max(other.last_took);
        mine.last_stall = mine.last_stall.max(other.last_stall);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// What there is to say of snapshots. One that cannot be written stops the exchange; one that cannot be made is counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshots {
    /// How many are written.
    pub written: u64,
    /// How many could not be made.
    pub failed: u64,
    /// When the one that is under way was begun.
    pub under_way: Option<Instant>,
    /// When the last one was written.
    pub last_written: Option<Instant>,
    /// How long the last one took, from its begin until it was written.
    pub last_took: Duration,
    /// How long the partition stood still for the last one.
    pub last_stall: Duration,
}

/// Commands of one kind with one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandCount {
    /// The kind, as `place_order`.
    pub command: &'static str,
    /// `accepted`, or the rule that was broken, as `insufficient_balance`.
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

/// Where the buckets of a histogram end.
pub trait Bounds {
    /// The largest number of each bucket, rising; larger ones go into a bucket of their own.
    const BOUNDS: &'static [u64];
}

/// Commands.
#[derive(Clone, Copy, Debug)]
pub struct BatchSizes;

impl Bounds for BatchSizes {
    const BOUNDS: &'static [u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];
}

/// Nanoseconds, from 50 microseconds to a second.
#[derive(Clone, Copy, Debug)]
pub struct SyncTimes;

impl Bounds for SyncTimes {
    const BOUNDS: &'static [u64] = &[
        50_000,
        100_000,
        200_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        20_000_000,
        50_000_000,
        100_000_000,
        1_000_000_000,
    ];
}

/// How many numbers fell between which bounds.
#[derive(Clone, Debug)]
pub struct Histogram<B> {
    counts: Vec<u64>,
    sum: u64,
    bounds: std::marker::PhantomData<B>,
}

impl<B: Bounds> Default for Histogram<B> {
    fn default() -> Self {
        Self { counts: vec![0; B::BOUNDS.len() + 1], sum: 0, bounds: std::marker::PhantomData }
    }
}

impl<B: Bounds> Histogram<B> {
    fn record(&mut self, number: u64) {
        self.counts[B::BOUNDS.partition_point(|bound| *bound < number)] += 1;
        self.sum = self.sum.wrapping_add(number);
    }

    fn join(&mut self, other: &Self) {
        for (mine, other) in self.counts.iter_mut().zip(&other.counts) {
            *mine += other;
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Upper bound and count of each bucket; without a bound for the last.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = B::BOUNDS.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().copied())
    }

    /// All numbers together.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

impl Counts {
    fn count(&mut self, command: &'static str, outcome: &'static str) {
        // A handful of rows, and what is frequent comes first. Mostly the very same words, so their letters are not looked at.
        let is_same =
            |row: &CommandCount| std::ptr::eq(row.outcome, outcome) && std::ptr::eq(row.command, command);
        let is_equal = |row: &CommandCount| row.outcome == outcome && row.command == command;
        let place =
            self.commands.iter().position(is_same).or_else(|| self.commands.iter().position(is_equal));
        match place.map(|place| &mut self.commands[place]) {
            Some(row) => row.count += 1,
            None => self.commands.push(CommandCount { command, outcome, count: 1 }),
        }
    }
}

impl Stats {
    /// The counts as they are now.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// A batch is durable, `synced` after it was handed to the writer's file, while `waiting_bytes` of events are with the
    /// keeper. `progress` is that of each command, where there are other partitions.
    pub(crate) fn batch(
        &self,
        inputs: &[Sequenced<Command>],
        progress: &[Progress],
        batch: &EventBatch,
        synced: Duration,
        waiting_bytes: usize,
    ) {
        let mut counts = self.lock();
        counts.events_waiting_bytes = waiting_bytes;
        for (index, input) in inputs.iter().enumerate() {
            let command = input.command.name();
            if matches!(input.command, Command::Deliver(_)) {
                // What is refused in it is another command.
                counts.count(command, ACCEPTED);
            } else if !progress.get(index).is_some_and(|progress| progress.more_to_come) {
                counts.count(command, outcome_name(batch.events_of(index)));
            }
        }
        counts.batch_commands.record(u64::try_from(inputs.len()).unwrap_or(u64::MAX));
        counts.journal_ns.record(u64::try_from(synced.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A command has the last part of its answer from another partition.
    pub(crate) fn answered(&self, command: &'static str, outcome: &'static str) {
        self.lock().count(command, outcome);
    }

    /// So many envelopes to each partition are not known to have been taken.
    pub(crate) fn outboxes(&self, waiting: Vec<usize>) {
        self.lock().outboxes = waiting;
    }

    /// A snapshot was begun, for which the partition stood still for `stall`.
    pub(crate) fn snapshot_begun(&self, stall: Duration) {
        let snapshots = &mut self.lock().snapshots;
        (snapshots.under_way, snapshots.last_stall) = (Some(Instant::now()), stall);
    }

    /// The snapshot that was begun is written.
    pub(crate) fn snapshot_written(&self) {
        let snapshots = &mut self.lock().snapshots;
        snapshots.written += 1;
        snapshots.last_took = snapshots.under_way.take().map_or(Duration::ZERO, |begun| begun.elapsed());
        snapshots.last_written = Some(Instant::now());
    }

    /// The snapshot that was begun could not be made.
    pub(crate) fn snapshot_failed(&self) {
        let snapshots = &mut self.lock().snapshots;
        snapshots.failed += 1;
        snapshots.under_way = None;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ACCEPTED: &str = "accepted";

/// What came of a command.
pub(crate) fn outcome_name<'e>(events: impl IntoIterator<Item = &'e Event>) -> &'static str {
    let refused = events.into_iter().find_map(|event| {
        if let Event::Rejected { reject, .. } = event { Some(reject_name(reject)) } else { None }
    });
    refused.unwrap_or(ACCEPTED)
}

const fn reject_name(reject: &Reject) -> &'static str {
    match reject {
        Reject::UnknownAccount { .. } => "unknown_account",
        Reject::UnknownAsset { .. } => "unknown_asset",
        Reject::UnknownMarket { .. } => "unknown_market",
        Reject::UnknownOrder => "unknown_order",
        Reject::UnknownWithdrawal { .. } => "unknown_withdrawal",
        Reject::UnknownApiKey => "unknown_api_key",
        Reject::NameTaken => "name_taken",
        Reject::NameMissing => "name_missing",
        Reject::ScaleTooLarge { .. } => "scale_too_large",
        Reject::BadTerms { .. } => "bad_terms",
        Reject::TermsAreFixed => "terms_are_fixed",
        Reject::BadSealedSecret { .. } => "bad_sealed_secret",
        Reject::DuplicateReference => "duplicate_reference",
        Reject::ReferenceMissing => "reference_missing",
        Reject::AmountNotPositive { .. } => "amount_not_positive",
        Reject::DepositLimit { .. } => "deposit_limit",
        Reject::TooLate { .. } => "too_late",
        Reject::MarketClosed => "market_closed",
        Reject::PriceOutOfRange { .. } => "price_out_of_range",
        Reject::QtyOutOfRange { .. } => "qty_out_of_range",
        Reject::NotionalOutOfRange { .. } => "notional_out_of_range",
        Reject::InsufficientBalance { .. } => "insufficient_balance",
        Reject::DuplicateClientOrderId => "duplicate_client_order_id",
        Reject::TooManyOpenOrders { .. } => "too_many_open_orders",
        Reject::BookFull { .. } => "book_full",
        Reject::WouldTake { .. } => "would_take",
        Reject::NoLiquidity => "no_liquidity",
        Reject::CancelRestricted => "cancel_restricted",
        Reject::AmendChangesNothing => "amend_changes_nothing",
        Reject::AmendIncreases { .. } => "amend_increases",
        Reject::TooManyAmends { .. } => "too_many_amends",
        Reject::ReplaceNotAttempted => "replace_not_attempted",
        Reject::OrderGone { .. } => "order_gone",
        Reject::TooManyIpRanges { .. } => "too_many_ip_ranges",
        Reject::BadIpRange { .. } => "bad_ip_range",
        Reject::UnknownPartition { .. } => "unknown_partition",
        Reject::TooManyPartitions { .. } => "too_many_partitions",
        Reject::MarketIsThere { .. } => "market_is_there",
        Reject::MarketMoves { .. } => "market_moves",
        Reject::NotTheFirst { .. } => "not_the_first",
        Reject::HasJoined { .. } => "has_joined",
        Reject::UnknownSource { .. } => "unknown_source",
        Reject::TooManySources { .. } => "too_many_sources",
        Reject::TriggerMissing => "trigger_missing",
        Reject::WouldTrigger { .. } => "would_trigger",
        Reject::TrailingDeltaOutOfRange { .. } => "trailing_delta_out_of_range",
        Reject::TooManyAlgoOrders { .. } => "too_many_algo_orders",
        Reject::BadContract { .. } => "bad_contract",
        Reject::IsContract { .. } => "is_contract",
        Reject::NotContract { .. } => "not_contract",
        Reject::NotAtContracts => "not_at_contracts",
        Reject::InsufficientMargin { .. } => "insufficient_margin",
        Reject::PositionTooLarge { .. } => "position_too_large",
        Reject::TooManyLots { .. } => "too_many_lots",
        Reject::NothingToReduce => "nothing_to_reduce",
        Reject::LeverageOutOfRange { .. } => "leverage_out_of_range",
        Reject::InLiquidation => "in_liquidation",
        Reject::UnknownIndexSource { .. } => "unknown_index_source",
        Reject::WalletShort { .. } => "wallet_short",
        Reject::ContractStays => "contract_stays",
        Reject::LivesElsewhere { .. } => "lives_elsewhere",
        Reject::LosesTooMuch { .. } => "loses_too_much",
        Reject::MarginTypeUnchanged => "margin_type_unchanged",
        Reject::MarginTypeHasOrders => "margin_type_has_orders",
        Reject::MarginTypeHasPosition => "margin_type_has_position",
        Reject::NotIsolated => "not_isolated",
        Reject::PositionMarginShort { .. } => "position_margin_short",
        Reject::LeverageCannotFall { .. } => "leverage_cannot_fall",
        Reject::IsFund => "is_fund",
        Reject::PositionModeUnchanged => "position_mode_unchanged",
        Reject::PositionModeHasOrders => "position_mode_has_orders",
        Reject::PositionModeHasPosition => "position_mode_has_position",
        Reject::PositionSideMismatch { .. } => "position_side_mismatch",
        Reject::ReduceOnlyInHedge => "reduce_only_in_hedge",
        Reject::AlgoCombination => "algo_combination",
        Reject::ClosesAlready { .. } => "closes_already",
        Reject::BeingModified => "being_modified",
        Reject::DatePassed { .. } => "date_passed",
    }
}

#[cfg(test)]
mod tests {
    use model::{AccountId, Seq, TimeNs};

    use super::*;

    #[test]
    fn a_histogram_counts_between_its_bounds() {
        let mut histogram = Histogram::<BatchSizes>::default();
        for number in [0, 1, 2, 3, 4_096, 4_097] {
            histogram.record(number);
        }
        let filled: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(Some(1), 2), (Some(2), 1), (Some(4), 1), (Some(4_096), 1), (None, 1)]);
        assert_eq!(histogram.sum(), 8_199);
    }

    #[test]
    fn commands_are_counted_by_what_came_of_them() {
        let stats = Stats::default();
        let refused = Event::Rejected { account: AccountId(1), reject: Reject::UnknownOrder };
        let inputs: Vec<_> = (1..=3)
            .map(|seq| Sequenced { seq: Seq(seq), time_ns: TimeNs(1), command: Command::Tick })
            .collect();
        let mut batch = EventBatch { first_seq: Seq(1), ..EventBatch::default() };
        batch.ends.push(0);
        batch.events.push(refused);
        batch.ends.extend([1, 1]);
        stats.snapshot_begun(Duration::from_millis(5));
        stats.batch(&inputs, &[], &batch, Duration::from_micros(60), 8);
        assert!(stats.counts().snapshots.under_way.is_some());
        stats.snapshot_failed();
        assert!(stats.counts().snapshots.under_way.is_none());
        assert_eq!((stats.counts().snapshots.failed, stats.counts().snapshots.written), (1, 0));
        stats.snapshot_begun(Duration::from_millis(5));
        stats.snapshot_written();
        stats.batch(&[], &[], &batch, Duration::ZERO, 7);
        let snapshots = stats.counts().snapshots;
        assert_eq!((snapshots.written, snapshots.last_stall), (1, Duration::from_millis(5)));
        assert!(snapshots.under_way.is_none() && snapshots.last_written.is_some());
        let counts = stats.counts();
        let row = |outcome, count| CommandCount { command: "tick", outcome, count };
        assert_eq!(counts.commands, [row("accepted", 2), row("unknown_order", 1)]);
        assert_eq!((counts.journal_ns.sum(), counts.events_waiting_bytes), (60_000, 7));
    }
}
