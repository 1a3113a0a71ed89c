use sink_sql::{Password, Tables};

use super::*;

fn refused(text: &str) -> String {
    Config::parse(text).expect_err("it is wrong").to_string()
}

#[test]
fn the_written_file_says_the_defaults() {
    let written = Config::parse(TEMPLATE).unwrap();
    let nothing = Config::parse("").unwrap();
    assert_eq!(written.gateway(), nothing.gateway());
    assert_eq!(written.journal(), nothing.journal());
    assert_eq!(written.sequencer(), nothing.sequencer());
    assert_eq!(written.views(), nothing.views());
    assert_eq!((written.redis(None), nothing.redis(None)), (None, None));
    assert_eq!(written.redis.timeout_ms, nothing.redis.timeout_ms);
    let with_url = |config: &Config| {
        let sql = Sql { url: "sqlite:exchange.db".to_owned(), ..config.sql.clone() };
        Config { sql, ..config.clone() }.sql()
    };
    assert_eq!(with_url(&written), with_url(&nothing));
    assert_eq!((written.sql(), nothing.sql()), (Vec::new(), Vec::new()));
    assert_eq!(
        (written.data_dir, written.public.listen, written.admin.listen, written.admin.token_file),
        (nothing.data_dir, nothing.public.listen, nothing.admin.listen, nothing.admin.token_file)
    );
    assert_eq!(written.keys.master_key_file, nothing.keys.master_key_file);
    assert_eq!(written.markets.len(), 3);
}

/// Every field of the settings stands in the written file, so that nobody has to look for one.
#[test]
fn the_written_file_has_every_setting() {
    for field in [
        "data_dir",
        "listen",
        "max_body_bytes",
        "max_head_bytes",
        "max_headers",
        "max_connections",
        "idle_timeout_s",
        "body_timeout_s",
        "write_timeout_s",
        "reply_timeout_s",
        "max_recv_window_ms",
        "max_depth_levels",
        "max_list_entries",
        "max_message_bytes",
        "max_outbox_messages",
        "max_outbox_kib",
        "ping_interval_s",
        "pong_timeout_s",
        "max_life_h",
        "max_frames_per_s",
        "max_requests_in_flight",
        "max_streams",
        "flush_pause_ms",
        "stream_threads",
        "tls_handshake_timeout_s",
        "weight_per_minute",
        "requests_per_5_minutes",
        "socket_attempts_per_5_minutes",
        "orders_per_10_seconds",
        "orders_per_day",
        "refusals_before_ban",
        "first_ban_s",
        "longest_ban_s",
        "connections_per_address",
        "addresses_kept",
        "exempt",
        "trusted_proxies",
        "open",
        "level",
        "format",
        "max_views_lag",
        "min_free_mib",
        "token_file",
        "master_key_file",
        "segment_mib",
        "event_segment_mib",
        "snapshots_kept",
        "snapshot_every_commands",
        "ingress_limit",
        "outbox_limit",
        "count",
        "open_markets",
        "batch_max_commands",
        "tick_ms",
        "orders_kept",
        "orders_kept_per_account",
        "own_trades_kept",
        "own_trades_kept_per_account",
        "income_kept",
        "income_kept_per_account",
        "adl_refresh_s",
        "listen_key_min",
        "margin_call_percent",
        "margin_changes_kept",
        "margin_changes_kept_per_account",
        "open_interest_kept",
        "fundings_kept",
        "trades_kept",
        "url",
        "password_env",
        "password_file",
        "timeout_ms",
        "ca_file",
        "batch_max_events",
        "batch_max_kib",
        "min_pause_ms",
        "max_pause_ms",
        "max_retry_s",
        "connect_timeout_s",
        "stop_timeout_s",
        "rows_remembered",
    ] {
        assert!(TEMPLATE.lines().any(|line| line.starts_with(&format!("{field} = "))), "{field}");
    }
}

#[test]
fn a_wrong_setting_is_refused_with_its_line_and_what_would_be_right() {
    assert_eq!(
        refused("[sequencer]\ntick_ms = 5\n"),
        "line 2: must be a whole number from 10 to 3600000, not 5"
    );
    assert!(
        refused("\n[public]\nlissten = \"127.0.0.1:1\"\n")
            .starts_with("line 3: unknown field `lissten`, expected one of `listen`")
    );
    assert!(refused("[public]\nlisten = \"localhost\"\n").starts_with("line 2: invalid socket address"));
    assert_eq!(
        refused("[limits]\nexempt = [\"10.0.0.0/8\", \"localhost\"]\n"),
        "line 2: 'localhost': it is no IPv4 or IPv6 address, such as 192.0.2.7 or 2001:db8::7"
    );
    assert!(refused("data_dir = \n").starts_with("line 1:"));
    assert_eq!(
        refused("[public]\nlisten = \"127.0.0.1:9\"\n[admin]\nlisten = \"127.0.0.1:9\"\n"),
        "public.listen and admin.listen are both 127.0.0.1:9: choose two ports"
    );
}

#[test]
fn streams_of_redis_are_checked_with_their_lines() {
    let with = |stream: &str| format!("[redis]\nurl = \"redis://127.0.0.1\"\n[[redis.stream]]\n{stream}");
    let good = "name = \"orders\"\nkey = \"{rialto}:orders\"\n";
    let settings = Config::parse(&with(good)).unwrap().redis(Some("secret".to_owned())).unwrap();
    let stream = &settings.streams[0];
    assert_eq!(
        (stream.key.as_str(), stream.group.as_str(), stream.incarnation),
        ("{rialto}:orders", "rialto", 1)
    );
    assert_eq!(stream.replies, Replies::Stream { max: 100_000 });
    let by_key = Config::parse(&with(&format!("{good}replies = \"key\"\nreply_ttl_s = 60\n"))).unwrap();
    let streams = by_key.redis(None).unwrap().streams;
    assert_eq!(streams[0].replies, Replies::Key { ttl: Duration::from_mins(1) });

    assert!(
        refused(&with(&format!("{good}remember_ids = 5\n")))
            .starts_with("line 3: remember_ids = 5 must be at least")
    );
    assert!(
        refused(&with(&format!("{good}sorted_set = \"{{rialto}}:orders\"\n")))
            .contains("needs a key of its own")
    );
    let set = format!("{good}sorted_set = \"{{rialto}}:queue\"\nsorted_set_take = \"block\"\n");
    let streams = Config::parse(&with(&set)).unwrap().redis(None).unwrap().streams;
    assert_eq!(streams[0].sorted_set.as_ref().map(|set| set.take), Some(Take::Block));
    let of = |market: &str| {
        let config = Config::parse(&with(&format!("{good}{market}"))).unwrap();
        config.redis(None).unwrap().streams[0].only.clone()
    };
    assert_eq!(of(""), None);
    assert_eq!(of("market = \"BTCUSDT\"\n"), Some(Only::Market("BTCUSDT".to_owned())));
    assert_eq!(of("contract = \"BTCUSDT\"\n"), Some(Only::Contract("BTCUSDT".to_owned())));
    assert!(
        refused(&with(&format!("{good}market = \"A\"\ncontract = \"B\"\n")))
            .starts_with("line 3: market = \"A\" and contract = \"B\": a stream is for one of the two")
    );
    assert!(refused(&with("name = \"\"\nkey = \"a\"\n")).contains("line 3: name must not be empty"));
    assert!(refused(&with(&format!("{good}[[redis.stream]]\n{good}"))).contains("is there twice"));
    assert!(refused("[[redis.stream]]\nname = \"a\"\nkey = \"b\"\n").starts_with("redis.url is empty"));
    let cached = Config::parse("[redis]\nurl = \"redis://h\"\n[redis.cache]\ninterval_ms = 7\n").unwrap();
    let cache = cached.redis(None).unwrap().cache.unwrap();
    assert_eq!((cache.prefix.as_str(), cache.interval), ("rialto", Duration::from_millis(7)));
    assert!(refused("[redis]\nurl = \"redis://h\"\n[redis.cache]\nprefix = \"{a}\"\n").contains("no braces"));
    assert!(refused("[redis.cache]\n").starts_with("redis.url is empty"));
    assert!(refused("[redis]\nurl = \"http://x\"\n").starts_with("redis.url: "));
}

#[test]
fn a_database_is_named_without_its_password() {
    let sql = |text: &str| Config::parse(&format!("data_dir = \"data\"\n[sql]\n{text}"));
    let settings = sql("url = \"sqlite:exchange.db\"\n").unwrap().sql().remove(0);
    assert_eq!(settings.url, "sqlite:data/exchange.db");
    let url = "url = \"postgres://rialto@127.0.0.1/rialto\"\n";
    let settings = sql(&format!("{url}password_env = \"SECRET\"\n")).unwrap().sql().remove(0);
    assert_eq!(settings.password, Password::Environment("SECRET".to_owned()));
    let refused = |text: &str| sql(text).unwrap_err().to_string();
    assert!(
        refused("url = \"postgres://rialto:secret@127.0.0.1/rialto\"\n")
            .contains("must not hold the password")
    );
    assert!(
        refused("url = \"oracle://x\"\n").starts_with("sql.url: 'oracle://x' must look like postgres://")
    );
    assert!(
        refused(&format!("{url}password_env = \"A\"\npassword_file = \"b\"\n")).contains("one of the two")
    );
    assert!(refused(&format!("{url}min_pause_ms = 60\n")).contains("at most sql.max_pause_ms"));
}

#[test]
fn contracts_may_have_a_database_of_their_own() {
    let sql = |text: &str| Config::parse(&format!("data_dir = \"data\"\n[sql]\n{text}"));
    let url = "url = \"postgres://rialto@127.0.0.1/spot\"\npassword_env = \"SPOT\"\nmax_retry_s = 3\n";
    let futures =
        "[sql.futures]\nurl = \"mysql://rialto@127.0.0.1/futures\"\npassword_file = \"futures-password\"\n";
    let kept = |text: &str| {
        let databases = sql(text).unwrap().sql();
        databases.iter().map(|settings| (settings.tables, settings.password.clone())).collect::<Vec<_>>()
    };
    let spot = Password::Environment("SPOT".to_owned());
    let file = Password::File("data/futures-password".into());
    assert_eq!(kept(url), [(Tables::All, spot.clone())]);
    assert_eq!(kept(&format!("{url}{futures}")), [(Tables::Spot, spot), (Tables::Futures, file.clone())]);
    assert_eq!(kept(futures), [(Tables::Futures, file)]);
    let both = sql(&format!("{url}{futures}")).unwrap().sql();
    assert_eq!(both[1].max_retry, Duration::from_secs(3), "the rest is the same for both");
    let refused = |text: &str| sql(text).unwrap_err().to_string();
    assert!(
        refused("[sql.futures]\nurl = \"oracle://x\"\n").starts_with("sql.futures.url: 'oracle://x' must")
    );
    assert!(refused(&format!("{futures}password_env = \"A\"\n")).starts_with("sql.futures.password_env and"));
    let same = format!("{url}[sql.futures]\nurl = \"postgres://rialto@127.0.0.1/spot\"\n");
    assert!(refused(&same).contains("leave sql.futures.url empty"));
}

#[test]
fn the_table_of_partitions_is_held_against_their_number_and_the_markets() {
    let with = |table: &str| format!("[partitions]\ncount = 3\n[partitions.markets]\n{table}");
    let config = Config::parse(&with("BTCUSDT = 1\n\"ETH*\" = 2\n")).unwrap();
    let of = |market| config.partitions.of(market);
    assert_eq!(of("BTCUSDT"), Ok(Some(PartitionId(1))));
    assert_eq!(of("ETHBTC"), Ok(Some(PartitionId(2))));
    assert_eq!(of("BTCUSD"), Ok(None));
    assert_eq!(
        refused(&with("BTCUSDT = 3\n")),
        "line 4: BTCUSDT = 3: there are 3 partitions, numbered from 0"
    );
    assert_eq!(refused("[partitions]\ncount = 33\n"), "line 2: must be a whole number from 1 to 32, not 33");
    let listed = "[[asset]]\nname = \"A\"\nscale = 8\n[[asset]]\nname = \"B\"\nscale = 2\n[[market]]\nname = \"AB\"\nbase = \
                  \"A\"\nquote = \"B\"\ntick_size = \"0.01\"\nlot_size = \"1\"\ninitial_price = \"1\"\n";
    Config::parse(&with(&format!("\"A*\" = 1\n\"*B\" = 2\nAB = 0\n{listed}"))).unwrap();
    let undecided = refused(&with(&format!("\"A*\" = 1\n\"*B\" = 2\n{listed}")));
    assert!(undecided.contains("mean the market AB, and neither says more: name it"), "{undecided}");
}

#[test]
fn a_wrong_listing_is_refused_with_its_line() {
    let assets = "[[asset]]\nname = \"A\"\nscale = 8\n[[asset]]\nname = \"B\"\nscale = 2\n";
    let market = |tick: &str, base: &str, more: &str| {
        format!(
            "{assets}[[market]]\nname = \"AB\"\nbase = \"{base}\"\nquote = \"B\"\ntick_size = \"{tick}\"\nlot_size = \"1\"\n\
             initial_price = \"1\"\n{more}"
        )
    };
    Config::parse(&market("0.01", "A", "")).unwrap();
    assert!(
        refused(&market("0.001", "A", "")).contains("line 7: tick_size: tick x lot must be a whole number")
    );
    assert!(refused(&market("0.01", "C", "")).contains("line 7: base = \"C\" is no asset"));
    assert!(refused(&market("0.01", "A", "makerfee = \"0\"\n")).contains("makerfee"));
    assert!(refused(&format!("{assets}{assets}")).contains("line 7: the asset A is listed twice"));
    assert!(
        refused("[[asset]]\nname = \"A\"\nscale = 19\n")
            .contains("line 3: must be a whole number from 0 to 18")
    );
}
