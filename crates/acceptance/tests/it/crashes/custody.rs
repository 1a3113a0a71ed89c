//! The custody service: deposits and withdrawals through the operator's API, each with a reference of its own, so that what
//! was sent without hearing of it can be sent again and is executed once.

use std::time::Instant;

use serde_json::{Value, json};

use super::money::{ASSETS, Atoms, UNIT, atoms, text};
use super::tally::Tally;
use super::traders::Trader;
use crate::http::{Answer, Connection, PATIENCE};
use crate::program::Addresses;
use crate::random::Random;

/// The operator's API over one connection.
pub struct Operator {
    connection: Connection,
    headers: String,
}

#[derive(Clone, Debug)]
enum Sent {
    Deposit { trader: usize, asset: usize, amount: Atoms, reference: String },
    Request { trader: usize, asset: usize, amount: Atoms, reference: String },
    Settle { withdrawal: u64, paid_out: bool },
}

/// A withdrawal under way.
#[derive(Clone, Debug)]
struct Open {
    withdrawal: u64,
    trader: usize,
    asset: usize,
    amount: Atoms,
}

/// Its notes: what it acknowledged to the traders goes to theirs when they are checked.
pub struct Custody {
    random: Random,
    numbered: u64,
    accounts: Vec<u64>,
    open: Vec<Open>,
    unknown: Option<Sent>,
    /// Trader, asset, change of what it has, change of what waits to be withdrawn.
    changes: Vec<(usize, usize, Atoms, Atoms)>,
    pub deposited: [Atoms; 3],
    pub withdrawn: [Atoms; 3],
}

impl Operator {
    pub fn open(addresses: &Addresses, token: &str) -> std::io::Result<Self> {
        let headers = format!("authorization: Bearer {token}\r\n");
        Ok(Self { connection: Connection::open(&addresses.admin)?, headers })
    }

    pub fn ask(&mut self, verb: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        self.connection.ask(verb, &format!("/admin/v1/{path}"), &self.headers, body)
    }

    pub fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, "").expect("the exchange is there").good()
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, &body.to_string()).expect("the exchange is there").good()
    }

    /// Waits until no partition has anything to tell another: an order whose answer nobody waits for any more arrives as well.
    pub fn settled(&mut self) {
        let began = Instant::now();
        let waiting = |text: &str| {
            text.lines().any(|line| line.starts_with("rialto_envelopes_waiting ") && !line.ends_with(" 0"))
        };
        loop {
            let told =
                self.connection.ask("GET", "/metrics", &self.headers, "").expect("the exchange is there");
            assert_eq!(told.status, 200, "{told:?}");
            if !waiting(&told.body) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "messages between partitions never arrive: {told:?}");
        }
    }

    /// A new account: its number.
    pub fn create_account(&mut self, name: &str) -> u64 {
        self.post("accounts", &json!({ "name": name }))["account"].as_u64().expect("a number")
    }

    /// A new key: name and secret.
    pub fn create_key(&mut self, account: u64) -> (String, String) {
        let path = format!("accounts/{account}/keys");
        let key = self.post(&path, &json!({ "permissions": ["read", "trade"] }));
        let word = |field: &str| key[field].as_str().expect("text").to_owned();
        (word("key"), word("secret"))
    }
}

impl Custody {
    pub fn new(random: Random, accounts: Vec<u64>) -> Self {
        Self {
            random,
            numbered: 0,
            accounts,
            open: Vec::new(),
            unknown: None,
            changes: Vec::new(),
            deposited: [0; 3],
            withdrawn: [0; 3],
        }
    }

    /// What everybody begins with.
    pub fn fund(&mut self, operator: &mut Operator) {
        for trader in 0..self.accounts.len() {
            for (asset, units) in [(0, 1_000), (1, 10_000), (2, 50_000_000)] {
                let reference = self.reference();
                let sent = Sent::Deposit { trader, asset, amount: units * UNIT, reference };
                let answer = self.send(operator, &sent).expect("the exchange is there");
                self.note(&sent, &answer);
            }
        }
    }

    fn reference(&mut self) -> String {
        self.numbered += 1;
        format!("custody-{}", self.numbered)
    }

    /// Does up to `limit` things, one after the other, until the exchange is gone.
    pub fn work(&mut self, addresses: &Addresses, token: &str, limit: u64, tally: &Tally) {
        let Ok(mut operator) = Operator::open(addresses, token) else { return };
        for _ in 0..limit {
            let sent = self.choose();
            self.unknown = Some(sent.clone());
            let Ok(answer) = self.send(&mut operator, &sent) else { return };
            if answer.status == 503 || answer.status == 504 {
                // Also when nothing was done: sending it again does no harm.
                return;
            }
            self.unknown = None;
            self.note(&sent, &answer);
            tally.add();
        }
    }

    fn choose(&mut self) -> Sent {
        let trader = usize::try_from(self.random.below(self.accounts.len() as u64)).expect("an index");
        let asset = usize::try_from(self.random.below(3)).expect("an index");
        let amount = Atoms::from(self.random.below(1_000_000) + 1);
        match self.random.below(3) {
            0 => Sent::Deposit { trader, asset, amount, reference: self.reference() },
            1 if !self.open.is_empty() => {
                let withdrawal = self.random.one(&self.open).withdrawal;
                Sent::Settle { withdrawal, paid_out: self.random.below(2) == 0 }
            }
            _ => Sent::Request { trader, asset, amount, reference: self.reference() },
        }
    }

    fn send(&self, operator: &mut Operator, sent: &Sent) -> std::io::Result<Answer> {
        let transfer = |trader: usize, asset: usize, amount: Atoms, reference: &str| {
            let (account, asset) = (self.accounts[trader], ASSETS[asset]);
            json!({ "account": account, "asset": asset, "amount": text(amount), "reference": reference })
                .to_string()
        };
        match sent {
            Sent::Deposit { trader, asset, amount, reference } => {
                operator.ask("POST", "deposits", &transfer(*trader, *asset, *amount, reference))
            }
            Sent::Request { trader, asset, amount, reference } => {
                operator.ask("POST", "withdrawals", &transfer(*trader, *asset, *amount, reference))
            }
            Sent::Settle { withdrawal, paid_out } => {
                let verb = if *paid_out { "confirm" } else { "release" };
                operator.ask("POST", &format!("withdrawals/{withdrawal}/{verb}"), "")
            }
        }
    }

    fn note(&mut self, sent: &Sent, answer: &Answer) {
        let json = answer.good();
        match *sent {
            Sent::Deposit { trader, asset, amount, .. } => self.note_deposit(trader, asset, amount),
            Sent::Request { trader, asset, amount, .. } => {
                let withdrawal = json["withdrawal"].as_u64().expect("a number");
                self.note_request(Open { withdrawal, trader, asset, amount });
            }
            Sent::Settle { withdrawal, paid_out } => self.note_settled(withdrawal, paid_out),
        }
    }

    fn note_deposit(&mut self, trader: usize, asset: usize, amount: Atoms) {
        self.deposited[asset] += amount;
        self.changes.push((trader, asset, amount, 0));
    }

    fn note_request(&mut self, open: Open) {
        self.changes.push((open.trader, open.asset, 0, open.amount));
        self.open.push(open);
    }

    fn note_settled(&mut self, withdrawal: u64, paid_out: bool) {
        let at = self.open.iter().position(|open| open.withdrawal == withdrawal).expect("it was open");
        let Open { trader, asset, amount, .. } = self.open.remove(at);
        let gone = if paid_out { amount } else { 0 };
        self.withdrawn[asset] += gone;
        self.changes.push((trader, asset, -gone, -amount));
    }

    /// Finds out what became of what is unknown, by sending it again; holds the open withdrawals against the notes; and
    /// tells the traders what they got and gave.
    pub fn check(&mut self, operator: &mut Operator, traders: &mut [Trader]) {
        let open = operator.get("withdrawals");
        let open = open.as_array().expect("a list");
        match self.unknown.take() {
            Some(Sent::Deposit { trader, asset, amount, reference }) => {
                let again = Sent::Deposit { trader, asset, amount, reference };
                let answer = self.send(operator, &again).expect("the exchange is there");
                assert!(answer.status == 201 || answer.status == 409, "{again:?}: {answer:?}");
                self.note_deposit(trader, asset, amount);
            }
            Some(Sent::Request { trader, asset, amount, reference }) => {
                if let Some(there) = open.iter().find(|open| open["reference"] == *reference) {
                    let withdrawal = there["withdrawal"].as_u64().expect("a number");
                    let again = Sent::Request { trader, asset, amount, reference };
                    let answer = self.send(operator, &again).expect("the exchange is there");
                    assert_eq!(answer.status, 409, "executed once: {answer:?}");
                    self.note_request(Open { withdrawal, trader, asset, amount });
                }
            }
            Some(Sent::Settle { withdrawal, paid_out })
                if !open.iter().any(|open| open["withdrawal"] == withdrawal) =>
            {
                self.note_settled(withdrawal, paid_out);
            }
            // Not executed, so it is still open.
            Some(Sent::Settle { .. }) | None => {}
        }
        let told = open.iter().map(|open| {
            (open["withdrawal"].as_u64().expect("a number"), atoms(open["amount"].as_str().expect("text")))
        });
        let noted = self.open.iter().map(|open| (open.withdrawal, open.amount));
        assert_eq!(told.collect::<Vec<_>>(), noted.collect::<Vec<_>>(), "withdrawals under way");
        for (trader, asset, change, waiting) in self.changes.drain(..) {
            traders[trader].balances[asset] += change;
            traders[trader].withdrawing[asset] += waiting;
        }
    }
}
