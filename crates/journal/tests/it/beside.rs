//! A reader beside a writer, at every possible moment: between any two calls that the reader makes, the writer appends
//! some batches, up to several segments full. The reader never takes that for damage.

use crate::world::{Case, Toy, batch, expected, open, small, with_batches};
use ::journal::{
    Durable, EventLogReader, EventLogWriter, EventPosition, JournalReader, Storage, StorageFile, Survey,
};
use model::Seq;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

/// What the writer does meanwhile.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// A storage whose user is interrupted before one of its calls.
#[derive(Clone)]
struct Interrupted {
    inner: Arc<dyn Storage>,
    state: Arc<Mutex<(usize, Option<Meanwhile>)>>,
}

impl fmt::Debug for Interrupted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(out)
    }
}

impl Interrupted {
    /// `meanwhile` is done before call number `at`.
    fn new(inner: Arc<dyn Storage>, at: usize, meanwhile: Meanwhile) -> Self {
        Self { inner, state: Arc::new(Mutex::new((at, Some(meanwhile)))) }
    }

    fn done(&self) -> bool {
        self.state.lock().unwrap().1.is_none()
    }

    fn call(&self) {
        let mut state = self.state.lock().unwrap();
        if state.0 == 0
            && let Some(meanwhile) = state.1.take()
        {
            meanwhile();
        }
        state.0 = state.0.saturating_sub(1);
    }
}

impl Storage for Interrupted {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.call();
        self.inner.list(folder)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        self.call();
        Ok(Box::new(InterruptedFile { inner: self.inner.open(path)?, storage: self.clone() }))
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn StorageFile>> {
        panic!("a reader made {path}")
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        panic!("a reader renamed {from} to {to}")
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        panic!("a reader removed {path}")
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        panic!("a reader synced {folder}")
    }
}

#[derive(Debug)]
struct InterruptedFile {
    inner: Box<dyn StorageFile>,
    storage: Interrupted,
}

impl StorageFile for InterruptedFile {
    fn size(&self) -> io::Result<u64> {
        self.storage.call();
        self.inner.size()
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        panic!("a reader cut a file to {bytes}")
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.storage.call();
        self.inner.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        panic!("a reader wrote {} bytes at {offset}", bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        panic!("a reader synced a file")
    }
}

#[test]
fn the_journal_is_read_while_it_grows() {
    for (before, meanwhile) in [(0, 1), (0, 7), (2, 1), (2, 2), (2, 7), (3, 5), (3, 17), (6, 1), (6, 9)] {
        for at in 0.. {
            let _case = Case(format!("{before} batches, then {meanwhile} before call {at}"));
            let disk = with_batches(before, 1100);
            // The next segment is prepared already, and is seen blank before it is taken into use.
            let next = disk.paths().len() + 1;
            disk.put(&format!("journal/{next:020}.seg"), &[0; 16 << 10]);
            let (_, mut writer) = open(&disk.storage()).unwrap();
            let append = Box::new(move || {
                for nth in before..before + meanwhile {
                    writer.append(&mut batch(1 + nth * 3, 3, 1100)).unwrap();
                }
            });
            let interrupted = Interrupted::new(disk.storage(), at, append);
            let storage: Arc<dyn Storage> = Arc::new(interrupted.clone());
            let survey = Survey::read(&storage, Durable::GENESIS).unwrap();
            let end = survey.end.seq().get();
            assert!((before * 3..=(before + meanwhile) * 3).contains(&end), "{end}");
            let mut reader = JournalReader::open(&storage, &survey, Seq(1)).unwrap();
            let mut all = Vec::new();
            while let Some(batch) = reader.next().unwrap() {
                all.extend(batch.commands().map(|(seq, bytes)| (seq.get(), bytes.to_vec())));
            }
            assert_eq!(all, expected(end, 1100));
            if !interrupted.done() {
                assert!(at > 5, "there were calls to interrupt: {at}");
                break;
            }
        }
    }
}

#[test]
fn the_event_log_is_read_while_it_grows() {
    for (before, meanwhile) in [(0, 3), (5, 1), (100, 1), (100, 150), (60, 400)] {
        for at in 0.. {
            let _case = Case(format!("{before} batches, then {meanwhile} before call {at}"));
            let disk = ::journal::faulty::FaultyStorage::new();
            let storage = disk.storage();
            let (_, mut writer) =
                EventLogWriter::open(&storage, &small(), Seq(0), EventPosition::GENESIS).unwrap();
            let mut toy = Toy::NEW;
            let mut append = move |batches| {
                for _ in 0..batches {
                    let frame = toy.next_batch();
                    writer.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
                }
            };
            append(before);
            let interrupted = Interrupted::new(storage, at, Box::new(move || append(meanwhile)));
            let storage: Arc<dyn Storage> = Arc::new(interrupted.clone());
            let mut reader = EventLogReader::open(&storage, Seq(1)).unwrap();
            let mut seen = 0;
            let mut seq = Seq(0);
            let mut ends = 0;
            // The end may be met once before and once after the writer's turn.
            while ends < 2 {
                match reader.next().unwrap() {
                    Some(batch) => {
                        assert_eq!(batch.first_seq, seq.next());
                        seq = batch.last_seq;
                        seen += 1;
                    }
                    None => ends += 1,
                }
            }
            if !interrupted.done() {
                assert_eq!(seen, before);
                break;
            }
            while reader.next().unwrap().is_some() {
                seen += 1;
            }
            assert_eq!(seen, before + meanwhile);
        }
    }
}
