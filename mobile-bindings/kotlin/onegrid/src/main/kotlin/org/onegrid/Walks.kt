package org.onegrid

// Patrols of a phone: codes to join by, the own way, checkpoints, and the view of a walk.

/**
 * The text of a QR code that takes people into a patrol. Only the phone that opened the patrol shows one. Neither phone
 * needs a network.
 *
 * @param minutes 1 to 60.
 * @throws OneGridException.BadInput with `join.minutes`, `join.too_large`.
 * @throws OneGridException.Denied with `join.not_lead`, `join.closed`.
 * @throws OneGridException.NotFound with `replica.no_record`.
 */
suspend fun Phone.joinCode(record: String, minutes: UByte = 10u): String = blocking { raw.joinCode(record, minutes) }

/**
 * Joins the patrol of a scanned code and gives its record. A code that is expired, used or of another district changes
 * nothing.
 *
 * @throws OneGridException.BadInput with `join.*`.
 * @throws OneGridException.Denied with `case.not_now` if this phone joined before, `may.not_readable`, `join.revoked`.
 */
suspend fun Phone.joinByCode(code: String): String = blocking { raw.joinByCode(code) }

/**
 * Adds points to the way of this phone, by time. Points that are no part of the walk are left out and counted.
 *
 * @throws OneGridException.BadInput with `track.outside` if all points are from another time; `track.*`, `position.*`.
 * @throws OneGridException.Denied with `join.closed`, `may.*`.
 * @throws OneGridException.NotFound with `replica.no_record`.
 */
suspend fun Phone.addTrack(record: String, points: List<WayPoint>): TrackAdded =
    blocking { raw.addTrack(record, points) }

/**
 * Keeps a scan of a printed checkpoint with the position of the phone.
 *
 * @throws OneGridException.BadInput with `checkpoint.*` if the code was not printed for this district, and then nothing
 *   is written; `position.*`.
 * @throws OneGridException.Denied with `join.closed`, `may.*`.
 * @throws OneGridException.NotFound with `replica.no_record`.
 */
suspend fun Phone.scanCheckpoint(record: String, code: String, position: GeoPosition? = null): ScannedCheckpoint =
    blocking { raw.scanCheckpoint(record, code, position) }

/**
 * Notes that the person leaves the patrol before its end, and gives the envelope.
 *
 * @throws OneGridException.Denied with `join.closed`, `may.*`.
 * @throws OneGridException.NotFound with `replica.no_record`.
 */
suspend fun Phone.leaveWalk(record: String): String = blocking { raw.leaveWalk(record) }

/**
 * The walk of a patrol. The places of other phones are for the team, for the people who walk along, and for the heads of
 * the place; other people get times and lengths.
 *
 * @param section says which scans count.
 * @throws OneGridException.BadInput with `section.*`, `position.*`.
 * @throws OneGridException.Denied with `join.closed` for a record of another kind.
 * @throws OneGridException.NotFound with `replica.no_record`.
 */
suspend fun Phone.walk(record: String, section: WalkSection? = null): WalkDetail = blocking { raw.walk(record, section) }

/**
 * The coverage of a section on a day in China by these patrols. Records that are not on this phone are left out.
 *
 * @param day such as `2026-10-01`.
 * @throws OneGridException.BadInput with `input.bad_value` for a text that is no day; `section.*`, `position.*`.
 */
suspend fun Phone.coverage(section: WalkSection, records: List<String>, day: String): WalkCoverage =
    blocking { raw.coverage(section, records, day) }
