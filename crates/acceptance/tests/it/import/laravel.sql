-- Tables of the kind that a Laravel exchange has, with what two users left in them.
CREATE TABLE users (id BIGINT UNSIGNED PRIMARY KEY, email VARCHAR(191), deleted_at TIMESTAMP NULL);
INSERT INTO users VALUES (7, 'seven@example.test', NULL), (12, 'twelve@example.test', NULL), (13, 'gone@example.test', NOW());

CREATE TABLE coin_settings (symbol VARCHAR(16) PRIMARY KEY, decimals TINYINT, withdraw_fee DECIMAL(36, 18), is_active TINYINT);
INSERT INTO coin_settings VALUES ('BTC', 8, 0.0005, 1), ('USDT', 6, 1, 1), ('LUNA', 6, 1, 0);

CREATE TABLE pairs (
  id INT PRIMARY KEY, base VARCHAR(16), quote VARCHAR(16), price_step DECIMAL(36, 18), amount_step DECIMAL(36, 18),
  last_price DECIMAL(36, 18), min_total DECIMAL(36, 18), max_price DECIMAL(36, 18), is_active TINYINT
);
INSERT INTO pairs VALUES (1, 'BTC', 'USDT', 0.01, 0.0001, 60000, 10, NULL, 1);

CREATE TABLE market_fee_setting (pair_id INT PRIMARY KEY, maker_percent DECIMAL(8, 4), taker_percent DECIMAL(8, 4));
INSERT INTO market_fee_setting VALUES (1, 0.0500, 0.1000);

CREATE TABLE wallets (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT UNSIGNED, coin VARCHAR(16), available DECIMAL(36, 18), locked DECIMAL(36, 18),
  cached DOUBLE
);
INSERT INTO wallets (user_id, coin, available, locked, cached) VALUES
  (7, 'USDT', 100.5, 900, 1000.5), (7, 'BTC', 0, 0.5, 0.5), (12, 'BTC', 1.00000001, 0, 1), (12, 'USDT', 50000, 0, 50000),
  (13, 'BTC', 5, 0, 5);

CREATE TABLE api_keys (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT UNSIGNED, public_key VARCHAR(191), secret_key VARCHAR(191), revoked_at TIMESTAMP NULL
);
INSERT INTO api_keys (user_id, public_key, secret_key, revoked_at) VALUES
  (7, 'key-of-seven', 'secret-of-seven', NULL), (12, 'key-of-twelve', 'secret-of-twelve', NULL), (12, 'old-key', 'old-secret', NOW());

CREATE TABLE orders (
  id BIGINT UNSIGNED PRIMARY KEY, user_id BIGINT UNSIGNED, pair VARCHAR(32), side ENUM('buy', 'sell'), type VARCHAR(16),
  price DECIMAL(36, 18), amount DECIMAL(36, 18), filled DECIMAL(36, 18), status VARCHAR(32)
);
INSERT INTO orders VALUES
  (31, 7, 'BTCUSDT', 'buy', 'limit', 60000, 0.02, 0.005, 'partially_filled'),
  (40, 7, 'BTCUSDT', 'buy', 'limit', 59000, 1, 1, 'filled'),
  (44, 7, 'BTCUSDT', 'sell', 'limit', 61000.05, 0.5, 0, 'open'),
  (45, 12, 'BTCUSDT', 'sell', 'limit', 1, 1, 0, 'cancelled');
