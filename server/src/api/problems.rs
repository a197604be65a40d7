//! Every failed answer becomes `application/problem+json` with a stable code, in the requested language.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use onegrid_core::texts::Lang;
use onegrid_core::wire::transfer::TUS_RESUMABLE;

use super::attachments::TUS_VERSIONS;
use super::shell::Shell;
use crate::error::Problem;

impl IntoResponse for Problem {
    /// Answers in the default language; `speak` finds the problem in the response and translates it.
    fn into_response(self) -> Response {
        let mut response = render(&self, Lang::default());
        response.extensions_mut().insert(self);
        response
    }
}

fn render(problem: &Problem, lang: Lang) -> Response {
    let class = problem.class();
    let status =
        StatusCode::from_u16(class.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(problem.body(lang).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(lang.tag()),
    );
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Translates problems into the caller's language, and gives codes to the web framework's own answers.
pub(super) async fn speak(State(shell): State<Shell>, request: Request, next: Next) -> Response {
    let lang = request
        .headers()
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| Lang::from_accept_language(value.to_str().ok()?))
        .unwrap_or_default();
    let mut response = next.run(request).await;
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match of_framework(&response, &shell) {
            Some(problem) => problem,
            None => return response,
        },
    };
    shell.metrics.refused(problem.code());
    shell.quiet.problem(&problem);
    let mut said = render(&problem, lang);
    for name in KEPT {
        if let Some(value) = response.headers_mut().remove(&name) {
            said.headers_mut().insert(name, value);
        }
    }
    said
}

/// Headers of a failed answer that stay when it is translated.
const KEPT: [HeaderName; 4] = [
    header::CONNECTION,
    header::ALLOW,
    HeaderName::from_static(TUS_RESUMABLE),
    HeaderName::from_static(TUS_VERSIONS),
];

/// Finds the code of an answer from the web framework: a failure without a body or with plain text.
/// Answers of our routes have another media type.
fn of_framework(response: &Response, shell: &Shell) -> Option<Problem> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let media_type = response.headers().get(header::CONTENT_TYPE);
    if media_type.is_some_and(|value| !value.as_bytes().starts_with(b"text/plain")) {
        return None;
    }
    Some(match status {
        StatusCode::UNAUTHORIZED => Problem::new("http.unauthorized"),
        StatusCode::FORBIDDEN => Problem::new("http.refused"),
        StatusCode::NOT_FOUND => Problem::new("http.not_found"),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new("http.method"),
        StatusCode::REQUEST_TIMEOUT => Problem::new("http.timeout"),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new("http.too_large").with("max", shell.limits.body_bytes_max)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new("http.media_type"),
        StatusCode::UNPROCESSABLE_ENTITY => Problem::new("http.unreadable"),
        StatusCode::SERVICE_UNAVAILABLE => Problem::new("http.busy"),
        _ if status.is_client_error() => Problem::new("http.bad_request"),
        _ => Problem::new("server.internal"),
    })
}
