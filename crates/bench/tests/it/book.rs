//! All books that are measured do the same, and nothing is lost on the way to another thread.

use std::thread;

use bench::book::contender::{Contender, answer_all};
use bench::book::flat::Flat;
use bench::book::heap::Heap;
use bench::book::ours::Ours;
use bench::book::report::{Report, Reports, Tally};
use bench::book::ring::ring;
use bench::book::sorted::Sorted;
use bench::book::traces::Prepared;
use bench::book::tree::Tree;
use bench::book::walking::{Receiver, check, pass};
use simulator::trace::Shape;
use simulator::walking::{Message, SEED, Scenario, Stream};

fn answers<C: Contender + Default>(messages: &[Message], bound: usize) -> Vec<Report> {
    let mut told = Vec::new();
    answer_all(&mut C::default(), messages, bound, &mut told);
    told
}

/// A short stream of every scenario, report for report; and the counts are those of the stream's own book.
#[test]
fn all_books_answer_alike() {
    for scenario in Scenario::ALL {
        let stream = Stream::new(scenario, 10_000, SEED);
        let ours = answers::<Ours>(&stream.messages, 1_000);
        let others: [(&str, Vec<Report>); 5] = [
            ("ours, one by one", answers::<Ours>(&stream.messages, 1)),
            ("flat array", answers::<Flat>(&stream.messages, 1_000)),
            ("tree", answers::<Tree>(&stream.messages, 1_000)),
            ("sorted array", answers::<Sorted>(&stream.messages, 1_000)),
            ("heap", answers::<Heap>(&stream.messages, 1_000)),
        ];
        for (name, told) in others {
            let differs = ours.iter().zip(&told).position(|(ours, theirs)| ours != theirs);
            assert_eq!(differs, None, "{name}, {}", scenario.name());
            assert_eq!(ours.len(), told.len(), "{name}, {}", scenario.name());
        }
        let mut tally = Tally::default();
        for &report in &ours {
            tally.tell(report);
        }
        check("ours", &stream, &tally);
        assert_eq!(tally.reports(), ours.len() as u64);
    }
}

/// A trace's totals are asserted by the yardstick itself.
#[test]
fn all_books_come_to_a_traces_totals() {
    let prepared = Prepared::new(&Shape { operations: 20_000, ..Shape::SHALLOW });
    prepared.pass::<Ours>("ours", 20);
    prepared.pass::<Flat>("flat array", 20);
    prepared.pass::<Tree>("tree", 20);
    prepared.pass::<Sorted>("sorted array", 20);
    prepared.pass::<Heap>("heap", 20);
    assert!(prepared.latency::<Ours>("ours").len() == 20_000, "each operation is timed once");
}

/// A book that cancels nothing.
#[derive(Default)]
struct Forgetful(Ours);

impl Contender for Forgetful {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        self.0.place(arriving, reports);
    }

    fn cancel(&mut self, _order: u64) -> bool {
        true
    }
}

#[test]
#[should_panic(expected = "are those of the trace")]
fn a_wrong_book_ends_the_run() {
    Prepared::new(&Shape { operations: 20_000, ..Shape::SHALLOW }).pass::<Forgetful>("forgetful", 20);
}

#[test]
fn another_thread_counts_what_the_same_thread_counts() {
    let stream = Stream::new(Scenario::FlashCrash, 10_000, SEED);
    let (_, counted) = pass::<Ours>(&stream.messages, 1, Receiver::SameThread);
    for bound in [1, 20, 1_000] {
        let (_, handed_over) = pass::<Ours>(&stream.messages, bound, Receiver::OtherThread);
        assert_eq!(handed_over, counted, "batches of {bound}");
    }
}

/// A ring that is much smaller than a batch, so that each side waits for the other again and again.
#[test]
fn the_ring_loses_nothing_and_keeps_the_order() {
    let (mut writer, reader) = ring(4);
    let reading = thread::spawn(move || {
        let mut told = Vec::new();
        reader.pass_all_to(&mut told);
        told
    });
    let report = |order: u64| match order % 6 {
        0 => Report::Ack { order },
        1 => Report::Trade { maker: order / 2, taker: order, price: 5 - order.cast_signed(), qty: u32::MAX },
        2 => Report::CancelAck { order },
        3 => Report::ModifyAck { order },
        4 => Report::CancelReject { order },
        _ => Report::ModifyReject { order },
    };
    for order in 0..50_000 {
        writer.tell(report(order));
        if order % 10 == 9 {
            writer.batch_done();
        }
    }
    drop(writer);
    let told = reading.join().unwrap();
    assert_eq!(told.len(), 50_000);
    assert!((0..).zip(told).all(|(order, told)| told == report(order)));
}

#[test]
fn a_report_is_half_a_cache_line() {
    assert!(size_of::<Report>() <= 32);
}

/// Published books are fast or slow at the same thing, or not measured.
#[cfg(feature = "peers")]
#[test]
fn peers_answer_alike() {
    use bench::book::peers::{Lobster, Matchcore, OrderbookRs};

    let prepared = Prepared::new(&Shape { operations: 5_000, ..Shape::SHALLOW });
    prepared.pass::<Matchcore>("matchcore", 20);
    prepared.pass::<Lobster>("lobster", 20);
    prepared.pass::<OrderbookRs>("orderbook-rs", 20);
    for scenario in Scenario::ALL {
        let stream = Stream::new(scenario, 5_000, SEED);
        let ours = answers::<Ours>(&stream.messages, 1_000);
        let others: [(&str, Vec<Report>); 2] = [
            ("lobster", answers::<Lobster>(&stream.messages, 1_000)),
            ("orderbook-rs", answers::<OrderbookRs>(&stream.messages, 1_000)),
        ];
        for (name, told) in others {
            let differs = ours.iter().zip(&told).find(|(ours, theirs)| ours != theirs);
            assert_eq!(differs, None, "{name}, {}", scenario.name());
            assert_eq!(ours.len(), told.len(), "{name}, {}", scenario.name());
        }
    }
}

#[test]
fn every_fill_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let found =
        bench::book::database::run(folder.path(), None, std::time::Duration::from_millis(50)).unwrap();
    let is_installed = bench::sql::Engine::Postgres.is_installed();
    let committed = if is_installed { &found[..] } else { &found[..1] };
    assert_eq!(found.len(), 2, "a row says so where there is no PostgreSQL");
    for found in committed {
        assert!(found.figures["fills"] > 0 && found.figures["fills"] < found.commands, "{}", found.name);
        assert!(found.figures["percent_of_time_in_commits"] <= 100, "{}", found.name);
    }
}
