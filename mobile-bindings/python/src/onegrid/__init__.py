"""OneGrid on Python: hazards, tips, requests, visits and places offline, merged with the server.

```python
from onegrid import Device, FileVault, Position

device = Device("/var/lib/myapp/onegrid", FileVault("/var/lib/myapp/keys"))
with device.open_single() as phone:
    phone.enrol(invitation, device_name="office laptop")
    phone.sync_once()
    phone.report(
        "hazard",
        {"title": "Gas cylinders behind the noodle shop", "category": "gas"},
        position=Position(30.2796, 120.1634, accuracy_m=12),
    )
    phone.sync_once()
```

`Device` opens accounts, and each account is a `Phone`: one member's encrypted replica. Everything works without a
network, and `Phone.sync_once` or `Phone.live_start` exchanges it with the server. Methods block and are safe to
call from any thread; `onegrid.aio` awaits them. Errors are subclasses of `OneGridError` with a stable code and a
sentence in Chinese and English. Times are aware `datetime` values in UTC, with milliseconds.
"""

from __future__ import annotations

from onegrid import _ffi, aio
from onegrid._border import call as _call
from onegrid._ffi import (
    AssignedTo,
    AttachmentState,
    Datum,
    FilesPolicy,
    FormStanding,
    Language,
    LinkDirection,
    LinkKind,
    LogLevel,
    MeetingSide,
    NeedKind,
    Order,
    ReceiptStep,
    SyncState,
    WayBackKind,
)
from onegrid.accounts import Account, InvitationInfo, Me, RoleGrant, WayBack
from onegrid.attachments import AttachmentInfo
from onegrid.device import Device, check_invitation
from onegrid.directory import Area, Category, Located, PlaceChoice, Unit
from onegrid.errors import (
    BadInputError,
    BugError,
    BusyError,
    CancelledError,
    DeniedError,
    NetworkError,
    NewerAppError,
    NotFoundError,
    OneGridError,
    StorageError,
    VaultKeyError,
)
from onegrid.events import EventStream, Subscription
from onegrid.forms import (
    DueQuery,
    FormCounts,
    FormDetail,
    FormItem,
    FormRow,
    FormTemplate,
    LinkedRecord,
    PlannedForm,
    StoredAnswer,
    TemplateItem,
)
from onegrid.inputs import FieldValue, MapWindow, Near, Position, Query
from onegrid.log import log_to, stop_log
from onegrid.meetings import (
    BundleFile,
    BytePipe,
    Hotspot,
    MeetingCodeInfo,
    MeetingListener,
    MeetingProgress,
    MeetingReport,
    MeetingService,
    ParcelCounts,
    ServiceText,
    check_meeting_code,
)
from onegrid.moves import MoveOption, Need
from onegrid.notices import Notice, Notification, Tally, Uncounted
from onegrid.pages import Page
from onegrid.phone import Phone
from onegrid.records import (
    Assignment,
    Comment,
    ConflictCard,
    ConflictVersion,
    ContentField,
    MapPage,
    MapPoint,
    Person,
    RecordDetail,
    RecordRow,
    SetAside,
    StageCount,
    TimelineItem,
)
from onegrid.syncing import PlannedAmount, RecordChanges, SyncPlan, SyncReport, SyncStatus
from onegrid.vault import FileVault, KeyGoneError, KeyVault, VaultLockedError
from onegrid.walks import (
    ScannedCheckpoint,
    SectionCheckpoint,
    SectionTarget,
    TrackAdded,
    WalkCoverage,
    WalkDetail,
    Walker,
    WalkPass,
    WalkScan,
    WalkSection,
    WalkShortfall,
    WayPoint,
)
from onegrid.words import Word

__version__: str = _call(_ffi.version)


def sentence(code: str, language: Language) -> str:
    """Returns the sentence of a stable code; the code itself if it has none."""
    return _call(_ffi.sentence, code, language)


def error_codes() -> tuple[str, ...]:
    """Returns every code that has a sentence."""
    return tuple(_call(_ffi.error_codes))


__all__ = [
    "Account",
    "Area",
    "AssignedTo",
    "Assignment",
    "AttachmentInfo",
    "AttachmentState",
    "BadInputError",
    "BugError",
    "BundleFile",
    "BusyError",
    "BytePipe",
    "CancelledError",
    "Category",
    "Comment",
    "ConflictCard",
    "ConflictVersion",
    "ContentField",
    "Datum",
    "DeniedError",
    "Device",
    "DueQuery",
    "EventStream",
    "FieldValue",
    "FileVault",
    "FilesPolicy",
    "FormCounts",
    "FormDetail",
    "FormItem",
    "FormRow",
    "FormStanding",
    "FormTemplate",
    "Hotspot",
    "InvitationInfo",
    "KeyGoneError",
    "KeyVault",
    "Language",
    "LinkDirection",
    "LinkKind",
    "LinkedRecord",
    "Located",
    "LogLevel",
    "MapPage",
    "MapPoint",
    "MapWindow",
    "Me",
    "MeetingCodeInfo",
    "MeetingListener",
    "MeetingProgress",
    "MeetingReport",
    "MeetingService",
    "MeetingSide",
    "MoveOption",
    "Near",
    "Need",
    "NeedKind",
    "NetworkError",
    "NewerAppError",
    "NotFoundError",
    "Notice",
    "Notification",
    "OneGridError",
    "Order",
    "Page",
    "ParcelCounts",
    "Person",
    "Phone",
    "PlaceChoice",
    "PlannedAmount",
    "PlannedForm",
    "Position",
    "Query",
    "ReceiptStep",
    "RecordChanges",
    "RecordDetail",
    "RecordRow",
    "RoleGrant",
    "ScannedCheckpoint",
    "SectionCheckpoint",
    "SectionTarget",
    "ServiceText",
    "SetAside",
    "StageCount",
    "StorageError",
    "StoredAnswer",
    "Subscription",
    "SyncPlan",
    "SyncReport",
    "SyncState",
    "SyncStatus",
    "Tally",
    "TemplateItem",
    "TimelineItem",
    "TrackAdded",
    "Uncounted",
    "Unit",
    "VaultKeyError",
    "VaultLockedError",
    "WalkCoverage",
    "WalkDetail",
    "WalkPass",
    "WalkScan",
    "WalkSection",
    "WalkShortfall",
    "Walker",
    "WayBack",
    "WayBackKind",
    "WayPoint",
    "Word",
    "aio",
    "check_invitation",
    "check_meeting_code",
    "error_codes",
    "log_to",
    "sentence",
    "stop_log",
]
