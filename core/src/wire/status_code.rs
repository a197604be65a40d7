//! The status of a verdict as one small number: its code, and 5 × the code of its reason.

use minicbor::{Decode, Encode};

use super::verdict::Status;

/// The variants of [`Status`].
const CLASSES: u64 = 5;

/// The number of a status.
pub(super) fn status_code(status: Status) -> u64 {
    match status {
        Status::Accepted => 0,
        Status::Admitted => 1,
        Status::Void(reason) => 2 + CLASSES * index(reason),
        Status::Held(reason) => 3 + CLASSES * index(reason),
        Status::Refused(reason) => 4 + CLASSES * index(reason),
    }
}

/// The status of a number, where this code knows it.
pub(super) fn status_of(code: u64) -> Option<Status> {
    let reason = code / CLASSES;
    match code % CLASSES {
        0 => (reason == 0).then_some(Status::Accepted),
        1 => (reason == 0).then_some(Status::Admitted),
        2 => of_index(reason).map(Status::Void),
        3 => of_index(reason).map(Status::Held),
        _ => of_index(reason).map(Status::Refused),
    }
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
        let counting = [Status::Accepted, Status::Admitted];
        for status in void.chain(held).chain(refused).chain(counting) {
            let code = status_code(status);
            assert_eq!(status_of(code), Some(status));
            assert!(codes.insert(code));
        }
        assert_eq!(status_of(5), None);
        assert_eq!(status_of(6), None);
        assert_eq!(status_of(3_002), None);
        assert_eq!(status_of(u64::MAX), None);
    }
}
