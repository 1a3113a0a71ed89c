//! The demo: three markets, two funded accounts, keys to copy.

use std::net::SocketAddr;
use std::path::PathBuf;

use gateway_http::{Grant, IssuedKey, KeyStore, MasterKey, Permissions, StoredKey};
use model::{
    AccountId, AccountName, Amount, ApiKeyId, AssetId, Command, CreateAccount, Deposit, KeyKind, Reference,
    TradeGroup,
};
use views::Catalog;

use crate::config::{Config, TEMPLATE, is_loopback};
use crate::serve;
use crate::terminal::say;

const ACCOUNTS: [&str; 2] = ["demo-alice", "demo-bob"];
/// Whole units of each asset that a demo account begins with.
const FUNDS: [(&str, i128); 3] = [("BTC", 100), ("ETH", 1_000), ("USDT", 10_000_000)];

/// Runs the demo until somebody stops it.
pub fn start(listen: SocketAddr, admin_listen: SocketAddr, data: PathBuf) -> anyhow::Result<()> {
    for address in [listen, admin_listen] {
        if !is_loopback(address) {
            anyhow::bail!(
                "the demo listens on this machine only, not on {address}: its keys are printed. Use 127.0.0.1, or rialto init \
                 and rialto serve for an exchange of your own"
            );
        }
    }
    let mut config = Config::parse(TEMPLATE)?;
    config.public.listen = listen;
    config.admin.listen = admin_listen;
    config.data_dir = data;
    serve::start(&config, serve::Demo::On)
}

/// True when a key of a demo account is valid.
pub fn keys_are_on(catalog: &Catalog) -> bool {
    ACCOUNTS.iter().any(|name| {
        let account = catalog.account_by_name(&AccountName::new(name).expect("short"));
        account.is_some_and(|account| catalog.keys_of(account).next().is_some())
    })
}

/// A key as the demo prints it.
pub struct DemoKey {
    name: &'static str,
    key: ApiKeyId,
    secret: String,
}

/// The demo's keys that are valid, of an exchange that was started before.
pub fn known_keys(
    master: &MasterKey,
    stored: &[StoredKey],
    catalog: &Catalog,
) -> anyhow::Result<Vec<DemoKey>> {
    let mut known = Vec::new();
    for name in ACCOUNTS {
        let account = catalog.account_by_name(&AccountName::new(name)?);
        // Of other kinds the exchange has no secret to tell.
        let has_secret = |stored: &&StoredKey| stored.kind == KeyKind::HmacSha256;
        let stored = stored.iter().filter(|stored| Some(stored.account) == account).filter(has_secret);
        for stored in stored {
            let secret = master.open(stored.kind, &stored.key, stored.account, &stored.sealed)?;
            known.push(DemoKey { name, key: stored.key, secret: String::from_utf8(secret)? });
        }
    }
    Ok(known)
}

/// What opens and funds the demo's accounts and gives each a key, in an exchange that has nothing but the demo's listing.
pub fn accounts(keys: &KeyStore) -> anyhow::Result<(Vec<DemoKey>, Vec<StoredKey>, Vec<Command>)> {
    let (mut demo_keys, mut stored, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for (name, account) in ACCOUNTS.into_iter().zip((1..).map(AccountId)) {
        let create = CreateAccount { name: AccountName::new(name)?, trade_group: TradeGroup::NONE };
        commands.push(Command::CreateAccount(create));
        // The demo lists just these assets, in this order, each with eight decimals.
        for ((asset, units), id) in FUNDS.into_iter().zip(0..) {
            let amount = Amount(units * 100_000_000);
            let reference = Reference::new(&format!("{name}-{asset}"))?;
            commands.push(Command::Deposit(Deposit { account, asset: AssetId(id), amount, reference }));
        }
        let IssuedKey { command, secret } =
            keys.issue(Grant::new(account, Permissions::READ.and(Permissions::TRADE)))?;
        demo_keys.push(DemoKey { name, key: command.key, secret });
        stored.push(StoredKey::from(&command));
        commands.push(Command::AddApiKey(command));
    }
    Ok((demo_keys, stored, commands))
}

/// Prints the keys, and a line to copy for curl and for ccxt.
pub fn announce(address: SocketAddr, keys: &[DemoKey]) {
    say!("Accounts, each begun with 100 BTC, 1,000 ETH and 10,000,000 USDT:");
    for DemoKey { name, key, secret } in keys {
        say!("  {name}\n    key    {key}\n    secret {secret}");
    }
    let Some(DemoKey { key, secret, .. }) = keys.first() else { return };
    say!(
        "\nAn order with curl:\n  q=\"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000&timestamp=$(date +%s000)\"; \
         curl -s -H 'X-MBX-APIKEY: {key}' http://{address}/api/v3/order -d \"$q&signature=$(printf %s \"$q\" | openssl dgst -sha256 \
         -hmac {secret} -r | cut -d' ' -f1)\""
    );
    say!(
        "\nThe balance with ccxt (pip install ccxt):\n  python3 -c \"import ccxt; b = 'http://{address}'; print(ccxt.binance({{'apiKey': \
         '{key}', 'secret': '{secret}', 'urls': {{'api': {{'public': b + '/api/v3', 'private': b + '/api/v3', 'sapi': b + '/sapi/v1', \
         'fapiPublic': b + '/fapi/v1', 'dapiPublic': b + '/dapi/v1'}}}}}}).fetch_balance()['total'])\"\n"
    );
}
