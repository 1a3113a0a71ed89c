//! The flow of the partition's yardsticks: [`simulator::mixed`] as commands. Client ids have 32 characters, all accounts have
//! the money they need before they need it, fees are on, and an order of the owner's own in the way expires.

use model::{
    AccountId, AddAsset, AddMarket, AmendOrder, Amount, AssetId, AssetTerms, CancelOrder, CancelRestriction,
    ClientOrderId, Command, CreateAccount, Deposit, FeeRounding, MarketId, MarketStatus, MarketTerms,
    OrderId, OrderKind, OrderRef, PlaceOrder, PriceTicks, QtyLots, Reference, Seq, Sequenced, Side, Text,
    TimeInForce, TimeNs, TradeGroup, TriggerKind,
};
use simulator::mixed::{Mixed, Step, Totals, What, client_id};

pub use simulator::mixed::Shape;

/// Assets that are sold; with more than 25 x 4 markets several have the same pair.
const BASES: u32 = 25;
/// Assets that are paid with.
const QUOTES: u32 = 4;
/// With more pairs of account and asset, only those are funded that trade.
const MOST_FUNDED_BEFORE: u64 = 1_000_000;

const FUNDS: Amount = Amount(1_000_000_000_000_000_000);

fn bases(shape: &Shape) -> u32 {
    shape.markets.min(BASES)
}

fn quotes(shape: &Shape) -> u32 {
    shape.markets.div_ceil(BASES).min(QUOTES)
}

fn assets(shape: &Shape) -> u32 {
    bases(shape) + quotes(shape)
}

fn base_of(shape: &Shape, market: u32) -> AssetId {
    AssetId(market % bases(shape))
}

fn quote_of(shape: &Shape, market: u32) -> AssetId {
    AssetId(bases(shape) + market / BASES % quotes(shape))
}

fn is_funded_before(shape: &Shape) -> bool {
    u64::from(shape.accounts) * u64::from(assets(shape)) <= MOST_FUNDED_BEFORE
}

/// The commands that come before everything else: assets, markets, accounts, and money where that is not too much.
pub fn preparation(shape: &Shape) -> Vec<Command> {
    let mut commands = Vec::new();
    for asset in 0..assets(shape) {
        let name = match asset.checked_sub(bases(shape)) {
            None => format!("COIN{asset}"),
            Some(quote) => format!("MONEY{quote}"),
        };
        commands.push(Command::AddAsset(AddAsset { terms: AssetTerms { name: text(&name), scale: 8 } }));
    }
    for market in 0..shape.markets {
        commands.push(Command::AddMarket(Box::new(AddMarket { terms: terms(shape, market) })));
    }
    for account in 1..=u64::from(shape.accounts) {
        let name = text(&format!("trader-{account}"));
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
        if is_funded_before(shape) {
            commands.extend((0..assets(shape)).map(|asset| deposit(AccountId(account), AssetId(asset))));
        }
    }
    commands
}

fn deposit(account: AccountId, asset: AssetId) -> Command {
    let reference = Reference::new(&format!("{account}-{asset}")).expect("short");
    Command::Deposit(Box::new(Deposit { account, asset, amount: FUNDS, reference }))
}

fn text<const N: usize>(name: &str) -> Text<N> {
    Text::new(name).expect("short")
}

fn terms(shape: &Shape, market: u32) -> MarketTerms {
    let (base, quote) = (base_of(shape, market), quote_of(shape, market));
    MarketTerms {
        name: text(&format!("COIN{base}MONEY{quote}-{market}")),
        base,
        quote,
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000),
        quote_atoms_per_tick_lot: Amount(10),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(1_000_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(i64::from(Shape::MAX_LOTS)),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: MarketTerms::MAX_OPEN_ORDERS,
        max_open_orders_per_account: MarketTerms::MAX_OPEN_ORDERS,
        max_amends_per_order: u16::from(Shape::MAX_AMENDS),
        maker_fee_ppm: 1_000,
        taker_fee_ppm: 1_000,
        fee_rounding: FeeRounding::Up,
        band_ppm: Shape::BAND_PPM,
        initial_reference_ticks: PriceTicks(Shape::MID_TICKS),
        status: MarketStatus::Trading,
    }
}

/// The flow, made piece by piece, so that what is measured is not the reading of gigabytes of commands.
pub struct Flow {
    shape: Shape,
    mixed: Mixed,
    seq: Seq,
    /// By account and asset, where they were not all funded before.
    is_funded: Vec<bool>,
    piece: Vec<Step>,
}

impl Flow {
    /// The flow behind so many commands.
    pub fn new(shape: &Shape, preparation: usize) -> Self {
        let pairs = shape.accounts as usize * assets(shape) as usize;
        Self {
            shape: *shape,
            mixed: Mixed::new(shape),
            seq: Seq(u64::try_from(preparation).expect("fits")),
            is_funded: if is_funded_before(shape) { Vec::new() } else { vec![false; pairs] },
            piece: Vec::new(),
        }
    }

    /// So many commands come first that only fill the books.
    pub fn warm_up(&self) -> usize {
        self.shape.fewest
    }

    /// What an exchange should have made of it so far.
    pub fn totals(&self) -> &Totals {
        self.mixed.totals()
    }

    /// Appends `count` commands, and in front of them the deposits that they need: so many it returns. With the standard shape
    /// there are none.
    pub fn fill(&mut self, count: usize, commands: &mut Vec<Sequenced<Command>>) -> usize {
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        piece.extend(self.mixed.by_ref().take(count));
        let mut deposits = 0;
        if !self.is_funded.is_empty() {
            for step in &piece {
                if let Some(deposit) = self.needed(step) {
                    commands.push(self.next(deposit));
                    deposits += 1;
                }
            }
        }
        for step in &piece {
            let command = self.command(step);
            commands.push(self.next(command));
        }
        self.piece = piece;
        deposits
    }

    fn next(&mut self, command: Command) -> Sequenced<Command> {
        self.seq = self.seq.next();
        Sequenced { seq: self.seq, time_ns: TimeNs(self.seq.0), command }
    }

    /// The deposit without which this order would have nothing to pay with.
    fn needed(&mut self, step: &Step) -> Option<Command> {
        let asset = match step.side {
            Side::Buy => quote_of(&self.shape, step.market),
            Side::Sell => base_of(&self.shape, step.market),
        };
        let at = (step.account as usize - 1) * assets(&self.shape) as usize + asset.0 as usize;
        let was_funded = std::mem::replace(&mut self.is_funded[at], true);
        (!was_funded).then(|| deposit(AccountId(u64::from(step.account)), asset))
    }

    fn command(&self, step: &Step) -> Command {
        let account = AccountId(u64::from(step.account));
        let market = MarketId(step.market);
        let (price_ticks, qty_lots) = (PriceTicks(step.price), QtyLots(i64::from(step.qty)));
        let limit = |time_in_force| OrderKind::Limit { price_ticks, qty_lots, time_in_force };
        let place = |kind| {
            Command::PlaceOrder(PlaceOrder {
                account,
                market,
                side: step.side,
                kind,
                self_trade_prevention: self.shape.self_trade_prevention,
                client_order_id: client_id(step.order),
                valid_until_ns: TimeNs::NEVER,
            })
        };
        match step.what {
            What::Limit => place(limit(TimeInForce::Gtc)),
            What::Ioc => place(limit(TimeInForce::Ioc)),
            What::Fok => place(limit(TimeInForce::Fok)),
            What::LimitMaker => place(OrderKind::LimitMaker { price_ticks, qty_lots }),
            What::Market => place(OrderKind::Market { qty_lots }),
            What::StopMarket => place(OrderKind::StopMarket {
                qty_lots,
                trigger: TriggerKind::StopLoss,
                stop_ticks: price_ticks,
                trailing_bips: 0,
            }),
            What::StopLimit => place(OrderKind::StopLimit {
                price_ticks: PriceTicks(step.limit_behind_stop()),
                qty_lots,
                time_in_force: TimeInForce::Gtc,
                trigger: TriggerKind::StopLoss,
                stop_ticks: price_ticks,
                trailing_bips: 0,
            }),
            What::Cancel => Command::CancelOrder(CancelOrder {
                account,
                market,
                order: naming(step.order),
                restriction: CancelRestriction::None,
                valid_until_ns: TimeNs::NEVER,
            }),
            What::Amend => Command::AmendOrder(AmendOrder {
                account,
                market,
                order: naming(step.order),
                new_qty_lots: qty_lots,
                new_client_order_id: ClientOrderId::EMPTY,
                valid_until_ns: TimeNs::NEVER,
            }),
        }
    }
}

/// Half of the owners name their orders by number, half by what they called them.
pub(crate) fn naming(order: u64) -> OrderRef {
    if order.is_multiple_of(2) { OrderRef::Id(OrderId(order)) } else { OrderRef::Client(client_id(order)) }
}

#[cfg(test)]
mod tests {
    use model::Event;

    use super::*;
    use crate::partition;

    /// What the exchange makes of a flow: trades, lots, orders expired for their owner's own, those whose price has come, and the
    /// check value.
    fn found(shape: &Shape, count: usize) -> (Totals, Totals) {
        let (mut partition, mut flow) = partition::begun(shape);
        let (mut commands, mut events) = (Vec::new(), Vec::new());
        flow.fill(count, &mut commands);
        for command in &commands {
            partition.apply(command, &mut events);
        }
        let mut totals = Totals { commands: flow.totals().commands, ..Totals::default() };
        for event in &events {
            match event {
                Event::Traded(traded) => {
                    let lots = u64::try_from(traded.qty_lots.0).unwrap();
                    let price = u64::try_from(traded.price_ticks.0).unwrap();
                    totals.trades += 1;
                    totals.volume += lots;
                    totals.check = totals.check.wrapping_add(traded.maker_order.0 * lots + (price << 20));
                }
                Event::OrderEnded(ended) => {
                    totals.prevented += u64::from(ended.reason == model::EndReason::ExpiredInMatch);
                }
                Event::OrderTriggered(_) => totals.triggered += 1,
                Event::Rejected { reject, .. } => panic!("the flow is accepted: {reject}"),
                _ => {}
            }
        }
        (totals, *flow.totals())
    }

    /// Two books that have nothing in common but the rules find the same trades; and no command is refused.
    #[test]
    fn the_exchange_makes_of_the_flow_what_the_flow_says() {
        let few = Shape {
            markets: 7,
            accounts: 50,
            fewest: 2_000,
            most: 4_000,
            stop_distance: 1,
            ..Shape::STANDARD
        };
        let many = Shape { markets: 300, accounts: 40_000, ..few };
        assert!(is_funded_before(&few) && !is_funded_before(&many));
        for shape in [few, many] {
            let (found, said) = found(&shape, 30_000);
            assert_eq!(found, said);
            assert!(shape == many || found.triggered > 100, "{} triggered", found.triggered);
            assert!(found.trades > 2_000, "{} trades", found.trades);
            assert!(shape == many || found.prevented > 100, "{} prevented", found.prevented);
        }
    }

    #[test]
    fn client_ids_have_32_characters_and_no_twins() {
        let ids: std::collections::BTreeSet<_> = (0..10_000).map(client_id).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.as_str().len() == 32));
    }
}
