//! A market that moves from partition to partition answers as if it had stayed where it was.

use model::{
    AccountId, Event, EventBatch, EventSeq, LevelChanged, MarketId, PartitionId, PriceTicks, QtyLots, Seq,
    Side, Spread, TimeNs,
};
use views::{ViewSettings, Views, history_of};

use crate::restart::{loaded, saved, trade_answers};
use crate::world::{Pace, Random, World};

const MARKET: MarketId = MarketId(0);
const PARTITIONS: usize = 3;

/// When a market's new home is given its history.
#[derive(Clone, Copy)]
enum Adoption {
    /// As soon as it has arrived.
    AtOnce,
    /// Never, as in views that are made again from one partition's events alone, until somebody asks.
    WhenAsked,
}

struct Moving {
    parts: Vec<Views>,
    home: usize,
    /// How far numbers of changes are ahead of those of a market that stays: levels are told again when it moves.
    told_again: u64,
    settings: ViewSettings,
}

impl Moving {
    fn new(settings: ViewSettings) -> Self {
        let parts = vec![Views::new(settings.clone()); PARTITIONS];
        let mut moving = Self { parts, home: 0, told_again: 0, settings };
        for count in 2..=u8::try_from(PARTITIONS).unwrap() {
            let added = Event::PartitionAdded { spread: Spread { first_account: AccountId(1), count } };
            moving.hear(TimeNs(0), std::array::from_fn(|_| vec![added.clone()]));
        }
        moving
    }

    /// What all partitions hear at one moment, each its own.
    fn hear(&mut self, time_ns: TimeNs, events: [Vec<Event>; PARTITIONS]) {
        for (views, events) in self.parts.iter_mut().zip(events) {
            let batch = EventBatch {
                first_seq: views.command_seq().next(),
                time_ns,
                first_event_seq: EventSeq(views.seq().0 + 1),
                ends: vec![u32::try_from(events.len()).unwrap()],
                events,
            };
            views.apply(&batch);
        }
    }

    fn go_on(&mut self, batch: &EventBatch) {
        let mut events: [Vec<Event>; PARTITIONS] = Default::default();
        for event in &batch.events {
            let mut event = event.clone();
            match &mut event {
                Event::AssetAdded { .. } | Event::MarketAdded { .. } => {
                    for events in &mut events {
                        events.push(event.clone());
                    }
                    continue;
                }
                Event::LevelChanged(changed) => changed.update_id += self.told_again,
                Event::Traded(_) => {}
                _ => continue,
            }
            events[self.home].push(event);
        }
        self.hear(batch.time_ns, events);
    }

    fn move_to(&mut self, to: usize, adoption: Adoption) {
        let time_ns = self.parts[self.home].time_ns();
        let partition = PartitionId(u8::try_from(to).unwrap());
        let moving = Event::MarketMoving { market: MARKET, to: partition };
        self.hear(time_ns, std::array::from_fn(|_| vec![moving.clone()]));
        let depth = self.parts[self.home].depth(MARKET);
        let bids = depth.bids().map(|level| (Side::Buy, level));
        let levels: Vec<_> = bids.chain(depth.asks().map(|level| (Side::Sell, level))).collect();
        let mut update_id = depth.last_update_id();
        let mut events: [Vec<Event>; PARTITIONS] = Default::default();
        events[self.home].push(Event::MarketLeft { market: MARKET, to: partition });
        let placed = Event::MarketPlaced { market: MARKET, partition };
        for events in &mut events {
            events.push(placed.clone());
        }
        for (side, (price_ticks, open_lots)) in levels {
            (update_id, self.told_again) = (update_id + 1, self.told_again + 1);
            let changed = LevelChanged { market: MARKET, update_id, side, price_ticks, open_lots };
            events[to].push(Event::LevelChanged(changed));
        }
        self.hear(time_ns, events);
        self.home = to;
        assert!(!self.parts[to].has_history(MARKET), "it begins with nothing");
        match adoption {
            Adoption::AtOnce => self.parts[to] = self.whole(),
            Adoption::WhenAsked => {
                for views in &mut self.parts {
                    *views = loaded(&self.settings, &saved(views));
                }
            }
        }
    }

    /// The views of its home, with what the others have of it.
    fn whole(&self) -> Views {
        let home = &self.parts[self.home];
        let others: Vec<&Views> = self.parts.iter().filter(|views| !std::ptr::eq(*views, home)).collect();
        let history = history_of(home, &others, MARKET).expect("everybody is far enough");
        let history: Vec<_> = history.into_iter().cloned().collect();
        let mut views = self.parts[self.home].clone();
        views.adopt(MARKET, &history);
        assert!(views.has_history(MARKET));
        views
    }
}

#[test]
fn a_market_that_moves_answers_as_if_it_had_stayed() {
    for seed in 400..412 {
        println!("seed {seed}");
        let small = ViewSettings {
            trades_kept: 20,
            agg_trades_kept: 20,
            seconds_kept: 10,
            days_kept: 3,
            ..ViewSettings::default()
        };
        let settings = if seed % 2 == 0 { ViewSettings::default() } else { small };
        let adoption = if seed % 3 == 0 { Adoption::AtOnce } else { Adoption::WhenAsked };
        let (mut world, listing) = World::new(seed, 1, 4, Pace::Anything);
        let mut stayed = Views::new(settings.clone());
        let mut moved = Moving::new(settings);
        stayed.apply(&listing);
        moved.go_on(&listing);
        let random = &mut Random::new(seed);
        for _ in 0..600 {
            let batch = world.step();
            stayed.apply(&batch);
            moved.go_on(&batch);
            if random.below(90) == 0 {
                let to = (moved.home + 1 + random.index(PARTITIONS - 1)) % PARTITIONS;
                moved.move_to(to, adoption);
                assert_same(&stayed, &moved.whole(), seed);
            }
        }
        assert_same(&stayed, &moved.whole(), seed);
        assert_eq!(
            stayed.command_seq() > Seq(0),
            moved.told_again > 0,
            "it has moved, with orders on its book"
        );
    }
}

/// Nothing has ever traded, so the numbers of the book's changes are all that there is to go on with.
#[test]
fn the_history_of_a_book_without_trades_waits_for_its_last_home() {
    let mut moved = Moving::new(ViewSettings::default());
    let (_, listing) = World::new(1, 1, 4, Pace::Anything);
    moved.go_on(&listing);
    let level = |update_id, open: i64| {
        let (side, price_ticks) = (Side::Buy, PriceTicks(500));
        Event::LevelChanged(LevelChanged {
            market: MARKET,
            update_id,
            side,
            price_ticks,
            open_lots: QtyLots(open),
        })
    };
    let now = moved.parts[0].time_ns();
    moved.hear(now, [vec![level(1, 3), level(2, 0)], vec![], vec![]]);
    moved.move_to(1, Adoption::AtOnce);
    moved.hear(now, [vec![], vec![level(3, 5), level(4, 0)], vec![]]);

    // It has arrived in the third partition, and the views of the second are behind.
    let to = PartitionId(2);
    let moving = Event::MarketMoving { market: MARKET, to };
    let placed = Event::MarketPlaced { market: MARKET, partition: to };
    moved.hear(now, [vec![moving.clone()], vec![moving.clone()], vec![moving, placed.clone()]]);
    let history = |parts: &[Views]| {
        let stays = history_of(&parts[2], &[&parts[0], &parts[1]], MARKET);
        stays.map(|stays| stays.into_iter().cloned().collect::<Vec<_>>())
    };
    assert!(history(&moved.parts).is_none(), "its last home has not said how far it was");
    moved.hear(now, [vec![], vec![Event::MarketLeft { market: MARKET, to }, placed], vec![]]);
    let stays = history(&moved.parts).expect("everybody is far enough");
    moved.parts[2].adopt(MARKET, &stays);
    assert_eq!(moved.parts[2].depth(MARKET).last_update_id(), 4);
    moved.hear(now, [vec![], vec![], vec![level(5, 1)]]);
}

/// Who asks for a book while it moves has to wait: nobody has it.
#[test]
fn a_book_on_its_way_is_nowhere() {
    let mut moved = Moving::new(ViewSettings::default());
    let holders = |moved: &Moving| -> Vec<usize> {
        let has_it =
            |at: &usize| moved.parts[*at].has_market(PartitionId(u8::try_from(*at).unwrap()), MARKET);
        (0..PARTITIONS).filter(has_it).collect()
    };
    assert!(holders(&moved).is_empty(), "it is not listed yet");
    let (_, listing) = World::new(1, 1, 4, Pace::Anything);
    moved.go_on(&listing);
    assert_eq!(holders(&moved), [0]);
    let (now, to) = (moved.parts[0].time_ns(), PartitionId(2));
    let moving = Event::MarketMoving { market: MARKET, to };
    moved.hear(now, std::array::from_fn(|_| vec![moving.clone()]));
    assert_eq!(holders(&moved), [0], "it stands still");
    moved.hear(now, [vec![Event::MarketLeft { market: MARKET, to }], vec![], vec![]]);
    assert!(holders(&moved).is_empty(), "it is on its way");
    moved.parts[0] = loaded(&moved.settings, &saved(&moved.parts[0]));
    assert!(holders(&moved).is_empty(), "also in views that were saved");
    let placed = Event::MarketPlaced { market: MARKET, partition: to };
    moved.hear(now, [vec![], vec![], vec![placed.clone()]]);
    assert_eq!(holders(&moved), [2]);
    moved.hear(now, [vec![placed.clone()], vec![placed], vec![]]);
    assert_eq!(holders(&moved), [2]);
}

fn assert_same(stayed: &Views, moved: &Views, seed: u64) {
    let answers = |views: &Views| {
        let mut text = String::new();
        let now = TimeNs(stayed.time_ns().0 + 1_000_000_000);
        trade_answers(views, MARKET, &mut Random::new(seed), now, &mut text);
        text
    };
    for (stayed, moved) in answers(stayed).lines().zip(answers(moved).lines()) {
        for (stayed, moved) in stayed.split("}, ").zip(moved.split("}, ")) {
            assert_eq!(stayed, moved);
        }
        assert_eq!(stayed.len(), moved.len());
    }
}
