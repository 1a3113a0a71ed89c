//! Every route of the operator's API: what is served is made from this, and so is the document that tells of it.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::{
    Admin, Status, accounts, contract_form, contracts, funds, keys, listed, market_form, master_key,
};
use crate::endpoint::Parameter;
use crate::openapi::{Schemas, Shape, words};

type Handler = fn(MethodFilter) -> MethodRouter<Arc<Admin>>;

/// A verb on a path.
pub(crate) struct Route {
    pub(crate) verb: Method,
    /// What stands in braces is a part of the request.
    pub(crate) path: &'static str,
    /// What it does, in a few words.
    pub(crate) summary: &'static str,
    /// In the query; handlers refuse every other.
    pub(crate) parameters: &'static [Parameter],
    pub(crate) body: Body,
    /// Of an answer that is not an error.
    pub(crate) success: Success,
    pub(crate) response: Shape,
    handler: Handler,
}

/// What a request carries besides its path.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    None,
    Optional(Shape),
    Required(Shape),
}

/// With which status it is told that all went well.
#[derive(Clone, Copy)]
pub(crate) enum Success {
    Done,
    Created,
}

impl Route {
    const fn get(path: &'static str, summary: &'static str, response: Shape, handler: Handler) -> Self {
        let (verb, body, success) = (Method::GET, Body::None, Success::Done);
        Self { verb, path, summary, parameters: &[], body, success, response, handler }
    }

    const fn create(
        path: &'static str,
        summary: &'static str,
        [body, response]: [Shape; 2],
        handler: Handler,
    ) -> Self {
        let (verb, body, success) = (Method::POST, Body::Required(body), Success::Created);
        Self { verb, path, summary, parameters: &[], body, success, response, handler }
    }

    const fn change(
        path: &'static str,
        summary: &'static str,
        [body, response]: [Shape; 2],
        handler: Handler,
    ) -> Self {
        let (verb, body, success) = (Method::PUT, Body::Required(body), Success::Done);
        Self { verb, path, summary, parameters: &[], body, success, response, handler }
    }

    const fn act(
        verb: Method,
        path: &'static str,
        summary: &'static str,
        response: Shape,
        handler: Handler,
    ) -> Self {
        let (body, success) = (Body::None, Success::Done);
        Self { verb, path, summary, parameters: &[], body, success, response, handler }
    }
}

pub(crate) const TABLE: &[Route] = &[
    Route::get("/admin/v1/status", "How far it is, and how much there is", Schemas::of::<Status>, |verb| {
        on(verb, super::status)
    }),
    Route::get(
        "/admin/v1/openapi.json",
        "This document",
        |_| words::object(),
        |verb| on(verb, super::document),
    ),
    Route {
        verb: Method::GET,
        path: "/admin/v1/accounts",
        summary: "Accounts, by ascending number",
        parameters: accounts::WHICH,
        body: Body::None,
        success: Success::Done,
        response: Schemas::list_of::<accounts::AccountReply>,
        handler: |verb| on(verb, accounts::list),
    },
    Route::create(
        "/admin/v1/accounts",
        "Open an account",
        [Schemas::of::<accounts::NewAccount>, Schemas::of::<accounts::AccountReply>],
        |verb| on(verb, accounts::create),
    ),
    Route::get(
        "/admin/v1/accounts/{account}",
        "An account and what it has",
        Schemas::of::<accounts::AccountReply>,
        |verb| on(verb, accounts::one),
    ),
    Route::get(
        "/admin/v1/accounts/{account}/keys",
        "The API keys of an account",
        Schemas::list_of::<keys::KeyReply>,
        |verb| on(verb, keys::list),
    ),
    Route::create(
        "/admin/v1/accounts/{account}/keys",
        "Issue an API key, or register a public key; a secret is told here and never again",
        [Schemas::of::<keys::NewKey>, Schemas::of::<keys::KeyReply>],
        |verb| on(verb, keys::create),
    ),
    Route::change(
        "/admin/v1/keys/{key}",
        "Change what an API key may do, and from where",
        [Schemas::of::<keys::KeyChange>, Schemas::of::<keys::KeyReply>],
        |verb| on(verb, keys::change),
    ),
    Route::act(
        Method::DELETE,
        "/admin/v1/keys/{key}",
        "Revoke an API key",
        Schemas::of::<keys::Revoked<'_>>,
        |verb| on(verb, keys::revoke),
    ),
    Route {
        verb: Method::POST,
        path: "/admin/v1/master-key/change",
        summary: "Change the master key, or finish a change that was broken off",
        parameters: &[],
        body: Body::Optional(Schemas::of::<master_key::Change>),
        success: Success::Done,
        response: Schemas::of::<master_key::Changed>,
        handler: |verb| on(verb, master_key::change),
    },
    Route::create(
        "/admin/v1/deposits",
        "Credit what has come in",
        [Schemas::of::<funds::Transfer>, Schemas::of::<funds::TransferReply>],
        |verb| on(verb, funds::deposit),
    ),
    Route::get(
        "/admin/v1/withdrawals",
        "Withdrawals under way, oldest first",
        Schemas::list_of::<funds::TransferReply>,
        |verb| on(verb, funds::withdrawals),
    ),
    Route::create(
        "/admin/v1/withdrawals",
        "Set aside what is to go out",
        [Schemas::of::<funds::Transfer>, Schemas::of::<funds::TransferReply>],
        |verb| on(verb, funds::request_withdrawal),
    ),
    Route::act(
        Method::POST,
        "/admin/v1/withdrawals/{withdrawal}/confirm",
        "It was paid out",
        Schemas::of::<funds::Settled>,
        |verb| on(verb, funds::confirm_withdrawal),
    ),
    Route::act(
        Method::POST,
        "/admin/v1/withdrawals/{withdrawal}/release",
        "It will not be paid out: the money goes back to its owner",
        Schemas::of::<funds::Settled>,
        |verb| on(verb, funds::release_withdrawal),
    ),
    Route::get(
        "/admin/v1/balance-sheet",
        "For each asset, whether deposited - withdrawn = free + held + fees",
        Schemas::list_of::<funds::SheetLine>,
        |verb| on(verb, funds::balance_sheet),
    ),
    Route::get("/admin/v1/assets", "Assets", Schemas::list_of::<listed::AssetReply>, |verb| {
        on(verb, listed::assets)
    }),
    Route::create(
        "/admin/v1/assets",
        "Add an asset",
        [Schemas::of::<listed::NewAsset>, Schemas::of::<listed::AssetReply>],
        |verb| on(verb, listed::add_asset),
    ),
    Route::get(
        "/admin/v1/markets",
        "Markets and their terms",
        Schemas::list_of::<market_form::MarketReply>,
        |verb| on(verb, listed::markets),
    ),
    Route::create(
        "/admin/v1/markets",
        "Add a market",
        [Schemas::of::<market_form::MarketForm>, Schemas::of::<market_form::MarketReply>],
        |verb| on(verb, listed::add_market),
    ),
    Route {
        verb: Method::POST,
        path: "/admin/v1/markets/{market}/move",
        summary: "Move a market with all its orders to another partition; it accepts nothing until it is there",
        parameters: &[],
        body: Body::Required(Schemas::of::<listed::MarketMove>),
        success: Success::Done,
        response: Schemas::of::<market_form::MarketReply>,
        handler: |verb| on(verb, listed::move_market),
    },
    Route::get(
        "/admin/v1/contracts",
        "Perpetual contracts and their terms",
        Schemas::list_of::<contract_form::ContractReply>,
        |verb| on(verb, contracts::list),
    ),
    Route::create(
        "/admin/v1/contracts",
        "Add a perpetual contract",
        [Schemas::of::<contract_form::ContractForm>, Schemas::of::<contract_form::ContractReply>],
        |verb| on(verb, contracts::add),
    ),
    Route::change(
        "/admin/v1/contracts/{contract}",
        "Change the terms of a perpetual contract; what is left out stays as it is",
        [Schemas::of::<contract_form::ContractChange>, Schemas::of::<contract_form::ContractReply>],
        |verb| on(verb, contracts::change),
    ),
    Route::change(
        "/admin/v1/contracts/{contract}/index-price",
        "What a price feed says a contract's index price is",
        [Schemas::of::<contracts::IndexPrice>, Schemas::of::<contracts::IndexPriceReply>],
        |verb| on(verb, contracts::set_index_price),
    ),
    Route::get(
        "/admin/v1/partitions",
        "Partitions, and what lives where",
        Schemas::list_of::<listed::PartitionReply>,
        |verb| on(verb, listed::partitions),
    ),
    Route::change(
        "/admin/v1/markets/{market}",
        "Change the terms of a market; what is left out stays as it is",
        [Schemas::of::<market_form::MarketChange>, Schemas::of::<market_form::MarketReply>],
        |verb| on(verb, listed::change_market),
    ),
];

/// All of them.
pub(super) fn routes() -> Router<Arc<Admin>> {
    TABLE.iter().fold(Router::new(), |router, route| {
        let verb = MethodFilter::try_from(route.verb.clone()).expect("the table has plain verbs");
        router.route(route.path, (route.handler)(verb))
    })
}
