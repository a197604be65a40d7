//! `GET /v1/live`: the server says “there is something new”, and nothing else.
//!
//! What it says is not believed further than to ask; a lost wake-up costs the time until the next pause is
//! over, never data.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

use super::error::NetError;
use super::http::Http;
use crate::sync::paths::LIVE_PATH;
use crate::trust::request_mac::{MAC_HEADER, RequestTag, SESSION_HEADER};

/// Listens until the connection ends; calls `wake` for every message. The error is why it ended.
pub(super) async fn listen(http: &Http, tag: &RequestTag, wake: impl Fn()) -> NetError {
    connected(http, tag, wake)
        .await
        .err()
        .unwrap_or(NetError::Offline)
}

async fn connected(http: &Http, tag: &RequestTag, wake: impl Fn()) -> Result<(), NetError> {
    let url = http.address().live_url(LIVE_PATH);
    let mut request = url
        .into_client_request()
        .map_err(|_| NetError::BadAddress)?;
    for (name, value) in [
        (SESSION_HEADER, tag.session_header()),
        (MAC_HEADER, tag.mac_header()),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|_| NetError::BadAddress)?;
        request.headers_mut().insert(name, value);
    }
    // A wake-up is a few bytes; nothing larger is read.
    let limits = WebSocketConfig::default()
        .max_message_size(Some(1_024))
        .max_frame_size(Some(1_024));
    let connector = Some(Connector::Rustls(http.tls()));
    let (mut socket, _) = connect_async_tls_with_config(request, Some(limits), true, connector)
        .await
        .map_err(|_| NetError::Offline)?;
    // Something may have come between the last sync and now.
    wake();
    while let Some(message) = socket.next().await {
        match message.map_err(|_| NetError::Offline)? {
            Message::Text(_) | Message::Binary(_) => wake(),
            Message::Close(_) => break,
            // Pings are answered by the library when the next write is flushed.
            _ => socket.flush().await.map_err(|_| NetError::Offline)?,
        }
    }
    Ok(())
}
