//! The moves of a case: the effect of an event on its state, without its data.

coded_enum! {
    /// A move. Its code is not on the wire, because events have codes of their own.
    Move, u8 {
        /// Sets category, severity and grid.
        Triage = 1, "triage";
        /// 派单: opens an assignment.
        Dispatch = 2, "dispatch";
        /// 签收
        Accept = 3, "accept";
        /// On site.
        Arrive = 4, "arrive";
        /// 处结 of one assignment.
        Resolve = 5, "resolve";
        /// 退回 of one assignment.
        Return = 6, "return";
        /// The dispatcher takes an assignment back.
        Withdraw = 7, "withdraw";
        /// Another area becomes responsible.
        Transfer = 8, "transfer";
        /// 协办: a party or area supports.
        Share = 9, "share";
        /// 核查 says it is done.
        VerifyPass = 10, "verify_pass";
        /// 核查 says it is not done.
        VerifyFail = 11, "verify_fail";
        /// 结案
        Close = 12, "close";
        /// 回访
        FollowUp = 13, "follow_up";
        /// 当场处结
        HandledOnSpot = 14, "handled_on_spot";
        /// 不予受理
        Dismiss = 15, "dismiss";
        /// 升级: one level up.
        Escalate = 16, "escalate";
        /// 指定: the district decides after a second return.
        AssignFinally = 17, "assign_finally";
        /// 催办
        Urge = 18, "urge";
        /// 督办
        Supervise = 19, "supervise";
        /// 挂起
        Suspend = 20, "suspend";
        /// Ends a suspension.
        Resume = 21, "resume";
        /// 申请延期
        RequestExtension = 22, "request_extension";
        /// 同意延期
        GrantExtension = 23, "grant_extension";
        /// 移交公安
        HandToPolice = 24, "hand_to_police";
        /// The record is a duplicate of another record.
        Merge = 25, "merge";
        /// The record is not a duplicate after all.
        Unmerge = 26, "unmerge";
        /// 重开
        Reopen = 27, "reopen";
        /// A person says that danger remains.
        DangerRemains = 28, "danger_remains";
        /// A comment on the case.
        Comment = 29, "comment";
        /// A signed opening.
        Seen = 30, "seen";
        /// A step of a kind with stages of its own. A case has none.
        Step = 31, "step";
    }
}

impl Move {
    /// Whether the move takes a case out of work: resolve, verify pass, close, follow-up, handled on the
    /// spot, dismiss, hand to police, merge, suspend. Such a move holds only if its author had seen every
    /// danger.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(
            self,
            Self::Resolve
                | Self::VerifyPass
                | Self::Close
                | Self::FollowUp
                | Self::HandledOnSpot
                | Self::Dismiss
                | Self::HandToPolice
                | Self::Merge
                | Self::Suspend
        )
    }

    /// Whether the move says that something is still wrong, if a person makes it. (An escalation by a rule
    /// never does; see [`crate::domain::case::Event::is_danger`].)
    #[must_use]
    pub const fn may_be_danger(self) -> bool {
        matches!(
            self,
            Self::DangerRemains | Self::VerifyFail | Self::Reopen | Self::Escalate
        )
    }

    /// Whether the move judges the work of others. People may not judge their own work, and a responsible
    /// party may not judge.
    #[must_use]
    pub const fn is_judgement(self) -> bool {
        matches!(
            self,
            Self::VerifyPass | Self::VerifyFail | Self::Close | Self::FollowUp | Self::Reopen
        )
    }

    /// Whether the move is closed to the responsible parties: a judgement, or an ending that is no step of
    /// their own work.
    #[must_use]
    pub const fn is_closed_to_party(self) -> bool {
        self.is_judgement() || (self.is_ending() && !self.is_work())
    }

    /// Whether the move is work on the case, so that its author may not judge it.
    #[must_use]
    pub const fn is_work(self) -> bool {
        matches!(
            self,
            Self::Accept | Self::Arrive | Self::Resolve | Self::HandledOnSpot
        )
    }

    /// Whether the move changes only the story: comment and seen.
    #[must_use]
    pub const fn is_talk(self) -> bool {
        matches!(self, Self::Comment | Self::Seen)
    }

    /// Whether the move is possible in every stage, even after an event of a newer app: comment, seen and
    /// `danger_remains`. An old app can always speak and warn.
    #[must_use]
    pub const fn is_always_possible(self) -> bool {
        self.is_talk() || matches!(self, Self::DangerRemains)
    }
}
