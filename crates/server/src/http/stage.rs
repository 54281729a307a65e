//! What a member of a room is sent, as an HTTP resource like that of WHEP: `/rooms/{room}/stage?member=3`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Method;
use axum::response::Response;
use room::RoomId;

use super::problem::Problem;
use super::{sdp_body, target, webrtc};
use crate::access::Caller;
use crate::audience::Protocol;
use crate::context::Context;
use crate::rtc::{self, WHOLE_STAGE};
use crate::sessions::{Action, Opening};

/// Answers a request to the stage of a room.
pub(super) async fn serve(
    State(context): State<Arc<Context>>,
    Path(room): Path<String>,
    request: Request,
) -> Response {
    let answer = match *request.method() {
        Method::OPTIONS => Ok(webrtc::options()),
        Method::POST => begin(&context, &room, request).await,
        _ => Err(webrtc::wrong_method("an SDP offer is sent here with POST")),
    };
    webrtc::finished(answer)
}

/// Answers a request to a session of it.
pub(super) async fn serve_session(
    State(context): State<Arc<Context>>,
    Path((_, session)): Path<(String, String)>,
    request: Request,
) -> Response {
    let answer = match *request.method() {
        Method::OPTIONS => Ok(webrtc::options()),
        Method::DELETE => webrtc::end(&context, &session).await,
        Method::PATCH => webrtc::change(&context, &session, request).await,
        _ => Err(webrtc::wrong_method("a session is changed with PATCH and ended with DELETE")),
    };
    webrtc::finished(answer)
}

async fn begin(context: &Arc<Context>, room: &str, request: Request<Body>) -> Result<Response, Problem> {
    if context.draining.is_cancelled() {
        return Err(Problem::draining());
    }
    webrtc::check_type(request.headers(), webrtc::SDP)?;
    let (parts, body) = request.into_parts();
    let room =
        RoomId::new(room).ok_or_else(|| Problem::not_found("a room's name has letters, digits, - and _"))?;
    let query = parts.uri.query().unwrap_or_default();
    let member = target::member(query)?;
    let caller = Caller::of_http(&parts.extensions, &parts.headers);
    // Before the offer is read: who is not in the room makes us keep nothing.
    let attending = context.attend(&room, member, &caller)?;
    let offer = sdp_body::text(context, &parts.headers, body, WHOLE_STAGE).await?;
    let begin = async {
        let path = attending.path.clone();
        let ticket = context.access.sessions.open(Opening {
            action: Action::Play,
            path: path.clone(),
            protocol: Protocol::Whep,
            peer: caller.peer,
            agent: caller.agent.clone(),
        });
        rtc::attend(context, attending, &offer, ticket).map_err(|error| webrtc::refused(&path, error))
    };
    let place = format!("/rooms/{}/stage", room.as_str());
    webrtc::created_once(context, (&parts, &offer), &place, begin).await
}
