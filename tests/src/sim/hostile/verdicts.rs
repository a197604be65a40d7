//! Verdicts and packs that the hostile member signs itself, with words of the server that no person asked for.

use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_core::trust::sign::SecretKey;
use onegrid_core::wire::message::{Bundle, GiveBack};
use onegrid_core::wire::pack::{Pack, PackBatch, PackProof};
use onegrid_core::wire::verdict::{
    Attestation, AttestedEnvelope, HeldReason, RefusedReason, Status, Verdict, VoidReason,
};

use super::super::world::{Part, World};
use super::Target;
use super::app::Tricks;

const VERDICTS: [Status; 5] = [
    Status::Accepted,
    Status::Admitted,
    Status::Void(VoidReason::NotPermitted),
    Status::Held(HeldReason::Revoked),
    Status::Refused(RefusedReason::Rejected),
];

impl World {
    /// Signs verdicts on a record and hands them to a phone or to the server.
    pub(super) fn forges_verdicts(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let status = self.chance.pick(&VERDICTS).expect("there are some");
        let generation = self.chance.pick(&[self.town.generation, u32::MAX]);
        let verdict = Verdict {
            status,
            at_ms: self.town.now_ms + 1,
            generation: generation.expect("there are two"),
        };
        let key = self.people[who].phone.key();
        let forged = attestation(&target, verdict, &key);
        let other = self.chance.below(self.people.len());
        if self.people[other].part != Part::Honest {
            let tricks = Tricks {
                verdicts: vec![forged],
                ..Tricks::default()
            };
            return self.syncs_with(who, &tricks);
        }
        let ask = GiveAsk {
            records: vec![target.record.id()],
            bytes_max: 1 << 18,
            ..GiveAsk::default()
        };
        let given = self.people[who].phone.replica().give(&ask);
        let given = given.map_err(|error| error.code.to_owned())?;
        let packs = given.give_back.packs.iter();
        let give_back = GiveBack {
            attestations: vec![forged],
            packs: packs
                .filter_map(|batch| forged_packs(batch, verdict, &key, &target))
                .collect(),
            ..GiveBack::default()
        };
        let bundle = Bundle {
            certificates: Vec::new(),
            envelopes: given.bundle.envelopes,
        };
        self.reaches_phone(
            who,
            other,
            give_back,
            bundle,
            &format!("own verdicts, {status:?}"),
        )
    }
}

fn attestation(target: &Target, verdict: Verdict, key: &SecretKey) -> Attestation {
    let hashes = target.record.nodes().iter().filter_map(|node| node.hash);
    let lines = hashes.map(|hash| AttestedEnvelope {
        hash,
        verdict,
        at: Vec::new(),
    });
    Attestation::sign(
        verdict.generation,
        verdict.at_ms,
        lines.collect(),
        key,
        &target.authority,
    )
}

/// Returns the packs with other verdicts, under the member's own signature.
fn forged_packs(
    batch: &PackBatch,
    verdict: Verdict,
    key: &SecretKey,
    target: &Target,
) -> Option<PackBatch> {
    let mut packs = Vec::new();
    for bytes in &batch.packs {
        let mut pack = Pack::from_bytes(bytes).ok()?;
        if let Some(last) = pack.entries.last_mut() {
            last.verdict = verdict;
        }
        packs.push(pack.to_bytes().ok()?);
    }
    let proof = PackProof::sign(
        verdict.generation,
        verdict.at_ms,
        &packs,
        key,
        &target.authority,
    );
    Some(PackBatch { proof, packs })
}
