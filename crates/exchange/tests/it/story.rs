//! The language of the stories: what a trader types, and what happens. The words for what happens are in `wording`.
//!
//! ```text
//! > asset BTC 8                                         lists an asset with 8 decimals
//! > market BTCUSDT tick 0.01 lot 0.00001 maker 0.1% ... lists a market; every setting has a default
//! > change BTCUSDT band 5% ...                          the same settings again, but for these
//! > account alice group 7 rich                          opens an account, here in a trade group and with money
//! > deposit alice 10 BTC ref tx-1
//! > alice buy 2 @ 100 ioc stp expire-maker as my-id until 5
//! > alice sell 2 market          > alice buy quote 500 market          > alice buy 2 @ 100 post-only on ETHUSDT
//! > alice sell 2 @ 97 stop 98       > alice buy 2 market take 95       > alice sell 2 @ 90 stop 98 trail 500
//! > alice sell 2 market stop - trail 100                in hundredths of a per cent; `-` is no stop price
//! > alice cancel #3 my-id only new          > alice cancel all
//! > alice replace #3 anyway with buy 2 @ 101
//! > alice amend #3 to 1 as other-id
//! > alice withdraw 5 BTC ref out-1          > settle 1 paid          > settle 1 returned
//! > key alice KEY secret 32          > revoke KEY          > keys
//! > add key alice KEY ed25519 sealed 60 label bot permissions 5 from 192.0.2.7 2001:db8::/32
//! > change key KEY permissions 1 from 192.0.2.7          > reseal KEY 61
//! > contract BTCUSDT_PERP tick 0.1 lot 0.001 ... with fund house source feed source BTCUSDT leverage 20 ...
//! > recontract BTCUSDT_PERP ... with ...               the same settings again, but for these
//! > move alice 1000 USDT to futures          > move alice 10 USDT to spot          > leverage alice 10 on BTCUSDT_PERP
//! > alice buy 2 @ 100 reduce-only on BTCUSDT_PERP
//! > mode alice hedge       > alice buy 2 @ 100 long on BTCUSDT_PERP       > alice buy 2 @ 100 short on BTCUSDT_PERP
//! > mode alice one-way     > position alice long on BTCUSDT_PERP          > margin-of alice short on BTCUSDT_PERP
//! > margin alice isolated on BTCUSDT_PERP         > margin alice cross on BTCUSDT_PERP
//! > margin alice add 100 USDT on BTCUSDT_PERP     > margin alice reduce 100 USDT on BTCUSDT_PERP
//! > alice waits to sell 2 market stop 95 by-mark reduce-only as my-stop on BTCUSDT_PERP
//! > alice waits to sell 2 @ 94 gtx take 110 protected on BTCUSDT_PERP          > alice waits to sell all market stop 95 on ...
//! > alice waits to sell 2 market trail 10 from 110 on BTCUSDT_PERP          in thousandths, from an activation price
//! > alice cancel algo &3          > alice cancel algo my-stop          > alice cancel algos on BTCUSDT_PERP          > algos
//! > alice good till 30 buy 2 @ 100 on BTCUSDT_PERP     in seconds since the story began
//! > alice modify #3 to 2 @ 101 gtx on BTCUSDT_PERP
//! > alice counts down 5 on BTCUSDT_PERP                in seconds; 0 stops it
//! > index BTCUSDT_PERP 0 @ 50000          > tick          > continue
//! > position alice on BTCUSDT_PERP          > wallet alice USDT          > mark BTCUSDT_PERP
//! > margin-of alice on BTCUSDT_PERP
//! > at 5                                                the clock, in seconds since the story began
//! > book          > queue          > balances alice          > totals          > snapshot
//! ```
//!
//! What is not listed when it is first needed is listed quietly: BTC and USDT with 8 decimals, BTCUSDT with a tick of 0.01, a
//! lot of 0.00001, no fees, a band of 10 % around 100. An account that is first seen trading has a million of each asset; one
//! that is first seen receiving a deposit has that. `nobody`, `NOWHERE` and `NOTHING` do not exist.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{
    AccountId, AddApiKey, AddAsset, AddMarket, AmendOrder, Amount, AssetId, AssetTerms, CancelAllOrders,
    CancelOrder, CancelRestriction, ChangeApiKey, ClientOrderId, Command, CreateAccount, CreateApiKey,
    Deposit, FeeRounding, IpRange, KeyKind, KeyLabel, MarketId, MarketStatus, MarketTerms, OrderId,
    OrderKind, OrderRef, PlaceOrder, PositionSide, PriceTicks, QtyLots, Reference, ReplaceMode, ReplaceOrder,
    RequestWithdrawal, ResealApiKey, RevokeApiKey, SelfTradePrevention, SettleWithdrawal, Side, Skip, Text,
    TimeInForce, TimeNs, TradeGroup, TriggerKind, WithdrawalId,
};

use crate::decimal;
use crate::world::World;

/// The story with what happened under each command.
pub fn play(text: &str) -> String {
    let mut story = Story::default();
    let mut out = String::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            for happened in story.tell(command) {
                writeln!(out, "  {happened}").unwrap();
            }
        } else if !line.starts_with("  ") {
            writeln!(out, "{line}").unwrap();
        }
    }
    story.world.is_the_same_in_batches();
    out
}

#[derive(Default)]
pub struct Story {
    pub world: World,
    accounts: BTreeMap<String, AccountId>,
    references: u32,
}

/// The words of a line that were not read yet.
pub struct Words<'a>(pub std::iter::Peekable<std::str::SplitWhitespace<'a>>);

impl<'a> Words<'a> {
    pub fn next(&mut self) -> &'a str {
        self.0.next().expect("the line goes on")
    }

    /// Takes the next word if it is this one.
    pub fn take(&mut self, word: &str) -> bool {
        self.0.next_if(|next| *next == word).is_some()
    }

    fn done(&mut self) {
        assert_eq!(self.0.peek(), None, "the line ends here");
    }
}

impl Story {
    /// Does what a line says.
    pub fn tell(&mut self, line: &str) -> Vec<String> {
        let mut words = Words(line.split_whitespace().peekable());
        let first = words.next();
        match first {
            "book" | "queue" => {
                self.list_defaults();
                let market = words.0.next().map_or(MarketId(0), |market| self.market(market));
                return if first == "book" { self.book(market) } else { self.queue(market) };
            }
            "position" | "wallet" | "mark" | "margin-of" => return self.look_at_contracts(first, &mut words),
            "balances" => {
                let account = self.account(words.next());
                return self.balances(account);
            }
            "totals" => return self.totals(),
            "algos" => return self.algos(),
            "keys" => return self.keys(),
            "snapshot" => {
                self.world.restart();
                return vec!["the same".into()];
            }
            "at" => {
                self.world.time_ns = seconds(words.next());
                return Vec::new();
            }
            _ => {}
        }
        let command = match first {
            "asset" => {
                let terms = AssetTerms { name: name(words.next()), scale: words.next().parse().unwrap() };
                Command::AddAsset(AddAsset { terms })
            }
            "market" => {
                let (name, terms) = (words.next(), self.terms_of_new(&words.0.clone().collect::<Vec<_>>()));
                Command::AddMarket(Box::new(AddMarket { terms: self.terms(name, terms, &mut words) }))
            }
            "add" => {
                assert!(words.take("key"));
                let account = self.account(words.next());
                let key = name(words.next());
                let kind = match words.next() {
                    "hmac" => KeyKind::HmacSha256,
                    "ed25519" => KeyKind::Ed25519,
                    other => panic!("a key is hmac or ed25519, not {other}"),
                };
                assert!(words.take("sealed"));
                let sealed = vec![0x5A; words.next().parse().unwrap()];
                let label = if words.take("label") { name(words.next()) } else { KeyLabel::EMPTY };
                let (permissions, ip_ranges) = access(&mut words);
                Command::AddApiKey(Box::new(AddApiKey {
                    account,
                    key,
                    kind,
                    sealed,
                    label,
                    permissions,
                    ip_ranges,
                }))
            }
            "change" if words.take("key") => {
                let key = name(words.next());
                let (permissions, ip_ranges) = access(&mut words);
                Command::ChangeApiKey(Box::new(ChangeApiKey { key, permissions, ip_ranges }))
            }
            "reseal" => {
                let key = name(words.next());
                let sealed = vec![0xC3; words.next().parse().unwrap()];
                Command::ResealApiKey(Box::new(ResealApiKey { key, sealed }))
            }
            "contract" | "recontract" | "index" | "move" | "leverage" | "margin" | "mode" => {
                self.at_contracts(first, &mut words)
            }
            "continue" => Command::Continue,
            "change" => {
                self.list_defaults();
                let name = words.next();
                let market = self.market(name);
                let before = self.world.partition.catalog().market(market).copied();
                let before = before.unwrap_or_else(|_| self.terms_of_new(&[]));
                Command::ChangeMarket(Box::new(AddMarket { terms: self.terms(name, before, &mut words) }))
            }
            "account" => return self.open_account(&mut words),
            "deposit" => {
                self.list_defaults();
                let owner = words.next();
                let account = self.known_account(owner);
                let (asset, amount) = self.amount(&mut words);
                let reference = self.reference(&mut words);
                Command::Deposit(Box::new(Deposit { account, asset, amount, reference }))
            }
            "settle" => {
                let withdrawal = WithdrawalId(words.next().parse().unwrap());
                let paid_out = match words.next() {
                    "paid" => true,
                    "returned" => false,
                    other => panic!("a withdrawal is paid or returned, not {other}"),
                };
                Command::SettleWithdrawal(SettleWithdrawal { withdrawal, paid_out })
            }
            "key" => {
                let account = self.account(words.next());
                let key = name(words.next());
                assert!(words.take("secret"));
                let sealed_secret = vec![0xA5; words.next().parse().unwrap()];
                Command::CreateApiKey(Box::new(CreateApiKey { account, key, sealed_secret, permissions: 3 }))
            }
            "revoke" => Command::RevokeApiKey(RevokeApiKey { key: name(words.next()) }),
            "tick" => Command::Tick,
            "skip" => Command::Skip(Skip { reason: words.0.by_ref().collect::<Vec<_>>().join(" ") }),
            owner => {
                let account = self.account(owner);
                self.of_account(account, &mut words)
            }
        };
        words.done();
        self.does(command)
    }

    fn does(&mut self, command: Command) -> Vec<String> {
        let market = market_of(&command);
        let events = self.world.apply(command);
        self.in_words(market, &events)
    }

    fn of_account(&mut self, account: AccountId, words: &mut Words<'_>) -> Command {
        match words.next() {
            "waits" => {
                assert!(words.take("to"));
                self.waits(account, words)
            }
            "good" => {
                assert!(words.take("till"));
                let good_till_ns = seconds(words.next());
                let side = words.next();
                let (place, reduce_only, position_side) = self.place(account, side, words);
                let place = crate::story_contracts::at_contract(&place, position_side, reduce_only);
                Self::good_till(&place, good_till_ns)
            }
            "modify" => self.modifies(account, words),
            "counts" => {
                assert!(words.take("down"));
                self.counts_down(account, words)
            }
            "cancel" if words.take("algo") => Self::cancels_algo(account, words),
            "cancel" if words.take("algos") => self.cancels_algos(account, words),
            "cancel" if words.take("all") => {
                let (market, valid_until_ns) = self.where_and_when(words);
                Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns })
            }
            "cancel" => {
                let order = order_ref(words);
                let restriction = restriction(words);
                let (market, valid_until_ns) = self.where_and_when(words);
                Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
            }
            "replace" => {
                let cancel = order_ref(words);
                let restriction = restriction(words);
                let mode =
                    if words.take("anyway") { ReplaceMode::AllowFailure } else { ReplaceMode::StopOnFailure };
                assert!(words.take("with"));
                let side = words.next();
                let place = self.place(account, side, words).0;
                Command::ReplaceOrder(Box::new(ReplaceOrder { cancel, restriction, mode, place }))
            }
            "amend" => {
                let order = order_ref(words);
                assert!(words.take("to"));
                let qty = words.next();
                let new_client_order_id =
                    if words.take("as") { name(words.next()) } else { ClientOrderId::EMPTY };
                let (market, valid_until_ns) = self.where_and_when(words);
                let new_qty_lots = QtyLots(self.lots(market, qty));
                Command::AmendOrder(AmendOrder {
                    account,
                    market,
                    order,
                    new_qty_lots,
                    new_client_order_id,
                    valid_until_ns,
                })
            }
            "withdraw" => {
                let (asset, amount) = self.amount(words);
                let reference = self.reference(words);
                Command::RequestWithdrawal(Box::new(RequestWithdrawal { account, asset, amount, reference }))
            }
            side => {
                let (place, reduce_only, position_side) = self.place(account, side, words);
                let is_contract = self.world.partition.catalog().contract(place.market).is_some();
                if is_contract || reduce_only {
                    let at_contract = crate::story_contracts::at_contract;
                    Command::PlaceContractOrder(at_contract(&place, position_side, reduce_only))
                } else {
                    Command::PlaceOrder(place)
                }
            }
        }
    }

    /// The order, whether it only reduces a position, and which position it is for.
    fn place(
        &mut self,
        account: AccountId,
        side: &str,
        words: &mut Words<'_>,
    ) -> (PlaceOrder, bool, PositionSide) {
        let side = match side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => panic!("{other} is nothing that an account does"),
        };
        let by_amount = words.take("quote");
        let number = words.next();
        let price = match words.next() {
            "@" => Some(words.next()),
            "market" => None,
            other => panic!("an order has a price or is a market order, not {other}"),
        };
        let mut force = TimeInForce::Gtc;
        let mut post_only = false;
        let mut reduce_only = false;
        let mut position_side = PositionSide::Both;
        let (mut trigger, mut stop_text, mut trailing_bips) = (None, "-", 0);
        let mut place = PlaceOrder {
            account,
            market: MarketId(0),
            side,
            kind: OrderKind::Market { qty_lots: QtyLots(1) },
            self_trade_prevention: SelfTradePrevention::None,
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        };
        while let Some(option) = words.0.next() {
            match option {
                "ioc" => force = TimeInForce::Ioc,
                "fok" => force = TimeInForce::Fok,
                "post-only" => post_only = true,
                "reduce-only" => reduce_only = true,
                "long" => position_side = PositionSide::Long,
                "short" => position_side = PositionSide::Short,
                "stop" => (trigger, stop_text) = (Some(TriggerKind::StopLoss), words.next()),
                "take" => (trigger, stop_text) = (Some(TriggerKind::TakeProfit), words.next()),
                "trail" => trailing_bips = words.next().parse().unwrap(),
                "stp" => {
                    place.self_trade_prevention = match words.next() {
                        "expire-maker" => SelfTradePrevention::ExpireMaker,
                        "expire-taker" => SelfTradePrevention::ExpireTaker,
                        "expire-both" => SelfTradePrevention::ExpireBoth,
                        "decrement" => SelfTradePrevention::Decrement,
                        "transfer" => SelfTradePrevention::Transfer,
                        other => panic!("no mode of self-trade prevention: {other}"),
                    }
                }
                "as" => place.client_order_id = name(words.next()),
                "on" => place.market = self.market(words.next()),
                "until" => place.valid_until_ns = seconds(words.next()),
                other => panic!("an order has no {other}"),
            }
        }
        let stop_ticks =
            if stop_text == "-" { PriceTicks::ZERO } else { PriceTicks(self.ticks(place.market, stop_text)) };
        place.kind = match price {
            None if let Some(trigger) = trigger => OrderKind::StopMarket {
                qty_lots: QtyLots(self.lots(place.market, number)),
                trigger,
                stop_ticks,
                trailing_bips,
            },
            Some(price) if let Some(trigger) = trigger => OrderKind::StopLimit {
                price_ticks: PriceTicks(self.ticks(place.market, price)),
                qty_lots: QtyLots(self.lots(place.market, number)),
                time_in_force: force,
                trigger,
                stop_ticks,
                trailing_bips,
            },
            _ if by_amount => OrderKind::MarketQuote { quote_amount: self.quote(place.market, number) },
            None => OrderKind::Market { qty_lots: QtyLots(self.lots(place.market, number)) },
            Some(price) => {
                let price_ticks = PriceTicks(self.ticks(place.market, price));
                let qty_lots = QtyLots(self.lots(place.market, number));
                if post_only {
                    OrderKind::LimitMaker { price_ticks, qty_lots }
                } else {
                    OrderKind::Limit { price_ticks, qty_lots, time_in_force: force }
                }
            }
        };
        (place, reduce_only, position_side)
    }

    fn where_and_when(&self, words: &mut Words<'_>) -> (MarketId, TimeNs) {
        let market = if words.take("on") { self.market(words.next()) } else { MarketId(0) };
        let until = if words.take("until") { seconds(words.next()) } else { TimeNs::NEVER };
        (market, until)
    }

    // Names.

    fn open_account(&mut self, words: &mut Words<'_>) -> Vec<String> {
        self.list_defaults();
        let owner = words.next();
        let trade_group =
            if words.take("group") { TradeGroup(words.next().parse().unwrap()) } else { TradeGroup::NONE };
        let happened = self.does(Command::CreateAccount(CreateAccount { name: name(owner), trade_group }));
        let next = AccountId(u64::try_from(self.accounts.len()).unwrap() + 1);
        if !owner.starts_with('_') {
            self.accounts.entry(owner.into()).or_insert(next);
        }
        if words.take("rich") {
            self.make_rich(self.accounts[owner]);
        }
        happened
    }

    /// The account, opened and made rich when this is its first mention.
    pub fn account(&mut self, owner: &str) -> AccountId {
        self.list_defaults();
        let first = !self.accounts.contains_key(owner);
        let account = self.known_account(owner);
        if first && owner != "nobody" {
            self.make_rich(account);
        }
        account
    }

    /// The account, opened when this is its first mention.
    fn known_account(&mut self, owner: &str) -> AccountId {
        if owner == "nobody" {
            return AccountId(4_000_000);
        }
        if !self.accounts.contains_key(owner) {
            self.open_account(&mut Words(owner.split_whitespace().peekable()));
        }
        self.accounts[owner]
    }

    fn make_rich(&mut self, account: AccountId) {
        let assets: Vec<_> = self
            .world
            .partition
            .catalog()
            .assets()
            .map(|(asset, terms)| (asset, terms.atoms_per_unit()))
            .collect();
        for (asset, unit) in assets {
            self.references += 1;
            let reference = Reference::new(&format!("start-{}", self.references)).unwrap();
            let amount = Amount(unit.0 * 1_000_000);
            self.world.apply(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
        }
    }

    pub fn name_of(&self, account: AccountId) -> &str {
        self.accounts.iter().find(|(_, id)| **id == account).map_or("nobody", |(name, _)| name)
    }

    fn reference(&mut self, words: &mut Words<'_>) -> Reference {
        if words.take("ref") {
            return name(words.next());
        }
        self.references += 1;
        Reference::new(&format!("story-{}", self.references)).unwrap()
    }

    pub fn market(&self, market: &str) -> MarketId {
        let catalog = self.world.partition.catalog();
        let found = catalog.market_named(&name(market)).or_else(|| catalog.contract_named(&name(market)));
        found.unwrap_or(MarketId(99))
    }

    fn asset(&self, asset: &str) -> AssetId {
        self.world.partition.catalog().asset_named(&name(asset)).unwrap_or(AssetId(99))
    }

    pub fn amount(&self, words: &mut Words<'_>) -> (AssetId, Amount) {
        let number = words.next();
        let asset = self.asset(words.next());
        let scale = self.world.partition.catalog().asset(asset).map_or(8, |terms| terms.scale);
        (asset, Amount(decimal::units(number, scale.into())))
    }

    // Numbers.

    /// The market's terms; the first market's where there is no such one, the usual ones where there is none at all.
    pub fn terms_at(&self, market: MarketId) -> MarketTerms {
        let catalog = self.world.partition.catalog();
        let found = catalog.market(market).or_else(|_| catalog.market(MarketId(0)));
        found.copied().unwrap_or_else(|_| usual_terms(AssetId(0), AssetId(1)))
    }

    pub fn scale(&self, asset: AssetId) -> u32 {
        self.world.partition.catalog().asset(asset).map_or(8, |terms| terms.scale.into())
    }

    pub fn asset_name(&self, asset: AssetId) -> String {
        self.world.partition.catalog().asset(asset).map_or("nothing".into(), |terms| terms.name.to_string())
    }

    pub fn ticks(&self, market: MarketId, price: &str) -> i64 {
        ticks(&self.terms_at(market), price)
    }

    pub fn lots(&self, market: MarketId, qty: &str) -> i64 {
        let terms = self.terms_at(market);
        lots(&terms, self.scale(terms.base), qty)
    }

    fn quote(&self, market: MarketId, amount: &str) -> Amount {
        Amount(decimal::units(amount, self.scale(self.terms_at(market).quote)))
    }

    // Listings.

    pub fn list_defaults(&mut self) {
        if self.world.partition.catalog().markets().next().is_some() {
            return;
        }
        let terms = self.terms_of_new(&[]);
        let terms = self.terms("BTCUSDT", terms, &mut Words("".split_whitespace().peekable()));
        self.world.apply(Command::AddMarket(Box::new(AddMarket { terms })));
    }

    /// Default terms between the assets that the words name, which are listed where they are not.
    pub fn terms_of_new(&mut self, words: &[&str]) -> MarketTerms {
        let value_of = |key: &str| words.iter().position(|word| *word == key).map(|at| words[at + 1]);
        let (base, quote) = (value_of("base").unwrap_or("BTC"), value_of("quote").unwrap_or("USDT"));
        for asset in [base, quote] {
            if asset != "NOTHING" && self.world.partition.catalog().asset_named(&name(asset)).is_none() {
                let terms = AssetTerms { name: name(asset), scale: 8 };
                self.world.apply(Command::AddAsset(AddAsset { terms }));
            }
        }
        usual_terms(self.asset(base), self.asset(quote))
    }

    /// `terms` with the settings that the words name.
    pub fn terms(&mut self, market: &str, mut terms: MarketTerms, words: &mut Words<'_>) -> MarketTerms {
        terms.name = name(market);
        let (base_scale, quote_scale) = (self.scale(terms.base), self.scale(terms.quote));
        while let Some(key) = words.0.next_if(|key| *key != "with") {
            let value = words.next();
            let range = || value.split_once("..").expect("a range is MIN..MAX");
            match key {
                "base" => terms.base = self.asset(value),
                "quote" => terms.quote = self.asset(value),
                "tick" => {
                    let decimals = value.split_once('.').map_or(0, |(_, part)| part.len());
                    terms.price_scale = u8::try_from(decimals).unwrap();
                    terms.tick_size = i64::try_from(decimal::units(value, terms.price_scale.into())).unwrap();
                }
                "price-scale" => terms.price_scale = value.parse().unwrap(),
                "lot" => terms.base_atoms_per_lot = Amount(decimal::units(value, base_scale)),
                "price" => {
                    terms.min_price_ticks = PriceTicks(ticks(&terms, range().0));
                    terms.max_price_ticks = PriceTicks(ticks(&terms, range().1));
                }
                "qty" => {
                    terms.min_qty_lots = QtyLots(lots(&terms, base_scale, range().0));
                    terms.max_qty_lots = QtyLots(lots(&terms, base_scale, range().1));
                }
                "notional" => {
                    terms.min_notional = Amount(decimal::units(range().0, quote_scale));
                    terms.max_notional = Amount(decimal::units(range().1, quote_scale));
                }
                "orders" => terms.max_open_orders = value.parse().unwrap(),
                "orders-per-account" => terms.max_open_orders_per_account = value.parse().unwrap(),
                "amends" => terms.max_amends_per_order = value.parse().unwrap(),
                "maker" => terms.maker_fee_ppm = ppm(value),
                "taker" => terms.taker_fee_ppm = ppm(value),
                "rounding" => {
                    terms.fee_rounding = match value {
                        "up" => FeeRounding::Up,
                        "half-up" => FeeRounding::HalfUp,
                        "down" => FeeRounding::Down,
                        other => panic!("no rounding: {other}"),
                    }
                }
                "band" => terms.band_ppm = ppm(value),
                "reference" => terms.initial_reference_ticks = PriceTicks(ticks(&terms, value)),
                "status" => {
                    terms.status = match value {
                        "trading" => MarketStatus::Trading,
                        "cancel-only" => MarketStatus::CancelOnly,
                        "halted" => MarketStatus::Halt,
                        other => panic!("no status: {other}"),
                    }
                }
                other => panic!("a market has no setting {other}"),
            }
        }
        let catalog = self.world.partition.catalog();
        if let (Ok(base), Ok(quote)) = (catalog.asset(terms.base), catalog.asset(terms.quote)) {
            let (scale, size, lot) = (terms.price_scale, terms.tick_size, terms.base_atoms_per_lot);
            let tick_lot = MarketTerms::quote_atoms_per_tick_lot(base, quote, scale, size, lot);
            terms.quote_atoms_per_tick_lot = tick_lot.unwrap_or(Amount(1));
        }
        terms
    }
}

/// What a market has where a story says nothing else.
fn usual_terms(base: AssetId, quote: AssetId) -> MarketTerms {
    MarketTerms {
        name: Text::EMPTY,
        base,
        quote,
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000),
        quote_atoms_per_tick_lot: Amount(10),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(100_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(100_000_000_000),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: 10_000,
        max_open_orders_per_account: 200,
        max_amends_per_order: 10,
        maker_fee_ppm: 0,
        taker_fee_ppm: 0,
        fee_rounding: FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(10_000),
        status: MarketStatus::Trading,
    }
}

/// Where a command goes; the first market where it goes to none.
fn market_of(command: &Command) -> MarketId {
    match command {
        Command::PlaceOrder(place) => place.market,
        Command::CancelOrder(cancel) => cancel.market,
        Command::CancelAllOrders(cancel) => cancel.market,
        Command::ReplaceOrder(replace) => replace.place.market,
        Command::AmendOrder(amend) => amend.market,
        Command::PlaceContractOrder(place) => place.market,
        Command::ChangeLeverage(change) => change.market,
        Command::PlaceAlgoOrder(place) => place.market,
        Command::ModifyContractOrder(modify) => modify.market,
        Command::PlaceGoodTillDate(place) => place.market,
        _ => MarketId(0),
    }
}

/// A price in ticks.
fn ticks(terms: &MarketTerms, price: &str) -> i64 {
    let units = decimal::units(price, terms.price_scale.into());
    let size = i128::from(terms.tick_size).max(1);
    assert_eq!(units % size, 0, "{price} is a whole number of ticks");
    i64::try_from(units / size).unwrap()
}

/// A quantity in lots.
pub fn lots(terms: &MarketTerms, scale: u32, qty: &str) -> i64 {
    let atoms = decimal::units(qty, scale);
    let size = terms.base_atoms_per_lot.0.max(1);
    assert_eq!(atoms % size, 0, "{qty} is a whole number of lots");
    i64::try_from(atoms / size).unwrap()
}

/// `_` is the empty name.
pub fn name<const N: usize>(text: &str) -> Text<N> {
    Text::new(if text == "_" { "" } else { text }).unwrap()
}

pub fn ppm(percent: &str) -> u32 {
    let number = percent.strip_suffix('%').expect("rates are in per cent");
    u32::try_from(decimal::units(number, 4)).unwrap()
}

fn seconds(text: &str) -> TimeNs {
    TimeNs(u64::try_from(decimal::units(text, 9)).unwrap())
}

/// `#3`, `my-id`, or both.
pub fn order_ref(words: &mut Words<'_>) -> OrderRef {
    const FOLLOWING: [&str; 6] = ["only", "to", "with", "anyway", "on", "until"];
    let first = words.next();
    let Some(number) = first.strip_prefix('#') else { return OrderRef::Client(name(first)) };
    let id = OrderId(number.parse().unwrap());
    match words.0.next_if(|next| !FOLLOWING.contains(next)) {
        Some(called) => OrderRef::Both((id, name(called))),
        None => OrderRef::Id(id),
    }
}

/// What a key may do, and from where: all that is left of the line.
fn access(words: &mut Words<'_>) -> (u32, Vec<IpRange>) {
    assert!(words.take("permissions"));
    let permissions = words.next().parse().unwrap();
    let from = words.take("from");
    let ip_ranges = words.0.by_ref().map(ip_range).collect::<Vec<_>>();
    assert_eq!(from, !ip_ranges.is_empty(), "behind `from` stand addresses");
    (permissions, ip_ranges)
}

/// As it stands, `bad` for one that has bits behind its prefix, which the exchange has to refuse.
fn ip_range(text: &str) -> IpRange {
    if text == "bad" { IpRange::V4 { network: 1, prefix_bits: 8 } } else { text.parse().unwrap() }
}

fn restriction(words: &mut Words<'_>) -> CancelRestriction {
    if !words.take("only") {
        return CancelRestriction::None;
    }
    match words.next() {
        "new" => CancelRestriction::OnlyNew,
        "partly-filled" => CancelRestriction::OnlyPartiallyFilled,
        other => panic!("no restriction: {other}"),
    }
}
