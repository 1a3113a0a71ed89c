-- Perpetual contracts. A contract is a market: it has a row in markets, its orders and trades stand among the others.
-- Beside that: its own terms, what accounts have at it, and what came of it.

ALTER TABLE markets ADD COLUMN kind VARCHAR(9) DEFAULT 'SPOT' NOT NULL;

ALTER TABLE orders ADD COLUMN position_side VARCHAR(5);

ALTER TABLE orders ADD COLUMN reduce_only INTEGER DEFAULT 0 NOT NULL;

ALTER TABLE orders ADD COLUMN good_till MOMENT;

ALTER TABLE orders ADD COLUMN placed_by VARCHAR(11) DEFAULT 'OWNER' NOT NULL;

-- What an order waits for, and since when it no longer does; which of its owner's orders it met.

ALTER TABLE orders ADD COLUMN stop_price AMOUNT;

ALTER TABLE orders ADD COLUMN trailing_delta INTEGER;

ALTER TABLE orders ADD COLUMN trailing_at MOMENT;

ALTER TABLE orders ADD COLUMN triggered_at MOMENT;

ALTER TABLE orders ADD COLUMN prevented_match_id BIGINT;

CREATE TABLE IF NOT EXISTS contracts (
    market_id INTEGER NOT NULL PRIMARY KEY,
    default_leverage INTEGER NOT NULL,
    max_leverage INTEGER NOT NULL,
    max_position AMOUNT NOT NULL,
    funding_interval_hours INTEGER NOT NULL,
    funding_cap AMOUNT NOT NULL,
    funding_floor AMOUNT NOT NULL,
    clearance_fee AMOUNT NOT NULL,
    fund_account_id BIGINT NOT NULL,
    updated_at MOMENT NOT NULL
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS futures_wallets (
    account_id BIGINT NOT NULL,
    asset_id INTEGER NOT NULL,
    balance AMOUNT NOT NULL,
    updated_at MOMENT NOT NULL,
    PRIMARY KEY (account_id, asset_id)
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS positions (
    account_id BIGINT NOT NULL,
    market_id INTEGER NOT NULL,
    position_side VARCHAR(5) NOT NULL,
    quantity AMOUNT NOT NULL,
    cost AMOUNT NOT NULL,
    margin AMOUNT,
    updated_at MOMENT NOT NULL,
    PRIMARY KEY (account_id, market_id, position_side)
)TABLE_OPTIONS;

CREATE INDEX positions_by_market ON positions (market_id);

CREATE TABLE IF NOT EXISTS position_settings (
    account_id BIGINT NOT NULL,
    market_id INTEGER NOT NULL,
    leverage INTEGER,
    margin_type VARCHAR(8) NOT NULL,
    updated_at MOMENT NOT NULL,
    PRIMARY KEY (account_id, market_id)
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS income (
    partition_id INTEGER NOT NULL,
    event_seq BIGINT NOT NULL,
    leg INTEGER NOT NULL,
    account_id BIGINT NOT NULL,
    asset_id INTEGER NOT NULL,
    market_id INTEGER,
    kind VARCHAR(15) NOT NULL,
    amount AMOUNT NOT NULL,
    trade_id BIGINT,
    order_id BIGINT,
    posted_at MOMENT NOT NULL,
    PRIMARY KEY (partition_id, event_seq, leg)
)TABLE_OPTIONS;

CREATE INDEX income_by_account ON income (account_id, posted_at);

CREATE TABLE IF NOT EXISTS funding_rates (
    market_id INTEGER NOT NULL,
    settled_at MOMENT NOT NULL,
    rate AMOUNT NOT NULL,
    mark_price AMOUNT NOT NULL,
    PRIMARY KEY (market_id, settled_at)
)TABLE_OPTIONS;
