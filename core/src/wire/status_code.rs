//! The status of a verdict as one small number: 0 accepted, else 1 + class + 3 × reason.

use minicbor::{Decode, Encode};

use super::verdict::Status;

/// The number of a status.
pub(super) fn status_code(status: Status) -> u64 {
    match status {
        Status::Accepted => 0,
        Status::Void(reason) => 1 + 3 * index(reason),
        Status::Held(reason) => 2 + 3 * index(reason),
        Status::Refused(reason) => 3 + 3 * index(reason),
    }
}

/// The status of a number, where this code knows it.
pub(super) fn status_of(code: u64) -> Option<Status> {
    let Some(code) = code.checked_sub(1) else {
        return Some(Status::Accepted);
    };
    let reason = code / 3;
    Some(match code % 3 {
        0 => Status::Void(of_index(reason)?),
        1 => Status::Held(of_index(reason)?),
        _ => Status::Refused(of_index(reason)?),
    })
}

fn index<T: Encode<()>>(reason: T) -> u64 {
    let bytes = minicbor::to_vec(reason).expect("writing CBOR to memory does not fail");
    minicbor::decode(&bytes).expect("reasons are encoded as their number")
}

fn of_index<T: for<'b> Decode<'b, ()>>(index: u64) -> Option<T> {
    minicbor::decode(&minicbor::to_vec(index).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::verdict::{HeldReason, RefusedReason, VoidReason};
    use super::*;

    #[test]
    fn every_status_has_a_number_of_its_own() {
        let void = VoidReason::ALL.iter().map(|reason| Status::Void(*reason));
        let held = HeldReason::ALL.iter().map(|reason| Status::Held(*reason));
        let refused = RefusedReason::ALL
            .iter()
            .map(|reason| Status::Refused(*reason));
        let mut codes = std::collections::HashSet::new();
        for status in void.chain(held).chain(refused).chain([Status::Accepted]) {
            let code = status_code(status);
            assert_eq!(status_of(code), Some(status));
            assert!(codes.insert(code));
        }
        assert_eq!(status_of(3_000), None);
        assert_eq!(status_of(u64::MAX), None);
    }
}
