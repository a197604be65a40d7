//! The phone's half of the handshake.
#![allow(
    clippy::wildcard_imports,
    reason = "a part of its parent, in a file of its own"
)]

use super::*;

/// The phone's half, waiting for the server's hello.
#[derive(Debug)]
pub struct ClientHandshake {
    pub(super) ephemeral: Ephemeral,
    pub(super) hello: Vec<u8>,
    pub(super) versions: Vec<u8>,
}

impl ClientHandshake {
    /// Begins the handshake. Returns the state to keep and the message to send.
    pub fn start(authority: &Authority, rng: &mut dyn CryptoRng) -> (Self, Vec<u8>) {
        Self::start_with(VERSIONS, authority, rng)
    }

    pub(super) fn start_with(
        versions: &[u8],
        authority: &Authority,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Vec<u8>) {
        let ephemeral = Ephemeral::generate(rng);
        let hello = write(&Hello::new(versions, authority, &ephemeral, rng));
        (
            Self {
                ephemeral,
                hello: hello.clone(),
                versions: versions.to_vec(),
            },
            hello,
        )
    }

    /// Checks the server's hello and proves the phone's identity. Returns the state to keep and the
    /// message.
    pub fn prove(
        self,
        server_hello: &[u8],
        anchors: &Anchors,
        key: &SecretKey,
        certificate: &Certificate,
    ) -> Result<(ClientAwaiting, Vec<u8>), SessionError> {
        let signed: ServerHello =
            read(server_hello, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if signed.sealed.len() > SEALED_HANDSHAKE_BYTES_MAX {
            return Err(SessionError::Malformed);
        }
        let offer: ServerOffer =
            read(&signed.said, 4, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let newer = newer(&offer.server_keys, anchors)?;
        let listed = newer.as_ref().unwrap_or(anchors);
        let said = said(&self.hello, &signed.said);
        let (authority, said_hash) = (anchors.authority(), said.hash());
        let parts: &[&[u8]] = &[said_hash.as_bytes()];
        let signed_by = listed
            .in_use(ServerPurpose::Receipts)
            .find(|(_, key)| {
                key.verify(Purpose::SessionServer, authority, parts, &signed.signature)
                    .is_ok()
            })
            .ok_or(SessionError::BadServerProof)?;
        let generation_max = signed_by.0.generation_max;
        // This check follows the signature, because only the real server may tell the phone that it
        // is too old.
        if !self.versions.contains(&offer.version) {
            return Err(SessionError::NoCommonVersion);
        }
        let whole = proven(said, &signed.signature, certificate.hash());
        let signature = key.sign(
            Purpose::SessionClient,
            authority,
            &[whole.hash().as_bytes()],
        );
        let channel = self.ephemeral.agree(&offer.ephemeral, &whole.hash())?;
        let prove = ClientProve {
            sealed: signed.sealed,
            certificate: certificate.raw().clone(),
            signature,
        };
        let (device, certificate) = (certificate.facts().device, certificate.hash());
        Ok((
            ClientAwaiting {
                channel,
                device,
                certificate,
                server_keys: offer.server_keys,
                generation_max,
            },
            write(&prove),
        ))
    }
}

/// The phone's half, waiting for the grant.
#[derive(Debug)]
pub struct ClientAwaiting {
    pub(super) channel: ChannelKey,
    pub(super) device: DeviceId,
    pub(super) certificate: Hash,
    pub(super) server_keys: ServerKeys,
    pub(super) generation_max: u32,
}

impl ClientAwaiting {
    /// Opens the session. Its end is counted on the phone's own clock, which may be years off.
    pub fn finish(self, grant: &[u8], now_ms: i64) -> Result<(Session, Welcome), SessionError> {
        let sealed: SealedGrant =
            read(grant, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if !self
            .channel
            .accepts(Direction::Back, &[b"grant", &sealed.grant], &sealed.mac)
        {
            return Err(SessionError::BadMac);
        }
        let grant: SessionGrant =
            read(&sealed.grant, 6, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if grant.generation > self.generation_max {
            return Err(SessionError::UncertifiedGeneration);
        }
        let session = Session {
            id: grant.session,
            key: self.channel,
            device: self.device,
            certificate: self.certificate,
            expires_ms: ends_ms(grant.time_ms, grant.expires_ms, now_ms),
        };
        let welcome = Welcome {
            grant,
            server_keys: self.server_keys,
        };
        Ok((session, welcome))
    }
}

/// The phone's anchors with the server's list, where that one is newer. The list that the phone has is
/// verified already.
fn newer(list: &ServerKeys, anchors: &Anchors) -> Result<Option<Anchors>, SessionError> {
    if list == anchors.list() {
        return Ok(None);
    }
    if list.number <= anchors.list().number {
        return Err(SessionError::OlderKeys);
    }
    let updated = anchors.updated(list);
    updated.map(Some).ok_or(SessionError::UnknownServer)
}
