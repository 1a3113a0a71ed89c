//! A database that is not there, not ready, written by two, or of another exchange.

use std::fs;

use model::EventSeq;
use sink_sql::{SqlError, SqlSettings, State, migrate};

use crate::flow::{Flow, preparation};
use crate::world::{World, wait_for, wait_until};

fn world(seed: u64) -> (World, EventSeq) {
    let mut world = World::new();
    let mut commands = preparation();
    commands.extend(Flow::new(seed).take(300));
    let end = world.run(commands);
    (world, end)
}

#[test]
fn a_writer_waits_for_the_tables_and_then_catches_up() {
    let (world, end) = world(1);
    let settings = world.settings("database");
    let writer = world.start(&settings);
    wait_until("it has tried twice", || writer.status().failures() > 1);
    assert_eq!((writer.status().state(), writer.status().event_seq()), (State::Retrying, EventSeq(0)));
    migrate(&settings).unwrap();
    wait_until("all is written", || writer.status().event_seq() == end);
    assert_eq!(writer.status().state(), State::Writing);
    writer.stop();
    assert_eq!(world.check(&settings).count, 0);
}

#[test]
fn a_writer_waits_for_a_folder_that_is_away() {
    let (world, end) = world(2);
    let settings = world.settings("away/database");
    let writer = world.start(&settings);
    wait_until("it has tried twice", || writer.status().failures() > 1);
    fs::create_dir(world.file("away")).unwrap();
    migrate(&settings).unwrap();
    wait_until("all is written", || writer.status().event_seq() == end);
    writer.stop();
    assert_eq!(world.check(&settings).count, 0);
}

/// The one that was started last has the database; the other notices before it writes again, and stops for good.
#[test]
fn of_two_writers_one_stops() {
    let (mut world, end) = world(3);
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    let first = world.start(&settings);
    wait_until("all is written", || first.status().event_seq() == end);
    let second = world.start(&settings);
    wait_until("the second has the position", || second.status().event_seq() == end);
    let end = world.run(Flow::new(4).take(100));
    wait_until("the second has written it", || second.status().event_seq() == end);
    wait_for(&first, State::Stopped);
    assert_eq!(first.status().failures(), 1);
    assert_eq!(second.status().state(), State::Writing);
    second.stop();
    assert_eq!(world.check(&settings).count, 0);
}

#[test]
fn the_database_of_another_exchange_is_left_alone() {
    let (one, end) = world(5);
    let (other, _) = world(6);
    let settings = one.settings("database");
    migrate(&settings).unwrap();
    one.write(&settings, end);
    let before = one.tables("database");
    let writer = other.start(&settings);
    wait_for(&writer, State::Stopped);
    assert!(one.tables("database") == before, "nothing was changed");
    let refused = sink_sql::check(&settings, &[other.storage()], &mut |_, _| {});
    assert!(matches!(refused, Err(SqlError::Disagrees(_))), "{refused:?}");
}

/// As when an old backup was restored: what was acknowledged behind it is missing.
#[test]
fn a_database_ahead_of_the_event_log_is_told_and_not_written() {
    let (mut world, end) = world(7);
    let settings = SqlSettings { batch_max_events: 10, ..world.settings("database") };
    migrate(&settings).unwrap();
    let copy = world.file("copy");
    let copied =
        std::process::Command::new("cp").arg("-r").arg(world.file("data")).arg(&copy).status().unwrap();
    assert!(copied.success());
    let further = world.run(Flow::new(8).take(100));
    world.write(&settings, further);
    assert!(world.check(&settings).up_to[0].0 > 0);
    let before = world.tables("database");
    let storage = std::sync::Arc::clone(journal::DataDir::open_read_only(&copy).unwrap().storage());
    let refused = sink_sql::check(&settings, &[std::sync::Arc::clone(&storage)], &mut |_, _| {});
    assert!(refused.unwrap_err().to_string().contains("the journal ends at command"));
    let writer = sink_sql::Writer::start(model::PartitionId::FIRST, storage, None, settings.clone()).unwrap();
    wait_until("it has looked", || writer.status().event_seq() > end);
    assert_eq!(writer.status().transactions(), 0);
    writer.stop();
    assert!(world.tables("database") == before);
}

#[test]
fn tables_of_a_newer_program_are_left_alone() {
    let (world, _) = world(9);
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    assert_eq!(migrate(&settings).unwrap(), (2, 2), "nothing to do");
    world.execute("database", "INSERT INTO rialto_migrations (version) VALUES (3)");
    let refused = migrate(&settings).unwrap_err().to_string();
    assert!(
        refused.contains("have version 3, and this program writes version 2: a newer program made them"),
        "{refused}"
    );
}
