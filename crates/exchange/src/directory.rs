//! The directory: what is listed, who there is, which partitions there are, and where everything lives. The first partition
//! has it and tells the others; what they hear of it is handled here too, and so is a market's way from one partition to
//! another.
//!
//! # A market moves
//!
//! No message may overtake another on its way to a market or to an account. So the market stands still while it moves:
//!
//! 1. The directory tells everybody: it leaves. From then on each account refuses what is asked of the market.
//! 2. Each partition says to the old home that nothing more will come from it; behind everything it said before.
//! 3. When all have said so, and whoever holds more for an order whose price has come has said that, the old home sends the book to the new one, and tells everybody, behind its last answers.
//! 4. Each partition says to the new home that it has heard all that the old one had to say.
//! 5. When all have said so and the book is there, the market goes on. Its new home tells the directory, and that everybody:
//!    who hears it has heard of no later move of the same market yet.

use model::{
    AccountId, AddAsset, AddContract, AddMarket, ContractTermsError, CreateAccount, Event, JoinExchange,
    Letter, LevelChanged, MarketId, Marks, Message, MoveMarket, Notice, OrderId, PartitionId, PriceTicks,
    Reject, RestingOrder, Side, Spread, WaitingOrder, WithdrawalId,
};

use crate::Partition;
use crate::post::Moving;

impl Partition {
    fn check_first(&self) -> Result<(), Reject> {
        let partition = self.post.own;
        if partition == PartitionId::FIRST { Ok(()) } else { Err(Reject::NotTheFirst { partition }) }
    }

    pub(crate) fn list_asset(&mut self, add: &AddAsset, events: &mut Vec<Event>) -> Result<(), Reject> {
        self.check_first()?;
        self.asset_listed(add, events)?;
        self.post.notify_others(&Notice::AssetListed(add.terms));
        Ok(())
    }

    fn asset_listed(&mut self, add: &AddAsset, events: &mut Vec<Event>) -> Result<(), Reject> {
        let asset = self.catalog.add_asset(add)?;
        self.accounts.add_asset();
        events.push(Event::AssetAdded { asset, terms: add.terms });
        Ok(())
    }

    pub(crate) fn list_market(
        &mut self,
        add: &AddMarket,
        home: PartitionId,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        self.check_first()?;
        self.check_partition(home)?;
        self.market_listed(add, home, events)?;
        let listed = Notice::MarketListed { add: add.clone(), partition: home };
        self.post.notify_others_and_ask(home, &listed);
        Ok(())
    }

    fn check_partition(&self, partition: PartitionId) -> Result<(), Reject> {
        let count = self.post.partitions.count();
        if partition.0 < count { Ok(()) } else { Err(Reject::UnknownPartition { partition, count }) }
    }

    fn market_listed(
        &mut self,
        add: &AddMarket,
        home: PartitionId,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let market = self.catalog.add_market(add, home)?;
        self.accounts.reference_prices.push(add.terms.initial_reference_ticks);
        self.markets.add(market, add.terms.initial_reference_ticks);
        self.accounts.futures.add_market(PriceTicks::ZERO);
        events.push(Event::MarketAdded { market, terms: Box::new(add.terms) });
        if home != PartitionId::FIRST {
            events.push(Event::MarketPlaced { market, partition: home });
        }
        Ok(())
    }

    pub(crate) fn list_contract(&mut self, add: &AddContract, events: &mut Vec<Event>) -> Result<(), Reject> {
        self.check_first()?;
        self.check_partition(add.partition)?;
        self.check_fund(add)?;
        self.contract_listed(add, events)?;
        self.post.notify_others_and_ask(add.partition, &Notice::ContractListed(add.clone()));
        Ok(())
    }

    /// The insurance fund is an account; the directory knows them all.
    fn check_fund(&self, add: &AddContract) -> Result<(), Reject> {
        if add.contract.fund < self.accounts.next_account() {
            Ok(())
        } else {
            Err(Reject::BadContract { rule: ContractTermsError::Fund })
        }
    }

    fn contract_listed(&mut self, add: &AddContract, events: &mut Vec<Event>) -> Result<(), Reject> {
        let AddContract { terms, contract, partition } = add;
        let market = self.catalog.add_contract(add)?;
        let first = terms.initial_reference_ticks;
        self.accounts.reference_prices.push(first);
        self.accounts.futures.add_market(first);
        self.markets.add(market, first);
        self.markets.market_mut(market).holders = Some(Box::default());
        let (terms, contract) = (Box::new(*terms), Box::new(contract.clone()));
        events.push(Event::ContractAdded { market, terms, contract });
        if *partition != PartitionId::FIRST {
            events.push(Event::MarketPlaced { market, partition: *partition });
        }
        Ok(())
    }

    pub(crate) fn change_contract(
        &mut self,
        change: &AddContract,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        self.check_first()?;
        self.check_fund(change)?;
        let market = self.contract_changed(change, events)?;
        let home = self.catalog.home(market).expect("a listed market has a home");
        self.post.notify_others_and_ask(home, &Notice::ContractChanged(change.clone()));
        Ok(())
    }

    fn contract_changed(
        &mut self,
        change: &AddContract,
        events: &mut Vec<Event>,
    ) -> Result<MarketId, Reject> {
        let named = self.catalog.contract_named(&change.terms.name);
        let fund = named.and_then(|market| self.catalog.contract(market)).map(|contract| contract.fund);
        let market = self.catalog.change_contract(change)?;
        // Who was the fund is looked at like everybody else from now on.
        let wallet = fund.and_then(|fund| self.accounts.ledger.find_wallet(fund, change.terms.quote));
        self.accounts.futures.touched.extend(wallet);
        // What a feed has said is not what another one says that may stand in its place now.
        let holders = self.markets.market_mut(market).holders.as_mut().expect("a contract has holders");
        holders.pricing.feeds.clear();
        self.accounts.futures.terms_changed(market, &self.accounts.ledger);
        let (terms, contract) = (Box::new(change.terms), Box::new(change.contract.clone()));
        events.push(Event::ContractAdded { market, terms, contract });
        Ok(market)
    }

    pub(crate) fn change_market(
        &mut self,
        change: &AddMarket,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        self.check_first()?;
        // While a market moves, its homes do not agree which of them it is that answers.
        let named = self.catalog.market_named(&change.terms.name);
        if let Some(moving) = named.and_then(|market| self.post.moving.get(&market)) {
            return Err(Reject::MarketMoves { to: moving.to });
        }
        let market = self.market_changed(change, events)?;
        let home = self.catalog.home(market).expect("a listed market has a home");
        self.post.notify_others_and_ask(home, &Notice::MarketChanged(change.clone()));
        Ok(())
    }

    fn market_changed(&mut self, change: &AddMarket, events: &mut Vec<Event>) -> Result<MarketId, Reject> {
        let market = self.catalog.change_market(change)?;
        events.push(Event::MarketAdded { market, terms: Box::new(change.terms) });
        Ok(market)
    }

    pub(crate) fn create_account(
        &mut self,
        create: &CreateAccount,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        self.check_first()?;
        let account = self.accounts.next_account();
        let home = self.post.partitions.home(account);
        self.accounts.create(create, home == self.post.own, events)?;
        if home != self.post.own {
            let CreateAccount { name, trade_group } = *create;
            self.post.ask_notice(home, Notice::AccountOpened { account, name, trade_group });
        }
        Ok(())
    }

    /// There is one more partition: it hears of all that is there, the others hear of it.
    pub(crate) fn add_partition(&mut self, events: &mut Vec<Event>) -> Result<(), Reject> {
        self.check_first()?;
        let count = self.post.partitions.count();
        if count >= PartitionId::MAX_COUNT {
            return Err(Reject::TooManyPartitions { max: PartitionId::MAX_COUNT });
        }
        if let Some(moving) = self.post.moving.values().next() {
            return Err(Reject::MarketMoves { to: moving.to });
        }
        let spread = Spread { first_account: self.accounts.next_account(), count: count.saturating_add(1) };
        for other in self.post.others() {
            self.post.notify(other, Notice::PartitionAdded(spread));
        }
        self.spread(spread, events);

        let added = PartitionId(count);
        for spread in self.post.partitions.spreads().to_vec().into_iter().skip(1) {
            self.post.notify(added, Notice::PartitionAdded(spread));
        }
        for (_, terms) in self.catalog.assets() {
            self.post.notify(added, Notice::AssetListed(*terms));
        }
        for (market, terms) in self.catalog.markets() {
            let partition = self.catalog.home(market).expect("a listed market has a home");
            let terms = *terms;
            let notice = match self.catalog.contract(market).cloned() {
                Some(contract) => Notice::ContractListed(AddContract { terms, contract, partition }),
                None => Notice::MarketListed { add: AddMarket { terms }, partition },
            };
            self.post.notify(added, notice);
        }
        self.tell_reference_prices(added);
        Ok(())
    }

    fn spread(&mut self, spread: Spread, events: &mut Vec<Event>) {
        self.post.partitions.add(spread.first_account);
        events.push(Event::PartitionAdded { spread });
    }

    /// Those of the markets that live here.
    fn tell_reference_prices(&mut self, to: PartitionId) {
        for (market, _) in self.catalog.markets() {
            if self.catalog.home(market) == Some(self.post.own) {
                let price_ticks = self.markets.market(market).reference_ticks;
                self.post.say(to, Message::Letter(Letter::ReferencePrice { market, price_ticks }));
                if self.catalog.contract(market).is_some() {
                    let mark_ticks = self.accounts.futures.mark(market);
                    self.post.say(to, Message::Letter(Letter::MarkPrice { market, mark_ticks }));
                }
            }
        }
    }

    /// The first command of a partition that is added: which one it is.
    pub(crate) fn join(&mut self, join: &JoinExchange) -> Result<(), Reject> {
        let partition = self.post.own;
        let is_new = self.seq.0 == 1 && join.partition != PartitionId::FIRST;
        if !is_new || join.partition.0 >= PartitionId::MAX_COUNT {
            return Err(Reject::HasJoined { partition });
        }
        self.post.own = join.partition;
        self.accounts.next_order = OrderId::first_of(join.partition);
        self.accounts.next_withdrawal = WithdrawalId::first_of(join.partition);
        self.post.outbox(PartitionId::FIRST);
        Ok(())
    }

    /// A market is to live elsewhere.
    pub(crate) fn move_market(&mut self, to: &MoveMarket, events: &mut Vec<Event>) -> Result<(), Reject> {
        self.check_first()?;
        let MoveMarket { market, to } = *to;
        self.catalog.market(market)?;
        self.check_partition(to)?;
        if self.catalog.contract(market).is_some() {
            return Err(Reject::ContractStays);
        }
        if let Some(moving) = self.post.moving.get(&market) {
            return Err(Reject::MarketMoves { to: moving.to });
        }
        if self.catalog.home(market) == Some(to) {
            return Err(Reject::MarketIsThere { partition: to });
        }
        self.post.notify_others(&Notice::MarketLeaves { market, to });
        self.market_leaves(market, to, events);
        Ok(())
    }

    /// From now on nothing is asked of the market.
    fn market_leaves(&mut self, market: MarketId, to: PartitionId, events: &mut Vec<Event>) {
        self.catalog.moving.insert(market);
        self.moving(market, to);
        events.push(Event::MarketMoving { market, to });
        let (home, from) = (self.catalog.home(market).expect("a listed market has a home"), self.post.own);
        if home == from {
            self.market_quiet(market, from, events);
        } else {
            self.post.notify(home, Notice::MarketQuiet { market, to, from });
        }
    }

    fn moving(&mut self, market: MarketId, to: PartitionId) -> &mut Moving {
        let moving = Moving { to, quiet: 0, ready: 0, is_here: false };
        let moving = self.post.moving.entry(market).or_insert(moving);
        assert!(moving.to == to, "a market moves on when everybody has heard that it has arrived");
        moving
    }

    fn everybody(&self) -> u32 {
        self.post.partitions.all().map(bit).fold(0, |all, one| all | one)
    }

    /// One partition has nothing more to ask of a market that lives here; when that was the last, it goes.
    fn market_quiet(&mut self, market: MarketId, from: PartitionId, events: &mut Vec<Event>) {
        let moving = self.post.moving.get_mut(&market).expect("a market is quiet because it moves");
        moving.quiet |= bit(from);
        self.market_goes(market, events);
    }

    /// A market that lives here goes when nobody has anything more to ask of it, and it has nothing more to ask of anybody.
    pub(crate) fn market_goes(&mut self, market: MarketId, events: &mut Vec<Event>) {
        let (everybody, own) = (self.everybody(), self.post.own);
        let Some(moving) = self.post.moving.get(&market) else { return };
        let is_home = self.catalog.home(market) == Some(own);
        if !is_home || moving.quiet != everybody || !self.markets.market(market).triggered.is_empty() {
            return;
        }
        let to = moving.to;
        let leaving = self.markets.take(self.accounts.orders_at_mut(&self.catalog, market), market);
        for (side, orders) in leaving.orders {
            for orders in orders.chunks(RestingOrder::MAX_TOGETHER) {
                self.post.notify(to, Notice::OrdersMove { market, side, orders: orders.to_vec() });
            }
        }
        for marks in leaving.marks.chunks(Marks::MAX_TOGETHER) {
            self.post.notify(to, Notice::OrdersMarked { marks: marks.to_vec() });
        }
        for orders in leaving.waiting.chunks(WaitingOrder::MAX_TOGETHER) {
            self.post.notify(to, Notice::WaitingMove { market, orders: orders.to_vec() });
        }
        self.post.notify(to, Notice::MarketMoves { market, state: leaving.state });
        events.push(Event::MarketLeft { market, to });
        self.post.notify_others(&Notice::MarketLeft { market, to });
        self.market_left(market, to, own);
    }

    /// The old home has said all that it had to say.
    fn market_left(&mut self, market: MarketId, to: PartitionId, old_home: PartitionId) {
        debug_assert!(self.catalog.home(market) == Some(old_home), "a market leaves its home");
        self.catalog.set_home(market, to);
        let from = self.post.own;
        if to != from {
            self.post.notify(to, Notice::MarketReady { market, to, from });
        }
    }

    /// A market goes on here when it is here and everybody has heard the last of its old home.
    fn market_goes_on(&mut self, market: MarketId, events: &mut Vec<Event>) {
        let (everybody, own) = (self.everybody(), self.post.own);
        let Some(moving) = self.post.moving.get(&market) else { return };
        if !moving.is_here || moving.ready | bit(own) != everybody {
            return;
        }
        self.market_arrived(market, own, events);
        if own == PartitionId::FIRST {
            self.post.notify_others(&Notice::MarketArrived { market, partition: own });
        } else {
            self.post.notify(PartitionId::FIRST, Notice::MarketArrived { market, partition: own });
        }
        let Self { markets, .. } = self;
        let at = usize::try_from(market.0).expect("markets fit into memory");
        let listed = &mut markets.list[at];
        for side in [Side::Buy, Side::Sell] {
            let levels: Vec<_> = listed.book.levels(side).collect();
            for (price_ticks, open_lots) in levels {
                listed.update_id = listed.update_id.checked_add(1).expect("a counter never runs out");
                let update_id = listed.update_id;
                let changed = LevelChanged { market, update_id, side, price_ticks, open_lots };
                events.push(Event::LevelChanged(changed));
            }
        }
    }

    fn market_arrived(&mut self, market: MarketId, partition: PartitionId, events: &mut Vec<Event>) {
        self.post.moving.remove(&market);
        self.catalog.moving.remove(&market);
        events.push(Event::MarketPlaced { market, partition });
    }

    /// What another partition tells of the directory, of money, or of a market that moves.
    pub(crate) fn notice(&mut self, notice: &Notice, events: &mut Vec<Event>) {
        const CHECKED: &str = "the directory has checked what it tells";
        match notice {
            Notice::AssetListed(terms) => {
                self.asset_listed(&AddAsset { terms: *terms }, events).expect(CHECKED);
            }
            Notice::MarketListed { add, partition } => {
                self.market_listed(add, *partition, events).expect(CHECKED);
                self.hear_early(events);
                self.heard(*partition);
            }
            Notice::ContractListed(add) => {
                self.contract_listed(add, events).expect(CHECKED);
                self.hear_early(events);
                self.heard(add.partition);
            }
            Notice::ContractChanged(change) => {
                let market = self.contract_changed(change, events).expect(CHECKED);
                let home = self.catalog.home(market).expect("a listed market has a home");
                self.heard(home);
            }
            Notice::MarketChanged(change) => {
                let market = self.market_changed(change, events).expect(CHECKED);
                let home = self.catalog.home(market).expect("a listed market has a home");
                self.heard(home);
            }
            Notice::AccountOpened { account, name, trade_group } => {
                let create = CreateAccount { name: *name, trade_group: *trade_group };
                self.accounts.add_vacant_before(*account);
                self.accounts.create(&create, true, events).expect(CHECKED);
                self.heard(self.post.own);
            }
            // The events of this command belong to the answer already.
            Notice::Heard => {}
            Notice::PartitionAdded(spread) => {
                self.spread(*spread, events);
                let added = PartitionId(spread.count.saturating_sub(1));
                if added != self.post.own {
                    self.tell_reference_prices(added);
                }
            }
            Notice::DepositAsked(deposit) => self.accounts.deposit_asked(deposit, &mut self.post),
            Notice::DepositAllowed(deposit) => self.accounts.credit(deposit, events),
            Notice::WithdrawalAsked(request) => self.accounts.withdrawal_asked(request, &mut self.post),
            Notice::WithdrawalAllowed(request) => self.accounts.withdrawal_allowed(request, events),
            Notice::FundsRefused { account, reject, withdrawal } => {
                self.accounts.funds_refused(*account, *reject, withdrawal.as_ref(), events);
            }
            Notice::MarketLeaves { market, to } => self.market_leaves(*market, *to, events),
            Notice::MarketQuiet { market, to, from } => {
                self.moving(*market, *to);
                self.market_quiet(*market, *from, events);
            }
            Notice::MarketLeft { market, to } => {
                let old_home = self.catalog.home(*market).expect("a listed market has a home");
                self.market_left(*market, *to, old_home);
                self.market_goes_on(*market, events);
            }
            Notice::OrdersMove { market, side, orders } => {
                let slab = self.accounts.orders_at_mut(&self.catalog, *market);
                self.markets.put_orders(slab, (*market, *side), orders);
            }
            Notice::OrdersMarked { marks } => {
                self.accounts.mark(marks).expect("marks come behind their orders");
            }
            Notice::WaitingMove { market, orders } => {
                let triggers = &mut self.markets.market_mut(*market).triggers;
                for waiting in orders {
                    triggers.insert(waiting);
                }
            }
            Notice::MarketMoves { market, state } => {
                let own = self.post.own;
                self.moving(*market, own).is_here = true;
                self.markets.put(*market, state);
                self.market_goes_on(*market, events);
            }
            Notice::MarketReady { market, to, from } => {
                self.moving(*market, *to).ready |= bit(*from);
                self.market_goes_on(*market, events);
            }
            Notice::MarketArrived { market, partition } => {
                self.market_arrived(*market, *partition, events);
                if self.post.own == PartitionId::FIRST {
                    for other in self.post.others().filter(|other| other != partition) {
                        self.post.notify(other, notice.clone());
                    }
                }
            }
        }
    }

    /// Tells the directory that what lives here is known here.
    fn heard(&mut self, home: PartitionId) {
        if home == self.post.own {
            self.post.notify(PartitionId::FIRST, Notice::Heard);
        }
    }

    /// What came for markets that are listed only now.
    fn hear_early(&mut self, events: &mut Vec<Event>) {
        let (origin, asks_more) = (self.post.origin, self.post.asks_more);
        for (asked_by, message) in std::mem::take(&mut self.post.early) {
            self.post.seal(self.time_ns);
            (self.post.origin, self.post.asks_more) = (asked_by, false);
            self.hear(&message, events);
            self.route_mail(0, events);
        }
        self.post.seal(self.time_ns);
        (self.post.origin, self.post.asks_more) = (origin, asks_more);
    }
}

fn bit(partition: PartitionId) -> u32 {
    1_u32.checked_shl(u32::from(partition.0)).expect("there are at most 32 partitions")
}

/// The account behind the last one.
impl crate::accounts::Accounts {
    pub(crate) fn next_account(&self) -> AccountId {
        AccountId(u64::try_from(self.list.len()).expect("fewer than 2^64 accounts")).next()
    }
}
