//! What a book must do to be measured, and how messages are brought to it.

use orderbook::LookAhead;
use simulator::walking::{Kind, Message};

use super::report::{Report, Reports};

/// A book that can be measured. It tells of trades; everything else is told by [`answer`], for all books alike.
pub trait Contender {
    /// An order arrives, trades at the makers' prices, best first and then oldest first, and rests with what is left unless
    /// it is immediate-or-cancel. It is not on the book.
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports);

    /// Takes an order off the book; false where it does not rest.
    fn cancel(&mut self, order: u64) -> bool;

    /// These messages come next: what they will need may be fetched from memory already.
    #[inline]
    fn announce(&self, coming: &[Message]) {
        let _ = coming;
    }
}

/// Has a book answer one message.
#[inline]
pub fn answer(book: &mut impl Contender, message: &Message, reports: &mut impl Reports) {
    let order = message.id;
    match message.kind {
        Kind::New | Kind::Immediate => {
            reports.tell(Report::Ack { order });
            book.place(message, reports);
        }
        Kind::Cancel => {
            let found = book.cancel(order);
            reports.tell(if found { Report::CancelAck { order } } else { Report::CancelReject { order } });
        }
        Kind::Modify => {
            if book.cancel(order) {
                reports.tell(Report::ModifyAck { order });
                book.place(message, reports);
            } else {
                reports.tell(Report::ModifyReject { order });
            }
        }
    }
}

/// Has a book answer all messages, in batches of `bound`. It sees no further ahead than its batch reaches.
pub fn answer_all(book: &mut impl Contender, messages: &[Message], bound: usize, reports: &mut impl Reports) {
    for batch in messages.chunks(bound) {
        for group in batch.chunks(LookAhead::TOGETHER) {
            book.announce(group);
            for message in group {
                answer(book, message, reports);
            }
        }
        reports.batch_done();
    }
}
