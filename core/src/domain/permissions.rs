//! The permission table. Rows are actions and columns are roles. An action without a cell is denied.

use super::Role;
use super::moves::Move;

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Make a record.
    Report,
    /// Write a comment.
    Comment,
    /// Say that danger remains.
    Danger,
    /// Change the content.
    Edit,
    /// 当场处结
    OnSpot,
    /// Settle category, severity and grid.
    Triage,
    /// Make a party responsible.
    Dispatch,
    /// Withdraw, transfer, share, merge, suspend, resume.
    Direct,
    /// Undo a merger.
    Unmerge,
    /// Dismiss, hand to the police, grant more time.
    Decide,
    /// Assign after a second return.
    AssignFinally,
    /// Accept, arrive, resolve, return, ask for more time.
    Work,
    /// One level up.
    Escalate,
    /// Verify, close, follow up.
    Judge,
    /// 重开
    Reopen,
    /// Urge, supervise.
    Urge,
    /// A signed opening.
    Seen,
    /// Read a staff record.
    Read,
    /// Make a record of field work, and its steps.
    FieldWork,
    /// Call off field work.
    CallOff,
    /// Write a private note. The server writes the names that the list of an office holds.
    Note,
    /// Report a patrol.
    Patrol,
    /// Make a step of a patrol.
    PatrolWork,
    /// Ask for a joint call.
    RequestCall,
    /// Blow a joint call: call units, decline a request, call it off.
    Blow,
    /// Report a phase of a joint call: the party that leads, and the people who may blow it.
    CallPhase,
    /// Register a dispute. The people who may assign one may register it too, because an import and a call at the
    /// office need it.
    RegisterDispute,
    /// Assign a dispute.
    AssignDispute,
    /// Record an agreement.
    Agree,
    /// Close a dispute, as the leader that it is assigned to.
    CloseDispute,
    /// Publish a task or notice. A team lead publishes to the team alone.
    Publish,
    /// End a task or notice, and take it back from a party: its publisher, and the
    /// office of its home area, which was not asked itself.
    EndTask,
    /// Propose a reward.
    ProposeReward,
    /// Approve a reward.
    ApproveReward,
    /// Settle the roster, and approve leave.
    Roster,
}

/// A cell: the condition under which the role may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Never.
    No,
    /// Always.
    Yes,
    /// A record that the author can read.
    Readable,
    /// A record in the area, zone or unit of the grant.
    In,
    /// A record in the grids or the zone of the grant.
    Place,
    /// A record of the grant's team.
    Team,
    /// The author's own record.
    Own,
    /// The author's own record, until a party has accepted it.
    OwnUntilAccepted,
    /// The author's own record, or one in the scope.
    OwnOrIn,
    /// A record in the scope, or in the village around the scope's grid.
    Village,
    /// Dispatched or shared to the author or its unit.
    Assigned,
    /// A record as in [`Self::Assigned`], or one in the scope on behalf of the party that it is assigned to.
    AssignedOrBehalf,
    /// A lead party is the author or its unit.
    Lead,
    /// A record as in [`Self::Lead`], or one in the scope.
    LeadOrIn,
    /// The author's own record, or one whose home area is in the area or zone of the grant, unless the author or
    /// its unit was asked to do the work.
    OwnOrHome,
}

use Cell::{
    Assigned as A, AssignedOrBehalf as AB, In as I, Lead as L, LeadOrIn as LI, No as O, Own,
    OwnOrHome as OH, OwnOrIn as OI, OwnUntilAccepted as OU, Place as P, Readable as R, Team as T,
    Village as V, Yes as Y,
};

/// Columns in the order of [`Role::ALL`]: volunteer, team lead, guard, grid worker, mediator, community
/// officer, station head, village lead, dispatcher, handler, supervisor, district lead, system.
#[rustfmt::skip]
const TABLE: [(Row, [Cell; 13]); 35] = [
    (Row::Report,        [Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y]),
    (Row::Comment,       [R, R, R, R, R, R, R, R, R, R, R, R, O]),
    (Row::Danger,        [Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y]),
    (Row::Edit,          [OU, T, Own, P, O, P, I, I, I, A, O, I, O]),
    (Row::OnSpot,        [R, R, R, R, O, R, R, R, O, R, O, O, O]),
    (Row::Triage,        [O, T, O, O, O, O, I, I, I, O, O, I, Y]),
    (Row::Dispatch,      [O, T, O, O, O, O, I, I, I, O, O, I, Y]),
    (Row::Direct,        [O, T, O, O, O, O, I, I, I, O, O, I, O]),
    (Row::Unmerge,       [O, T, O, O, O, O, I, I, I, O, O, I, Y]),
    (Row::Decide,        [O, O, O, O, O, O, I, I, I, O, O, I, O]),
    (Row::AssignFinally, [O, O, O, O, O, O, O, O, O, O, O, I, O]),
    (Row::Work,          [A, A, A, A, A, A, A, A, AB, A, O, AB, O]),
    (Row::Escalate,      [O, R, O, R, R, R, R, R, R, R, R, R, Y]),
    (Row::Judge,         [O, O, O, P, O, P, I, I, I, O, O, I, O]),
    (Row::Reopen,        [O, O, O, P, O, P, I, I, I, O, I, I, O]),
    (Row::Urge,          [O, O, O, O, O, O, I, I, I, O, R, R, O]),
    (Row::Seen,          [R, R, R, R, R, R, R, R, R, R, R, R, O]),
    (Row::Read,          [Own, T, OI, V, V, P, I, I, I, A, I, I, Y]),
    (Row::FieldWork,     [R, R, O, R, R, R, R, R, O, R, O, O, O]),
    (Row::CallOff,       [Own, Own, O, Own, Own, Own, OI, OI, O, Own, O, O, O]),
    (Row::Note,          [R, R, O, R, R, R, R, R, O, R, O, O, Y]),
    (Row::Patrol,        [Y, Y, I, Y, O, Y, Y, Y, O, Y, O, O, O]),
    (Row::PatrolWork,    [R, R, R, R, O, R, R, R, O, R, O, O, O]),
    (Row::RequestCall,   [O, O, O, Y, Y, Y, Y, Y, Y, O, O, Y, O]),
    (Row::Blow,          [O, O, O, O, O, O, I, O, I, O, O, I, O]),
    (Row::CallPhase,     [L, L, L, L, L, L, LI, L, LI, L, O, LI, O]),
    (Row::RegisterDispute, [Y, Y, O, Y, O, Y, Y, Y, Y, O, O, Y, Y]),
    (Row::AssignDispute, [O, O, O, O, O, O, I, I, I, O, O, I, O]),
    (Row::Agree,         [O, O, O, O, A, O, O, O, O, O, O, O, O]),
    (Row::CloseDispute,  [O, O, O, O, O, O, A, A, O, O, O, I, O]),
    (Row::Publish,       [O, T, O, O, O, P, I, I, I, O, O, I, O]),
    (Row::EndTask,       [O, Own, O, O, O, Own, OH, OH, OH, O, O, OH, O]),
    (Row::ProposeReward, [O, O, O, O, O, I, O, O, O, A, O, O, O]),
    (Row::ApproveReward, [O, O, O, O, O, O, I, I, O, O, O, I, O]),
    (Row::Roster,        [O, T, O, O, O, O, I, I, I, I, O, I, O]),
];

/// The cell of a row and a role.
#[must_use]
pub fn cell(row: Row, role: Role) -> Cell {
    let Some(column) = Role::ALL.iter().position(|known| *known == role) else {
        return Cell::No;
    };
    TABLE
        .iter()
        .find(|(known, _)| *known == row)
        .map_or(Cell::No, |(_, cells)| cells[column])
}

/// The row of a move.
#[must_use]
pub const fn row_of(movement: Move) -> Row {
    match movement {
        Move::Triage => Row::Triage,
        Move::Dispatch => Row::Dispatch,
        Move::Accept | Move::Arrive | Move::Resolve | Move::Return | Move::RequestExtension => {
            Row::Work
        }
        Move::Withdraw
        | Move::Transfer
        | Move::Share
        | Move::Suspend
        | Move::Resume
        | Move::Merge => Row::Direct,
        Move::Unmerge => Row::Unmerge,
        Move::VerifyPass | Move::VerifyFail | Move::Close | Move::FollowUp => Row::Judge,
        Move::HandledOnSpot => Row::OnSpot,
        Move::Dismiss | Move::HandToPolice | Move::GrantExtension => Row::Decide,
        Move::Escalate => Row::Escalate,
        Move::AssignFinally => Row::AssignFinally,
        Move::Urge | Move::Supervise => Row::Urge,
        Move::Reopen => Row::Reopen,
        Move::DangerRemains => Row::Danger,
        Move::Comment => Row::Comment,
        Move::Seen => Row::Seen,
        Move::Step => Row::FieldWork,
    }
}
