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
    /// Begins: gives the state to keep and the message to send.
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

    /// Checks the server's hello and proves who the phone is: gives the state to keep and the message.
    pub fn prove(
        self,
        server_hello: &[u8],
        anchors: &Anchors,
        key: &SecretKey,
        certificate: &Certificate,
    ) -> Result<(ClientAwaiting, Vec<u8>), SessionError> {
        let signed: Signed =
            read(server_hello, 2, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let offer: ServerOffer =
            read(&signed.said, 4, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        let server = server_key(&offer.server_key, anchors.root())?;
        let said = said(&self.hello, &signed.said);
        let (authority, said_hash) = (anchors.authority(), said.hash());
        let parts: &[&[u8]] = &[said_hash.as_bytes()];
        server
            .verify(Purpose::SessionServer, authority, parts, &signed.signature)
            .map_err(|_| SessionError::BadServerProof)?;
        // After the signature: only the real server may tell the phone that it is too old.
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
            handshake: HandshakeId(said_hash.first16()),
            certificate: certificate.raw().clone(),
            signature,
        };
        let (device, certificate) = (certificate.facts().device, certificate.hash());
        Ok((
            ClientAwaiting {
                channel,
                device,
                certificate,
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
}

impl ClientAwaiting {
    /// Opens the session. Its end is counted on the phone's own clock, which may be years off.
    pub fn finish(
        self,
        grant: &[u8],
        now_ms: i64,
    ) -> Result<(Session, SessionGrant), SessionError> {
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
        if grant.server_keys.len() > SERVER_KEYS_MAX {
            return Err(SessionError::Malformed);
        }
        let session = Session {
            id: grant.session,
            key: self.channel,
            device: self.device,
            certificate: self.certificate,
            expires_ms: ends_ms(grant.time_ms, grant.expires_ms, now_ms),
        };
        Ok((session, grant))
    }
}
