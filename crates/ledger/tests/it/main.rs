//! The postings, and that the running checks notice a posting that goes wrong.

use ledger::{BalanceSlot, Ledger, Shortfall};
use model::{AccountId, Amount, AssetId, AssetTerms};

const BTC: AssetId = AssetId(0);
const USDT: AssetId = AssetId(1);

fn two_accounts() -> (Ledger, [BalanceSlot; 4]) {
    let mut ledger = Ledger::default();
    ledger.add_asset();
    ledger.add_asset();
    ledger.add_account();
    ledger.add_account();
    let slots = [
        ledger.slot(AccountId(1), BTC),
        ledger.slot(AccountId(1), USDT),
        ledger.slot(AccountId(2), BTC),
        ledger.slot(AccountId(2), USDT),
    ];
    ledger.deposit(slots[0], BTC, Amount(10));
    ledger.deposit(slots[3], USDT, Amount(1_000));
    ledger.assert_settled();
    (ledger, slots)
}

#[test]
fn a_trade_moves_both_assets_and_the_fees() {
    let (mut ledger, [seller_btc, seller_usdt, buyer_btc, buyer_usdt]) = two_accounts();
    ledger.hold(seller_btc, BTC, Amount(4)).unwrap();
    ledger.hold(buyer_usdt, USDT, Amount(500)).unwrap();
    ledger.pay(seller_btc, BTC, Amount(4), Amount::ZERO);
    ledger.receive(seller_usdt, USDT, Amount(400), Amount(1));
    ledger.pay(buyer_usdt, USDT, Amount(400), Amount(70));
    ledger.release(buyer_usdt, USDT, Amount(30));
    ledger.receive(buyer_btc, BTC, Amount(4), Amount(2));
    ledger.assert_settled();
    ledger.assert_sums();
    let both = |slot| (ledger.purse(slot).free.0, ledger.purse(slot).held.0);
    assert_eq!([both(seller_btc), both(seller_usdt)], [(6, 0), (399, 0)]);
    assert_eq!([both(buyer_btc), both(buyer_usdt)], [(2, 0), (600, 0)]);
    assert_eq!((ledger.totals(BTC).fees, ledger.totals(USDT).fees), (Amount(2), Amount(1)));
}

#[test]
fn too_little_is_refused_and_changes_nothing() {
    let (mut ledger, [btc, ..]) = two_accounts();
    let before = *ledger.purse(btc);
    assert_eq!(
        ledger.hold(btc, BTC, Amount(11)),
        Err(Shortfall { needed: Amount(11), available: Amount(10) })
    );
    assert_eq!(*ledger.purse(btc), before);
}

#[test]
fn a_withdrawal_leaves() {
    let (mut ledger, [btc, ..]) = two_accounts();
    ledger.hold(btc, BTC, Amount(3)).unwrap();
    ledger.withdraw(btc, BTC, Amount(3));
    ledger.assert_settled();
    ledger.assert_sums();
    assert_eq!(ledger.totals(BTC).withdrawn, Amount(3));
}

#[test]
#[should_panic(expected = "the other received")]
fn a_trade_with_one_side_only_is_noticed() {
    let (mut ledger, [btc, ..]) = two_accounts();
    ledger.hold(btc, BTC, Amount(3)).unwrap();
    ledger.pay(btc, BTC, Amount(3), Amount::ZERO);
    ledger.assert_settled();
}

#[test]
#[should_panic(expected = "more than was held")]
fn spending_more_than_held_is_noticed() {
    let (mut ledger, [btc, ..]) = two_accounts();
    ledger.hold(btc, BTC, Amount(3)).unwrap();
    ledger.pay(btc, BTC, Amount(4), Amount::ZERO);
}

/// In what tests and the simulator run; the program itself relies on them.
#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "of the balance's asset")]
fn an_amount_of_something_else_is_noticed() {
    let (mut ledger, [btc, ..]) = two_accounts();
    ledger.hold(btc, USDT, Amount(3)).unwrap();
}

#[test]
#[should_panic(expected = "less than nothing")]
fn holding_backwards_is_noticed() {
    let (mut ledger, [btc, ..]) = two_accounts();
    let _ = ledger.hold(btc, BTC, Amount(-3));
}

#[test]
#[should_panic(expected = "the total of free balances is their sum")]
fn a_balance_out_of_nowhere_is_noticed() {
    let (mut ledger, _) = two_accounts();
    ledger.restore(AccountId(1), USDT, Amount(1), Amount(0));
    ledger.assert_sums();
}

#[test]
fn deposits_end_at_their_limit() {
    let (mut ledger, [btc, ..]) = two_accounts();
    let room = ledger.deposit_room(BTC);
    assert_eq!(room, AssetTerms::MAX_TOTAL_DEPOSITS - Amount(10));
    ledger.deposit(btc, BTC, room);
    assert_eq!(ledger.deposit_room(BTC), Amount::ZERO);
    ledger.assert_settled();
}
