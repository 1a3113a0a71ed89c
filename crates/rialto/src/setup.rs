//! The first commands of an exchange: what the settings list, handed in before anybody else may.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, bail};
use gateway_http::MarketForm;
use model::{
    AccountId, AccountName, AddAsset, AddContract, AddMarket, AddMarketTo, Command, CreateAccount, Event,
    PartitionId, TradeGroup,
};
use sequencer::{Ingress, Reply, Session, Submission, SubmitError};

use crate::config::Config;

/// How long is waited between two tries to hand something in.
const NEXT_TRY: Duration = Duration::from_millis(1);

struct Answer(Sender<Option<Reply>>);

impl Session for Answer {
    fn deliver(&self, _: u64, reply: Reply) {
        // Whoever asked may have gone.
        let _ = self.0.send(Some(reply));
    }

    fn abandon(&self, _: u64) {
        let _ = self.0.send(None);
    }
}

/// Hands in one command and waits until it is durable; a refusal is an error.
pub fn execute(ingress: &Ingress, command: Command) -> anyhow::Result<Reply> {
    let (answer, answered) = channel();
    hand_in(ingress, vec![Submission { command, reply_to: Some((Arc::new(Answer(answer)), 0)) }])?;
    let reply = answered
        .recv()
        .ok()
        .flatten()
        .ok_or_else(|| anyhow!("the exchange stopped before it could answer"))?;
    accepted(&reply)?;
    Ok(reply)
}

fn accepted(reply: &Reply) -> anyhow::Result<()> {
    for event in reply.events() {
        if let Event::Rejected { reject, .. } = event {
            bail!("{reject}");
        }
    }
    Ok(())
}

/// Hands in the first commands of an exchange together, so that one journal batch has them all or none, and waits until
/// they are durable. A refusal is an error. Where there are several partitions, what goes to the first comes first, then
/// deposits, since an account must be known where it lives, and then what they pay for.
pub fn execute_all(ingress: &Ingress, commands: Vec<Command>) -> anyhow::Result<()> {
    if ingress.partitions().count() == 1 {
        return execute_together(ingress, commands);
    }
    // What an account does once it has its money: which contracts there are, its partition hears meanwhile.
    let is_later = |command: &Command| {
        matches!(command, Command::MoveFunds(_) | Command::ChangeMarginType(_) | Command::ChangeLeverage(_))
    };
    let (later, others): (Vec<_>, Vec<_>) = commands.into_iter().partition(is_later);
    let is_deposit = |command: &Command| matches!(command, Command::Deposit(_));
    let (deposits, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_deposit);
    for group in [others, deposits, later] {
        execute_together(ingress, group)?;
    }
    Ok(())
}

fn execute_together(ingress: &Ingress, commands: Vec<Command>) -> anyhow::Result<()> {
    let (answer, answered) = channel();
    let session: Arc<dyn Session> = Arc::new(Answer(answer));
    let count = commands.len();
    let submission = |command| Submission { command, reply_to: Some((Arc::clone(&session), 0)) };
    hand_in(ingress, commands.into_iter().map(submission).collect())?;
    for reply in answered.iter().take(count) {
        accepted(&reply.ok_or_else(|| anyhow!("the exchange stopped before it could answer"))?)?;
    }
    Ok(())
}

/// Hands in commands. What partitions say to each other at a start may fill their outboxes for a moment.
pub fn hand_in(ingress: &Ingress, mut submissions: Vec<Submission>) -> Result<(), SubmitError> {
    loop {
        match ingress.submit_batch(&mut submissions) {
            Err(SubmitError::OutboxFull { .. }) => thread::park_timeout(NEXT_TRY),
            outcome => return outcome,
        }
    }
}

/// The settings' assets and markets.
pub fn listing(config: &Config) -> anyhow::Result<Vec<Command>> {
    let assets = config.assets()?.into_iter().map(|terms| Command::AddAsset(AddAsset { terms }));
    let mut commands: Vec<Command> = assets.collect();
    for (form, terms) in config.markets.iter().zip(config.markets()?) {
        commands.push(match config.partition_of(form.get_ref()).map_err(|problem| anyhow!(problem))? {
            PartitionId::FIRST => Command::AddMarket(Box::new(AddMarket { terms })),
            partition => Command::AddMarketTo(Box::new(AddMarketTo { terms, partition })),
        });
    }
    Ok(commands)
}

/// Adds the settings' contracts to the first commands of an exchange, and before them the accounts that are their insurance
/// funds; behind all that names markets or accounts by their numbers.
pub fn list_contracts(config: &Config, commands: &mut Vec<Command>) -> anyhow::Result<()> {
    let opened = commands.iter().filter(|command| matches!(command, Command::CreateAccount(_))).count();
    let first = AccountId(u64::try_from(opened)?).next();
    let funds = config.funds();
    for name in &funds {
        let (name, trade_group) = (AccountName::new(name)?, TradeGroup::NONE);
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group }));
    }
    let account = |name: &str| {
        let place = funds.iter().position(|fund| *fund == name)?;
        Some(AccountId(first.0 + u64::try_from(place).ok()?))
    };
    for (form, (terms, contract)) in config.contracts.iter().zip(config.contracts(&account)?) {
        let partition = config.partition_of(&form.get_ref().market).map_err(|problem| anyhow!(problem))?;
        commands.push(Command::AddContract(Box::new(AddContract { terms, contract, partition })));
    }
    Ok(())
}

/// Where the settings' markets begin.
pub fn homes(config: &Config) -> anyhow::Result<Vec<(String, PartitionId)>> {
    let home = |form: &MarketForm| {
        let partition = config.partition_of(form).map_err(|problem| anyhow!(problem))?;
        Ok((form.name.clone(), partition))
    };
    config.markets.iter().map(|form| home(form.get_ref())).collect()
}

/// What the settings say and the journal does not: one sentence each.
pub fn differences(config: &Config, catalog: &views::Catalog) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let assets = config.assets()?;
    for terms in &assets {
        match catalog.asset_by_name(&terms.name).and_then(|asset| catalog.asset(asset)) {
            None => found.push(format!(
                "the settings list the asset {}, which the exchange does not have",
                terms.name
            )),
            Some(listed) if listed.scale != terms.scale => found.push(format!(
                "the asset {} has scale {}, not {} as in the settings",
                terms.name, listed.scale, terms.scale
            )),
            Some(_) => {}
        }
    }
    for terms in config.markets()? {
        match catalog.market_by_name(&terms.name).and_then(|market| catalog.market(market)) {
            None => {
                found.push(format!(
                    "the settings list the market {}, which the exchange does not have",
                    terms.name
                ));
            }
            Some(listed) => {
                // Assets are numbered in the order of listing, which the settings need not have kept.
                let named = model::MarketTerms { base: listed.base, quote: listed.quote, ..terms };
                let same_assets =
                    [(terms.base, listed.base), (terms.quote, listed.quote)].iter().all(|(set, now)| {
                        let set = assets.get(set.0 as usize).map(|asset| asset.name);
                        set == catalog.asset(*now).map(|asset| asset.name)
                    });
                if named != *listed || !same_assets {
                    found.push(format!("the market {} has other terms than in the settings", terms.name));
                }
            }
        }
    }
    for form in config.contracts.iter().map(|form| &form.get_ref().market) {
        if catalog.contract_by_name(&model::MarketName::new(&form.name)?).is_none() {
            found.push(format!(
                "the settings list the contract {}, which the exchange does not have",
                form.name
            ));
        }
    }
    Ok(found)
}
