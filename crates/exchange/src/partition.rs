//! The partition and its one door.

use std::sync::Arc;

use codec::StateHasher;
use ledger::{AssetTotals, Balance};
use margin::Position;
use model::{
    AccountId, AlgoOrder, Amount, ApiKeyId, AssetId, Command, Envelope, Event, Letter, MarketId, Message,
    OrderId, Origin, PartitionId, Partitions, PlaceMessage, PositionMode, PositionSide, PriceTicks, QtyLots,
    Reject, Seq, Sequenced, Side, TimeNs, ToHolder, ToMarket,
};
use orderbook::{OrderSlot, Orders};

use crate::accounts::{Accounts, ApiKey};
use crate::catalog::Catalog;
use crate::market::Markets;
use crate::messages::{Mail, Posted, Trade};
use crate::open_orders::Hint;
use crate::post::{Post, Progress};
use crate::sources::Sources;

/// Accounts and markets, and the mail between them.
#[derive(Default)]
pub struct Partition {
    pub(crate) seq: Seq,
    pub(crate) time_ns: TimeNs,
    pub(crate) catalog: Catalog,
    pub(crate) accounts: Accounts,
    pub(crate) markets: Markets,
    pub(crate) mail: Mail,
    pub(crate) post: Post,
    pub(crate) sources: Sources,
    /// Funding is being settled at some contract that lives here.
    pub(crate) settles: bool,
}

impl Partition {
    /// The only door. Same state and same input give the same events, on every machine, for ever;
    /// that is what makes the journal a backup and the simulator a proof.
    pub fn apply(&mut self, input: &Sequenced<Command>, events: &mut Vec<Event>) {
        self.apply_hinted(input, Hint::NONE, events);
    }

    /// As [`Self::apply`], for a command that was looked at ahead.
    #[inline]
    pub(crate) fn apply_hinted(&mut self, input: &Sequenced<Command>, hint: Hint, events: &mut Vec<Event>) {
        self.accept(input, hint, events);
        if self.post.is_alone() {
            self.deliver_mail(hint.makers, events);
            self.work(events);
        } else {
            self.route_mail(hint.makers, events);
            self.work(events);
            self.follow_entries(&input.command, events);
            self.post.seal(self.time_ns);
        }
        self.accounts.ledger.assert_settled();
    }

    /// Delivers all that is on its way, where there is no other partition. So many makers of what has traded were looked at ahead.
    #[inline]
    fn deliver_mail(&mut self, mut makers: usize, events: &mut Vec<Event>) {
        while let Some(round) = self.mail.round() {
            for letters in round.0.chunks(Self::LETTERS) {
                makers = self.look_at_letters(letters, makers);
                for posted in letters {
                    match posted {
                        Posted::Letter { letter, slot } => self.deliver(letter, *slot, events),
                        Posted::Trade(trade) => self.deliver_trade(trade, events),
                    }
                }
            }
            self.mail.delivered(round);
        }
    }

    /// Does a bounded part of what nobody waits for: settlements of funding, margins that mark prices concern,
    /// liquidations, algo orders whose price has come, orders
    /// whose date has come, countdowns.
    #[inline]
    fn work(&mut self, events: &mut Vec<Event>) {
        if self.has_work() {
            self.work_on(events);
        }
        self.accounts.futures.sum_up_changed(&self.catalog);
    }

    #[cold]
    fn work_on(&mut self, events: &mut Vec<Event>) {
        let mut budget = Self::WORK;
        loop {
            if self.settles {
                budget = self.go_on_with_settlements(budget, events);
                self.settles = self.has_settlements();
            }
            let Self { catalog, accounts, mail, post, .. } = self;
            accounts.futures.look_at_touched(catalog, &accounts.ledger);
            budget = accounts.futures.look_at_changed(catalog, &accounts.ledger, budget);
            accounts.cover_debts(catalog, mail, events);
            // A step of a liquidation is worth many looks.
            let steps = budget / Self::LOOKS_A_STEP;
            let left = accounts.go_on_liquidating(catalog, mail, events, steps);
            budget = budget.saturating_sub(steps.saturating_sub(left).saturating_mul(Self::LOOKS_A_STEP));
            budget = accounts.go_on_ranking(catalog, post.own, mail, budget);
            let steps = budget / Self::LOOKS_A_STEP;
            let left = accounts.expire_orders(self.time_ns, mail, steps);
            budget = budget.saturating_sub(steps.saturating_sub(left).saturating_mul(Self::LOOKS_A_STEP));
            let steps = budget / Self::LOOKS_A_STEP;
            let left = accounts.fire_countdowns(catalog, self.time_ns, mail, events, steps);
            budget = budget.saturating_sub(steps.saturating_sub(left).saturating_mul(Self::LOOKS_A_STEP));
            // Behind that, so that whoever is liquidated at this price is not triggered by it as well.
            let steps = budget / Self::LOOKS_A_STEP;
            let left = accounts.go_on_triggering(catalog, mail, events, steps);
            budget = budget.saturating_sub(steps.saturating_sub(left).saturating_mul(Self::LOOKS_A_STEP));
            if self.mail.is_empty() && self.accounts.futures.touched.is_empty() {
                break;
            }
            if self.post.is_alone() {
                self.deliver_mail(0, events);
            } else {
                self.route_mail(0, events);
            }
        }
    }

    /// How many letters are looked at together.
    pub(crate) const LETTERS: usize = 32;
    /// How many positions a command looks at beside what it is asked for.
    const WORK: u32 = 1_024;
    /// How many looks a step of a liquidation is worth, or an algo order that is triggered.
    const LOOKS_A_STEP: u32 = 16;

    /// Whether bounded work is left over: then a [`Command::Continue`] should come when nothing else does.
    #[inline]
    pub fn has_work(&self) -> bool {
        let futures = &self.accounts.futures;
        self.settles
            || futures.has_work()
            || futures.countdowns.are_due(self.time_ns)
            || futures.good_till.are_due(self.time_ns)
    }

    /// Takes a command up to the point where messages leave.
    pub(crate) fn accept(&mut self, input: &Sequenced<Command>, hint: Hint, events: &mut Vec<Event>) {
        assert_eq!(input.seq, self.seq.next(), "a gap or a repeat in the journal");
        assert!(input.time_ns >= self.time_ns, "the sequencer's clock never runs backwards");
        self.seq = input.seq;
        self.time_ns = input.time_ns;
        self.post.origin = Origin { partition: self.post.own, seq: self.seq };
        self.post.asks_more = false;
        self.post.progress = Progress::default();

        let valid_until_ns = input.command.valid_until_ns();
        let outcome = if valid_until_ns < self.time_ns {
            Err(Reject::TooLate { valid_until_ns })
        } else {
            self.handle(&input.command, hint, events)
        };
        if let Err(reject) = outcome {
            events.push(Event::Rejected { account: owner(&input.command), reject });
        }
    }

    fn handle(&mut self, command: &Command, hint: Hint, events: &mut Vec<Event>) -> Result<(), Reject> {
        let Self { catalog, accounts, mail, post, .. } = self;
        match command {
            Command::AddAsset(add) => self.list_asset(add, events),
            Command::AddMarket(add) => self.list_market(add, PartitionId::FIRST, events),
            Command::AddMarketTo(add) => {
                let terms = model::AddMarket { terms: add.terms };
                self.list_market(&terms, add.partition, events)
            }
            Command::ChangeMarket(change) => self.change_market(change, events),
            Command::MoveMarket(to) => self.move_market(to, events),
            Command::AddPartition => self.add_partition(events),
            Command::JoinExchange(join) => self.join(join),
            Command::Deliver(envelope) => {
                self.take(envelope, events);
                Ok(())
            }
            Command::Confirm(confirm) => {
                post.confirm(confirm.by, confirm.taken);
                Ok(())
            }
            Command::SkipEnvelope(skip) => {
                let outbox = post.outbox(skip.from);
                outbox.taken = outbox.taken.max(skip.number);
                events.push(Event::Skipped { reason: skip.reason.clone() });
                Ok(())
            }
            Command::CreateAccount(create) => self.create_account(create, events),
            Command::CreateApiKey(create) => accounts.create_api_key(create, events),
            Command::RevokeApiKey(revoke) => accounts.revoke_api_key(revoke, events),
            Command::Deposit(deposit) => accounts.deposit(catalog, deposit, post, events),
            Command::RequestWithdrawal(request) => {
                accounts.request_withdrawal(catalog, request, post, events)
            }
            Command::SettleWithdrawal(settle) => accounts.settle_withdrawal(settle, events),
            Command::PlaceOrder(place) => accounts.place(catalog, place, hint, mail),
            Command::CancelOrder(cancel) => accounts.cancel(catalog, cancel, hint, mail),
            Command::CancelAllOrders(cancel) => accounts.cancel_all(catalog, cancel, mail),
            Command::ReplaceOrder(replace) => accounts.replace(catalog, replace, mail, events),
            Command::AmendOrder(amend) => accounts.amend(catalog, amend, hint, mail),
            Command::AddApiKey(add) => accounts.add_api_key(add, events),
            Command::ChangeApiKey(change) => accounts.change_api_key(change, events),
            Command::ResealApiKey(reseal) => accounts.reseal_api_key(reseal, events),
            Command::RegisterSource(register) => self.register_source(register, events),
            Command::FromSource(from) => self.take_entry(from, hint, events),
            Command::AddContract(add) => self.list_contract(add, events),
            Command::ChangeContract(change) => self.change_contract(change, events),
            Command::MoveFunds(moves) => accounts.move_funds(catalog, moves, events),
            Command::PlaceContractOrder(place) => accounts.place_contract(catalog, place, mail),
            Command::ChangeLeverage(change) => accounts.change_leverage(catalog, change, events),
            Command::ChangeMarginType(change) => accounts.change_margin_type(catalog, change, events),
            Command::MovePositionMargin(moves) => accounts.move_position_margin(catalog, moves, events),
            Command::ChangePositionMode(change) => accounts.change_position_mode(catalog, change, events),
            Command::SetIndexPrice(set) => self.set_index_price(set, events),
            Command::PlaceAlgoOrder(place) => accounts.place_algo(catalog, place, events),
            Command::CancelAlgoOrder(cancel) => accounts.cancel_algo(cancel, None, events),
            Command::CancelAllAlgoOrders(cancel) => accounts.cancel_all_algos(catalog, cancel, events),
            Command::ModifyContractOrder(modify) => accounts.modify_contract(catalog, modify, mail),
            Command::PlaceGoodTillDate(place) => {
                accounts.place_good_till_date(catalog, place, self.time_ns, mail)
            }
            Command::SetCountdown(set) => accounts.set_countdown(catalog, set, self.time_ns, events),
            Command::Continue => Ok(()),
            Command::Tick => {
                self.take_prices(events);
                Ok(())
            }
            Command::Skip(skip) => {
                events.push(Event::Skipped { reason: skip.reason.clone() });
                Ok(())
            }
        }
    }

    /// Takes what another partition has to say, if it is the next from there.
    fn take(&mut self, envelope: &Envelope, events: &mut Vec<Event>) {
        assert!(envelope.time_ns <= self.time_ns, "nothing is heard before it was said");
        self.post.confirm(envelope.from, envelope.taken);
        if !self.post.takes(envelope) {
            return;
        }
        self.post.origin = envelope.origin;
        if envelope.origin.partition == self.post.own {
            self.post.progress = Progress { answers: Some(envelope.origin.seq), more_to_come: envelope.more };
        } else {
            self.post.asks_more = envelope.more;
        }
        if envelope.messages.iter().any(|message| {
            matches!(message, Message::Letter(Letter::ToAccount { .. } | Letter::ToHolder { .. }))
        }) {
            let Envelope { from, time_ns, origin, .. } = *envelope;
            events.push(Event::Heard { from, time_ns, origin });
        }
        for message in &envelope.messages {
            self.hear(message, events);
        }
    }

    /// A message from another partition.
    pub(crate) fn hear(&mut self, message: &Message, events: &mut Vec<Event>) {
        match message {
            Message::Letter(letter) => self.hear_letter(letter, events),
            Message::Notice(notice) => self.notice(notice, events),
        }
    }

    pub(crate) fn hear_letter(&mut self, letter: &Letter, events: &mut Vec<Event>) {
        match letter {
            Letter::ToMarket { market, .. }
            | Letter::ReferencePrice { market, .. }
            | Letter::MarkPrice { market, .. }
            | Letter::WinnerAsked { market, .. }
            | Letter::ToHolder { market, .. }
                if self.catalog.market(*market).is_err() =>
            {
                self.post.early.push((self.post.origin, Message::Letter(*letter)));
            }
            Letter::ToMarket { .. } | Letter::ToAccount { .. } | Letter::ToHolder { .. } => {
                self.clear(letter, Heard::FromThere);
                self.mail.push(*letter);
            }
            Letter::ReferencePrice { .. } | Letter::MarkPrice { .. } | Letter::WinnerAsked { .. } => {
                self.deliver(letter, OrderSlot::UNKNOWN, events);
            }
        }
    }

    /// Delivers or passes on all that is on its way, as [`Self::deliver_mail`].
    pub(crate) fn route_mail(&mut self, mut makers: usize, events: &mut Vec<Event>) {
        while let Some(round) = self.mail.round() {
            for letters in round.0.chunks(Self::LETTERS) {
                makers = self.look_at_letters(letters, makers);
                for posted in letters {
                    match posted {
                        Posted::Letter { letter, slot } => self.route(letter, *slot, events),
                        Posted::Trade(trade) => self.route_trade(trade, events),
                    }
                }
            }
            self.mail.delivered(round);
        }
    }

    /// Tells both accounts of a trade, which live here.
    #[inline]
    fn deliver_trade(&mut self, trade: &Trade, events: &mut Vec<Event>) {
        if self.catalog.contract(trade.market).is_none() {
            return self.accounts.settle_trade(&self.catalog, trade, events);
        }
        for (letter, slot) in trade.letters() {
            self.deliver(&letter, slot, events);
        }
    }

    /// As [`Self::deliver_trade`], wherever they live.
    fn route_trade(&mut self, trade: &Trade, events: &mut Vec<Event>) {
        let own = self.post.own;
        if [trade.maker, trade.taker].iter().all(|party| party.order.partition() == own) {
            return self.deliver_trade(trade, events);
        }
        for (letter, slot) in trade.letters() {
            self.route(&letter, slot, events);
        }
    }

    /// Delivers a letter here or says it to the partition where it goes.
    fn route(&mut self, letter: &Letter, slot: OrderSlot, events: &mut Vec<Event>) {
        let to = match letter {
            Letter::ToMarket { market, .. } => {
                self.catalog.home(*market).expect("a message goes to a listed market")
            }
            Letter::ToAccount { order, .. } => order.partition(),
            Letter::ToHolder { account, .. } => self.post.partitions.home(*account),
            Letter::ReferencePrice { .. } | Letter::MarkPrice { .. } | Letter::WinnerAsked { .. } => {
                for to in self.post.others() {
                    self.post.say(to, Message::Letter(*letter));
                }
                self.post.own
            }
        };
        if to == self.post.own {
            return self.deliver(letter, slot, events);
        }
        match letter {
            Letter::ToHolder { .. } | Letter::ToAccount { .. } => {
                self.post_funding(letter);
                self.clear(letter, Heard::FromHere);
                self.post.say(to, Message::Letter(*letter));
            }
            // Nobody waits for what becomes of an order that somebody else has triggered, or that expires, or of a liquidation.
            Letter::ToMarket {
                body:
                    ToMarket::Held { .. }
                    | ToMarket::Expire { .. }
                    | ToMarket::TakeOver { .. }
                    | ToMarket::TakeOverLeg { .. }
                    | ToMarket::PayFund { .. }
                    | ToMarket::Carries { .. }
                    | ToMarket::Winner { .. },
                ..
            } => {
                self.clear(letter, Heard::FromHere);
                self.post.say(to, Message::Letter(*letter));
            }
            Letter::ToMarket { .. }
            | Letter::ReferencePrice { .. }
            | Letter::MarkPrice { .. }
            | Letter::WinnerAsked { .. } => {
                self.post.ask(to, Message::Letter(*letter));
            }
        }
    }

    /// Books the money that a letter is on its way with.
    fn clear(&mut self, letter: &Letter, heard: Heard) {
        let market = letter.market();
        let terms = self.catalog.market(market).expect("only listed markets move money");
        let Some((base, quote)) = letter.carries(terms, self.catalog.contract(market).is_some()) else {
            return;
        };
        let (base, quote) = match heard {
            Heard::FromHere => (-base, -quote),
            Heard::FromThere => (base, quote),
        };
        self.accounts.ledger.clear(terms.quote, quote);
        self.accounts.ledger.clear(terms.base, base);
    }

    /// Funding comes out of what its contract has collected.
    #[inline(never)]
    fn post_funding(&mut self, letter: &Letter) {
        if let Letter::ToHolder { market, body, .. } = letter
            && let ToHolder::Funding { amount } | ToHolder::FundingOfLeg { amount, .. } = body
            && self.catalog.home(*market) == Some(self.post.own)
        {
            let asset = self.catalog.market(*market).expect("a contract is listed").quote;
            self.accounts.ledger.settle_funding(asset, -*amount);
        }
    }

    /// Delivers a letter to whom it is for. `slot` is where its order lies, if that is known.
    pub(crate) fn deliver(&mut self, letter: &Letter, slot: OrderSlot, events: &mut Vec<Event>) {
        match letter {
            Letter::ToMarket { market, body } => {
                let count = self.post.partitions.count();
                let orders = self.accounts.orders_at_mut(&self.catalog, *market);
                let message = (slot, body);
                self.markets.receive(
                    &self.catalog,
                    (*market, count),
                    message,
                    orders,
                    &mut self.mail,
                    events,
                );
                if let ToMarket::Held { .. } = body {
                    self.market_goes(*market, events);
                }
            }
            Letter::ToAccount { account, market, order, body } => {
                let (whose, body) = ((*account, *market, *order), (slot, body));
                if self.catalog.contract(*market).is_some() {
                    self.accounts.receive_of_contract(&self.catalog, whose, body, events);
                } else {
                    self.accounts.receive(&self.catalog, whose, body, &mut self.mail, events);
                }
            }
            Letter::ToHolder { account, market, body } => {
                self.post_funding(letter);
                let whose = (*account, *market);
                self.accounts.receive_as_holder(&self.catalog, whose, body, &mut self.mail, events);
            }
            Letter::MarkPrice { market, mark_ticks } => {
                self.accounts.futures.hear_mark(*market, *mark_ticks);
                self.accounts.algos_hear(*market);
            }
            Letter::WinnerAsked { market, side } => {
                self.accounts.ask_winner(*market, *side);
            }
            Letter::ReferencePrice { market, price_ticks } => {
                self.accounts.reference_prices[usize::try_from(market.0).expect("markets fit into memory")] =
                    *price_ticks;
                self.accounts.algos_hear(*market);
            }
        }
    }

    /// The orders of a market's book, among others.
    pub(crate) fn orders_at(&self, market: MarketId) -> &Orders {
        self.accounts.orders_at(&self.catalog, market)
    }

    /// Which partition this is.
    pub fn own_id(&self) -> PartitionId {
        self.post.own
    }

    /// How accounts are spread over partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.post.partitions
    }

    /// How far the answer to a command is, after [`Self::apply`].
    pub fn progress(&self) -> Progress {
        self.post.progress
    }

    /// True when there is no other partition.
    #[inline]
    pub fn is_alone(&self) -> bool {
        self.post.is_alone()
    }

    /// What was said to another partition, behind the envelope numbered `after`, as far as it is not known to have been taken.
    pub fn envelopes_to(&self, to: PartitionId, after: u64) -> impl Iterator<Item = &Arc<Envelope>> {
        let unconfirmed = self.post.outboxes.get(to.index()).map(|outbox| &outbox.unconfirmed);
        unconfirmed.into_iter().flat_map(move |envelopes| {
            let first = envelopes.partition_point(|envelope| envelope.number <= after);
            envelopes.range(first..)
        })
    }

    /// How many envelopes to another partition are not known to have been taken.
    pub fn unconfirmed(&self, to: PartitionId) -> usize {
        self.post.outboxes.get(to.index()).map_or(0, |outbox| outbox.unconfirmed.len())
    }

    /// By market: the last price that was heard of.
    pub fn reference_prices(&self) -> &[PriceTicks] {
        &self.accounts.reference_prices
    }

    /// Whether an account that lives here has this order open.
    pub fn is_open(&self, order: OrderId) -> bool {
        self.accounts.open.find(order).is_some() || self.accounts.futures.open.find(order).is_some()
    }

    /// The open orders of the accounts that live here, with their accounts and markets.
    pub fn open_orders(&self) -> Vec<(OrderId, AccountId, MarketId)> {
        self.all_open_orders().map(|(account, market, order)| (order, account, market)).collect()
    }

    /// What is in an account's futures wallet.
    pub fn wallet(&self, account: AccountId, asset: AssetId) -> Amount {
        let wallet = self.accounts.ledger.find_wallet(account, asset);
        wallet.map_or(Amount::ZERO, |wallet| self.accounts.ledger.wallet(wallet).amount)
    }

    /// An account's position at a contract, in one-way mode.
    pub fn position(&self, account: AccountId, market: MarketId) -> Position {
        self.position_of(account, market, PositionSide::Both)
    }

    /// How many positions an account has at each contract.
    pub fn position_mode(&self, account: AccountId) -> PositionMode {
        self.accounts.futures.position_mode(account)
    }

    /// One of the positions that an account can have at a contract.
    pub fn position_of(&self, account: AccountId, market: MarketId, position_side: PositionSide) -> Position {
        let seat = self.accounts.futures.find_position(account, market, position_side);
        seat.map_or(Position::NONE, |seat| self.accounts.futures.open.seat(seat).stake.position)
    }

    /// What an account's isolated position at a contract has as its margin; `None` where its wallet backs it.
    pub fn position_margin(
        &self,
        account: AccountId,
        market: MarketId,
        position_side: PositionSide,
    ) -> Option<Amount> {
        let seat = self.accounts.futures.find_position(account, market, position_side)?;
        let margin = self.accounts.futures.open.seat(seat).stake.margin?;
        Some(self.accounts.ledger.wallet(margin).amount)
    }

    /// What positions of a contract are measured by; zero of a spot market.
    pub fn mark_price(&self, market: MarketId) -> PriceTicks {
        self.catalog.market(market).map_or(PriceTicks::ZERO, |_| self.accounts.futures.mark(market))
    }

    /// The sum of all long positions of a contract that lives here, which is that of all short ones.
    pub fn open_interest(&self, market: MarketId) -> QtyLots {
        let holders = self.markets.get(market).and_then(|listed| listed.holders.as_ref());
        holders.map_or(QtyLots::ZERO, |holders| holders.open_interest())
    }

    /// The number of the last envelope that was said to another partition; 0 before the first.
    pub fn last_said(&self, to: PartitionId) -> u64 {
        self.post.outboxes.get(to.index()).map_or(0, |outbox| outbox.last_number)
    }

    /// The number of the last envelope that was taken from another partition; 0 before the first.
    pub fn last_taken(&self, from: PartitionId) -> u64 {
        self.post.outboxes.get(from.index()).map_or(0, |outbox| outbox.taken)
    }

    /// The last command that was applied; 0 before the first.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The time of the last command.
    pub fn time_ns(&self) -> TimeNs {
        self.time_ns
    }

    /// Assets and markets.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What the account has, by asset.
    pub fn balances(&self, account: AccountId) -> Result<impl Iterator<Item = Balance>, Reject> {
        self.accounts.account(account)?;
        Ok(self.accounts.ledger.balances_of(account))
    }

    /// Where all of an asset is.
    pub fn totals(&self, asset: AssetId) -> Result<&AssetTotals, Reject> {
        self.catalog.asset(asset)?;
        Ok(self.accounts.ledger.totals(asset))
    }

    /// All API keys with their sealed secrets, for the gateways.
    pub fn api_keys(&self) -> impl Iterator<Item = (&ApiKeyId, &ApiKey)> {
        self.accounts.keys.iter()
    }

    /// The levels of a book, best first: price and all that is open there.
    pub fn levels(
        &self,
        market: MarketId,
        side: Side,
    ) -> Result<impl Iterator<Item = (PriceTicks, QtyLots)>, Reject> {
        self.catalog.market(market)?;
        Ok(self.markets.market(market).book.levels(side))
    }

    /// The orders of a book in the order in which they would trade: order, account, price, what is open.
    pub fn queue(
        &self,
        market: MarketId,
        side: Side,
    ) -> Result<impl Iterator<Item = (OrderId, AccountId, PriceTicks, QtyLots)>, Reject> {
        self.catalog.market(market)?;
        let queue = self.markets.market(market).book.queue(self.orders_at(market), side);
        Ok(queue.map(|order| (order.id, order.account, order.price_ticks, order.open_lots)))
    }

    /// The orders that wait for a price in a market that lives here, by their numbers.
    pub fn waiting(&self, market: MarketId) -> Result<impl Iterator<Item = &PlaceMessage>, Reject> {
        self.catalog.market(market)?;
        Ok(self.markets.market(market).triggers.iter())
    }

    /// The algo orders of accounts that live here, by their numbers.
    pub fn algo_orders(&self) -> impl Iterator<Item = &AlgoOrder> {
        self.accounts.futures.algos.waiting.values()
    }

    /// A hash over the whole state: equal on every machine that has applied the same journal.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hasher = StateHasher::default();
        hasher.update(&self.snapshot());
        hasher.finish()
    }
}

/// From which end a fill is booked that goes from one partition to another.
#[derive(Clone, Copy)]
enum Heard {
    FromHere,
    FromThere,
}

/// Whose command it is; 0 for the operator's.
fn owner(command: &Command) -> AccountId {
    match command {
        Command::CreateApiKey(create) => create.account,
        Command::AddApiKey(add) => add.account,
        Command::Deposit(deposit) => deposit.account,
        Command::RequestWithdrawal(request) => request.account,
        Command::PlaceOrder(place) => place.account,
        Command::CancelOrder(cancel) => cancel.account,
        Command::CancelAllOrders(cancel) => cancel.account,
        Command::ReplaceOrder(replace) => replace.place.account,
        Command::AmendOrder(amend) => amend.account,
        Command::MoveFunds(moves) => moves.account,
        Command::PlaceContractOrder(place) => place.account,
        Command::ChangeLeverage(change) => change.account,
        Command::ChangeMarginType(change) => change.account,
        Command::MovePositionMargin(moves) => moves.account,
        Command::ChangePositionMode(change) => change.account,
        Command::PlaceAlgoOrder(place) => place.account,
        Command::CancelAlgoOrder(cancel) => cancel.account,
        Command::CancelAllAlgoOrders(cancel) => cancel.account,
        Command::SetCountdown(set) => set.account,
        Command::ModifyContractOrder(modify) => modify.account,
        Command::PlaceGoodTillDate(place) => place.account,
        Command::FromSource(from) => from.order.account(),
        Command::AddContract(_)
        | Command::ChangeContract(_)
        | Command::SetIndexPrice(_)
        | Command::Continue
        | Command::AddAsset(_)
        | Command::AddMarket(_)
        | Command::ChangeMarket(_)
        | Command::CreateAccount(_)
        | Command::RevokeApiKey(_)
        | Command::ChangeApiKey(_)
        | Command::ResealApiKey(_)
        | Command::AddMarketTo(_)
        | Command::MoveMarket(_)
        | Command::AddPartition
        | Command::JoinExchange(_)
        | Command::Deliver(_)
        | Command::Confirm(_)
        | Command::SkipEnvelope(_)
        | Command::RegisterSource(_)
        | Command::SettleWithdrawal(_)
        | Command::Tick
        | Command::Skip(_) => AccountId(0),
    }
}
