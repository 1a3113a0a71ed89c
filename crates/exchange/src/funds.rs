//! Money that comes and goes: deposits, and withdrawals in two steps. Source: semantics 4.

use model::{
    Amount, Deposit, Deposited, Event, Reject, RequestWithdrawal, SettleWithdrawal, WithdrawalRequested,
    WithdrawalSettled,
};

use crate::accounts::{Accounts, Withdrawal};
use crate::catalog::Catalog;

impl Accounts {
    pub fn deposit(
        &mut self,
        catalog: &Catalog,
        deposit: &Deposit,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        self.account(deposit.account)?;
        catalog.asset(deposit.asset)?;
        if deposit.amount <= Amount::ZERO {
            return Err(Reject::AmountNotPositive { amount: deposit.amount });
        }
        if deposit.reference.is_empty() {
            return Err(Reject::ReferenceMissing);
        }
        // First: whoever delivers a credited deposit again must hear that it was, not that there is no room for it.
        if self.deposit_references.contains(&deposit.reference) {
            return Err(Reject::DuplicateReference);
        }
        let left = self.ledger.deposit_room(deposit.asset);
        if deposit.amount > left {
            return Err(Reject::DepositLimit { left });
        }
        self.deposit_references.insert(deposit.reference);
        let slot = self.ledger.slot(deposit.account, deposit.asset);
        self.ledger.deposit(slot, deposit.amount);
        let Deposit { account, asset, amount, reference } = *deposit;
        events.push(Event::Deposited(Deposited { account, asset, amount, reference }));
        Ok(())
    }

    pub fn request_withdrawal(
        &mut self,
        catalog: &Catalog,
        request: &RequestWithdrawal,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        self.account(request.account)?;
        catalog.asset(request.asset)?;
        if request.amount <= Amount::ZERO {
            return Err(Reject::AmountNotPositive { amount: request.amount });
        }
        if request.reference.is_empty() {
            return Err(Reject::ReferenceMissing);
        }
        if self.withdrawal_references.contains(&request.reference) {
            return Err(Reject::DuplicateReference);
        }
        let slot = self.ledger.slot(request.account, request.asset);
        self.ledger.hold(slot, request.amount).map_err(|short| Reject::InsufficientBalance {
            needed: short.needed,
            available: short.available,
        })?;
        self.withdrawal_references.insert(request.reference);
        let withdrawal = self.next_withdrawal;
        self.next_withdrawal = withdrawal.next();
        let RequestWithdrawal { account, asset, amount, reference } = *request;
        self.withdrawals.insert(withdrawal, Withdrawal { account, asset, amount });
        let requested = WithdrawalRequested { withdrawal, account, asset, amount, reference };
        events.push(Event::WithdrawalRequested(requested));
        Ok(())
    }

    pub fn settle_withdrawal(
        &mut self,
        settle: &SettleWithdrawal,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let withdrawal = settle.withdrawal;
        let Withdrawal { account, asset, amount } =
            self.withdrawals.remove(&withdrawal).ok_or(Reject::UnknownWithdrawal { withdrawal })?;
        let slot = self.ledger.slot(account, asset);
        if settle.paid_out {
            self.ledger.withdraw(slot, amount);
        } else {
            self.ledger.release(slot, amount);
        }
        let settled = WithdrawalSettled { withdrawal, account, asset, amount, paid_out: settle.paid_out };
        events.push(Event::WithdrawalSettled(settled));
        Ok(())
    }
}
