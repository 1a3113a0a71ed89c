//! The partition and its one door.

use codec::StateHasher;
use ledger::{AssetTotals, Balance};
use model::{
    AccountId, ApiKeyId, AssetId, Command, Event, MarketId, OrderId, PriceTicks, QtyLots, Reject, Seq,
    Sequenced, Side, TimeNs,
};

use crate::accounts::{Accounts, ApiKey};
use crate::catalog::Catalog;
use crate::market::Markets;
use crate::messages::{Mail, Message};

/// Accounts and markets, and the mail between them.
#[derive(Default)]
pub struct Partition {
    pub(crate) seq: Seq,
    pub(crate) time_ns: TimeNs,
    pub(crate) catalog: Catalog,
    pub(crate) accounts: Accounts,
    pub(crate) markets: Markets,
    pub(crate) mail: Mail,
}

impl Partition {
    /// The only door. Same state and same input give the same events, on every machine, for ever;
    /// that is what makes the journal a backup and the simulator a proof.
    pub fn apply(&mut self, input: &Sequenced<Command>, events: &mut Vec<Event>) {
        self.accept(input, events);
        while let Some(message) = self.mail.next() {
            self.deliver(message, events);
        }
        self.accounts.ledger.assert_settled();
    }

    /// Takes a command up to the point where messages leave.
    pub(crate) fn accept(&mut self, input: &Sequenced<Command>, events: &mut Vec<Event>) {
        assert_eq!(input.seq, self.seq.next(), "a gap or a repeat in the journal");
        assert!(input.time_ns >= self.time_ns, "the sequencer's clock never runs backwards");
        self.seq = input.seq;
        self.time_ns = input.time_ns;

        let valid_until_ns = input.command.valid_until_ns();
        let outcome = if valid_until_ns < self.time_ns {
            Err(Reject::TooLate { valid_until_ns })
        } else {
            self.handle(&input.command, events)
        };
        if let Err(reject) = outcome {
            events.push(Event::Rejected { account: owner(&input.command), reject });
        }
    }

    fn handle(&mut self, command: &Command, events: &mut Vec<Event>) -> Result<(), Reject> {
        let Self { catalog, accounts, mail, .. } = self;
        match command {
            Command::AddAsset(add) => {
                let asset = catalog.add_asset(add)?;
                accounts.ledger.add_asset();
                events.push(Event::AssetAdded { asset, terms: add.terms });
                Ok(())
            }
            Command::AddMarket(add) => {
                let market = catalog.add_market(add)?;
                accounts.reference_prices.push(add.terms.initial_reference_ticks);
                self.markets.add(market, add.terms.initial_reference_ticks);
                events.push(Event::MarketAdded { market, terms: Box::new(add.terms) });
                Ok(())
            }
            Command::ChangeMarket(change) => {
                let market = catalog.change_market(change)?;
                events.push(Event::MarketAdded { market, terms: Box::new(change.terms) });
                Ok(())
            }
            Command::CreateAccount(create) => accounts.create(create, events),
            Command::CreateApiKey(create) => accounts.create_api_key(create, events),
            Command::RevokeApiKey(revoke) => accounts.revoke_api_key(revoke, events),
            Command::Deposit(deposit) => accounts.deposit(catalog, deposit, events),
            Command::RequestWithdrawal(request) => accounts.request_withdrawal(catalog, request, events),
            Command::SettleWithdrawal(settle) => accounts.settle_withdrawal(settle, events),
            Command::PlaceOrder(place) => accounts.place(catalog, place, mail),
            Command::CancelOrder(cancel) => accounts.cancel(catalog, cancel, mail),
            Command::CancelAllOrders(cancel) => accounts.cancel_all(catalog, cancel, mail),
            Command::ReplaceOrder(replace) => accounts.replace(catalog, replace, mail, events),
            Command::AmendOrder(amend) => accounts.amend(catalog, amend, mail),
            Command::AddApiKey(add) => accounts.add_api_key(add, events),
            Command::ChangeApiKey(change) => accounts.change_api_key(change, events),
            Command::ResealApiKey(reseal) => accounts.reseal_api_key(reseal, events),
            Command::Tick => Ok(()),
            Command::Skip(skip) => {
                events.push(Event::Skipped { reason: skip.reason.clone() });
                Ok(())
            }
        }
    }

    pub(crate) fn deliver(&mut self, message: Message, events: &mut Vec<Event>) {
        match message {
            Message::ToMarket { market, body } => {
                self.markets.receive(&self.catalog, market, body, &mut self.mail, events);
            }
            Message::ToAccount { account, market, order, body } => {
                self.accounts.receive(&self.catalog, (account, market, order), &body, &mut self.mail, events);
            }
            Message::ReferencePrice { market, price_ticks } => {
                self.accounts.reference_prices[usize::try_from(market.0).expect("markets fit into memory")] =
                    price_ticks;
            }
        }
    }

    /// The last command that was applied; 0 before the first.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The time of the last command.
    pub fn time_ns(&self) -> TimeNs {
        self.time_ns
    }

    /// Assets and markets.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What the account has, by asset.
    pub fn balances(&self, account: AccountId) -> Result<impl Iterator<Item = &Balance>, Reject> {
        self.accounts.account(account)?;
        Ok(self.accounts.ledger.balances_of(account))
    }

    /// Where all of an asset is.
    pub fn totals(&self, asset: AssetId) -> Result<&AssetTotals, Reject> {
        self.catalog.asset(asset)?;
        Ok(self.accounts.ledger.totals(asset))
    }

    /// All API keys with their sealed secrets, for the gateways.
    pub fn api_keys(&self) -> impl Iterator<Item = (&ApiKeyId, &ApiKey)> {
        self.accounts.keys.iter()
    }

    /// The levels of a book, best first: price and all that is open there.
    pub fn levels(
        &self,
        market: MarketId,
        side: Side,
    ) -> Result<impl Iterator<Item = (PriceTicks, QtyLots)>, Reject> {
        self.catalog.market(market)?;
        Ok(self.markets.market(market).book.levels(side))
    }

    /// The orders of a book in the order in which they would trade: order, account, price, what is open.
    pub fn queue(
        &self,
        market: MarketId,
        side: Side,
    ) -> Result<impl Iterator<Item = (OrderId, AccountId, PriceTicks, QtyLots)>, Reject> {
        self.catalog.market(market)?;
        let queue = self.markets.market(market).book.queue(&self.markets.orders, side);
        Ok(queue.map(|order| (order.id, order.account, order.price_ticks, order.open_lots)))
    }

    /// A hash over the whole state: equal on every machine that has applied the same journal.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hasher = StateHasher::default();
        hasher.update(&self.snapshot());
        hasher.finish()
    }
}

/// Whose command it is; 0 for the operator's.
fn owner(command: &Command) -> AccountId {
    match command {
        Command::CreateApiKey(create) => create.account,
        Command::AddApiKey(add) => add.account,
        Command::Deposit(deposit) => deposit.account,
        Command::RequestWithdrawal(request) => request.account,
        Command::PlaceOrder(place) => place.account,
        Command::CancelOrder(cancel) => cancel.account,
        Command::CancelAllOrders(cancel) => cancel.account,
        Command::ReplaceOrder(replace) => replace.place.account,
        Command::AmendOrder(amend) => amend.account,
        Command::AddAsset(_)
        | Command::AddMarket(_)
        | Command::ChangeMarket(_)
        | Command::CreateAccount(_)
        | Command::RevokeApiKey(_)
        | Command::ChangeApiKey(_)
        | Command::ResealApiKey(_)
        | Command::SettleWithdrawal(_)
        | Command::Tick
        | Command::Skip(_) => AccountId(0),
    }
}
