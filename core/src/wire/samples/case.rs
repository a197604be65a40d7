//! A sample record as bytes and as a pack.

use std::collections::HashMap;

use super::*;

impl Case {
    pub(in crate::wire) fn raw(&self) -> Vec<RawEnvelope> {
        self.envelopes
            .iter()
            .map(|envelope| envelope.raw().clone())
            .collect()
    }

    /// The pack of the case, everything accepted `lag_ms` after it was written.
    pub(in crate::wire) fn pack(&self, lag_ms: i64) -> Pack {
        let mut actors: Vec<ActorId> = self.document.changes().map(|c| c.actor).collect();
        actors.sort_unstable();
        actors.dedup();
        let mut at = HashMap::new();
        let mut entries = Vec::new();
        for (index, envelope) in (0_u32..).zip(&self.envelopes) {
            let header = envelope.header();
            let mut parents: Vec<u32> = header.parents.iter().map(|id| at[id]).collect();
            parents.sort_unstable();
            let status = Status::Accepted;
            let verdict = Verdict {
                status,
                at_ms: header.clock_ms + lag_ms,
                generation: 1,
            };
            entries.push(PackEntry {
                id: envelope.id(),
                parents,
                author: header.author,
                certificate: header.certificate,
                grant: header.grant,
                clock_ms: header.clock_ms,
                verdict,
                content: pack_content(envelope.body(), &actors),
            });
            at.insert(envelope.id(), index);
        }
        let Body::Genesis(genesis) = self.envelopes[0].body() else {
            panic!("no Genesis")
        };
        let genesis = GenesisFacts {
            kind: genesis.kind,
            home: genesis.home,
            audience: genesis.audience,
            team: genesis.team,
            source: genesis.source,
            named: genesis.named.clone(),
            linked: genesis.linked,
        };
        Pack {
            genesis,
            document: self.document.save(),
            entries,
        }
    }
}

fn pack_content(body: &Body, actors: &[ActorId]) -> PackContent {
    let written = |raw: &[u8]| {
        let info = inspect(raw).unwrap();
        let actor = actors.binary_search(&info.actor).unwrap();
        (u32::try_from(actor).unwrap(), info.seq)
    };
    match body {
        Body::Genesis(genesis) => PackContent::Genesis {
            actor: written(&genesis.content).0,
        },
        Body::Change(change) => {
            let (actor, seq) = written(&change.change);
            PackContent::Change {
                actor,
                seq,
                replaces: change.replaces,
            }
        }
        Body::Event(event) => PackContent::Event(PackEvent {
            code: event.code,
            fold_version: event.fold_version,
            data: event.data.clone(),
            on_behalf_of: event.on_behalf_of.clone(),
            replaces: event.replaces,
        }),
        Body::Unknown(kind, bytes) => PackContent::Stub {
            body_kind: *kind,
            change: Some(Hash::of(&[bytes])),
        },
    }
}
