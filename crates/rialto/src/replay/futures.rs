//! A flow of orders at perpetual contracts, from a file that `rialto bench perp --record` has written.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use bench::Measurement;
use journal::DataDir;
use model::{Command, Event, MarketId, PartitionId, PriceTicks, SetIndexPrice};
use sequencer::Egress;
use simulator::mixed::Shape;
use simulator::perp::{self, Recorded};

use super::{Run, print_latency};
use crate::progress;
use crate::verify::hex;

/// What came of the flow.
#[derive(Default)]
struct Came {
    trades: u64,
    refused: u64,
    first_refusal: Option<String>,
}

impl Came {
    fn hear(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Traded(_) => self.trades += 1,
                Event::Rejected { reject, .. } => {
                    self.refused += 1;
                    self.first_refusal.get_or_insert_with(|| reject.to_string());
                }
                _ => {}
            }
        }
    }
}

/// Who there is, with a position each, and index prices.
fn preparation(flow: &Recorded) -> Vec<Command> {
    let Recorded { contracts, accounts, .. } = *flow;
    let mut commands = perp::founding(contracts, accounts, &|_| perp::RICH);
    commands.extend((0..contracts).map(|market| {
        Command::SetIndexPrice(SetIndexPrice {
            partition: PartitionId::FIRST,
            market: MarketId(market),
            source: 0,
            price_ticks: PriceTicks(Shape::MID_TICKS),
        })
    }));
    commands.extend(perp::positions(accounts, &|pair| perp::spread(pair, contracts)));
    commands
}

/// Through partition and journal; then from the journal alone, which must lead to the same state.
pub fn replay(path: &Path, folder: &Path) -> anyhow::Result<()> {
    let flow = Recorded::read(path)?;
    let before = perp::orders_before(flow.accounts);
    println!("{:>8}  contracts", flow.contracts);
    println!("{:>8}  accounts with positions", flow.accounts);

    let directory = DataDir::open(folder)?;
    let recovered = sequencer::recover(directory.storage(), &journal::Settings::default(), &mut ())?;
    if recovered.partition().seq().0 != 0 {
        bail!("{} has a journal already: choose a new directory", folder.display());
    }
    let sequencer = recovered.start(sequencer::Settings::default(), Egress::default(), None);
    let mut came = Came::default();
    {
        let commands = preparation(&flow);
        let bar = progress::bar("Opening positions", commands.len() as u64, false);
        let mut hear = |_: usize, events: &[Event]| came.hear(events);
        let mut run = Run::new(&mut hear);
        for command in commands {
            run.send(sequencer.ingress(), command)?;
            bar.set_position(run.heard as u64);
        }
        run.hear_all()?;
        bar.finish_and_clear();
    }
    if let Some(refusal) = came.first_refusal {
        bail!("a command of the preparation is refused: {refusal}");
    }

    let mut came = Came::default();
    let bar = progress::bar("Replaying", flow.steps.len() as u64, false);
    let start = Instant::now();
    let latency = {
        let mut hear = |_: usize, events: &[Event]| came.hear(events);
        let mut run = Run::new(&mut hear);
        for step in &flow.steps {
            run.send(sequencer.ingress(), perp::command_of(step, before))?;
            bar.set_position(run.heard as u64);
        }
        run.hear_all()?;
        run.latency
    };
    let elapsed = start.elapsed();
    bar.finish_and_clear();
    sequencer.ingress().stop();
    let stopped = sequencer.join()?;
    println!("through partition and journal, durable");
    println!("{:>8}  commands", flow.steps.len());
    println!("{:>8}  trades", came.trades);
    println!("{:>8}  refused", came.refused);
    if let Some(refusal) = came.first_refusal {
        println!("          the first one: {refusal}");
    }
    let measured = Measurement::new("", flow.steps.len() as u64, elapsed, came.refused);
    println!("{:>8.0}  commands/s", measured.per_second);
    print_latency(&latency);
    println!("          state hash {}", hex(&stopped.state_hash));

    drop(directory);
    let directory = DataDir::open(folder).context("the journal cannot be read again")?;
    let again = sequencer::audit::<sequencer::SequencerError>(directory.storage(), &mut |_| Ok(()))?;
    if again.state_hash != stopped.state_hash {
        bail!(
            "the journal alone leads to the state {}: report this with the journal",
            hex(&again.state_hash)
        );
    }
    println!("          the journal alone leads to the same");
    Ok(())
}
