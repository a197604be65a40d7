package org.onegrid

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.transform

/**
 * One member's phone: everything offline, merged with the server by [syncOnce] or [liveStart].
 *
 * Every function may be called from any thread (the main thread too), suspends while it works on threads of its
 * own, and fails with a [OneGridException] only. A function that writes returns once it is on disk. Reads never
 * wait for a sync. Times are milliseconds since 1970 UTC. Coordinates are degrees WGS-84, except beside a datum. Ids are
 * opaque texts. Kinds, stages, fields and moves have stable codes.
 *
 * Close it when the member signs out or the process ends.
 */
class Phone internal constructor(internal val raw: RawPhone) : AutoCloseable {
    private val listening = Listening()

    // ---- The member -------------------------------------------------------------------------------------------

    /**
     * Redeems an invitation and enrols this phone for the member. Cancelling the coroutine interrupts the call; after
     * that, and after an error, the same call may be made again.
     *
     * @param invitation the text of the QR code, or the typed code.
     * @param server the server's address, needed with a typed code only.
     * @param deviceName the name that an administrator sees, such as “Pixel 6”.
     * @throws OneGridException.BadInput with `invitation.*`, `phone.server_needed`, `net.bad_address`.
     * @throws OneGridException.Denied with `phone.enrolled_already`.
     * @throws OneGridException.Network when the server is not reached or refuses.
     */
    suspend fun enrol(invitation: String, server: String? = null, deviceName: String): Me =
        network(raw::cancel) { raw.enrol(invitation, server, deviceName) }

    /** The member and device of this phone, and the roles that the member may act under. */
    suspend fun me(): Me = blocking { raw.me() }

    /**
     * Sets the one role for all further writing of the member; `null` means the role nearest to the record. The
     * setting holds until the phone is closed.
     *
     * @param role [RoleGrant.id].
     * @throws OneGridException.Denied with `may.role` for a role that the member does not hold.
     */
    suspend fun actAs(role: String?) = blocking { raw.actAs(role) }

    // ---- Writing ----------------------------------------------------------------------------------------------

    /**
     * The grid of a position, and the candidates if it is not sure.
     *
     * @throws OneGridException.BadInput with `position.*`.
     */
    suspend fun locate(position: GeoPosition): Located = blocking { raw.locate(position) }

    /**
     * Writes a report and gives its record. Once this returns, it survives power loss.
     *
     * @throws OneGridException.BadInput with `report.confirm_area` where the grid is not sure: ask [locate], let the
     *   person choose, and hand the choice in as [ReportDraft.area]; `report.no_place`, `content.*`, `position.*`.
     * @throws OneGridException.Denied with `may.*`, `replica.not_enrolled`.
     * @throws OneGridException.Storage with `replica.disk_full`.
     */
    suspend fun report(draft: ReportDraft): String = blocking { raw.report(draft) }

    /**
     * Changes fields of a record and gives the envelope. Concurrent changes of others are merged; if both
     * wrote one field, a conflict card shows it.
     *
     * @throws OneGridException.NotFound with `replica.no_record`.
     * @throws OneGridException.BadInput with `content.*`.
     * @throws OneGridException.Denied with `may.*`.
     */
    suspend fun edit(record: String, changes: List<FieldChange>): String =
        blocking { raw.edit(record, changes) }

    /**
     * Writes a comment on a record, mentions people by name, and gives the envelope. It changes no state.
     *
     * @param text 1 to 2,000 characters.
     * @param mentions members.
     * @param attachments at most 16 ids of photos and recordings that are staged or in the record.
     * @throws OneGridException.NotFound with `replica.no_record`, `media.unknown_id`.
     * @throws OneGridException.BadInput with `text.*`.
     */
    suspend fun comment(
        record: String,
        text: String,
        mentions: List<String> = emptyList(),
        attachments: List<String> = emptyList(),
    ): String = blocking { raw.comment(record, text, mentions, attachments) }

    /**
     * Notes that the person looks at a record. The first opening by a dispatcher or handler is signed, becomes the
     * step “seen” of the reporter's receipt, and gives `true`. Later ones give `false`.
     *
     * @throws OneGridException.NotFound with `replica.no_record`.
     */
    suspend fun opened(record: String): Boolean = blocking { raw.opened(record) }

    /**
     * Every move on a record: whether this member may make it now, and why not.
     *
     * @throws OneGridException.NotFound with `replica.no_record`.
     */
    suspend fun moves(record: String): List<MoveOption> = blocking { raw.moves(record) }

    /**
     * Makes a move and gives the envelope. The phone refuses it at once if the rules do not allow it in the state
     * that the phone knows; [moves] lists the allowed moves and their inputs.
     *
     * @throws OneGridException.BadInput with `input.unknown_move`, `input.missing`, `input.invalid`,
     *   `input.too_many`.
     * @throws OneGridException.Denied with `case.*`, `may.*`.
     * @throws OneGridException.NotFound with `replica.no_record`.
     */
    suspend fun act(record: String, move: MoveInput): String = blocking { raw.act(record, move) }

    /**
     * Settles a field that people wrote without knowing of each other: from now on it has this value, one of theirs
     * or a third. Gives the envelope, for [undoSettle].
     *
     * @throws OneGridException.NotFound with `replica.no_conflict` if the conflict was settled already.
     */
    suspend fun settle(record: String, field: String, value: FieldValue): String =
        blocking { raw.settle(record, field, value) }

    /**
     * Undoes a settling, as long as the field has not been written since.
     *
     * @param envelope the result of [settle].
     * @throws OneGridException.NotFound with `replica.nothing_to_undo`.
     */
    suspend fun undoSettle(record: String, envelope: String): String =
        blocking { raw.undoSettle(record, envelope) }

    // ---- Checklists -------------------------------------------------------------------------------------------

    /** The templates on this phone in the order of their ids, each in the newest version that this app reads. */
    suspend fun templates(): List<FormTemplate> = blocking { raw.templates() }

    /**
     * The items of a template in words, at most 500, in the order of the template.
     *
     * @param version without it, the newest version that this app reads.
     * @throws OneGridException.NotFound with `form.no_template` if the template is not on this phone.
     * @throws OneGridException.NewerApp with `form.newer_template`.
     */
    suspend fun templateItems(template: String, version: UInt? = null): List<TemplateItem> =
        blocking { raw.templateItems(template, version) }

    /**
     * Plans a checklist, such as a visit. If the template hides the place, its name goes into a restricted record.
     * The move `start` begins the checklist, and `finish` ends it; [moves] lists them all.
     *
     * @throws OneGridException.BadInput with `form.no_subject` without subject, title and linked record;
     *   `form.no_form` for a kind without a form; `report.confirm_area`, `report.no_place`, `position.*`,
     *   `content.*`.
     * @throws OneGridException.Denied with `form.not_for_role`, `form.subject_merged`, `may.*`.
     * @throws OneGridException.NotFound with `form.no_template`, `replica.no_record`.
     * @throws OneGridException.NewerApp with `form.newer_template`.
     */
    suspend fun planForm(draft: FormDraft): PlannedForm = blocking { raw.planForm(draft) }

    /**
     * The page of a checklist: every item with its answer and problem, the progress, and why the member may only
     * read it.
     *
     * @throws OneGridException.NotFound with `replica.no_record`.
     * @throws OneGridException.BadInput with `form.no_form` for a record without a form.
     */
    suspend fun form(record: String): FormDetail = blocking { raw.form(record) }

    /**
     * Sets and clears answers of a checklist, all of them or none, and gives the envelope. A value that is no answer
     * to its question is refused. A value beyond the range or the rule of its question is saved, and becomes a
     * problem on the page.
     *
     * @param changes 1 to 1,000 answers; a text has at most 4,000 characters.
     * @throws OneGridException.BadInput with `form.no_question`, `form.wrong_type`, `form.unknown_choice`,
     *   `form.answer_long`, `form.no_form`, `content.*`, `position.*`.
     * @throws OneGridException.Denied with `form.not_for_role`, `may.*`.
     * @throws OneGridException.NotFound with `form.no_template`, `replica.no_record`.
     * @throws OneGridException.NewerApp with `form.newer_template`.
     */
    suspend fun answer(record: String, changes: List<AnswerChange>): String =
        blocking { raw.answer(record, changes) }

    /**
     * Adds a row to a repeat and gives the row. At most 100 rows count. Fails like [answer].
     *
     * @param repeatId the item of type `repeat`.
     */
    suspend fun addRow(record: String, repeatId: String): String = blocking { raw.addRow(record, repeatId) }

    /**
     * Removes a row of a repeat and gives the envelope. The answers of the row stay in the record and count no
     * longer. Fails like [answer].
     *
     * @param repeatId the item of type `repeat`.
     */
    suspend fun removeRow(record: String, repeatId: String, row: String): String =
        blocking { raw.removeRow(record, repeatId, row) }

    /**
     * Writes the member's private words about a checklist, or writes them anew, and gives the restricted record that
     * holds them. Only the member, the people in [named] and the command room read it.
     *
     * @param named at most 64 members; a later call keeps the people of the first one.
     * @throws OneGridException.BadInput with `form.no_form`, `content.*`.
     * @throws OneGridException.NotFound with `replica.no_record`.
     */
    suspend fun writeNote(record: String, text: String, named: List<String> = emptyList()): String =
        blocking { raw.writeNote(record, text, named) }

    /**
     * Reports a finding as a record that is linked to the checklist, and gives the new record. Place and address are
     * copied if the readers of the new record may know them. The last line of its description names the question and
     * its answer.
     *
     * @throws OneGridException.BadInput with `form.no_form`, `form.no_question`, `content.*`.
     * @throws OneGridException.NotFound with `replica.no_record`.
     */
    suspend fun reportFinding(record: String, draft: FindingDraft): String =
        blocking { raw.reportFinding(record, draft) }

    /** The records that are linked with a record, in both directions, at most 200 of each kind of link. */
    suspend fun linked(record: String): List<LinkedRecord> = blocking { raw.linked(record) }

    /**
     * A page of what is due: each place and template once, with the open checklist that is planned first, or with the
     * last one that was done.
     *
     * @param page [FormPage.next] of the page before.
     * @param rows 1 to 200.
     * @throws OneGridException.BadInput with `list.bad_token`; `input.bad_value` for a radius of 0 or over 100 km.
     */
    suspend fun dueForms(query: DueQuery = DueQuery(), page: String? = null, rows: Int = ROWS): FormPage =
        blocking { raw.dueForms(query, page, rows.toUInt()) }

    /**
     * A page of the checklists that are planned in a period (ms UTC), in the order of their times.
     *
     * @param untilMs the end, which is outside the period.
     * @param member with it, those alone that this person planned.
     * @param page [FormPage.next] of the page before.
     * @param rows 1 to 200.
     */
    suspend fun plannedForms(
        fromMs: Long = Long.MIN_VALUE,
        untilMs: Long = Long.MAX_VALUE,
        member: String? = null,
        page: String? = null,
        rows: Int = ROWS,
    ): FormPage = blocking { raw.plannedForms(fromMs, untilMs, member, page, rows.toUInt()) }

    /**
     * A page of the checklists about one place or person, the newest first.
     *
     * @param record the record of the subject, or one of the checklists.
     * @param page [FormPage.next] of the page before.
     * @param rows 1 to 200.
     */
    suspend fun formsAbout(record: String, page: String? = null, rows: Int = ROWS): FormPage =
        blocking { raw.formsAbout(record, page, rows.toUInt()) }

    /** The numbers of checklists by person in a period (ms UTC); [untilMs] is outside the period. */
    suspend fun formCounts(fromMs: Long = Long.MIN_VALUE, untilMs: Long = Long.MAX_VALUE): List<FormCounts> =
        blocking { raw.formCounts(fromMs, untilMs) }

    // ---- Reading ----------------------------------------------------------------------------------------------

    /**
     * A page of records.
     *
     * @param page [RecordPage.next] of the page before.
     * @param rows 1 to 200.
     * @throws OneGridException.BadInput with `list.bad_token` for a page of another query; `input.invalid` for an
     *   unknown kind, stage or category, a radius over 100 km, or the order by distance without `near`.
     */
    suspend fun list(query: Query = Query(), page: String? = null, rows: Int = ROWS): RecordPage =
        blocking { raw.list(query, page, rows.toUInt()) }

    /**
     * All records of a query, read page by page as they are collected. Records that change meanwhile may come twice
     * or not at all, so show it together with [changes].
     */
    fun listAll(query: Query = Query(), rows: Int = ROWS): Flow<RecordRow> = flow {
        var page: String? = null
        do {
            val found = list(query, page, rows)
            found.rows.forEach { emit(it) }
            page = found.next
        } while (page != null)
    }

    /** The number of records that pass a query. */
    suspend fun count(query: Query = Query()): Long = blocking { raw.count(query).toLong() }

    /** The number of records that pass a query, by stage; stages without records are left out. */
    suspend fun countByStage(query: Query = Query()): List<StageCount> =
        blocking { raw.countByStage(query) }

    /**
     * Records with all the words of [text], the newest change first. Finds Chinese words of any length and English
     * words by their beginning.
     *
     * @param page [RecordPage.next] of the page before.
     * @param rows 1 to 200.
     */
    suspend fun search(text: String, page: String? = null, rows: Int = ROWS): RecordPage =
        blocking { raw.search(text, page, rows.toUInt()) }

    /**
     * The records inside a window of the map, at most 5,000; [MapPage.cut] says when there are more.
     *
     * @throws OneGridException.BadInput with `position.out_of_range`.
     */
    suspend fun map(window: MapWindow): MapPage = blocking { raw.map(window) }

    /**
     * Open work of this member and the member's units that is due within this time or overdue, the most urgent
     * first.
     *
     * @param withinMs milliseconds from now.
     * @param rows 1 to 200.
     */
    suspend fun due(withinMs: Long, rows: Int = ROWS): List<RecordRow> =
        blocking { raw.due(withinMs, rows.toUInt()) }

    /**
     * The page of a record.
     *
     * @throws OneGridException.NotFound with `replica.no_record` where it is not on this phone.
     */
    suspend fun record(record: String): RecordDetail = blocking { raw.record(record) }

    /**
     * A page of a record's story, in words, in the order that counts.
     *
     * @param page [TimelinePage.next] of the page before.
     * @param rows 1 to 200.
     * @throws OneGridException.NotFound with `replica.no_record`.
     */
    suspend fun timeline(record: String, page: String? = null, rows: Int = ROWS): TimelinePage =
        blocking { raw.timeline(record, page, rows.toUInt()) }

    /** “148 recorded, 148 counted”: the member's work between two times (ms UTC), and how much of it counts. */
    suspend fun tally(sinceMs: Long? = null, untilMs: Long? = null): Tally =
        blocking { raw.tally(sinceMs, untilMs) }

    /** The number of envelopes here that no server has judged: own ones, and those carried for others. */
    suspend fun undelivered(): Long = blocking { raw.undelivered().toLong() }

    // ---- The directory ----------------------------------------------------------------------------------------

    /**
     * The areas directly below [parent]; without one the districts.
     *
     * @param page [AreaPage.next] of the page before.
     * @param rows 1 to 200.
     */
    suspend fun areas(parent: String? = null, page: String? = null, rows: Int = ROWS): AreaPage =
        blocking { raw.areas(parent, page, rows.toUInt()) }

    /**
     * Units whose name holds the words of [search], of an area or below it where one is given.
     *
     * @param page [UnitPage.next] of the page before.
     * @param rows 1 to 200.
     */
    suspend fun units(
        search: String,
        area: String? = null,
        page: String? = null,
        rows: Int = ROWS,
    ): UnitPage = blocking { raw.units(search, area, page, rows.toUInt()) }

    /**
     * People of this phone's villages whose public name holds the words of [search].
     *
     * @param page [PersonPage.next] of the page before.
     * @param rows 1 to 200.
     */
    suspend fun people(search: String, page: String? = null, rows: Int = ROWS): PersonPage =
        blocking { raw.people(search, page, rows.toUInt()) }

    /** The categories of this deployment, at most 1,000. */
    suspend fun categories(): List<Category> = blocking { raw.categories() }

    // ---- Notices and events -----------------------------------------------------------------------------------

    /** The notices that the person has not seen, oldest first, at most 200. */
    suspend fun notices(): List<Notice> = blocking { raw.notices() }

    /** The person has seen the notices up to this [Notice.no]. */
    suspend fun noticesSeen(upTo: Long) = blocking { raw.noticesSeen(upTo) }

    /**
     * The notifications that were not taken, oldest first.
     *
     * @param after only those with a [Notification.no] above it.
     * @param rows 1 to 200.
     */
    suspend fun notifications(after: Long = 0, rows: Int = ROWS): List<Notification> =
        blocking { raw.notifications(after, rows.toUInt()) }

    /** The phone has shown the notifications up to this [Notification.no]; they are not given again. */
    suspend fun notificationsTaken(upTo: Long) = blocking { raw.notificationsTaken(upTo) }

    /**
     * The records that change, also when others change them. The first value says “all” and arrives once the flow
     * listens, so a collector that reads its lists anew at each value shows everything. Changes that arrive while the
     * collector works are merged, so a slow collector delays nothing. Completes when the phone is closed.
     */
    val changes: Flow<RecordChanges> = listening.to(EVERYTHING, ::merged) { put ->
        raw.subscribeChanges(
            object : ChangeListener {
                override fun changed(changes: RecordChanges) = listening { put(changes) }
            },
        )
    }

    /**
     * The state of the connection, now and after each change; a slow collector gets the newest only. Completes when
     * the phone is closed.
     */
    val statuses: Flow<SyncStatus> = listening.to(null, { _: SyncStatus, newer: SyncStatus -> newer }) { put ->
        raw.subscribeStatus(
            object : StatusListener {
                override fun status(status: SyncStatus) = listening { put(status) }
            },
        )
    }

    /**
     * The notifications, one at a time: first those that were not taken yet, then new ones. They hold no content, so
     * a lock screen may show them. Call [notificationsTaken] once they are shown. Completes when the phone is closed.
     */
    val notificationsComing: Flow<Notification> = listening.to(null, List<Notification>::plus) { put ->
        raw.subscribeNotifications(
            object : NotificationListener {
                override fun notifications(notifications: List<Notification>) = listening { put(notifications) }
            },
        )
    }.transform { together -> together.forEach { emit(it) } }

    // ---- Sync -------------------------------------------------------------------------------------------------

    /**
     * Asks the server what the next sync would cost, so that the app can ask the person first. The call moves no
     * work. Minutes are known once a page has come: a new phone syncs with a small budget, shows the open cases, and
     * asks for the plan of the rest. Cancelling the coroutine interrupts the call within a second.
     *
     * @throws OneGridException.Network when the server is not reached or refuses; `session.certificate_expired`;
     *   `sync.unmeasured` from an older server.
     * @throws OneGridException.Denied with `replica.not_enrolled`.
     * @throws OneGridException.Busy with `replica.suspended`.
     */
    suspend fun plan(): SyncPlan = network(raw::cancel) { raw.plan() }

    /**
     * Exchanges with the server until both hold the same or the budget is used up, for work in the background.
     * Exchanged data are always kept. Photos and recordings follow the records, as [setFilesPolicy] allows; they
     * never make a sync fail. Cancelling the coroutine interrupts the call within a second.
     *
     * @throws OneGridException.Network when the server is not reached or refuses.
     * @throws OneGridException.Denied with `replica.not_enrolled`.
     * @throws OneGridException.Busy with `replica.suspended`.
     */
    suspend fun syncOnce(budget: SyncBudget = SyncBudget()): SyncReport =
        network(raw::cancel) { raw.syncOnce(budget) }

    /**
     * Starts live sync: the phone syncs after each write, when the server has something new, and every few minutes.
     * It continues after [resume].
     *
     * @throws OneGridException.Denied with `replica.not_enrolled`.
     */
    suspend fun liveStart() = blocking { raw.liveStart() }

    /** Stops live sync. */
    suspend fun liveStop() = blocking { raw.liveStop() }

    /**
     * Makes live sync ask the server now, because the network is back, the phone is charging, or a push arrived. A
     * push carries no content and means no more than this.
     */
    suspend fun nudge() = blocking { raw.nudge() }

    /**
     * Interrupts the calls that wait for the network or another phone ([enrol], [plan], [syncOnce], [syncFiles],
     * [meet], [meetAt], [meetOver], [acceptMeeting]) of every coroutine: they fail with `net.cancelled` or
     * `meeting.cancelled` within a second. Acknowledged and imported work is kept. Cancelling their own coroutine
     * has the same effect.
     */
    fun cancel() = guarded { raw.cancel() }

    /** The state of the connection, for the line at the top of the app. It answers at any time. */
    suspend fun status(): SyncStatus = blocking { raw.status() }

    // ---- Meetings ---------------------------------------------------------------------------------------------

    /**
     * Listens for other phones at an address of this phone, on a free port. Show its code, then call [acceptMeeting].
     *
     * @param address an address of this phone, such as that of its hotspot; `0.0.0.0` for all.
     * @throws OneGridException.BadInput with `meeting.bad_address`.
     * @throws OneGridException.Network with `meeting.cannot_listen`.
     */
    suspend fun listenForMeeting(address: String = "0.0.0.0"): MeetingListener =
        MeetingListener(blocking { raw.listenForMeeting(address) })

    /**
     * Waits for the next phone and exchanges work with it; calls of strangers are left. The exchanged work is
     * provisional until the server has judged it.
     *
     * @throws OneGridException.Network with `meeting.*`, `session.*`. Imported work is kept.
     * @throws OneGridException.Denied with `peer.revoked`, `peer.not_proved`, `peer.no_secret` before the first sync.
     */
    suspend fun acceptMeeting(listener: MeetingListener): MeetingReport =
        network(raw::cancel) { raw.acceptMeeting(listener.raw) }

    /**
     * Calls the phone whose code was scanned, and exchanges work with it. No other phone is met. Where
     * [OneGrid.checkMeetingCode] names a hotspot, join it first.
     *
     * @throws OneGridException.BadInput with `meeting.bad_code`.
     * @throws OneGridException.Network with `meeting.*`, `session.other_phone`.
     * @throws OneGridException.Denied with `peer.revoked`, `peer.not_proved`, `peer.no_secret` before the first sync.
     */
    suspend fun meet(code: String): MeetingReport = network(raw::cancel) { raw.meet(code) }

    /**
     * Calls a phone that the discovery of the host found. Any phone of the deployment may answer.
     *
     * @param addresses each with its port, such as `192.168.43.1:40123`.
     */
    suspend fun meetAt(addresses: List<String>): MeetingReport =
        network(raw::cancel) { raw.meetAt(addresses) }

    /**
     * Exchanges work with the phone at the other end of a pipe, such as a Bluetooth socket. The pipe is shut
     * afterwards. Its functions are called on a thread of OneGrid and may block.
     */
    suspend fun meetOver(pipe: BytePipe, side: MeetingSide): MeetingReport =
        network(raw::cancel) { raw.meetOver(GuardedPipe(pipe), side) }

    /** How far the meeting under way has come. It answers at any time. */
    suspend fun meetingProgress(): MeetingProgress = blocking { raw.meetingProgress() }

    /** The sealed parcels of other phones that this phone carries to the server, and the earlier ones by their end. */
    suspend fun parcelCounts(): ParcelCounts = blocking { raw.parcelCounts() }

    /**
     * Asks for a file of another phone, by the text of a QR code. It is valid for seven days.
     *
     * @throws OneGridException.BadInput with `bundle.too_long_for_code`: use [meetingRequestFile].
     */
    suspend fun meetingRequest(): String = blocking { raw.meetingRequest() }

    /** Asks for a file of another phone, by a file. The answer holds only the differences. */
    suspend fun meetingRequestFile(): ByteArray = blocking { raw.meetingRequestFile() }

    /**
     * Answers a request. The file is for that phone alone and holds only records that its member may read.
     *
     * @param request the bytes of a file, or the text of a QR code in UTF-8.
     * @throws OneGridException.BadInput with `bundle.*`.
     */
    suspend fun makeBundle(request: ByteArray): BundleFile = blocking { raw.makeBundle(request) }

    /**
     * Imports a file that answers a request of this phone. After any error the same file may be imported again.
     *
     * @throws OneGridException.BadInput with `bundle.*`, such as `bundle.no_request` and `bundle.imported_before`.
     */
    suspend fun importBundle(file: ByteArray): MeetingReport = blocking { raw.importBundle(file) }

    // ---- The app ----------------------------------------------------------------------------------------------

    /**
     * Suspends the phone, because the app goes to the background. A sync under way is interrupted, and acknowledged
     * work is kept. When the call returns, no transaction runs and no file is locked. Until [resume] every other call
     * except [status] fails with `replica.suspended`.
     */
    suspend fun suspend() = blocking { raw.suspend() }

    /**
     * Resumes the phone, because the app is back: it takes calls again, and live sync continues if it was on.
     *
     * @throws OneGridException.Busy with `replica.in_use` where another process opened it meanwhile; then it stays
     *   suspended.
     */
    suspend fun resume() = blocking { raw.resume() }

    /**
     * Facts that help to find an error, as JSON: versions, counts, codes and sizes. It holds no content, names,
     * positions or keys.
     */
    suspend fun supportBundle(): String = blocking { raw.supportBundle() }

    /**
     * Closes the phone for good and waits until it is; the account can be opened again at once. Flows complete. It
     * blocks, for less than a second, so call it off the main thread.
     */
    override fun close() {
        listening.end()
        try {
            guarded { raw.shut() }
        } catch (error: OneGridException.Busy) {
            // It is closed already.
            if (error.code != SHUT) throw error
        } finally {
            raw.close()
        }
    }

    private companion object {
        /** Rows of a page where the app does not say. */
        const val ROWS = 50

        val EVERYTHING = RecordChanges(records = emptyList(), all = true, directory = true, notices = true)
    }
}
