//! The verbs of photos and recordings.

use onegrid_ffi::Answer;
use onegrid_ffi::phone::Phone;
use onegrid_ffi::types as t;
use serde_json::Value;

use super::arguments::Arguments;
use super::shown::{shown_attachment, synced};

/// Bytes of a read of a photo: few, so the scenarios need several reads.
const PIECE_BYTES: u32 = 500;

/// Makes a call about photos and recordings; `None` for another verb.
pub(super) fn attachment_verb(
    phone: &Phone,
    verb: &str,
    with: &Arguments<'_>,
) -> Option<Answer<Value>> {
    let (record, id) = (|| with.text("record"), || with.text("id"));
    let none = |(): ()| Value::Null;
    Some(match verb {
        "add_attachment" => {
            let bytes = std::fs::read(with.text("file")).expect("a photo of the scenarios");
            phone.add_attachment(bytes).map(|added| added.id.into())
        }
        "staged_attachments" => phone
            .staged_attachments()
            .map(|all| all.into_iter().map(|one| one.id).collect()),
        "remove_staged" => phone.remove_staged(id()).map(none),
        "attach" => phone.attach(record(), id()).map(none),
        "attachment" => phone
            .attachment(with.maybe("record"), id())
            .map(|one| shown_attachment(&one)),
        "attachments" => phone
            .attachments(record())
            .map(|all| all.into_iter().map(|one| one.id).collect()),
        "thumbnail" => phone
            .thumbnail(with.maybe("record"), id())
            .map(|bytes| bytes.map(|bytes| bytes.len()).into()),
        "read_attachment" => {
            read_attachment(phone, with.maybe("record").as_ref(), &id()).map(Value::from)
        }
        "want_attachment" => phone.want_attachment(record(), id()).map(none),
        "refused_attachments" => phone
            .refused_attachments()
            .map(|all| all.into_iter().map(|one| one.id).collect()),
        "send_again" => phone.send_again(record(), id()).map(none),
        "remove_void_attachment" => phone.remove_void_attachment(record(), id()).map(none),
        "set_files_policy" => {
            let policy = match with.text("policy").as_str() {
                "every_sync" => t::FilesPolicy::EverySync,
                "on_request" => t::FilesPolicy::OnRequest,
                other => panic!("policy is every_sync or on_request, not {other}"),
            };
            phone.set_files_policy(policy).map(none)
        }
        "set_low_storage" => {
            let low = with.flag("low").expect("true or false");
            phone.set_low_storage(low).map(none)
        }
        "free_space" => {
            let bytes = with.number("bytes").expect("bytes");
            let bytes = u64::try_from(bytes).expect("not below 0");
            phone.free_space(bytes).map(Value::from)
        }
        "sync_files" => phone
            .sync_files(t::SyncBudget::default())
            .map(|report| synced(&report)),
        _ => return None,
    })
}

/// Reads a file in small pieces; its bytes in hexadecimal digits.
fn read_attachment(phone: &Phone, record: Option<&String>, id: &str) -> Answer<String> {
    let mut hex = String::new();
    let mut offset = 0;
    loop {
        let piece = phone.read_attachment(record.cloned(), id.to_owned(), offset, PIECE_BYTES)?;
        if piece.is_empty() {
            return Ok(hex);
        }
        offset += piece.len() as u64;
        hex.extend(piece.iter().map(|byte| format!("{byte:02x}")));
    }
}
