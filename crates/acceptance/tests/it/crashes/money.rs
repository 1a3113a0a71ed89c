//! Decimal text and exact numbers, and what is traded here. All assets have eight decimals.

/// Units of 10^-8.
pub type Atoms = i128;

/// One whole unit of an asset.
pub const UNIT: Atoms = 100_000_000;

pub const ASSETS: [&str; 3] = ["BTC", "ETH", "USDT"];

/// The place of an asset in [`ASSETS`].
pub fn asset(name: &str) -> usize {
    ASSETS.iter().position(|asset| *asset == name).unwrap_or_else(|| panic!("{name} is not listed"))
}

/// A market and the neighbourhood in which it is traded.
#[derive(Debug)]
pub struct Market {
    pub symbol: &'static str,
    pub base: usize,
    pub quote: usize,
    pub tick: Atoms,
    pub lot: Atoms,
    pub price: Atoms,
}

pub const MARKETS: [Market; 2] = [
    Market { symbol: "BTCUSDT", base: 0, quote: 2, tick: UNIT, lot: UNIT / 1_000, price: 60_000 * UNIT },
    Market { symbol: "ETHBTC", base: 1, quote: 0, tick: UNIT / 100_000, lot: UNIT / 100, price: UNIT / 20 },
];

/// What the settings file says of assets and markets.
pub fn listings() -> String {
    let asset = |name: &&str| format!("[[asset]]\nname = \"{name}\"\nscale = 8\n");
    let assets: String = ASSETS.iter().map(asset).collect();
    let market = |market: &Market| {
        format!(
            "[[market]]\nname = \"{}\"\nbase = \"{}\"\nquote = \"{}\"\ntick_size = \"{}\"\nlot_size = \"{}\"\n\
             initial_price = \"{}\"\nmax_open_orders_per_account = 1000\n",
            market.symbol,
            ASSETS[market.base],
            ASSETS[market.quote],
            text(market.tick),
            text(market.lot),
            text(market.price)
        )
    };
    let markets: String = MARKETS.iter().map(market).collect();
    assets + &markets
}

/// Decimal text as atoms; exact, or a panic.
pub fn atoms(text: &str) -> Atoms {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 8, "{text} has more than eight decimals");
    let number = |digits: &str| digits.parse::<Atoms>().unwrap_or_else(|error| panic!("{text}: {error}"));
    number(whole) * UNIT + number(&format!("{fraction:0<8}"))
}

/// Atoms as decimal text.
pub fn text(atoms: Atoms) -> String {
    format!("{}.{:08}", atoms / UNIT, atoms % UNIT)
}

/// Price x quantity; exact, or a panic.
pub fn notional(price: Atoms, qty: Atoms) -> Atoms {
    let product = price * qty;
    assert_eq!(product % UNIT, 0, "price x quantity is a whole number of atoms");
    product / UNIT
}
