//! The kind, audience and source of a record.

open_coded_enum! {
    /// The kind of a record. Codes 4 to 7, 9 and 10 are kept for dispute, visit, task, patrol, notice, shift.
    RecordKind, u8 {
        /// 隐患: a danger that may hurt people.
        Hazard = 1, "hazard";
        /// 线索: an observation that may be an offence.
        Tip = 2, "tip";
        /// 求助: a person needs help.
        Request = 3, "request";
        /// 场所: shop, building, fire lane, rental flat, school.
        Place = 8, "place";
    }
}

coded_enum! {
    /// The readers of a record. The audience never changes. Another audience means another, linked record.
    Audience, u8 {
        /// Workers of the area, creator, team, and the parties that the record is dispatched to.
        Staff = 1, "staff";
        /// Creator, named people, the parties that the record is dispatched to, and the command room.
        Restricted = 2, "restricted";
    }
}

open_coded_enum! {
    /// The source of a record.
    Source, u8 {
        /// Written by an enrolled person.
        Member = 1, "member";
        /// Written by a resident through a posted code.
        ResidentCode = 2, "resident_code";
        /// 110 分流: a call that is not a police matter.
        Diverted110 = 3, "diverted_110";
        /// Written by another system.
        Api = 4, "api";
        /// Found while doing a task.
        Task = 5, "task";
    }
}

impl RecordKind {
    /// Whether it is a case: hazard, tip and request share one lifecycle.
    #[must_use]
    pub const fn is_case(self) -> bool {
        matches!(self, Self::Hazard | Self::Tip | Self::Request)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_kind_of_a_newer_version_survives_a_round_trip() {
        let dispute = minicbor::to_vec(4_u8).unwrap();
        let kind: RecordKind = minicbor::decode(&dispute).unwrap();
        assert_eq!(kind, RecordKind::Unknown(4));
        assert!(!kind.is_case());
        assert_eq!(minicbor::to_vec(kind).unwrap(), dispute);
        assert!(minicbor::decode::<Audience>(&minicbor::to_vec(3_u8).unwrap()).is_err());
    }
}
