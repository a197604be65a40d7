//! Rows that a job has named before it asks for them: every backend answers as if it had not named them.

use super::*;

/// The answers at one moment: those about foreseen rows, and those that no job can foresee.
type Sight = (String, Option<String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Unforeseen,
    Foreseen,
    /// Between its writes the job asks for foreseen rows alone.
    Alone,
}

const ONE: RecordId = RecordId([1; 16]);
const TWO: RecordId = RecordId([2; 16]);
const NAME: &[u8] = b"a";

fn ahead() -> Ahead {
    Ahead {
        notes: vec!["policy"],
        certificates: vec![CERTIFICATE],
        records: vec![ONE, TWO],
        envelopes: vec![raw(1).hash().envelope_id(), raw(2).hash().envelope_id()],
        streams: vec![STREAM, OTHER],
        entries: vec![(STREAM, NAME.to_vec())],
    }
}

fn see(tx: &dyn Writer, way: Way, is_last: bool) -> StoreResult<Sight> {
    let ids = ahead().envelopes;
    let foreseen = (
        (tx.meta("policy")?, tx.record(ONE)?, tx.record(TWO)?),
        (tx.record_streams(ONE)?, tx.record_streams(TWO)?),
        (tx.verdict(ids[0])?, tx.verdict(ids[1])?),
        (tx.head(STREAM)?, tx.head(OTHER)?),
        tx.current_of(STREAM, NAME)?,
    );
    let direct = (way != Way::Alone || is_last).then(|| {
        let held = [STREAM, OTHER].map(|stream| tx.holding(stream, ONE));
        let (held, page) = (
            held.into_iter().collect::<StoreResult<Vec<_>>>()?,
            tx.feed(STREAM, 0, 9)?,
        );
        let needed = tx.stream_certificates(STREAM, 0, 99)?;
        Ok::<_, StoreError>(format!(
            "{held:?} {page:?} {needed:?} {:?}",
            tx.envelopes(ONE)?
        ))
    });
    Ok((format!("{foreseen:?}"), direct.transpose()?))
}

/// Writes of every kind that touches a foreseen row, each followed by a look.
fn story(tx: &mut dyn Writer, way: Way) -> StoreResult<Vec<Sight>> {
    let mut seen = Vec::new();
    let mut step = |tx: &mut dyn Writer, write: &dyn Fn(&mut dyn Writer) -> StoreResult<()>| {
        write(tx)?;
        seen.push(see(tx, way, false)?);
        Ok::<_, StoreError>(())
    };
    let foresee = |tx: &mut dyn Writer| match way {
        Way::Unforeseen => Ok(()),
        Way::Foreseen | Way::Alone => tx.foresee(&ahead()),
    };
    let held = Verdict {
        status: Status::Held(HeldReason::Newer),
        ..accepted(9)
    };
    let id = ahead().envelopes[0];
    step(tx, &foresee)?;
    step(tx, &|tx| tx.set_meta("policy", b"next"))?;
    step(tx, &|tx| put(tx, 1, ONE, accepted(1)).map(drop))?;
    // The first of two stays.
    step(tx, &|tx| put(tx, 1, ONE, held).map(drop))?;
    step(tx, &|tx| tx.put_record(&record(1, true, 10)))?;
    step(tx, &|tx| tx.append(STREAM, &[entry(id)]).map(drop))?;
    step(tx, &|tx| tx.hold(STREAM, ONE))?;
    step(tx, &|tx| tx.need_certificate(STREAM, CERTIFICATE, 1))?;
    // Its creation stays, and the stream that holds it notes that it has closed.
    step(tx, &|tx| tx.put_record(&record(1, false, 77)))?;
    step(tx, &|tx| {
        tx.append(OTHER, &[entry(id), entry(id)]).map(drop)
    })?;
    step(tx, &|tx| tx.hold(OTHER, ONE))?;
    step(tx, &|tx| {
        let digest = Digest::from_bytes([5; 16]);
        tx.put_record(&RecordRow {
            digest,
            ..record(1, false, 10)
        })
    })?;
    step(tx, &|tx| tx.set_current(STREAM, NAME, 1, Some(b"old")))?;
    step(tx, &|tx| tx.set_current(STREAM, NAME, 5, Some(b"new")))?;
    step(tx, &|tx| tx.set_verdict(id, held))?;
    step(tx, &|tx| tx.release(STREAM, ONE))?;
    step(tx, &|tx| put(tx, 2, TWO, held).map(drop))?;
    step(tx, &|tx| tx.put_record(&record(2, true, 20)))?;
    step(tx, &foresee)?;
    step(tx, &|tx| tx.set_current(STREAM, NAME, 6, None))?;
    seen.push(see(tx, way, true)?);
    Ok(seen)
}

pub(crate) fn foreseen_rows_follow_the_writes_of_the_job(backend: &dyn Backend) {
    let store = backend.open();
    begin(&store);
    let play = |way, keeps: bool| {
        let (told, seen) = std::sync::mpsc::channel();
        let done = store.write::<_, StoreError>(move |tx| {
            told.send(story(tx, way)).unwrap();
            if keeps {
                Ok(())
            } else {
                Err(StoreError::Stopped)
            }
        });
        assert_eq!(done.is_ok(), keeps);
        // The last run counts.
        seen.try_iter().last().unwrap().unwrap()
    };
    let plain = play(Way::Unforeseen, false);
    for (way, keeps) in [
        (Way::Foreseen, false),
        (Way::Alone, false),
        (Way::Alone, true),
    ] {
        let seen = play(way, keeps);
        assert_eq!(seen.len(), plain.len());
        for (number, (seen, plain)) in seen.iter().zip(&plain).enumerate() {
            assert_eq!(seen.0, plain.0, "{way:?}, step {number}");
            if let Some(direct) = &seen.1 {
                assert_eq!(Some(direct), plain.1.as_ref(), "{way:?}, step {number}");
            }
        }
    }
}
