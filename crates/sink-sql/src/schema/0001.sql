-- The tables, once for all databases. The words in capitals that are no SQL are what each database calls it: AMOUNT an exact
-- decimal, MOMENT a time of microseconds, BYTES a string of bytes, TABLE_OPTIONS what a table is made with.
-- docs/sql.md says what the columns mean.
--
-- There are no foreign keys: with several partitions each has its own writer, and none waits for another.

CREATE TABLE IF NOT EXISTS assets (
    asset_id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(16) NOT NULL,
    scale INTEGER NOT NULL,
    listed_at MOMENT NOT NULL
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS markets (
    market_id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(32) NOT NULL,
    base_asset_id INTEGER NOT NULL,
    quote_asset_id INTEGER NOT NULL,
    tick_size AMOUNT NOT NULL,
    lot_size AMOUNT NOT NULL,
    min_price AMOUNT NOT NULL,
    max_price AMOUNT NOT NULL,
    min_quantity AMOUNT NOT NULL,
    max_quantity AMOUNT NOT NULL,
    min_notional AMOUNT NOT NULL,
    max_notional AMOUNT NOT NULL,
    status VARCHAR(16) NOT NULL,
    updated_at MOMENT NOT NULL
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS fee_settings (
    market_id INTEGER NOT NULL PRIMARY KEY,
    maker_fee AMOUNT NOT NULL,
    taker_fee AMOUNT NOT NULL,
    fee_rounding VARCHAR(8) NOT NULL,
    updated_at MOMENT NOT NULL
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS accounts (
    account_id BIGINT NOT NULL PRIMARY KEY,
    name VARCHAR(64) NOT NULL,
    trade_group BIGINT NOT NULL,
    created_at MOMENT NOT NULL
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS balances (
    account_id BIGINT NOT NULL,
    asset_id INTEGER NOT NULL,
    free AMOUNT NOT NULL,
    held AMOUNT NOT NULL,
    updated_at MOMENT NOT NULL,
    PRIMARY KEY (account_id, asset_id)
)TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS orders (
    order_id BIGINT NOT NULL PRIMARY KEY,
    account_id BIGINT NOT NULL,
    market_id INTEGER NOT NULL,
    client_order_id VARCHAR(36),
    side VARCHAR(4) NOT NULL,
    type VARCHAR(20) NOT NULL,
    time_in_force VARCHAR(3) NOT NULL,
    self_trade_prevention VARCHAR(12) NOT NULL,
    price AMOUNT,
    quantity AMOUNT NOT NULL,
    quote_amount AMOUNT,
    executed_quantity AMOUNT NOT NULL,
    executed_quote AMOUNT NOT NULL,
    prevented_quantity AMOUNT NOT NULL,
    held AMOUNT NOT NULL,
    amendments INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL,
    end_reason VARCHAR(24),
    created_at MOMENT NOT NULL,
    updated_at MOMENT NOT NULL,
    ended_at MOMENT
)TABLE_OPTIONS;

CREATE INDEX orders_by_account ON orders (account_id, created_at);

CREATE INDEX orders_open ON orders OPEN_ORDERS;

CREATE TABLE IF NOT EXISTS trades (
    market_id INTEGER NOT NULL,
    trade_id BIGINT NOT NULL,
    price AMOUNT NOT NULL,
    quantity AMOUNT NOT NULL,
    quote_quantity AMOUNT NOT NULL,
    taker_side VARCHAR(4) NOT NULL,
    maker_order_id BIGINT NOT NULL,
    taker_order_id BIGINT NOT NULL,
    traded_at MOMENT NOT NULL,
    PRIMARY KEY (market_id, trade_id)
)TABLE_OPTIONS;

CREATE INDEX trades_by_market ON trades (market_id, traded_at);

CREATE TABLE IF NOT EXISTS ledger_postings (
    partition_id INTEGER NOT NULL,
    event_seq BIGINT NOT NULL,
    leg INTEGER NOT NULL,
    account_id BIGINT NOT NULL,
    asset_id INTEGER NOT NULL,
    kind VARCHAR(16) NOT NULL,
    amount AMOUNT NOT NULL,
    fee AMOUNT NOT NULL,
    total_after AMOUNT NOT NULL,
    market_id INTEGER,
    trade_id BIGINT,
    order_id BIGINT,
    withdrawal_id BIGINT,
    reference VARCHAR(96),
    posted_at MOMENT NOT NULL,
    PRIMARY KEY (partition_id, event_seq, leg)
)TABLE_OPTIONS;

CREATE INDEX ledger_postings_by_account ON ledger_postings (account_id, posted_at);

CREATE TABLE IF NOT EXISTS writer_position (
    partition_id INTEGER NOT NULL PRIMARY KEY,
    command_seq BIGINT NOT NULL,
    event_seq BIGINT NOT NULL,
    event_chain VARCHAR(64) NOT NULL,
    batch_time MOMENT NOT NULL,
    writer VARCHAR(32) NOT NULL,
    listed BYTES NOT NULL
)TABLE_OPTIONS;
