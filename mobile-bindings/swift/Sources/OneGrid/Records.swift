import Foundation
import OneGridFFI

// Data that crosses the border, under the names that an app uses. Ids are opaque text. Times are
// milliseconds since 1970 UTC. Coordinates are degrees WGS-84, except beside a `Datum`.

/// A member's account on this device: its slot, its name, and whether a PIN opens it.
public typealias Account = OneGridFFI.Account
/// A question with its new answer, for ``Phone/answer(_:_:)``; without a value it is cleared.
public typealias AnswerChange = OneGridFFI.AnswerChange
/// An area of the directory: district, town, village or grid.
public typealias Area = OneGridFFI.Area
/// A page of areas, with the token of the next page.
public typealias AreaPage = OneGridFFI.AreaPage
/// Filters lists by open assignments: to the member, or to the member's units.
public typealias AssignedTo = OneGridFFI.AssignedTo
/// A responsible unit or person, with deadlines and progress.
public typealias Assignment = OneGridFFI.Assignment
/// A photo or recording, without its bytes.
public typealias AttachmentInfo = OneGridFFI.AttachmentInfo
/// How far a photo or recording has got: staged, waiting, delivered, absent, wanted, or arriving.
public typealias AttachmentState = OneGridFFI.AttachmentState
/// A file for the phone that asked for it.
public typealias BundleFile = OneGridFFI.BundleFile
/// A pipe of bytes to another phone, such as a Bluetooth channel. It throws ``PipeError``.
public typealias BytePipe = OneGridFFI.BytePipe
/// A category of cases, such as gas.
public typealias Category = OneGridFFI.Category
/// A comment on a record.
public typealias Comment = OneGridFFI.Comment
/// A conflict that people have to settle.
public typealias ConflictCard = OneGridFFI.ConflictCard
/// One of the values of a field in conflict.
public typealias ConflictVersion = OneGridFFI.ConflictVersion
/// A field of a record's content, with its value in words.
public typealias ContentField = OneGridFFI.ContentField
/// The reference system of coordinates: WGS-84, GCJ-02 or BD-09.
public typealias Datum = OneGridFFI.Datum
/// A unit or team that can be dispatched. (Foundation has another `Unit`.)
public typealias DispatchUnit = OneGridFFI.Unit
/// The conditions of a list of due dates; every condition that is set must hold.
public typealias DueQuery = OneGridFFI.DueQuery
/// A field with its new value, for ``Phone/edit(_:changes:)``.
public typealias FieldChange = OneGridFFI.FieldChange
/// A field with its first value, for ``ReportDraft``.
public typealias FieldInput = OneGridFFI.FieldInput
/// The value of a field: text, number, flag or position.
public typealias FieldValue = OneGridFFI.FieldValue
/// Whether syncs transfer photos and recordings: every sync, or on request.
public typealias FilesPolicy = OneGridFFI.FilesPolicy
/// A finding, from which a new record is made.
public typealias FindingDraft = OneGridFFI.FindingDraft
/// The checklists of one person in a period.
public typealias FormCounts = OneGridFFI.FormCounts
/// The page of a checklist: items with answers and problems, progress, links.
public typealias FormDetail = OneGridFFI.FormDetail
/// A checklist that a person is about to plan.
public typealias FormDraft = OneGridFFI.FormDraft
/// An item of a checklist with its answer and problem; inside a repeat, of one row.
public typealias FormItem = OneGridFFI.FormItem
/// A page of checklists, with the token of the next page.
public typealias FormPage = OneGridFFI.FormPage
/// A checklist as lists show it.
public typealias FormRow = OneGridFFI.FormRow
/// The progress of a checklist: planned, begun, done, in vain, or called off.
public typealias FormStanding = OneGridFFI.FormStanding
/// A template of checklists, in the newest version that this app reads.
public typealias FormTemplate = OneGridFFI.FormTemplate
/// A position with its accuracy in metres and its age in milliseconds.
public typealias GeoPosition = OneGridFFI.GeoPosition
/// A Wi-Fi network that a phone opens for a meeting.
public typealias Hotspot = OneGridFFI.Hotspot
/// The content of an invitation before it is redeemed.
public typealias InvitationInfo = OneGridFFI.InvitationInfo
/// A safe place for small secrets: `KeychainVault`, ``FileVault``, or an app's own. It throws
/// ``VaultError``.
///
/// Its calls come from a thread of OneGrid, have ten seconds each, and must not call OneGrid.
public typealias KeyVault = OneGridFFI.KeyVault
/// Chinese or English.
public typealias Language = OneGridFFI.Language
/// The direction of a link: from the record that was asked about, or towards it.
public typealias LinkDirection = OneGridFFI.LinkDirection
/// The kind of a link: made for, about, or merged into.
public typealias LinkKind = OneGridFFI.LinkKind
/// A record that belongs to another one, with its stage.
public typealias LinkedRecord = OneGridFFI.LinkedRecord
/// The answer of ``Phone/locate(_:)``: a grid, or candidates to choose from.
public typealias Located = OneGridFFI.Located
/// The verbosity of the log.
public typealias LogLevel = OneGridFFI.LogLevel
/// A line of the log: codes and counts, without content, names or positions.
public typealias LogLine = OneGridFFI.LogLine
/// The records inside a window of the map, and whether the list was cut.
public typealias MapPage = OneGridFFI.MapPage
/// A record on the map.
public typealias MapPoint = OneGridFFI.MapPoint
/// A window of the map, degrees WGS-84, edges included.
public typealias MapWindow = OneGridFFI.MapWindow
/// The member and device of this phone, with the roles that the member holds.
public typealias Me = OneGridFFI.Me
/// The part of the code of a meeting that an app needs before it calls.
public typealias MeetingCodeInfo = OneGridFFI.MeetingCodeInfo
/// How far the meeting under way has come.
public typealias MeetingProgress = OneGridFFI.MeetingProgress
/// The result of a meeting, or of an imported file.
public typealias MeetingReport = OneGridFFI.MeetingReport
/// The announcement of a listening phone for Bonjour.
public typealias MeetingService = OneGridFFI.MeetingService
/// The end of a pipe that a phone is.
public typealias MeetingSide = OneGridFFI.MeetingSide
/// A move with its inputs, for ``Phone/act(on:_:)``.
public typealias MoveInput = OneGridFFI.MoveInput
/// A move on a record, whether it is allowed now, and why not.
public typealias MoveOption = OneGridFFI.MoveOption
/// A circle around a place; the radius is 1 to 100,000 m.
public typealias Near = OneGridFFI.Near
/// An input that a move takes.
public typealias Need = OneGridFFI.Need
/// Whether a move needs an input: optional, required, or one of several.
public typealias NeedKind = OneGridFFI.NeedKind
/// News about the person's own words: they were turned down, held, or written again.
public typealias Notice = OneGridFFI.Notice
/// The order of a list: newest change, earliest deadline, or distance.
public typealias Order = OneGridFFI.Order
/// Sealed parcels of other phones that this phone carries to the server, and earlier ones.
public typealias ParcelCounts = OneGridFFI.ParcelCounts
/// A member, by public name.
public typealias Person = OneGridFFI.Person
/// A page of people, with the token of the next page.
public typealias PersonPage = OneGridFFI.PersonPage
/// A message for the lock screen, without content. (Foundation has another `Notification`.)
public typealias PhoneNotification = OneGridFFI.Notification
/// The errors of a ``BytePipe``.
public typealias PipeError = OneGridFFI.PipeError
/// A grid or village that a position may belong to.
public typealias PlaceChoice = OneGridFFI.PlaceChoice
/// A number of things, and what they cost.
public typealias PlannedAmount = OneGridFFI.PlannedAmount
/// The records that a plan made: the checklist, its subject, its private note.
public typealias PlannedForm = OneGridFFI.PlannedForm
/// A question to lists; every condition that is set must hold.
public typealias Query = OneGridFFI.Query
/// A step of a report's receipt: saved, delivered, seen, handled, or held.
public typealias ReceiptStep = OneGridFFI.ReceiptStep
/// The records that changed since the last event.
public typealias RecordChanges = OneGridFFI.RecordChanges
/// A record with content, assignments, conflicts and comments.
public typealias RecordDetail = OneGridFFI.RecordDetail
/// A page of records, with the token of the next page.
public typealias RecordPage = OneGridFFI.RecordPage
/// A record as lists show it.
public typealias RecordRow = OneGridFFI.RecordRow
/// A report as a person writes it.
public typealias ReportDraft = OneGridFFI.ReportDraft
/// A role that the member holds in an area or unit.
public typealias RoleGrant = OneGridFFI.RoleGrant
/// A checkpoint whose code was scanned.
public typealias ScannedCheckpoint = OneGridFFI.ScannedCheckpoint
/// A checkpoint of a section of patrols.
public typealias SectionCheckpoint = OneGridFFI.SectionCheckpoint
/// Passes that a section needs in a window of the day.
public typealias SectionTarget = OneGridFFI.SectionTarget
/// One line of the record of texts of a service.
public typealias ServiceText = OneGridFFI.ServiceText
/// Words of this phone that do not count (yet), with the reason.
public typealias SetAside = OneGridFFI.SetAside
/// The number of records in a stage.
public typealias StageCount = OneGridFFI.StageCount
/// An answer as stored, in a checklist whose template this app cannot read.
public typealias StoredAnswer = OneGridFFI.StoredAnswer
/// The limits of one sync.
public typealias SyncBudget = OneGridFFI.SyncBudget
/// The cost of the next sync, photos apart.
public typealias SyncPlan = OneGridFFI.SyncPlan
/// The result of one sync.
public typealias SyncReport = OneGridFFI.SyncReport
/// The state of the connection: idle, syncing, up to date, waiting, or suspended.
public typealias SyncState = OneGridFFI.SyncState
/// The state of the connection with reason, progress and next try.
public typealias SyncStatus = OneGridFFI.SyncStatus
/// The member's work between two times, and how much of it counts.
public typealias Tally = OneGridFFI.Tally
/// A question, note, section or repeat of a template, in words.
public typealias TemplateItem = OneGridFFI.TemplateItem
/// A step in the story of a record.
public typealias TimelineItem = OneGridFFI.TimelineItem
/// A page of a record's story, with the token of the next page.
public typealias TimelinePage = OneGridFFI.TimelinePage
/// The part of a batch of points that was written.
public typealias TrackAdded = OneGridFFI.TrackAdded
/// A piece of work that does not count, with the reason.
public typealias Uncounted = OneGridFFI.Uncounted
/// A page of units, with the token of the next page.
public typealias UnitPage = OneGridFFI.UnitPage
/// The errors of a ``KeyVault``.
public typealias VaultError = OneGridFFI.VaultError
/// The coverage of a section on a day.
public typealias WalkCoverage = OneGridFFI.WalkCoverage
/// The walk of a patrol: every phone with its way.
public typealias WalkDetail = OneGridFFI.WalkDetail
/// A phone of a walk.
public typealias Walker = OneGridFFI.Walker
/// A pass of a section.
public typealias WalkPass = OneGridFFI.WalkPass
/// A scan of a checkpoint.
public typealias WalkScan = OneGridFFI.WalkScan
/// A section of patrols with its checkpoints and targets.
public typealias WalkSection = OneGridFFI.WalkSection
/// A window with fewer passes than wanted.
public typealias WalkShortfall = OneGridFFI.WalkShortfall
/// The steps that opening a replica took, and the files that it set aside. No file is ever deleted.
public typealias WayBack = OneGridFFI.WayBack
/// The kind of step that opening a replica took.
public typealias WayBackKind = OneGridFFI.WayBackKind
/// A point of the way of a phone.
public typealias WayPoint = OneGridFFI.WayPoint
/// A stable code with its name in both languages.
public typealias Word = OneGridFFI.Word

extension Date {
    /// The date of a OneGrid time, ms since 1970 UTC.
    public init(oneGridMs ms: Int64) {
        self.init(timeIntervalSince1970: Double(ms) / 1_000)
    }

    /// This date as a OneGrid time, ms since 1970 UTC; dates out of range become the nearest that
    /// fits.
    public var oneGridMs: Int64 {
        Int64(exactly: (timeIntervalSince1970 * 1_000).rounded())
            ?? (timeIntervalSince1970 < 0 ? .min : .max)
    }
}
