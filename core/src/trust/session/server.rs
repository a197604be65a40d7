//! The server's half of the handshake.
#![allow(
    clippy::wildcard_imports,
    reason = "a part of its parent, in a file of its own"
)]

use super::*;

/// The server's half, waiting for the phone's proof. A server accepts one proof for it.
#[derive(Debug)]
pub struct ServerHandshake {
    id: HandshakeId,
    said: Transcript,
    signature: [u8; 64],
    ephemeral: Ephemeral,
    theirs: [u8; 32],
    ends_ms: i64,
}

impl ServerHandshake {
    /// Answers a hello. Returns the state, which the message carries sealed, and the message. The
    /// list of `anchors` must have `key` in use for receipts.
    pub fn answer(
        hello: &[u8],
        key: &SecretKey,
        anchors: &Anchors,
        sealing: &HandshakeKey,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let authority = anchors.authority();
        let (offered, version) = Hello::choose(hello, VERSIONS, authority)?;
        let ephemeral = Ephemeral::generate(rng);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let offer = write(&ServerOffer {
            version,
            server_keys: anchors.list().clone(),
            ephemeral: ephemeral.public(),
            nonce,
        });
        let said = said(hello, &offer);
        let signature = key.sign(Purpose::SessionServer, authority, &[said.hash().as_bytes()]);
        let handshake = Self {
            id: HandshakeId(said.hash().first16()),
            said,
            signature,
            ephemeral,
            theirs: offered.ephemeral,
            ends_ms: now_ms.saturating_add(HANDSHAKE_MS_MAX),
        };
        let message = write(&ServerHello {
            said: offer,
            signature,
            sealed: sealing.seal(&handshake, rng),
        });
        Ok((handshake, message))
    }

    /// Opens the state that a proof carries. Another key, or a changed state, ends the handshake.
    pub fn open(prove: &[u8], sealing: &HandshakeKey) -> Result<Self, SessionError> {
        let prove: ClientProve =
            read(prove, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        sealing
            .open(&prove.sealed)
            .ok_or(SessionError::HandshakeOver)
    }

    /// Checks the proof. `certify` reads the certificate if this deployment issued it, because a
    /// server knows its own certificates even when their signing key is no longer listed. `admit`
    /// is the server's decision about it (revoked devices are refused). The caller refuses a
    /// handshake whose [`Self::id`] it has used up, because a repeated proof carries its state
    /// again.
    pub fn finish(
        self,
        prove: &[u8],
        authority: &Authority,
        now_ms: i64,
        certify: impl FnOnce(RawCertificate) -> Option<Certificate>,
        admit: impl FnOnce(&Certificate) -> Result<(), SessionError>,
    ) -> Result<Proven, SessionError> {
        let prove: ClientProve =
            read(prove, 3, SESSION_MESSAGE_BYTES_MAX).ok_or(SessionError::Malformed)?;
        if now_ms > self.ends_ms {
            return Err(SessionError::HandshakeOver);
        }
        let certificate = certify(prove.certificate).ok_or(SessionError::BadCertificate)?;
        let whole = proven(self.said, &self.signature, certificate.hash()).hash();
        certificate
            .device_key()
            .verify(
                Purpose::SessionClient,
                authority,
                &[whole.as_bytes()],
                &prove.signature,
            )
            .map_err(|_| SessionError::BadClientProof)?;
        admit(&certificate)?;
        let key = self.ephemeral.agree(&self.theirs, &whole)?;
        Ok(Proven { certificate, key })
    }

    /// The state as bytes. Secret.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let said = self.said.hash();
        let parts: [&[u8]; 5] = [
            said.as_bytes(),
            &self.signature,
            self.ephemeral.secret(),
            &self.theirs,
            &self.ends_ms.to_be_bytes(),
        ];
        Zeroizing::new(parts.concat())
    }

    /// Reads what [`Self::to_bytes`] gave; `None` for anything else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (said, bytes) = bytes.split_first_chunk::<32>()?;
        let (signature, bytes) = bytes.split_first_chunk::<64>()?;
        let (secret, bytes) = bytes.split_first_chunk::<32>()?;
        let (theirs, bytes) = bytes.split_first_chunk::<32>()?;
        let said = Transcript::resume(Hash(*said));
        Some(Self {
            id: HandshakeId(said.hash().first16()),
            said,
            signature: *signature,
            ephemeral: Ephemeral::from_secret(*secret),
            theirs: *theirs,
            ends_ms: i64::from_be_bytes(bytes.try_into().ok()?),
        })
    }

    /// The name of the handshake.
    #[must_use]
    pub fn id(&self) -> HandshakeId {
        self.id
    }

    /// Until when it waits, milliseconds UTC.
    #[must_use]
    pub fn ends_ms(&self) -> i64 {
        self.ends_ms
    }
}

/// A phone with a proved identity.
#[derive(Debug)]
pub struct Proven {
    certificate: Certificate,
    key: ChannelKey,
}

impl Proven {
    /// The certificate of the phone.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Opens the session under the name `id`, which no other session has. Returns the state that the server
    /// keeps and the message to the phone.
    #[must_use]
    pub fn grant(
        self,
        generation: u32,
        secrets: MeetingSecrets,
        newer: Option<RawCertificate>,
        now_ms: i64,
        id: SessionId,
    ) -> (Session, Vec<u8>) {
        let expires_ms = now_ms.saturating_add(SESSION_MS);
        let grant = write(&SessionGrant {
            session: id,
            time_ms: now_ms,
            expires_ms,
            generation,
            secrets,
            certificate: newer,
        });
        let mac = self.key.mac(Direction::Back, &[b"grant", &grant]);
        let session = Session {
            id,
            key: self.key,
            device: self.certificate.facts().device,
            certificate: self.certificate.hash(),
            expires_ms,
        };
        (session, write(&SealedGrant { grant, mac }))
    }
}
