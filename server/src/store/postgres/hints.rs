//! Hints between nodes over `NOTIFY`: which streams a transaction has grown.
//!
//! A hint may be lost or come late, so it only says where to look. Its text is the tag of the sending node and the
//! streams in hex. A hint without streams means any.

use std::fmt::Write as _;
use std::future::{pending, poll_fn};
use std::time::Duration;

use onegrid_core::domain::stream::StreamId;
use tokio::sync::broadcast::Sender;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls};

use super::connect::Connector;
use super::convert::values;
use super::db::Db;
use super::tls::Tls;
use crate::store::{Hint, StoreResult};

/// Hints that wait for a slow receiver. It then looks at every stream.
pub(super) const HINTS_WAITING_MAX: usize = 256;
/// Bytes of a hint; the server of the database refuses 8,000.
const HINT_BYTES_MAX: usize = 7_900;
/// Pause before the connection for hints is opened again.
const PAUSE: Duration = Duration::from_secs(1);
const CHANNEL: &str = "LISTEN onegrid";

/// Tells the other nodes, when the transaction commits, which streams it has grown.
pub(super) fn notify(db: &Db, tag: &str, grown: &[StreamId]) -> StoreResult<()> {
    if grown.is_empty() {
        return Ok(());
    }
    db.send(
        "SELECT pg_notify('onegrid', $1)",
        values![text(tag, grown).as_str()],
    )
}

fn text(tag: &str, grown: &[StreamId]) -> String {
    let mut text = tag.to_owned();
    for stream in grown {
        text.push(' ');
        for byte in stream.to_bytes() {
            let _ = write!(text, "{byte:02x}");
        }
    }
    if text.len() > HINT_BYTES_MAX {
        tag.clone_into(&mut text);
    }
    text
}

/// Reads a hint; `None` if this node sent it.
fn read(tag: &str, text: &str) -> Option<Hint> {
    let mut words = text.split(' ');
    if words.next() == Some(tag) {
        return None;
    }
    let streams: Option<Vec<StreamId>> = words.map(stream).collect();
    Some(match streams {
        Some(streams) if !streams.is_empty() => Hint::Streams(streams),
        // Another version may write streams that this one does not know.
        _ => Hint::Any,
    })
}

fn stream(hex: &str) -> Option<StreamId> {
    let digits = hex.as_bytes().chunks(2);
    let bytes = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    StreamId::from_bytes(&bytes.collect::<Option<Vec<u8>>>()?)
}

/// Receives hints until the store is closed. A lost connection is opened again; hints that came meanwhile are lost,
/// so the receivers then look at every stream.
pub(super) fn listen(connector: &Connector, to: Sender<Hint>) {
    let (config, tls) = connector.parts();
    let tag = connector.tag().to_owned();
    connector.runtime().spawn(async move {
        loop {
            if let Err(error) = listen_once(&config, tls.clone(), &tag, &to).await {
                tracing::debug!(%error, "the connection for hints ended");
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
}

async fn listen_once(
    config: &Config,
    tls: Option<Tls>,
    tag: &str,
    to: &Sender<Hint>,
) -> Result<(), Error> {
    if let Some(tls) = tls {
        let (client, connection) = config.connect(tls).await?;
        serve(client, connection, tag, to).await
    } else {
        let (client, connection) = config.connect(NoTls).await?;
        serve(client, connection, tag, to).await
    }
}

async fn serve<S, T>(
    client: Client,
    mut connection: Connection<S, T>,
    tag: &str,
    to: &Sender<Hint>,
) -> Result<(), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let reading = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(note) = message?
                && let Some(hint) = read(tag, note.payload())
            {
                let _ = to.send(hint);
            }
        }
        Ok(())
    };
    let listening = async {
        client.batch_execute(CHANNEL).await?;
        // Hints without a listener are lost.
        let _ = to.send(Hint::Any);
        pending().await
    };
    tokio::select! {
        ended = reading => ended,
        failed = listening => failed,
    }
}

#[cfg(test)]
mod tests {
    use onegrid_core::id::AreaId;

    use super::*;

    #[test]
    fn hint_names_streams_of_other_nodes_only() {
        let streams = vec![
            StreamId::DirectoryBase,
            StreamId::AreaStaff(AreaId([7; 16])),
        ];
        let said = text("a1", &streams);
        assert_eq!(read("b2", &said), Some(Hint::Streams(streams)));
        assert_eq!(read("a1", &said), None);
        assert_eq!(read("a1", "b2 ff00"), Some(Hint::Any), "a newer stream");
        let many: Vec<_> = (0..=255)
            .map(|n| StreamId::AreaStaff(AreaId([n; 16])))
            .collect();
        assert_eq!(read("b2", &text("a1", &many)), Some(Hint::Any));
    }
}
