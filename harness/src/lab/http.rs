//! HTTP as metadata services speak it.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};

use kverify_checks::step::MetadataService;

use crate::cloud::{Instance, Question};

/// How long a connection may last.
const LIMIT: Duration = Duration::from_mins(2);
/// How much a question's head may be, in bytes.
const HEAD: usize = 64 * 1024;

/// What somebody answers who is no metadata service.
const STRANGER: &str = "<!DOCTYPE html><title>Welcome</title><p>Please accept our terms to go on.";

/// Answers what comes over a connection to the service at `to`, until the guest closes it.
pub(super) async fn serve(cloud: Arc<Instance>, how: MetadataService, to: Ipv4Addr, stream: UnixStream) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = match how {
            MetadataService::Wrong => Response::new(Full::new(Bytes::from_static(STRANGER.as_bytes()))),
            MetadataService::Well | MetadataService::Silent => answer(&cloud, to, &request),
        };
        async move { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new().max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
    // What ends early is the guest's affair.
    let _ = timeout(LIMIT, serving).await;
}

fn answer(cloud: &Instance, to: Ipv4Addr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    let question = Question {
        to,
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        header: &header,
    };
    let said = cloud.answer(&question);
    let response = Response::builder().status(said.status);
    let response = said.headers.iter().fold(response, |response, (name, value)| response.header(*name, value));
    // Names and values are ours.
    response.body(Full::new(Bytes::from(said.body))).unwrap_or_default()
}
