//! From which address a request came, as far as proxies of one's own tell, and that it is counted before anything else is
//! done for it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;

use crate::connection::Peer;
use crate::gateway::{Gateway, Refused, now_ns};

/// The address of the client that sent a request; not yet counted.
pub(crate) fn address_of(gateway: &Gateway, head: &Parts) -> IpAddr {
    let peer: &Arc<Peer> = head.extensions.get().expect("every request comes over a connection");
    let forwarded = head.headers.get_all("x-forwarded-for");
    gateway.limits.client(peer.address, forwarded.iter().map(HeaderValue::as_bytes))
}

/// A request that was counted, and is not one too many: the address of its client.
pub(crate) struct Entered(pub(crate) IpAddr);

impl FromRequestParts<Arc<Gateway>> for Entered {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Refused> {
        let address = address_of(gateway, head);
        gateway.limited(gateway.limits.enter(address, now_ns()))?;
        Ok(Self(address))
    }
}

/// A request that wants to become a WebSocket, and is not one too many: the address of its client.
pub(crate) struct Dialled(pub(crate) IpAddr);

impl FromRequestParts<Arc<Gateway>> for Dialled {
    type Rejection = Refused;

    async fn from_request_parts(head: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Refused> {
        let Entered(address) = Entered::from_request_parts(head, gateway).await?;
        gateway.limited(gateway.limits.open_socket(address, now_ns()))?;
        Ok(Self(address))
    }
}
