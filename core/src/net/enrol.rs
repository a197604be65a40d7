//! Enrolment over the network.

use super::error::NetError;
use super::http::{Http, NetConfig, Reply};
use crate::sync::paths::{AUTHORITY_PATH, ENROL_PATH, MEDIA_CBOR};
use crate::sync::star::problem_code;
use crate::trust::enrolment::{Enrolled, EnrolmentAnswer, EnrolmentRequest, pinned_root};
use crate::trust::invitation::{RootPin, Ticket};
use crate::trust::sign::{Authority, SecretKey};

/// Redeems an invitation. It may be called again after an error: the same device gets the same answer.
pub async fn enrol(
    config: &NetConfig,
    ticket: &Ticket,
    device: &SecretKey,
    device_name: &str,
) -> Result<Enrolled, NetError> {
    let http = Http::new(config)?;
    let shown = match ticket.pin {
        RootPin::Key(_) => None,
        RootPin::Authority(_) => Some(accepted(http.get(AUTHORITY_PATH).await?)?),
    };
    let root = pinned_root(ticket, shown.as_deref())?;
    let authority = Authority::of_root(&root);
    let request = EnrolmentRequest::write(ticket, &authority, device, device_name);
    let answer = accepted(
        http.post(ENROL_PATH, MEDIA_CBOR, &[], request, || {})
            .await?,
    )?;
    Ok(EnrolmentAnswer::check(&answer, ticket, &device.public())?)
}

fn accepted(reply: Reply) -> Result<Vec<u8>, NetError> {
    if reply.status == 200 {
        return Ok(reply.body);
    }
    let code = problem_code(&reply.body).unwrap_or("sync.refused");
    Err(NetError::Refused(code.to_owned()))
}
