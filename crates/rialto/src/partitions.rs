//! The partitions of a data directory: making them, adding one, and refusing what does not fit. What they are is in
//! docs/partitions.md.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use exchange::Partition;
use gateway_http::market_pattern::Pattern;
use journal::{DataDir, Durable, Storage, Survey};
use model::{Command, JoinExchange, PartitionId};
use sequencer::{Egress, Lane, Recovered, Sequencer, SequencerError};
use toml::Spanned;

use crate::config::Config;
use crate::operator::nearest;
use crate::terminal::say;

/// Commands that an exchange has at most before anything is listed in it: one for each partition.
const FOUNDING_COMMANDS: u64 = PartitionId::MAX_COUNT as u64;

/// Whether nobody has done anything yet in the exchange whose first partition this is.
pub fn is_new(first: &Partition) -> bool {
    let nobody = first.api_keys().next().is_none() && first.balances(model::AccountId(1)).is_err();
    first.seq().0 < FOUNDING_COMMANDS && nobody && first.catalog().assets().next().is_none()
}

/// Makes the partitions of an exchange in which nobody has done anything yet, as many as are wanted. A start that was broken off
/// in between is finished by the next one.
pub fn found(directory: &mut DataDir, settings: &journal::Settings, count: u8) -> anyhow::Result<()> {
    let end = Survey::read(directory.storage(), Durable::GENESIS).map_err(SequencerError::from)?.end;
    if end.seq().0 >= FOUNDING_COMMANDS {
        return Ok(());
    }
    let first = sequencer::recover(directory.storage(), settings, &mut ())?;
    let there = first.partition().partitions().count();
    if !is_new(first.partition()) || there >= count {
        return Ok(());
    }
    drop(first);
    for partition in 1..count {
        join(directory, settings, PartitionId(partition))?;
    }
    // The first partition starts with as many others as it knows; it hears of the rest one by one.
    for known in there..count {
        add_to_first(&directory.storages()[..usize::from(known)], settings)?;
    }
    Ok(())
}

/// Makes sure that there is a journal of this partition, and that it knows whose it is.
fn join(directory: &mut DataDir, settings: &journal::Settings, partition: PartitionId) -> anyhow::Result<()> {
    if directory.storages().len() <= partition.index() {
        directory.add_partition()?;
    }
    let recovered = sequencer::recover(&directory.storages()[partition.index()], settings, &mut ())?;
    let seq = recovered.partition().seq();
    if recovered.partition().own_id() == partition && seq.0 < FOUNDING_COMMANDS {
        return Ok(());
    }
    if seq.0 > 0 {
        bail!(
            "there is something else in the folder of partition {partition}: put it away, or restore a backup"
        );
    }
    let lane = Lane { recovered, egress: Egress::default(), companion: None };
    hand_in(
        Sequencer::start(vec![lane], sequencer::Settings::default())?,
        Command::JoinExchange(JoinExchange { partition }),
    )
}

/// Tells the first partition, among those that it knows, that there is one more.
fn add_to_first(known: &[Arc<dyn Storage>], settings: &journal::Settings) -> anyhow::Result<()> {
    let lane = |storage| -> anyhow::Result<Lane> {
        let recovered = sequencer::recover(storage, settings, &mut ())?;
        Ok(Lane { recovered, egress: Egress::default(), companion: None })
    };
    let lanes = known.iter().map(lane).collect::<anyhow::Result<Vec<_>>>()?;
    hand_in(Sequencer::start(lanes, sequencer::Settings::default())?, Command::AddPartition)
}

/// Does one command and stops. Snapshots are left to whoever has views to put into them.
fn hand_in(sequencer: Sequencer, command: Command) -> anyhow::Result<()> {
    crate::setup::execute(sequencer.ingress(), command)?;
    sequencer.abandon_all()?;
    Ok(())
}

/// How many partitions somebody wants, and where he says it.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// As many as there are.
    Any,
    /// In the settings.
    Settings(u8),
    /// With `--partitions`.
    Option(u8),
}

/// Refuses to start with another number of partitions than there are; says what to do.
pub fn check(recovered: &[Recovered], wanted: Wanted, data: &Path) -> anyhow::Result<()> {
    let count = recovered[0].partition().partitions().count();
    let data = data.display();
    let found = recovered.len();
    if found > usize::from(count) {
        bail!(
            "partition {count} was begun and not finished: run rialto partition add --data {data} again, which finishes it"
        );
    }
    if found < usize::from(count) {
        bail!(
            "{data} has the files of {found} partitions, and the exchange has {count}: partition-{found} is missing. Put it back, \
             or restore a backup of all of them"
        );
    }
    let (wanted, said, mend) = match wanted {
        Wanted::Any => return Ok(()),
        Wanted::Settings(wanted) => (
            wanted,
            format!("the settings say count = {wanted} under [partitions]"),
            format!("set count = {count}"),
        ),
        Wanted::Option(wanted) => {
            (wanted, format!("--partitions says {wanted}"), "leave --partitions out".to_owned())
        }
    };
    match wanted.cmp(&count) {
        Less => bail!(
            "{said}, and {data} has {count}: {mend}. Partitions cannot be taken away; an empty one costs nothing"
        ),
        Greater => bail!(
            "{said}, and {data} has {count}: run rialto partition add --data {data} for each one more, or {mend}"
        ),
        Equal => Ok(()),
    }
}

/// Refuses names and patterns of markets to open that mean none of those that are listed; names what somebody may have meant.
pub fn check_open_markets(open: &[String], listed: &[(String, PartitionId)]) -> anyhow::Result<()> {
    let listed: Vec<String> = listed.iter().map(|(market, _)| market.clone()).collect();
    for text in open {
        let pattern = Pattern(text);
        // An exchange in which nothing is listed yet may be opened for all.
        if text == "*" || listed.iter().any(|name| pattern.matches(name)) {
            continue;
        }
        let what = if pattern.is_wild() { "no market is like" } else { "there is no market" };
        bail!("{what} '{text}', which is to take orders{}", nearest(text.trim_matches('*'), &listed));
    }
    Ok(())
}

/// What the table of the settings says and the exchange does not: one sentence each, with the command that makes it so.
pub fn differences(config: &Config, listed: &[(String, PartitionId)]) -> Vec<String> {
    let mut found = Vec::new();
    for (market, home) in listed {
        let itself = config.markets.iter().map(Spanned::get_ref).find(|form| form.name == *market);
        let wanted = match itself.and_then(|form| form.partition) {
            Some(partition) => Ok(Some(PartitionId(partition))),
            None => config.partitions.of(market),
        };
        match wanted {
            Ok(Some(wanted)) if wanted != *home => found.push(format!(
                "the market {market} is in partition {home}, not in {wanted} as in the settings: rialto partition move {market} \
                 --to {wanted} moves it there"
            )),
            Ok(_) => {}
            Err(undecided) => found.push(undecided),
        }
    }
    let names: Vec<String> = listed.iter().map(|(market, _)| market.clone()).collect();
    for text in config.partitions.markets.keys() {
        let pattern = Pattern(text);
        if !names.iter().any(|name| pattern.matches(name)) {
            let what = if pattern.is_wild() { "no market is like" } else { "there is no market" };
            let meant = nearest(text.trim_matches('*'), &names);
            found.push(format!("partitions.markets: {what} '{text}'{meant}"));
        }
    }
    found
}

/// Which markets live where, in a line; most of the names, where there are many.
pub fn layout(count: usize, listed: &[(String, PartitionId)]) -> String {
    const NAMED: usize = 8;
    let markets = |partition: PartitionId| {
        let here: Vec<&str> =
            listed.iter().filter(|(_, home)| *home == partition).map(|(market, _)| market.as_str()).collect();
        match here.len() {
            0 => format!("{partition} (no market)"),
            1..=NAMED => format!("{partition} ({})", here.join(", ")),
            more => format!("{partition} ({} and {} more)", here[..NAMED].join(", "), more - NAMED),
        }
    };
    (0..).map(PartitionId).take(count).map(markets).collect::<Vec<_>>().join(", ")
}

/// `rialto partition add`: one more, empty, in an exchange that is not running. One that was begun is finished.
pub fn add(data: &Path) -> anyhow::Result<()> {
    // A folder that is not there must not come into being by a typo.
    DataDir::open_read_only(data)?;
    let mut directory = DataDir::open(data)?;
    let settings = journal::Settings::default();
    let first = sequencer::recover(directory.storage(), &settings, &mut ())?;
    let count = first.partition().partitions().count();
    drop(first);
    if count >= PartitionId::MAX_COUNT {
        bail!("there are {count} partitions, which is the limit");
    }
    if usize::from(count) > directory.storages().len() {
        bail!("the files of some partitions are missing: restore a backup of all of them");
    }
    join(&mut directory, &settings, PartitionId(count))?;
    add_to_first(&directory.storages()[..usize::from(count)], &settings)
        .context("the exchange does not take another partition")?;
    let now = count + 1;
    say!(
        "Partition {count} is there, and empty. Accounts that are opened from now on are spread over {now} partitions; those that \
         are there stay where they are, and so do the markets."
    );
    say!(
        "Next: set count = {now} under [partitions] and start the exchange; then rialto partition move MARKET --to {count} moves a \
         market there."
    );
    Ok(())
}

/// For one partition of those that are there.
pub fn storage_of(directory: &DataDir, partition: u8) -> anyhow::Result<&Arc<dyn Storage>> {
    let count = directory.storages().len();
    directory
        .storages()
        .get(usize::from(partition))
        .ok_or_else(|| anyhow!("there is no partition {partition}: there are {count}, numbered from 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<(String, PartitionId)> {
        [("BTCUSDT", 0), ("ETHUSDT", 2), ("ETHBTC", 2)]
            .map(|(market, home)| (market.to_owned(), PartitionId(home)))
            .to_vec()
    }

    #[test]
    fn what_the_table_says_otherwise_is_told_with_the_command_for_it() {
        let differences = |table: &str| {
            let text = format!("[partitions]\ncount = 3\n[partitions.markets]\n{table}");
            super::differences(&Config::parse(&text).unwrap(), &listed())
        };
        assert!(differences("").is_empty(), "what the table does not mention may be anywhere");
        assert!(differences("BTCUSDT = 0\n\"ETH*\" = 2\n").is_empty());
        assert_eq!(
            differences("BTCUSDT = 1\n"),
            [
                "the market BTCUSDT is in partition 0, not in 1 as in the settings: rialto partition move BTCUSDT --to 1 moves it there"
            ]
        );
        let unknown = differences("BTCUSD = 1\n\"XRP*\" = 2\n");
        assert!(unknown[0].starts_with("partitions.markets: there is no market 'BTCUSD'"), "{unknown:?}");
        assert!(unknown[0].contains("BTCUSDT"), "the nearest one is named: {unknown:?}");
        assert!(unknown[1].starts_with("partitions.markets: no market is like 'XRP*'"), "{unknown:?}");
    }

    #[test]
    fn markets_to_open_must_be_there() {
        let open = |text: &str| check_open_markets(&[text.to_owned()], &listed());
        for fine in ["*", "BTCUSDT", "ETH*"] {
            open(fine).unwrap();
        }
        let refused = open("BTCUSD").unwrap_err().to_string();
        assert!(refused.contains("there is no market 'BTCUSD'") && refused.contains("BTCUSDT"), "{refused}");
        assert!(open("XRP*").unwrap_err().to_string().contains("no market is like 'XRP*'"));
    }

    #[test]
    fn the_layout_is_a_line() {
        assert_eq!(layout(3, &listed()), "0 (BTCUSDT), 1 (no market), 2 (ETHUSDT, ETHBTC)");
        let many: Vec<_> = (0..20).map(|number| (format!("M{number}"), PartitionId(0))).collect();
        assert!(layout(1, &many).ends_with("M7 and 12 more)"));
    }
}
