//! Money that comes and goes: deposits, and withdrawals in two steps. Source: semantics 4.
//!
//! A reference is good for one deposit and one withdrawal of the whole exchange, so the directory knows them all. An account
//! of another partition asks it before anything is credited, and after the money for a withdrawal is held.

use model::{
    AccountId, Amount, Deposit, Deposited, Event, Notice, PartitionId, Reject, RequestWithdrawal,
    SettleWithdrawal, WithdrawalRequested, WithdrawalSettled,
};

use crate::accounts::{Accounts, Withdrawal};
use crate::catalog::Catalog;
use crate::post::Post;

impl Accounts {
    pub fn deposit(
        &mut self,
        catalog: &Catalog,
        deposit: &Deposit,
        post: &mut Post,
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
        if post.own != PartitionId::FIRST {
            post.ask_notice(PartitionId::FIRST, Notice::DepositAsked(deposit.clone()));
            return Ok(());
        }
        self.check_deposit_room(deposit)?;
        self.credit(deposit, events);
        Ok(())
    }

    fn check_deposit_room(&self, deposit: &Deposit) -> Result<(), Reject> {
        let asset = usize::try_from(deposit.asset.0).expect("assets fit into memory");
        let left = self.ledger.deposit_room(deposit.asset) - self.deposited_elsewhere[asset];
        if deposit.amount > left { Err(Reject::DepositLimit { left }) } else { Ok(()) }
    }

    /// Credits a deposit that is checked.
    pub fn credit(&mut self, deposit: &Deposit, events: &mut Vec<Event>) {
        self.deposit_references.insert(deposit.reference);
        let slot = self.ledger.slot(deposit.account, deposit.asset);
        self.ledger.deposit(slot, deposit.asset, deposit.amount);
        let Deposit { account, asset, amount, reference } = *deposit;
        events.push(Event::Deposited(Box::new(Deposited { account, asset, amount, reference })));
    }

    /// In the directory: another partition asks for a deposit.
    pub fn deposit_asked(&mut self, deposit: &Deposit, post: &mut Post) {
        let outcome = if self.deposit_references.contains(&deposit.reference) {
            Err(Reject::DuplicateReference)
        } else {
            self.check_deposit_room(deposit)
        };
        let home = post.origin.partition;
        match outcome {
            Ok(()) => {
                self.deposit_references.insert(deposit.reference);
                let asset = usize::try_from(deposit.asset.0).expect("assets fit into memory");
                self.deposited_elsewhere[asset] += deposit.amount;
                post.notify(home, Notice::DepositAllowed(deposit.clone()));
            }
            Err(reject) => {
                let refused = Notice::FundsRefused { account: deposit.account, reject, withdrawal: None };
                post.notify(home, refused);
            }
        }
    }

    pub fn request_withdrawal(
        &mut self,
        catalog: &Catalog,
        request: &RequestWithdrawal,
        post: &mut Post,
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
        let known = &request.reference;
        if self.withdrawal_references.contains(known) || self.asked_withdrawals.contains_key(known) {
            return Err(Reject::DuplicateReference);
        }
        let slot = self.ledger.slot(request.account, request.asset);
        self.ledger.hold(slot, request.asset, request.amount).map_err(|short| {
            Reject::InsufficientBalance { needed: short.needed, available: short.available }
        })?;
        if post.own == PartitionId::FIRST {
            self.add_withdrawal(request, events);
        } else {
            self.asked_withdrawals.insert(request.reference, request.clone());
            post.ask_notice(PartitionId::FIRST, Notice::WithdrawalAsked(request.clone()));
        }
        Ok(())
    }

    /// In the directory: another partition asks for a withdrawal.
    pub fn withdrawal_asked(&mut self, request: &RequestWithdrawal, post: &mut Post) {
        let is_new = self.withdrawal_references.insert(request.reference);
        let home = post.origin.partition;
        if is_new {
            post.notify(home, Notice::WithdrawalAllowed(request.clone()));
        } else {
            let (account, reject) = (request.account, Reject::DuplicateReference);
            post.notify(home, Notice::FundsRefused { account, reject, withdrawal: Some(request.clone()) });
        }
    }

    /// The directory allows a withdrawal for which the money is held.
    pub fn withdrawal_allowed(&mut self, request: &RequestWithdrawal, events: &mut Vec<Event>) {
        self.asked_withdrawals.remove(&request.reference).expect("it was asked for");
        self.add_withdrawal(request, events);
    }

    /// The directory refuses a deposit, or a withdrawal for which money is held.
    pub fn funds_refused(
        &mut self,
        account: AccountId,
        reject: Reject,
        withdrawal: Option<&RequestWithdrawal>,
        events: &mut Vec<Event>,
    ) {
        if let Some(request) = withdrawal {
            self.asked_withdrawals.remove(&request.reference).expect("it was asked for");
            let slot = self.ledger.slot(request.account, request.asset);
            self.ledger.release(slot, request.asset, request.amount);
        }
        events.push(Event::Rejected { account, reject });
    }

    /// Makes a withdrawal for which the money is held.
    fn add_withdrawal(&mut self, request: &RequestWithdrawal, events: &mut Vec<Event>) {
        self.withdrawal_references.insert(request.reference);
        let withdrawal = self.next_withdrawal;
        self.next_withdrawal = withdrawal.next();
        let RequestWithdrawal { account, asset, amount, reference } = *request;
        self.withdrawals.insert(withdrawal, Withdrawal { account, asset, amount });
        let requested = WithdrawalRequested { withdrawal, account, asset, amount, reference };
        events.push(Event::WithdrawalRequested(Box::new(requested)));
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
            self.ledger.withdraw(slot, asset, amount);
        } else {
            self.ledger.release(slot, asset, amount);
        }
        let settled = WithdrawalSettled { withdrawal, account, asset, amount, paid_out: settle.paid_out };
        events.push(Event::WithdrawalSettled(settled));
        Ok(())
    }
}
