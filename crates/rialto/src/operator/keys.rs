//! `rialto key`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::api::{Retry, encoded};
use super::table::{cell, table};
use super::{Exchange, Told, account};

/// What to do with API keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Makes one for an account, and shows its secret this once.
    New {
        /// Whose: name or number.
        #[arg(long)]
        account: String,
        /// What it may do.
        #[arg(long, value_delimiter = ',', default_value = "read,trade", value_parser = PERMISSIONS)]
        permissions: Vec<String>,
        /// The public half of an Ed25519 pair of the client's, in PEM: then there is no secret to hand over.
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
        /// Only from this address or range, such as 192.0.2.0/24. May be given several times.
        #[arg(long = "allow-ip", value_name = "CIDR")]
        allow_ip: Vec<String>,
        /// A word to know it by.
        #[arg(long)]
        label: Option<String>,
    },
    /// Lists those of an account.
    List {
        /// Name or number.
        account: String,
    },
    /// Changes what one may do, and from where.
    Set {
        /// The key.
        key: String,
        /// What it may do from now on.
        #[arg(long, value_delimiter = ',', value_parser = PERMISSIONS)]
        permissions: Vec<String>,
        /// From now on only from this address or range. May be given several times.
        #[arg(long = "allow-ip", value_name = "CIDR", conflicts_with = "allow_any_ip")]
        allow_ip: Vec<String>,
        /// From everywhere.
        #[arg(long)]
        allow_any_ip: bool,
    },
    /// Takes one away, at once and for ever.
    Revoke {
        /// The key.
        key: String,
    },
    /// Changes the key that seals the secrets of all API keys. These stay as they are.
    ChangeMaster {
        /// A file on the exchange's machine that holds the new one. Default: the exchange makes one.
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
}

const PERMISSIONS: [&str; 3] = ["read", "trade", "withdraw"];

pub fn run(exchange: &Exchange, command: &KeyCommand) -> anyhow::Result<Told> {
    let api = &exchange.api;
    match command {
        KeyCommand::New { account: given, permissions, public_key, allow_ip, label } => {
            let mut body = json!({ "permissions": permissions, "ip_allow_list": allow_ip });
            if let Some(file) = public_key {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the public key in {}", file.display()))?;
                body["public_key"] = Value::from(text.trim());
            }
            if let Some(label) = label {
                body["label"] = Value::from(label.as_str());
            }
            let owner = account(api, given)?;
            let path = format!("/accounts/{}/keys", owner.number);
            let made = api.ask(&Method::POST, &path, Some(&body), Retry::Look("rialto key list ACCOUNT"))?;
            let secret = made["secret"].as_str();
            let secret = secret.map(|secret| format!("\nsecret       {secret}")).unwrap_or_default();
            let shown_once = if secret.is_empty() {
                ""
            } else {
                "\nThe secret is shown this once; nobody can look it up later."
            };
            let text = format!(
                "A key of {}:\nkey          {}{secret}\npermissions  {}\nallowed from {}{shown_once}",
                owner.given,
                cell(&made["key"]),
                cell(&made["permissions"]),
                everywhere(&made["ip_allow_list"]),
            );
            let assets = api.read("/assets")?;
            let asset = assets.as_array().and_then(|assets| assets.last()).map(|asset| cell(&asset["name"]));
            let asset = asset.unwrap_or_else(|| "ASSET".to_owned());
            let next = format!("deposit {} {asset} 1000 --reference REFERENCE", owner.given);
            Ok(Told::new(made, text).next(exchange.command(&next)))
        }
        KeyCommand::List { account: given } => {
            let number = account(api, given)?.number;
            let list = api.read(&format!("/accounts/{number}/keys"))?;
            let columns = [
                ("key", "key"),
                ("kind", "kind"),
                ("permissions", "permissions"),
                ("allowed from", "ip_allow_list"),
                ("label", "label"),
            ];
            let text = table(&list, &columns);
            Ok(Told::new(list, text))
        }
        KeyCommand::Set { key, permissions, allow_ip, allow_any_ip } => {
            let mut body = Map::new();
            if !permissions.is_empty() {
                body.insert("permissions".to_owned(), json!(permissions));
            }
            if *allow_any_ip || !allow_ip.is_empty() {
                body.insert("ip_allow_list".to_owned(), json!(allow_ip));
            }
            if body.is_empty() {
                bail!("nothing to change: --permissions, --allow-ip or --allow-any-ip");
            }
            let path = format!("/keys/{}", encoded(key));
            let retry = Retry::Look("rialto key list ACCOUNT");
            let changed = api.ask(&Method::PUT, &path, Some(&Value::from(body)), retry)?;
            let text = format!(
                "The key {key} may now {} from {}.",
                cell(&changed["permissions"]),
                everywhere(&changed["ip_allow_list"])
            );
            let next = exchange.command(&format!("key list {}", cell(&changed["account"])));
            Ok(Told::new(changed, text).next(next))
        }
        KeyCommand::Revoke { key } => {
            let path = format!("/keys/{}", encoded(key));
            let gone = api.ask(&Method::DELETE, &path, None, Retry::Look("rialto key list ACCOUNT"))?;
            Ok(Told::new(gone, format!("The key {key} is revoked. Its orders stay where they are.")))
        }
        KeyCommand::ChangeMaster { new_key_file } => {
            let body = new_key_file.as_ref().map(|file| json!({ "new_key_file": file }));
            let retry = Retry::Look("a change that was broken off goes on when it is asked for again");
            let changed = api.ask(&Method::POST, "/master-key/change", body.as_ref(), retry)?;
            let text = format!(
                "The master key is another one now; {} secrets were sealed anew. API keys work as before.",
                cell(&changed["resealed"])
            );
            let next = "back up the master key file (master.key in the data directory) again, apart from the data: the copy \
                        from before opens nothing that is written from now on";
            Ok(Told::new(changed, text).next(next))
        }
    }
}

fn everywhere(list: &Value) -> String {
    Some(cell(list)).filter(|list| !list.is_empty()).unwrap_or_else(|| "everywhere".to_owned())
}
