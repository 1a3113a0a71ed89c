//! An ancestor: a side is a binary heap. A cancelled order stays in it until it comes to the top.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use simulator::walking::{Kind, Message};

use super::contender::Contender;
use super::places::{index, price, rank};
use super::report::{Report, Reports};

/// What is left of an order, and which of its entries in the heaps is the valid one.
#[derive(Clone, Copy, Default)]
struct Left {
    open: u32,
    arrival: u64,
}

/// Rank, arrival and number of an order: the least is the best.
type Entry = Reverse<(i64, u64, u64)>;

/// Entries by rank and arrival.
#[derive(Default)]
pub struct Heap {
    sides: [BinaryHeap<Entry>; 2],
    left: Vec<Left>,
    arrived: u64,
}

impl Contender for Heap {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let counter = arriving.side.opposite();
        let worst = rank(counter, arriving.price);
        let makers = &mut self.sides[counter as usize];
        let mut left = arriving.qty;
        while left > 0
            && let Some(&Reverse((best, arrival, id))) = makers.peek()
            && best <= worst
        {
            let maker = &mut self.left[index(id)];
            if maker.open == 0 || maker.arrival != arrival {
                makers.pop();
                continue;
            }
            let qty = left.min(maker.open);
            left -= qty;
            maker.open -= qty;
            reports.tell(Report::Trade { maker: id, taker: arriving.id, price: price(counter, best), qty });
            if maker.open == 0 {
                makers.pop();
            }
        }
        if left > 0 && arriving.kind != Kind::Immediate {
            let at = index(arriving.id);
            if self.left.len() <= at {
                self.left.resize(at + 1, Left::default());
            }
            self.left[at] = Left { open: left, arrival: self.arrived };
            let entry = (rank(arriving.side, arriving.price), self.arrived, arriving.id);
            self.sides[arriving.side as usize].push(Reverse(entry));
            self.arrived += 1;
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        match self.left.get_mut(index(order)) {
            Some(left) if left.open > 0 => {
                left.open = 0;
                true
            }
            Some(_) | None => false,
        }
    }
}
