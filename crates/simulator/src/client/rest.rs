//! What the connection to the contracts has no request for: `DELETE /fapi/v1/allOpenOrders`, over REST.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;

use super::ClientError;
use super::wording::{self, Signer};
use crate::market::Listing;

/// Cancels all orders of a key's account at a contract. Returns when they are gone, or the exchange would not do it: then they
/// stay, as those do whose cancel the other connection refuses. `timestamp_ms` is in milliseconds since 1970.
pub(super) async fn cancel_all(
    address: &str,
    listing: &Listing,
    signer: &Signer,
    timestamp_ms: u64,
) -> Result<(), ClientError> {
    let query = wording::cancel_all_query(listing, signer, timestamp_ms);
    let head = format!(
        "DELETE /fapi/v1/allOpenOrders?{query} HTTP/1.1\r\nHost: {address}\r\nX-MBX-APIKEY: {}\r\nConnection: close\r\n\r\n",
        signer.key()
    );
    let asked: std::io::Result<()> = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        // It closes the connection behind its answer.
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
    .await;
    asked.map_err(|error| tungstenite::Error::Io(error).into())
}
