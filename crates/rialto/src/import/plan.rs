//! What is to be imported: read from the old database and held against itself, before anything is handed in. All that is wrong is
//! collected, so that whoever mends it sees more than the first.

use std::collections::{BTreeMap, HashMap};

use gateway_http::{MarketForm, Permissions};
use model::{
    AccountName, Amount, ApiKeyId, AssetId, AssetTerms, ClientOrderId, EntryId, IpRange, KeyLabel,
    MarketTerms, PriceTicks, QtyLots, Side, TradeGroup,
};
use serde_json::Value;

use super::map::UnexplainedHolds;
use super::rows::Row;

/// Problems that are kept in words; the others are counted.
const PROBLEMS_SHOWN: usize = 20;
/// Columns of markets that are whole numbers in a form.
const NUMBERS: [&str; 4] =
    ["partition", "max_open_orders", "max_open_orders_per_account", "max_amends_per_order"];

/// Everything, with places in these lists for names and numbers of the old database.
#[derive(Default)]
pub struct Plan {
    pub assets: Vec<AssetTerms>,
    /// The assets of its terms are places in `assets`.
    pub markets: Vec<(MarketForm, MarketTerms)>,
    pub accounts: Vec<Account>,
    pub balances: BTreeMap<(usize, usize), Balance>,
    pub keys: Vec<Key>,
    pub orders: Vec<Order>,
    pub problems: Problems,
    /// By what the old database calls them.
    account_ids: HashMap<String, usize>,
    market_names: HashMap<String, usize>,
}

pub struct Account {
    pub name: AccountName,
    pub trade_group: TradeGroup,
}

#[derive(Clone, Copy, Default)]
pub struct Balance {
    pub free: Amount,
    pub held: Amount,
    /// What the open orders hold of it.
    pub explained: Amount,
}

pub struct Key {
    pub account: usize,
    pub id: ApiKeyId,
    pub secret: String,
    pub permissions: Permissions,
    pub label: KeyLabel,
    pub ip_ranges: Vec<IpRange>,
}

pub struct Order {
    /// Its number in the old database, which makes sure that it comes once.
    pub entry: EntryId,
    pub account: usize,
    pub market: usize,
    pub side: Side,
    pub price: PriceTicks,
    pub qty: QtyLots,
    pub name: ClientOrderId,
}

/// What is wrong, in words, and how much more.
#[derive(Default)]
pub struct Problems {
    pub shown: Vec<String>,
    pub count: usize,
}

impl Problems {
    pub fn add(&mut self, problem: String) {
        self.count += 1;
        // What is wrong with a query is the same in each of its rows.
        if self.shown.len() < PROBLEMS_SHOWN && !self.shown.contains(&problem) {
            self.shown.push(problem);
        }
    }
}

impl Plan {
    pub fn add_asset(&mut self, row: &Row) -> Result<(), String> {
        let name = row.text("name")?;
        let named = dialect::listings::asset_name(name).map_err(|problem| row.problem(problem))?;
        let scale: u8 = row.number("scale")?;
        if scale > AssetTerms::MAX_SCALE {
            return Err(row.wrong(
                "scale",
                &scale.to_string(),
                format_args!("at most {}", AssetTerms::MAX_SCALE),
            ));
        }
        if self.assets.iter().any(|known| known.name == named) {
            return Err(row.problem(format_args!("the asset {name} comes twice")));
        }
        self.assets.push(AssetTerms { name: named, scale });
        Ok(())
    }

    pub fn add_market(&mut self, row: &Row) -> Result<(), String> {
        let mut fields = serde_json::Map::new();
        for name in row.names {
            let Some(text) = row.optional(name) else { continue };
            let value = if NUMBERS.contains(&name.as_str()) {
                Value::from(row.number::<u64>(name)?)
            } else {
                Value::from(text)
            };
            fields.insert(name.clone(), value);
        }
        let form: MarketForm =
            serde_json::from_value(Value::Object(fields)).map_err(|error| row.problem(error))?;
        if self.market_names.contains_key(&form.name) {
            return Err(row.problem(format_args!("the market {} comes twice", form.name)));
        }
        let [base, quote] = [&form.base, &form.quote]
            .map(|name| self.assets.iter().position(|asset| asset.name.as_str() == name).ok_or(name));
        let unknown = |name: &String| {
            row.problem(format_args!("the market {} has the asset {name}, which does not come", form.name))
        };
        let (base, quote) = (base.map_err(unknown)?, quote.map_err(unknown)?);
        let id = |place: usize| AssetId(u32::try_from(place).expect("there are few assets"));
        let terms = form
            .terms((id(base), &self.assets[base]), (id(quote), &self.assets[quote]))
            .map_err(|error| row.problem(format_args!("the market {}: {error}", form.name)))?;
        self.market_names.insert(form.name.clone(), self.markets.len());
        self.markets.push((form, terms));
        Ok(())
    }

    pub fn add_account(&mut self, row: &Row) -> Result<(), String> {
        let (id, name) = (row.text("id")?, row.text("name")?);
        let named = AccountName::new(name).map_err(|error| row.wrong("name", name, error))?;
        if named.is_empty() {
            return Err(row.wrong("name", name, "an account needs a name"));
        }
        let trade_group = match row.optional("trade_group") {
            None => TradeGroup::NONE,
            Some(_) => TradeGroup(row.number("trade_group")?),
        };
        if self.account_ids.insert(id.to_owned(), self.accounts.len()).is_some() {
            return Err(row.wrong("id", id, "it comes twice"));
        }
        self.accounts.push(Account { name: named, trade_group });
        Ok(())
    }

    pub fn add_balance(&mut self, row: &Row) -> Result<(), String> {
        let account = self.account(row)?;
        let asset = self.asset(row)?;
        let scale = self.assets[asset].scale;
        let (free, held) = (Amount(row.decimal("free", scale)?), Amount(row.decimal("held", scale)?));
        let balance = Balance { free, held, explained: Amount::ZERO };
        if self.balances.insert((account, asset), balance).is_some() {
            return Err(row.problem(format_args!(
                "a second balance of {} of the account {}",
                self.assets[asset].name, self.accounts[account].name
            )));
        }
        Ok(())
    }

    pub fn add_key(&mut self, row: &Row) -> Result<(), String> {
        let account = self.account(row)?;
        let (key, secret, permissions) = (row.text("key")?, row.text("secret")?, row.text("permissions")?);
        let named = ApiKeyId::new(key).map_err(|error| row.wrong("key", key, error))?;
        if named.is_empty() || secret.is_empty() {
            return Err(row.problem("a key needs a name and a secret"));
        }
        let granted = permissions.split(',').map(str::trim).filter(|name| !name.is_empty());
        let permissions = Permissions::from_names(granted)
            .map_err(|unknown| row.wrong("permissions", unknown, "there is no such permission"))?;
        let label = row.optional("label").unwrap_or_default();
        let label = KeyLabel::new(label).map_err(|error| row.wrong("label", label, error))?;
        let ranges = row.optional("ip_ranges").unwrap_or_default();
        let ranges = ranges.split(',').map(str::trim).filter(|range| !range.is_empty());
        let ip_ranges = ranges
            .map(|range| range.parse::<IpRange>().map_err(|error| row.wrong("ip_ranges", range, error)))
            .collect::<Result<_, _>>()?;
        self.keys.push(Key { account, id: named, secret: secret.to_owned(), permissions, label, ip_ranges });
        Ok(())
    }

    pub fn add_order(&mut self, row: &Row) -> Result<(), String> {
        let entry = EntryId(row.number("id")?);
        let account = self.account(row)?;
        let name = row.text("market")?;
        let market = self.market_names.get(name).copied();
        let market = market
            .ok_or_else(|| row.wrong("market", name, "there is no such market among those that come"))?;
        let terms = self.markets[market].1;
        let side = row.text("side")?;
        let side = match side.to_ascii_uppercase().as_str() {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(row.wrong("side", side, "BUY or SELL")),
        };
        let steps = |column: &str, scale, step: i128, called| {
            let units = row.decimal(column, scale)?;
            let count = i64::try_from(units / step).ok().filter(|count| *count > 0 && units % step == 0);
            count.ok_or_else(|| {
                row.wrong(
                    column,
                    row.optional(column).unwrap_or_default(),
                    format_args!("no multiple of the {called}"),
                )
            })
        };
        let base = self.assets[usize::try_from(terms.base.0).expect("fits")];
        let price = PriceTicks(steps("price", terms.price_scale, terms.tick_size.into(), "tick_size")?);
        let qty = QtyLots(steps("quantity", base.scale, terms.base_atoms_per_lot.0, "lot_size")?);
        let called = row.optional("name").unwrap_or_default();
        let name = ClientOrderId::new(called).map_err(|error| row.wrong("name", called, error))?;
        if self.orders.last().is_some_and(|last| entry <= last.entry) || entry == EntryId(0) {
            let problem = "the query must end with ORDER BY id, and each id come once and be above zero";
            return Err(row.wrong("id", &entry.0.to_string(), problem));
        }
        let (pays, cost) = match side {
            Side::Buy => (terms.quote, terms.checked_notional(price, qty)),
            Side::Sell => (terms.base, Some(terms.base_amount(qty))),
        };
        let cost = cost.ok_or_else(|| row.problem("price x quantity is more than can be counted"))?;
        let held = self.balances.entry((account, usize::try_from(pays.0).expect("fits"))).or_default();
        held.explained += cost;
        self.orders.push(Order { entry, account, market, side, price, qty, name });
        Ok(())
    }

    /// Looks at what only shows when all rows are there.
    pub fn finish(&mut self, unexplained: UnexplainedHolds) {
        for (&(account, asset), balance) in &self.balances {
            let (account, asset) = (&self.accounts[account].name, &self.assets[asset]);
            let text = |amount: Amount| dialect::decimal::Decimal { units: amount.0, scale: asset.scale };
            let Balance { held, explained, .. } = *balance;
            if explained > held || (explained < held && unexplained == UnexplainedHolds::Refuse) {
                self.problems.add(format!(
                    "balances: the account {account} has {} {} held, and its open orders come to {}{}",
                    text(held),
                    asset.name,
                    text(explained),
                    if explained < held {
                        "; balances.unexplained_holds = \"free\" gives the rest back"
                    } else {
                        ""
                    }
                ));
            }
        }
        for (at, (form, _)) in self.markets.iter().enumerate() {
            let of = |side| self.orders.iter().filter(move |order| order.market == at && order.side == side);
            let bid = of(Side::Buy).max_by_key(|order| order.price);
            let ask = of(Side::Sell).min_by_key(|order| order.price);
            if let (Some(bid), Some(ask)) = (bid, ask)
                && bid.price >= ask.price
            {
                self.problems.add(format!(
                    "open_orders: the order {} buys {} at the price at which {} sells, or above: they would trade",
                    bid.entry.0, form.name, ask.entry.0
                ));
            }
        }
    }

    /// All that the source has of an asset: free and held.
    pub fn total(&self, asset: usize) -> Amount {
        let of_asset = self.balances.iter().filter(|((_, of), _)| *of == asset);
        of_asset.fold(Amount::ZERO, |sum, (_, balance)| sum + balance.free + balance.held)
    }

    fn account(&self, row: &Row) -> Result<usize, String> {
        let id = row.text("account")?;
        let found = self.account_ids.get(id).copied();
        found.ok_or_else(|| row.wrong("account", id, "no account with this id comes"))
    }

    fn asset(&self, row: &Row) -> Result<usize, String> {
        let name = row.text("asset")?;
        let found = self.assets.iter().position(|asset| asset.name.as_str() == name);
        found.ok_or_else(|| row.wrong("asset", name, "no asset of this name comes"))
    }
}
