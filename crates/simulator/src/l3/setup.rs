//! What an empty exchange needs before the flow can start: two assets, the market, accounts, and enough money in each.
//!
//! The recording names no participants, so they are made up here: a fixed number of accounts take the orders in turn, and
//! each is given, before the first order, what all of its orders together could ever cost. Orders of one account may then
//! meet; the flow is placed without self-trade prevention, which would make a difference that the recording knows nothing of.

use std::collections::HashMap;

use model::{
    AccountId, AccountName, AddAsset, AddMarket, Amount, AssetId, AssetName, AssetTerms, Command,
    CreateAccount, Deposit, FeeRounding, MarketId, MarketName, MarketStatus, MarketTerms, PriceTicks,
    QtyLots, Reference, Side, TradeGroup,
};

use super::rows::{PRICE_DECIMALS, QTY_DECIMALS};
use super::rules::{Action, Entry, Flow};

/// The market of the recording: the first one of an empty exchange.
pub const MARKET: MarketId = MarketId(0);
/// Bitcoin.
pub const BASE: AssetId = AssetId(0);
/// Dollars.
pub const QUOTE: AssetId = AssetId(1);
/// So many accounts share the flow.
pub const ACCOUNTS: u64 = 1_000;
/// Fee of either side, in millionths. The venue's fees are not in the recording.
pub const FEE_PPM: u32 = 1_000;
/// Market orders trade within this part of the last price, either side, in millionths.
pub const BAND_PPM: u32 = 100_000;

/// How the exchange is prepared.
#[derive(Clone, Debug)]
pub struct Setup {
    /// To be applied, in this order, to an exchange that has seen nothing yet.
    pub commands: Vec<Command>,
    /// Whose each order is, by the venue's number.
    pub accounts: HashMap<u64, AccountId>,
}

impl Setup {
    /// Works out accounts, terms and funding for a flow.
    pub fn of(flow: &Flow) -> Self {
        let bounds = Bounds::of(flow);
        let mut accounts = HashMap::with_capacity(flow.steps.len() / 2);
        let mut needs = vec![[Amount::ZERO; 2]; usize::try_from(ACCOUNTS).expect("a small number")];
        for (turn, placed) in placed(flow).enumerate() {
            let turn = turn as u64 % ACCOUNTS;
            accounts.insert(placed.order, AccountId(turn + 1));
            let price = placed.price.unwrap_or(bounds.dearest_market_buy);
            let [base, quote] = &mut needs[usize::try_from(turn).expect("below the number of accounts")];
            match placed.side {
                Side::Buy => *quote += Amount(i128::from(price.0) * i128::from(placed.qty.0)),
                Side::Sell => *base += Amount(i128::from(placed.qty.0)),
            }
        }

        let mut commands = vec![asset("BTC"), asset("USD"), market(&bounds)];
        for account in 1..=ACCOUNTS {
            commands.push(Command::CreateAccount(CreateAccount {
                name: AccountName::new(&format!("l3-{account:04}")).expect("a short name"),
                trade_group: TradeGroup::NONE,
            }));
        }
        for (account, need) in (1..).zip(&needs) {
            for (asset, &amount) in [BASE, QUOTE].into_iter().zip(need) {
                if !amount.is_zero() {
                    commands.push(deposit(AccountId(account), asset, amount));
                }
            }
        }
        Self { commands, accounts }
    }
}

/// An order of the flow as it comes in; a market order has no price.
struct Placed {
    order: u64,
    side: Side,
    price: Option<PriceTicks>,
    qty: QtyLots,
}

/// All that is ever placed, replacements as orders of their own account included.
fn placed(flow: &Flow) -> impl Iterator<Item = Placed> {
    flow.steps.iter().filter_map(|step| {
        let (price, qty) = match step.action {
            Action::Place { entry: Entry::Limit(price) | Entry::PostOnly(price), qty }
            | Action::Replace { price, open: qty } => (Some(price), qty),
            Action::Place { entry: Entry::Market, qty } => (None, qty),
            Action::Amend { .. } | Action::Cancel => return None,
        };
        Some(Placed { order: step.order, side: step.side, price, qty })
    })
}

/// What the market has to allow, so that nothing of the flow is refused by a filter.
struct Bounds {
    max_price: PriceTicks,
    max_qty: QtyLots,
    /// The best bid among the orders that stood when the recording began.
    reference: PriceTicks,
    /// No market order pays more: twice the reference is far outside any band around the trades of half an hour.
    dearest_market_buy: PriceTicks,
}

impl Bounds {
    fn of(flow: &Flow) -> Self {
        let max_price = placed(flow).filter_map(|placed| placed.price).max().unwrap_or(PriceTicks(1));
        let max_qty = placed(flow).map(|placed| placed.qty).max().unwrap_or(QtyLots(1));
        let listed = flow.steps.iter().filter(|step| step.row <= flow.span.made_up_creates);
        let best_bid = listed.filter_map(|step| match (step.side, step.action) {
            (Side::Buy, Action::Place { entry: Entry::Limit(price), .. }) => Some(price),
            _ => None,
        });
        let reference = best_bid.max().unwrap_or(max_price);
        Self { max_price, max_qty, reference, dearest_market_buy: reference + reference }
    }
}

fn asset(name: &str) -> Command {
    let name = AssetName::new(name).expect("a short name");
    Command::AddAsset(AddAsset { terms: AssetTerms { name, scale: QTY_DECIMALS } })
}

fn market(bounds: &Bounds) -> Command {
    // Terms bound the largest order times the number of orders; the recording has far fewer orders than this leaves room for.
    let most_orders = MarketTerms::MAX_OPEN_LOTS / bounds.max_qty.0;
    let max_open_orders = u32::try_from(most_orders)
        .map_or(MarketTerms::MAX_OPEN_ORDERS, |most| most.min(MarketTerms::MAX_OPEN_ORDERS));
    Command::AddMarket(Box::new(AddMarket {
        terms: MarketTerms {
            name: MarketName::new("BTCUSD").expect("a short name"),
            base: BASE,
            quote: QUOTE,
            price_scale: PRICE_DECIMALS,
            tick_size: 1,
            // A lot is one satoshi, an atom of either asset 10^-8: at one dollar, one lot costs one atom.
            base_atoms_per_lot: Amount(1),
            quote_atoms_per_tick_lot: Amount(1),
            min_price_ticks: PriceTicks(1),
            max_price_ticks: bounds.max_price,
            min_qty_lots: QtyLots(1),
            max_qty_lots: bounds.max_qty,
            min_notional: Amount::ZERO,
            max_notional: Amount::ZERO,
            max_open_orders,
            max_open_orders_per_account: max_open_orders,
            max_amends_per_order: u16::MAX,
            maker_fee_ppm: FEE_PPM,
            taker_fee_ppm: FEE_PPM,
            fee_rounding: FeeRounding::Up,
            band_ppm: BAND_PPM,
            initial_reference_ticks: bounds.reference,
            status: MarketStatus::Trading,
        },
    }))
}

fn deposit(account: AccountId, asset: AssetId, amount: Amount) -> Command {
    Command::Deposit(Box::new(Deposit {
        account,
        asset,
        amount,
        reference: Reference::new(&format!("l3-{account}-{asset}")).expect("a short reference"),
    }))
}
