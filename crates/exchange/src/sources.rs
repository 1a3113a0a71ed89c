//! Sources of commands that may hand in the same entry twice: how far each has come, and what is done with an entry.

use std::collections::{BTreeMap, VecDeque};

use model::{
    Command, EntryId, Event, FromSource, OrderCommand, RegisterSource, Reject, Seq, SourceId, SourceTerms,
    TimeNs,
};

use crate::Partition;
use crate::open_orders::Hint;
use crate::post::Progress;

/// One source, as this partition knows it.
pub struct Source {
    pub terms: SourceTerms,
    /// How many entries are remembered one by one.
    pub remember: u32,
    /// The last entry that was taken; every place at or below it has gone by.
    pub mark: EntryId,
    /// The newest entries that were taken, in the order of their places, which is that in which they came.
    pub remembered: VecDeque<EntryId>,
}

impl Source {
    /// Forgets the oldest entries above what is to be remembered.
    fn forget(&mut self) {
        let remember = usize::try_from(self.remember).expect("fits");
        let above = self.remembered.len().saturating_sub(remember);
        drop(self.remembered.drain(..above));
    }
}

/// All sources, by their numbers.
#[derive(Default)]
pub struct Sources {
    pub list: Vec<Source>,
    /// Entries whose answer is not complete, by the command that they were: their markets are in other partitions.
    pub open: BTreeMap<Seq, (SourceId, EntryId)>,
}

impl Sources {
    /// Gives a source its number, or tells it again.
    fn register(&mut self, register: &RegisterSource, events: &mut Vec<Event>) -> Result<(), Reject> {
        let RegisterSource { partition: _, terms, remember } = *register;
        if terms.name.is_empty() || terms.key.is_empty() {
            return Err(Reject::NameMissing);
        }
        let known = self.list.iter().position(|source| source.terms == terms);
        let index = if let Some(index) = known {
            self.list[index].remember = remember;
            self.list[index].forget();
            index
        } else {
            let max = RegisterSource::MAX_SOURCES;
            if u32::try_from(self.list.len()).is_ok_and(|count| count >= max) {
                return Err(Reject::TooManySources { max });
            }
            let (mark, remembered) = (EntryId(0), VecDeque::new());
            self.list.push(Source { terms, remember, mark, remembered });
            self.list.len().saturating_sub(1)
        };
        let source = SourceId(u32::try_from(index).expect("there are few sources"));
        let mark = self.list[index].mark;
        events.push(Event::SourceRegistered { source, terms: Box::new(terms), mark });
        Ok(())
    }

    /// Whether an entry is new, and is taken with that; an event says what it is.
    fn takes(&mut self, from: &FromSource, events: &mut Vec<Event>) -> Result<bool, Reject> {
        let FromSource { source, entry, ref order } = *from;
        let index = usize::try_from(source.0).expect("fits");
        let known = self.list.get_mut(index).ok_or(Reject::UnknownSource { source })?;
        let is_new = entry > known.mark;
        events.push(if is_new {
            known.mark = entry;
            known.remembered.push_back(entry);
            known.forget();
            let (action, account, market) = (order.action(), order.account(), order.market());
            Event::EntryTaken { source, entry, action, account, market }
        } else if known.remembered.binary_search(&entry).is_ok() {
            Event::EntryRepeated { source, entry }
        } else {
            Event::EntryOutOfOrder { source, entry, mark: known.mark }
        });
        Ok(is_new)
    }
}

impl Partition {
    pub(crate) fn register_source(
        &mut self,
        register: &RegisterSource,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let (own, partition) = (self.post.own, register.partition);
        if partition != own {
            return Err(Reject::UnknownPartition { partition, count: self.post.partitions.count() });
        }
        self.sources.register(register, events)
    }

    /// Does what a new entry asks for; its place has gone by with that, whatever comes of it.
    pub(crate) fn take_entry(
        &mut self,
        from: &FromSource,
        hint: Hint,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let order = &from.order;
        if !self.sources.takes(from, events)? {
            return Ok(());
        }
        let valid_until_ns: TimeNs = order.valid_until_ns();
        if valid_until_ns < self.time_ns {
            return Err(Reject::TooLate { valid_until_ns });
        }
        let Self { catalog, accounts, mail, time_ns, .. } = self;
        match order {
            OrderCommand::Place(place) => accounts.place(catalog, place, hint, mail),
            OrderCommand::Cancel(cancel) => accounts.cancel(catalog, cancel, hint, mail),
            OrderCommand::CancelAll(cancel) => accounts.cancel_all(catalog, cancel, mail),
            OrderCommand::Replace(replace) => accounts.replace(catalog, replace, mail, events),
            OrderCommand::Amend(amend) => accounts.amend(catalog, amend, hint, mail),
            OrderCommand::PlaceContract(place) => accounts.place_contract(catalog, place, mail),
            OrderCommand::PlaceGoodTillDate(place) => {
                accounts.place_good_till_date(catalog, place, *time_ns, mail)
            }
            OrderCommand::Modify(modify) => accounts.modify_contract(catalog, modify, mail),
            OrderCommand::PlaceAlgo(place) => accounts.place_algo(catalog, place, events),
            OrderCommand::CancelAlgo(at) => accounts.cancel_algo(&at.cancel, Some(at.market), events),
            OrderCommand::CancelAllAlgos(cancel) => accounts.cancel_all_algos(catalog, cancel, events),
        }
    }

    /// Tells where the answer to an entry stands when other partitions have a part in it.
    pub(crate) fn follow_entries(&mut self, command: &Command, events: &mut Vec<Event>) {
        let Progress { answers: Some(seq), more_to_come } = self.post.progress else { return };
        if !more_to_come {
            if let Some((source, entry)) = self.sources.open.remove(&seq) {
                events.push(Event::EntryAnswered { source, entry });
            }
        } else if let Command::FromSource(from) = command {
            let FromSource { source, entry, .. } = **from;
            self.sources.open.insert(seq, (source, entry));
            events.push(Event::EntryOpen { source, entry });
        }
    }

    /// The last entry of a source that was taken; `None` of a source that is not registered.
    pub fn source_mark(&self, source: &SourceTerms) -> Option<EntryId> {
        self.sources.list.iter().find(|known| known.terms == *source).map(|known| known.mark)
    }
}
