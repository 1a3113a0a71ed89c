//! Random values out of random bytes: every variant, every field anything that its type allows.

mod algos;
mod contracts;

use model::{
    AccountId, AddApiKey, AddAsset, AddMarket, AddMarketTo, AmendOrder, Amount, ApiKeyAdded, ApiKeyChanged,
    ApiKeyCreated, AssetId, AssetTerms, CancelAllOrders, CancelOrder, ChangeApiKey, Command, Confirm,
    CreateAccount, CreateApiKey, Deposit, Deposited, EndReason, EntryId, Event, FromSource, IpRange,
    JoinExchange, LevelChanged, MarketId, MarketTerms, MoveMarket, OrderAccepted, OrderAmended, OrderEnded,
    OrderFilled, OrderId, OrderKind, OrderPrevented, OrderRef, OrderTracks, OrderTriggered, Origin,
    PartitionId, PlaceOrder, PriceTicks, QtyLots, RegisterSource, Reject, ReplaceOrder, RequestWithdrawal,
    ResealApiKey, RevokeApiKey, SelfTradePrevention, Seq, SettleWithdrawal, Skip, SkipEnvelope, SourceId,
    SourceTerms, Spread, Text, TimeNs, TradeGroup, TradeId, Traded, WithdrawalId, WithdrawalRequested,
    WithdrawalSettled,
};

use crate::examples::{self, Named};

/// Random bytes, used up from the front; zeros when they are used up.
pub struct Dice<'a>(pub &'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn bool(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.bytes())
    }

    fn amount(&mut self) -> Amount {
        Amount(i128::from_le_bytes(self.bytes()))
    }

    fn price(&mut self) -> PriceTicks {
        PriceTicks(self.i64())
    }

    fn qty(&mut self) -> QtyLots {
        QtyLots(self.i64())
    }

    fn text<const N: usize>(&mut self) -> Text<N> {
        let len = usize::from(self.byte()) % (N + 1);
        let bytes: Vec<u8> = (0..len).map(|_| b'!' + self.byte() % 94).collect();
        Text::from_bytes(&bytes).unwrap()
    }

    fn string(&mut self) -> String {
        let len = self.byte() % 40;
        (0..len).map(|_| char::from_u32(self.u32() % 0x11_0000).unwrap_or('?')).collect()
    }

    fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[usize::from(self.byte()) % values.len()].clone()
    }

    fn order(&mut self) -> OrderId {
        OrderId(self.u64())
    }

    fn account(&mut self) -> AccountId {
        AccountId(self.u64())
    }

    fn market(&mut self) -> MarketId {
        MarketId(self.u32())
    }

    fn asset(&mut self) -> AssetId {
        AssetId(self.u32())
    }

    fn time(&mut self) -> TimeNs {
        TimeNs(self.u64())
    }

    fn kind(&mut self) -> OrderKind {
        match self.byte() % 6 {
            0 => OrderKind::Limit {
                price_ticks: self.price(),
                qty_lots: self.qty(),
                time_in_force: self.one_of(&examples::times_in_force()),
            },
            1 => OrderKind::LimitMaker { price_ticks: self.price(), qty_lots: self.qty() },
            2 => OrderKind::StopMarket {
                qty_lots: self.qty(),
                trigger: self.one_of(&examples::trigger_kinds()),
                stop_ticks: self.price(),
                trailing_bips: self.u16(),
            },
            3 => OrderKind::StopLimit {
                price_ticks: self.price(),
                qty_lots: self.qty(),
                time_in_force: self.one_of(&examples::times_in_force()),
                trigger: self.one_of(&examples::trigger_kinds()),
                stop_ticks: self.price(),
                trailing_bips: self.u16(),
            },
            4 => OrderKind::Market { qty_lots: self.qty() },
            _ => OrderKind::MarketQuote { quote_amount: self.amount() },
        }
    }

    fn order_ref(&mut self) -> OrderRef {
        match self.byte() % 3 {
            0 => OrderRef::Id(self.order()),
            1 => OrderRef::Client(self.text()),
            _ => OrderRef::Both((self.order(), self.text())),
        }
    }

    fn asset_terms(&mut self) -> AssetTerms {
        AssetTerms { name: self.text(), scale: self.byte() }
    }

    fn market_terms(&mut self) -> MarketTerms {
        MarketTerms {
            name: self.text(),
            base: self.asset(),
            quote: self.asset(),
            price_scale: self.byte(),
            tick_size: self.i64(),
            base_atoms_per_lot: self.amount(),
            quote_atoms_per_tick_lot: self.amount(),
            min_price_ticks: self.price(),
            max_price_ticks: self.price(),
            min_qty_lots: self.qty(),
            max_qty_lots: self.qty(),
            min_notional: self.amount(),
            max_notional: self.amount(),
            max_open_orders: self.u32(),
            max_open_orders_per_account: self.u32(),
            max_amends_per_order: self.u16(),
            maker_fee_ppm: self.u32(),
            taker_fee_ppm: self.u32(),
            fee_rounding: self.one_of(&examples::fee_roundings()),
            band_ppm: self.u32(),
            initial_reference_ticks: self.price(),
            status: self.one_of(&examples::market_statuses()),
        }
    }

    fn place(&mut self) -> PlaceOrder {
        PlaceOrder {
            account: self.account(),
            market: self.market(),
            side: self.one_of(&examples::sides()),
            kind: self.kind(),
            self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
            client_order_id: self.text(),
            valid_until_ns: self.time(),
        }
    }

    fn reject(&mut self) -> Reject {
        match self.one_of(&examples::rejects()) {
            Reject::UnknownAccount { .. } => Reject::UnknownAccount { account: self.account() },
            Reject::PriceOutOfRange { .. } => {
                Reject::PriceOutOfRange { min_ticks: self.price(), max_ticks: self.price() }
            }
            Reject::InsufficientBalance { .. } => {
                Reject::InsufficientBalance { needed: self.amount(), available: self.amount() }
            }
            Reject::BadTerms { .. } => Reject::BadTerms { rule: self.one_of(&examples::terms_errors()) },
            // The others have one field at most, and their golden lines.
            other => other,
        }
    }

    fn end_reason(&mut self) -> EndReason {
        match self.one_of(&examples::end_reasons()) {
            EndReason::Expired(_) => EndReason::Expired(self.one_of(&examples::expiry_reasons())),
            other => other,
        }
    }

    fn ip_ranges(&mut self) -> Vec<IpRange> {
        let range = |dice: &mut Self| match dice.one_of(&examples::ip_ranges()) {
            IpRange::V4 { .. } => IpRange::V4 { network: dice.u32(), prefix_bits: dice.byte() },
            IpRange::V6 { .. } => {
                IpRange::V6 { network: u128::from_le_bytes(dice.bytes()), prefix_bits: dice.byte() }
            }
        };
        (0..self.byte() % 4).map(|_| range(self)).collect()
    }

    fn source_terms(&mut self) -> SourceTerms {
        SourceTerms { name: self.text(), key: self.text(), incarnation: self.u64() }
    }

    fn entry(&mut self) -> EntryId {
        EntryId(u128::from_le_bytes(self.bytes()))
    }

    pub fn command(&mut self) -> Command {
        // Which variant it is; its fields are thrown again.
        let variant = self.one_of(Command::NAMES);
        match variant {
            "AddAsset" => Command::AddAsset(AddAsset { terms: self.asset_terms() }),
            "AddMarket" => Command::AddMarket(Box::new(AddMarket { terms: self.market_terms() })),
            "ChangeMarket" => Command::ChangeMarket(Box::new(AddMarket { terms: self.market_terms() })),
            "CreateAccount" => Command::CreateAccount(CreateAccount {
                name: self.text(),
                trade_group: TradeGroup(self.u32()),
            }),
            "CreateApiKey" => Command::CreateApiKey(Box::new(CreateApiKey {
                account: self.account(),
                key: self.text(),
                sealed_secret: (0..self.byte()).map(|_| self.byte()).collect(),
                permissions: self.u32(),
            })),
            "RevokeApiKey" => Command::RevokeApiKey(RevokeApiKey { key: self.text() }),
            "Deposit" => Command::Deposit(Box::new(Deposit {
                account: self.account(),
                asset: self.asset(),
                amount: self.amount(),
                reference: self.text(),
            })),
            "RequestWithdrawal" => Command::RequestWithdrawal(Box::new(RequestWithdrawal {
                account: self.account(),
                asset: self.asset(),
                amount: self.amount(),
                reference: self.text(),
            })),
            "SettleWithdrawal" => Command::SettleWithdrawal(SettleWithdrawal {
                withdrawal: WithdrawalId(self.u64()),
                paid_out: self.bool(),
            }),
            "PlaceOrder" => Command::PlaceOrder(self.place()),
            "CancelOrder" => Command::CancelOrder(CancelOrder {
                account: self.account(),
                market: self.market(),
                order: self.order_ref(),
                restriction: self.one_of(&examples::cancel_restrictions()),
                valid_until_ns: self.time(),
            }),
            "CancelAllOrders" => Command::CancelAllOrders(CancelAllOrders {
                account: self.account(),
                market: self.market(),
                valid_until_ns: self.time(),
            }),
            "ReplaceOrder" => Command::ReplaceOrder(Box::new(ReplaceOrder {
                cancel: self.order_ref(),
                restriction: self.one_of(&examples::cancel_restrictions()),
                mode: self.one_of(&examples::replace_modes()),
                place: self.place(),
            })),
            "AmendOrder" => Command::AmendOrder(AmendOrder {
                account: self.account(),
                market: self.market(),
                order: self.order_ref(),
                new_qty_lots: self.qty(),
                new_client_order_id: self.text(),
                valid_until_ns: self.time(),
            }),
            "Tick" => Command::Tick,
            "Skip" => Command::Skip(Skip { reason: self.string() }),
            "AddApiKey" => Command::AddApiKey(Box::new(AddApiKey {
                account: self.account(),
                key: self.text(),
                kind: self.one_of(&examples::key_kinds()),
                sealed: (0..self.byte()).map(|_| self.byte()).collect(),
                label: self.text(),
                permissions: self.u32(),
                ip_ranges: self.ip_ranges(),
            })),
            "ChangeApiKey" => Command::ChangeApiKey(Box::new(ChangeApiKey {
                key: self.text(),
                permissions: self.u32(),
                ip_ranges: self.ip_ranges(),
            })),
            "ResealApiKey" => Command::ResealApiKey(Box::new(ResealApiKey {
                key: self.text(),
                sealed: (0..self.byte()).map(|_| self.byte()).collect(),
            })),
            "AddMarketTo" => Command::AddMarketTo(Box::new(AddMarketTo {
                terms: self.market_terms(),
                partition: PartitionId(self.byte()),
            })),
            "MoveMarket" => {
                Command::MoveMarket(MoveMarket { market: self.market(), to: PartitionId(self.byte()) })
            }
            "AddPartition" => Command::AddPartition,
            "JoinExchange" => Command::JoinExchange(JoinExchange { partition: PartitionId(self.byte()) }),
            "Deliver" => {
                let mut envelope = examples::envelope();
                (envelope.number, envelope.taken) = (self.u64(), self.u64());
                let mut messages = envelope.messages;
                messages.extend(examples::later_messages().into_iter().map(|(_, message)| message));
                envelope.messages = (0..self.byte() % 8).map(|_| self.one_of(&messages)).collect();
                Command::Deliver(std::sync::Arc::new(envelope))
            }
            "Confirm" => Command::Confirm(Confirm { by: PartitionId(self.byte()), taken: self.u64() }),
            "SkipEnvelope" => Command::SkipEnvelope(SkipEnvelope {
                from: PartitionId(self.byte()),
                number: self.u64(),
                reason: self.string(),
            }),
            "RegisterSource" => Command::RegisterSource(Box::new(RegisterSource {
                partition: PartitionId(self.byte()),
                terms: self.source_terms(),
                remember: self.u32(),
            })),
            "FromSource" => Command::FromSource(Box::new(FromSource {
                source: SourceId(self.u32()),
                entry: self.entry(),
                order: self.one_of(&examples::order_commands()),
            })),
            other => self.contract_command(other),
        }
    }

    pub fn event(&mut self) -> Event {
        let variant = self.one_of(Event::NAMES);
        match variant {
            "AssetAdded" => Event::AssetAdded { asset: self.asset(), terms: self.asset_terms() },
            "MarketAdded" => {
                Event::MarketAdded { market: self.market(), terms: Box::new(self.market_terms()) }
            }
            "AccountCreated" => Event::AccountCreated {
                account: self.account(),
                name: self.text(),
                trade_group: TradeGroup(self.u32()),
            },
            "ApiKeyCreated" => Event::ApiKeyCreated(ApiKeyCreated {
                account: self.account(),
                key: self.text(),
                permissions: self.u32(),
            }),
            "ApiKeyAdded" => Event::ApiKeyAdded(Box::new(ApiKeyAdded {
                account: self.account(),
                key: self.text(),
                kind: self.one_of(&examples::key_kinds()),
                label: self.text(),
                permissions: self.u32(),
                ip_ranges: self.ip_ranges(),
            })),
            "ApiKeyChanged" => Event::ApiKeyChanged(ApiKeyChanged {
                account: self.account(),
                key: self.text(),
                permissions: self.u32(),
                ip_ranges: self.ip_ranges(),
            }),
            "PartitionAdded" => {
                Event::PartitionAdded { spread: Spread { first_account: self.account(), count: self.byte() } }
            }
            "MarketPlaced" => {
                Event::MarketPlaced { market: self.market(), partition: PartitionId(self.byte()) }
            }
            "MarketMoving" => Event::MarketMoving { market: self.market(), to: PartitionId(self.byte()) },
            "MarketLeft" => Event::MarketLeft { market: self.market(), to: PartitionId(self.byte()) },
            "Heard" => Event::Heard {
                from: PartitionId(self.byte()),
                time_ns: self.time(),
                origin: Origin { partition: PartitionId(self.byte()), seq: Seq(self.u64()) },
            },
            "SourceRegistered" => Event::SourceRegistered {
                source: SourceId(self.u32()),
                terms: Box::new(self.source_terms()),
                mark: self.entry(),
            },
            "EntryTaken" => Event::EntryTaken {
                source: SourceId(self.u32()),
                entry: self.entry(),
                action: self.one_of(&examples::order_actions()),
                account: self.account(),
                market: self.market(),
            },
            "EntryOpen" => Event::EntryOpen { source: SourceId(self.u32()), entry: self.entry() },
            "EntryAnswered" => Event::EntryAnswered { source: SourceId(self.u32()), entry: self.entry() },
            "EntryRepeated" => Event::EntryRepeated { source: SourceId(self.u32()), entry: self.entry() },
            "OrderTracks" => Event::OrderTracks(OrderTracks {
                order: self.order(),
                account: self.account(),
                market: self.market(),
                price_ticks: self.price(),
            }),
            "OrderTriggered" => Event::OrderTriggered(OrderTriggered {
                order: self.order(),
                account: self.account(),
                market: self.market(),
                price_ticks: self.price(),
                held: self.amount(),
            }),
            "EntryOutOfOrder" => Event::EntryOutOfOrder {
                source: SourceId(self.u32()),
                entry: self.entry(),
                mark: self.entry(),
            },
            "ApiKeyResealed" => Event::ApiKeyResealed { account: self.account(), key: self.text() },
            "ApiKeyRevoked" => Event::ApiKeyRevoked { account: self.account(), key: self.text() },
            "Deposited" => Event::Deposited(Box::new(Deposited {
                account: self.account(),
                asset: self.asset(),
                amount: self.amount(),
                reference: self.text(),
            })),
            "WithdrawalRequested" => Event::WithdrawalRequested(Box::new(WithdrawalRequested {
                withdrawal: WithdrawalId(self.u64()),
                account: self.account(),
                asset: self.asset(),
                amount: self.amount(),
                reference: self.text(),
            })),
            "WithdrawalSettled" => Event::WithdrawalSettled(WithdrawalSettled {
                withdrawal: WithdrawalId(self.u64()),
                account: self.account(),
                asset: self.asset(),
                amount: self.amount(),
                paid_out: self.bool(),
            }),
            "OrderAccepted" => Event::OrderAccepted(OrderAccepted {
                order: self.order(),
                account: self.account(),
                market: self.market(),
                side: self.one_of(&examples::sides()),
                kind: self.kind(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                client_order_id: self.text(),
                held: self.amount(),
            }),
            "OrderFilled" => Event::OrderFilled(OrderFilled {
                order: self.order(),
                account: self.account(),
                market: self.market(),
                trade: TradeId(self.u64()),
                side: self.one_of(&examples::sides()),
                liquidity: self.one_of(&examples::liquidities()),
                price_ticks: self.price(),
                qty_lots: self.qty(),
                fee: self.amount(),
                released: self.amount(),
            }),
            "OrderPrevented" => {
                let mode: SelfTradePrevention = self.one_of(&examples::self_trade_preventions());
                Event::OrderPrevented(OrderPrevented {
                    order: self.order(),
                    account: self.account(),
                    market: self.market(),
                    prevented_match: self.u64(),
                    liquidity: self.one_of(&examples::liquidities()),
                    counter_order: self.order(),
                    price_ticks: self.price(),
                    prevented_lots: self.qty(),
                    mode,
                    released: if mode.takes_from_both() { self.amount() } else { Amount::ZERO },
                })
            }
            "OrderAmended" => Event::OrderAmended(OrderAmended {
                order: self.order(),
                account: self.account(),
                market: self.market(),
                qty_lots: self.qty(),
                client_order_id: self.text(),
                released: self.amount(),
            }),
            "OrderEnded" => Event::OrderEnded(OrderEnded {
                order: self.order(),
                account: self.account(),
                market: self.market(),
                reason: self.end_reason(),
                released: self.amount(),
            }),
            "Rejected" => Event::Rejected { account: self.account(), reject: self.reject() },
            "Traded" => Event::Traded(Traded {
                market: self.market(),
                trade: TradeId(self.u64()),
                price_ticks: self.price(),
                qty_lots: self.qty(),
                taker_side: self.one_of(&examples::sides()),
                maker_order: self.order(),
                taker_order: self.order(),
            }),
            "LevelChanged" => Event::LevelChanged(LevelChanged {
                market: self.market(),
                update_id: self.u64(),
                side: self.one_of(&examples::sides()),
                price_ticks: self.price(),
                open_lots: self.qty(),
            }),
            "Skipped" => Event::Skipped { reason: self.string() },
            other => self.contract_event(other),
        }
    }
}
