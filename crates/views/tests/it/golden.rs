//! Views of every form that was ever written can be loaded, and have what was in them.

use exchange::Partition;
use model::{AccountId, Event, EventBatch, EventSeq, Sequenced, TimeNs};
use views::{CandleQuery, Interval, PriceKind, UtcOffset, ViewSettings, Views};

use crate::futures::{assert_same, bytes_of, commands};
use crate::restart;

/// What the state machine and the views make of a journal.
fn played(journal: &str) -> (Partition, Views) {
    let (mut partition, mut views) = (Partition::default(), Views::new(ViewSettings::default()));
    for (time_ns, command) in commands(journal) {
        let seq = partition.seq().next();
        let mut batch = EventBatch {
            first_seq: seq,
            time_ns,
            first_event_seq: EventSeq(views.seq().0 + 1),
            ..EventBatch::default()
        };
        partition.apply(&Sequenced { seq, time_ns, command }, &mut batch.events);
        batch.ends.push(u32::try_from(batch.events.len()).unwrap());
        views.apply(&batch);
    }
    (partition, views)
}

#[test]
fn old_views_have_what_was_in_them() {
    let of_form = [
        (
            3,
            include_str!("../golden/form-3.hex"),
            include_str!("../../../exchange/tests/golden/v3/journal.hex"),
        ),
        (
            4,
            include_str!("../golden/form-4.hex"),
            include_str!("../../../exchange/tests/golden/v6/journal.hex"),
        ),
        (
            5,
            include_str!("../golden/form-5.hex"),
            include_str!("../../../exchange/tests/golden/v7/journal.hex"),
        ),
        (
            6,
            include_str!("../golden/form-6.hex"),
            include_str!("../../../exchange/tests/golden/v8/journal.hex"),
        ),
    ];
    for (form, golden, journal) in of_form {
        let (partition, mut played) = played(journal);
        let bytes: Vec<u8> = golden.lines().flat_map(bytes_of).collect();
        assert_eq!(bytes[0], form);
        let mut loaded = restart::loaded(&ViewSettings::default(), &bytes);
        assert_same(&loaded, &partition);
        for account in (1..20).map(AccountId) {
            let waiting =
                |views: &Views| views.algo_orders().open(account).into_iter().cloned().collect::<Vec<_>>();
            assert_eq!(waiting(&loaded), waiting(&played));
        }
        for market in partition.catalog().contracts().map(|(market, _)| market) {
            let open = played.futures().open_interest(market);
            assert_eq!(loaded.futures().open_interest(market), open);
            let past = loaded.futures().interest_history().at(market, TimeNs::NEVER);
            assert_eq!(past.map(|past| past.open).unwrap_or_default(), open, "its past begins with that");
            let query = CandleQuery {
                interval: Interval::Hour1,
                offset: UtcOffset::UTC,
                start: None,
                end: None,
                limit: 10,
                now: loaded.time_ns(),
            };
            for (kind, is_kept) in
                [(PriceKind::Mark, true), (PriceKind::Index, true), (PriceKind::Premium, false)]
            {
                let (ours, all) =
                    (loaded.price_candles(market, kind, &query), played.price_candles(market, kind, &query));
                assert_eq!(ours, if is_kept { all } else { Vec::new() }, "{kind:?} of form {form}");
            }
        }
        // What the form could not have begins from here on, and both go on alike.
        let batch = EventBatch {
            first_seq: loaded.command_seq().next(),
            time_ns: loaded.time_ns(),
            first_event_seq: EventSeq(loaded.seq().0 + 1),
            events: vec![Event::Skipped { reason: "nothing".to_owned() }],
            ends: vec![1],
        };
        loaded.apply(&batch);
        played.apply(&batch);
        assert_eq!(loaded.seq(), played.seq());
    }
}
