//! Unread envelopes, the reading log, the amounts written by devices, and envelopes that only a
//! pack lists.

use super::*;

const DEVICE: DeviceId = DeviceId([9; 16]);
const COLLEAGUE: DeviceId = DeviceId([8; 16]);

fn held(at_ms: i64) -> Verdict {
    Verdict {
        status: Status::Held(HeldReason::Newer),
        ..accepted(at_ms)
    }
}

pub(crate) fn what_waits_unread_is_paged_and_counted_for_each_who_brought_it(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let row = |n: u32| UnreadRow {
        raw: raw(n),
        device: if n == 2 { COLLEAGUE } else { DEVICE },
        since_ms: i64::from(n),
        verdict: held(1),
    };
    let id = |n: u32| raw(n).hash().envelope_id();
    let seen = store
        .write::<_, StoreError>(move |tx| {
            for n in [1, 2, 3, 4] {
                assert!(tx.put_unread(&row(n))?);
            }
            assert!(!tx.put_unread(&row(1))?, "once");
            tx.set_unread_verdict(&raw(3), accepted(2))?;
            tx.drop_unread(&raw(4))?;
            let first = tx.unread_held(0, 1)?;
            let rest = tx.unread_held(first[0].0, 10)?;
            let seen: Vec<UnreadRow> = first.into_iter().chain(rest).map(|(_, row)| row).collect();
            Ok(seen)
        })
        .unwrap();
    assert_eq!(seen, [row(1), row(2)]);
    let missing = store.write(move |tx| tx.set_unread_verdict(&raw(4), held(3)));
    assert!(matches!(missing, Err(StoreError::Missing("envelope"))));
    store
        .read::<_, StoreError>(|tx| {
            let each = Amount {
                envelopes: 1,
                bytes: 24,
            };
            assert_eq!(tx.unread_of(DEVICE)?, each);
            assert_eq!(tx.unread_of(COLLEAGUE)?, each);
            assert_eq!(tx.unread(&raw(4))?, None);
            let decided = tx.unread(&raw(3))?.map(|row| row.verdict);
            assert_eq!(decided, Some(accepted(2)));
            assert_eq!(tx.verdict(id(3))?, Some((Some(raw(3).hash()), accepted(2))));
            Ok(())
        })
        .unwrap();
}

pub(crate) fn each_copy_waits_unread_for_itself(backend: &dyn Backend) {
    let store = backend.open();
    let row = |signature: u8, since_ms: i64| UnreadRow {
        raw: RawEnvelope {
            signature: [signature; 64],
            ..raw(1)
        },
        device: DEVICE,
        since_ms,
        verdict: held(since_ms),
    };
    let refused = Verdict {
        status: Status::Refused(RefusedReason::BadSignature),
        ..accepted(9)
    };
    store
        .write::<_, StoreError>(move |tx| {
            let (bad, good) = (row(1, 1), row(2, 2));
            let id = good.raw.hash().envelope_id();
            assert!(tx.put_unread(&bad)? && tx.put_unread(&good)?);
            tx.set_unread_verdict(&bad.raw, refused)?;
            assert_eq!(tx.unread(&good.raw)?, Some(good.clone()));
            let known = tx.verdict(id)?.map(|(_, verdict)| verdict);
            assert_eq!(known, Some(good.verdict), "one of them waits");
            tx.drop_unread(&good.raw)?;
            let known = tx.verdict(id)?.map(|(_, verdict)| verdict);
            assert_eq!(known, Some(refused));
            assert!(tx.put_unread(&row(1, 3))?, "it waits again");
            assert_eq!(tx.unread(&bad.raw)?, Some(row(1, 3)));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

pub(crate) fn the_reading_log_keeps_the_first_of_each_day_and_forgets_old_days(
    backend: &dyn Backend,
) {
    let store = backend.open();
    let line = |day: i64, record: u8, first_ms: i64| ReadingRow {
        key: ReadingKey {
            day,
            device: DEVICE,
            record: RecordId([record; 16]),
        },
        member: MemberId([5; 16]),
        stream: STREAM,
        first_ms,
    };
    let begin = ReadingKey {
        day: i64::MIN,
        device: DeviceId([0; 16]),
        record: RecordId([0; 16]),
    };
    store
        .write::<_, StoreError>(move |tx| {
            for reading in [
                line(2, 1, 20),
                line(1, 2, 11),
                line(1, 1, 10),
                line(1, 1, 99),
            ] {
                tx.put_reading(&reading)?;
            }
            let all = [line(1, 1, 10), line(1, 2, 11), line(2, 1, 20)];
            assert_eq!(tx.readings(begin, 10)?, all);
            assert_eq!(tx.readings(all[0].key, 1)?, all[1..2]);
            assert_eq!(tx.sweep_readings(2)?, 2);
            assert_eq!(tx.readings(begin, 10)?, all[2..]);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn what_a_device_wrote_adds_up_for_each_day(backend: &dyn Backend) {
    let store = backend.open();
    let amount = |envelopes, bytes| Amount { envelopes, bytes };
    store
        .write::<_, StoreError>(move |tx| {
            tx.add_written(1, DEVICE, amount(2, 100))?;
            tx.add_written(1, DEVICE, amount(3, 50))?;
            tx.add_written(2, DEVICE, amount(1, 1))?;
            assert_eq!(tx.written(1, DEVICE)?, amount(5, 150));
            assert_eq!(tx.written(2, DEVICE)?, amount(1, 1));
            assert_eq!(tx.written(1, COLLEAGUE)?, Amount::default());
            assert_eq!(tx.sweep_written(2)?, 1);
            assert_eq!(tx.written(1, DEVICE)?, Amount::default());
            assert_eq!(tx.written(2, DEVICE)?, amount(1, 1));
            Ok(())
        })
        .unwrap();
}

pub(crate) fn what_only_a_pack_told_of_gets_its_bytes_and_keeps_its_verdict(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let (id, of) = (raw(1).hash().envelope_id(), RecordId([1; 16]));
    let void = Verdict {
        status: Status::Void(onegrid_core::wire::verdict::VoidReason::Clone),
        ..accepted(4)
    };
    store
        .write::<_, StoreError>(move |tx| {
            let packed = PackedEnvelope {
                id,
                record: of,
                author: DEVICE,
                certificate: CERTIFICATE,
                verdict: void,
            };
            assert!(tx.put_packed(&packed)?);
            assert!(!tx.put_packed(&packed)?, "once");
            assert_eq!(tx.verdict(id)?, Some((None, void)));
            assert_eq!(tx.record_of(id)?, Some(of));
            assert_eq!(tx.envelope(id)?, None);
            put(tx, 1, of, accepted(9))?;
            put(tx, 1, of, accepted(10))?;
            let stored = tx.envelope(id)?.map(|stored| (stored.raw, stored.verdict));
            assert_eq!(stored, Some((raw(1), void)));
            let amount = tx.stored(of)?;
            assert_eq!((amount.envelopes, amount.bytes), (1, raw(1).len() as u64));
            assert_eq!(tx.stored_by_author(of)?, [(DEVICE, amount)]);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn versions_of_templates_are_kept_in_order(backend: &dyn Backend) {
    let store = backend.open();
    let row = |id: &str, version: u32, content: u8| TemplateRow {
        id: id.to_owned(),
        version,
        bytes: vec![content; 40],
        hash: Hash::of(&[&[content; 40]]),
        imported_ms: 7,
        imported_by: "admin".to_owned(),
    };
    store
        .write::<_, StoreError>(move |tx| {
            for version in [2, 10, 1] {
                tx.put_template(&row("b", version, 1))?;
            }
            tx.put_template(&row("a", 1, 2))?;
            tx.put_template(&row("b", 2, 9))
        })
        .unwrap();
    let id = |text: &str| text.parse::<TemplateId>().unwrap();
    store
        .read::<_, StoreError>(|tx| {
            assert_eq!(
                tx.template(&id("b"), 2)?,
                Some(row("b", 2, 1)),
                "the first one stays"
            );
            assert_eq!(tx.template(&id("b"), 3)?, None);
            assert_eq!(tx.newest_template(&id("b"))?, Some(row("b", 10, 1)));
            assert_eq!(tx.newest_template(&id("c"))?, None);
            let first = tx.templates(("", 0), 2)?;
            assert_eq!(first, [row("a", 1, 2), row("b", 1, 1)]);
            let rest = tx.templates(("b", 1), 10)?;
            assert_eq!(rest, [row("b", 2, 1), row("b", 10, 1)]);
            Ok(())
        })
        .unwrap();
}

fn key(record: u8, id: u8) -> AttachmentKey {
    AttachmentKey {
        record: RecordId([record; 16]),
        id: Hash([id; 32]),
    }
}

pub(crate) fn descriptions_follow_the_verdict_of_their_envelope(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    store
        .write::<_, StoreError>(|tx| {
            let of = key(1, 7);
            let mut described = Description {
                key: of,
                envelope: put(tx, 1, of.record, held(1))?,
                author: DEVICE,
                media: 1,
                bytes: 2_000,
                salt: [3; 16],
            };
            tx.put_description(&described)?;
            let status = held(1).status;
            assert_eq!(tx.descriptions(of)?, [(described, status)]);
            tx.set_verdict(described.envelope, accepted(2))?;
            assert_eq!(tx.descriptions(of)?, [(described, Status::Accepted)]);
            let first = described;
            described.bytes = 9;
            tx.put_description(&described)?;
            described.envelope = put(tx, 2, of.record, accepted(3))?;
            tx.put_description(&described)?;
            let both = [(first, Status::Accepted), (described, Status::Accepted)];
            assert_eq!(tx.descriptions(of)?, both);
            assert_eq!(tx.descriptions(key(2, 7))?, []);
            Ok(())
        })
        .unwrap();
}

fn described(
    tx: &mut dyn Writer,
    n: u32,
    of: AttachmentKey,
    verdict: Verdict,
) -> StoreResult<EnvelopeId> {
    let envelope = put(tx, n, of.record, verdict)?;
    tx.put_description(&Description {
        key: of,
        envelope,
        author: DEVICE,
        media: 1,
        bytes: 5,
        salt: [3; 16],
    })?;
    Ok(envelope)
}

pub(crate) fn files_of_a_record_have_accepted_descriptions(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    store
        .write::<_, StoreError>(|tx| {
            let file = |key: AttachmentKey| AttachmentFile {
                key,
                media: 1,
                bytes: 5,
                salt: [3; 16],
                stored_ms: 8,
            };
            let (whole, absent, waiting) = (key(1, 7), key(1, 8), key(1, 9));
            let first = described(tx, 1, whole, accepted(1))?;
            let second = described(tx, 2, whole, accepted(2))?;
            described(tx, 3, absent, accepted(3))?;
            let held = described(tx, 4, waiting, held(4))?;
            for key in [whole, waiting, key(2, 7)] {
                tx.put_attachment_file(&file(key))?;
            }
            let of = |key: AttachmentKey, envelope| RecordFile {
                id: key.id,
                bytes: 5,
                envelope,
            };
            let both = [of(whole, first), of(whole, second)];
            assert_eq!(tx.record_files(whole.record)?, both);
            tx.set_verdict(held, accepted(5))?;
            assert_eq!(tx.record_files(whole.record)?.len(), 3);
            assert_eq!(tx.record_files(RecordId([2; 16]))?, []);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn files_and_orphans_are_paged_by_their_keys(backend: &dyn Backend) {
    let store = backend.open();
    let file = |key: AttachmentKey| AttachmentFile {
        key,
        media: 2,
        bytes: 5,
        salt: [1; 16],
        stored_ms: 8,
    };
    store
        .write::<_, StoreError>(move |tx| {
            let keys = [key(1, 1), key(1, 9), key(2, 0)];
            for key in keys.iter().rev() {
                tx.put_attachment_file(&file(*key))?;
                tx.put_attachment_orphan(*key, 4)?;
                tx.put_attachment_orphan(*key, 5)?;
            }
            let later = AttachmentFile {
                stored_ms: 9,
                ..file(keys[0])
            };
            tx.put_attachment_file(&later)?;
            assert_eq!(tx.attachment_file(keys[0])?, Some(file(keys[0])));
            assert_eq!(tx.attachment_files(None, 2)?, keys.map(file)[..2]);
            assert_eq!(tx.attachment_files(Some(keys[1]), 2)?, [file(keys[2])]);
            assert_eq!(tx.attachment_orphans(None, 1)?, [(keys[0], 4)]);
            let rest = [(keys[1], 4), (keys[2], 4)];
            assert_eq!(tx.attachment_orphans(Some(keys[0]), 9)?, rest);
            tx.drop_attachment_file(keys[0])?;
            tx.drop_attachment_orphan(keys[0])?;
            assert_eq!(tx.attachment_file(keys[0])?, None);
            assert_eq!(tx.attachment_orphans(None, 9)?, rest);
            tx.forget_uploads()?;
            assert_eq!(tx.attachment_orphans(None, 9)?, []);
            assert_eq!(tx.attachment_files(None, 9)?.len(), 2);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn uploads_are_of_one_device_and_add_up_by_day(backend: &dyn Backend) {
    let store = backend.open();
    let upload = |device, id, touched_ms| UploadRow {
        device,
        key: key(1, id),
        bytes: 100,
        durable: 10,
        begun_ms: 1,
        touched_ms,
    };
    store
        .write::<_, StoreError>(move |tx| {
            tx.put_upload(&upload(DEVICE, 1, 30))?;
            tx.put_upload(&upload(DEVICE, 2, 20))?;
            tx.put_upload(&upload(COLLEAGUE, 1, 10))?;
            let own = [upload(DEVICE, 2, 20), upload(DEVICE, 1, 30)];
            assert_eq!(tx.uploads_of(DEVICE)?, own);
            let idle = [upload(COLLEAGUE, 1, 10), upload(DEVICE, 2, 20)];
            assert_eq!(tx.uploads_before(30, 9)?, idle);
            assert_eq!(tx.uploads_before(30, 1)?, idle[..1]);
            tx.drop_upload(DEVICE, key(1, 1))?;
            assert_eq!(tx.upload(DEVICE, key(1, 1))?, None);
            let other = tx.upload(COLLEAGUE, key(1, 1))?;
            assert_eq!(other, Some(upload(COLLEAGUE, 1, 10)));
            let more = |files, bytes| UploadAmount { files, bytes };
            tx.add_uploaded(3, DEVICE, more(1, 0))?;
            tx.add_uploaded(3, DEVICE, more(0, 70))?;
            tx.add_uploaded(4, DEVICE, more(1, 7))?;
            assert_eq!(tx.uploaded(3, DEVICE)?, more(1, 70));
            assert_eq!(tx.uploaded(3, COLLEAGUE)?, more(0, 0));
            assert_eq!(tx.sweep_uploaded(4)?, 1);
            assert_eq!(tx.uploaded(3, DEVICE)?, more(0, 0));
            assert_eq!(tx.uploaded(4, DEVICE)?, more(1, 7));
            Ok(())
        })
        .unwrap();
}
