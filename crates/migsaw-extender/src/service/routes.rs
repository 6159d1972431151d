//! The routes and what stands before them.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::error_handling::HandleErrorLayer;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use axum_server::tls::TlsInfo;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use super::answer::{Answers, Outcome, Reply, Verb};
use super::bind::Bind;
use super::health::Health;
use super::metrics::Metrics;
use super::names::bears_one_of;
use crate::extender::Tally;
use crate::wire::{BindArgs, BindResult};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes a request's span part of the trace that its headers name.
pub type Follow = fn(&HeaderMap, &tracing::Span);

/// What answers requests, and how.
pub struct App<A> {
    /// Who answers.
    pub answers: A,
    /// Who binds, where that is switched on.
    pub bind: Option<Arc<dyn Bind>>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// How it is.
    pub health: Arc<Health>,
    /// Names of which a client's certificate has to bear one; none lets all in that the CA lets in.
    pub client_names: Vec<String>,
    /// Where traces are sent: what connects a request to its caller's.
    pub follow: Option<Follow>,
    /// Whether `/debug` is there.
    pub debug: bool,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// The most requests in work.
    pub max_in_flight: usize,
    /// The longest a request may take, with its body.
    pub timeout: Duration,
}

/// The routes of the verbs.
pub fn verbs<A: Answers>(app: Arc<App<A>>) -> Router {
    // One for all of it.
    let places = GlobalConcurrencyLimitLayer::new(app.max_in_flight);
    let mut router = Router::new();
    for verb in Verb::ALL.into_iter().filter(|verb| *verb != Verb::Bind || app.bind.is_some()) {
        let answer = move |State(app): State<Arc<App<A>>>, body: Result<Bytes, BytesRejection>| async move {
            answered(&app, verb, body).await
        };
        router = router.route(&format!("/{}", verb.as_str()), limited(&app, Some(verb), places.clone(), post(answer)));
    }
    if app.debug {
        router = router
            .route("/debug/node/{name}", limited(&app, None, places.clone(), get(debug_node::<A>)))
            .route("/debug/pod/{namespace}/{name}", limited(&app, None, places, get(debug_pod::<A>)));
    }
    let follow = app.follow;
    // From the outside in.
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, Numbered::default()))
        .layer(TraceLayer::new_for_http().make_span_with(move |request: &Request| {
            let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
            let path = request.uri().path();
            let span = tracing::info_span!("request", trace_id = id, path, otel.kind = tracing::field::Empty);
            if let Some(follow) = follow {
                follow(request.headers(), &span);
            }
            span
        }))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(from_fn_with_state(Arc::clone(&app), let_in::<A>));
    router.with_state(app).layer(layers)
}

/// A route with what stands before it: what is too much is refused before its body is read, and counted where it is for a
/// verb.
fn limited<A: Answers>(
    app: &Arc<App<A>>,
    verb: Option<Verb>,
    places: GlobalConcurrencyLimitLayer,
    route: MethodRouter<Arc<App<A>>>,
) -> MethodRouter<Arc<App<A>>> {
    let note = move |app: &App<A>, outcome, took| {
        if let Some(verb) = verb {
            app.metrics.answered(verb, outcome, took, &Tally::default());
        }
    };
    let in_time = move |State(app): State<Arc<App<A>>>, request: Request, next: Next| async move {
        let _in_work = app.metrics.in_work();
        tokio::time::timeout(app.timeout, next.run(request)).await.unwrap_or_else(|_| {
            note(&app, Outcome::Timeout, app.timeout);
            (StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response()
        })
    };
    let noting = Arc::clone(app);
    let shed = move |_: BoxError| {
        note(&noting, Outcome::Shed, Duration::ZERO);
        std::future::ready((StatusCode::SERVICE_UNAVAILABLE, "too many requests in work, try again"))
    };
    let noting = Arc::clone(app);
    let panicked = move |_: Box<dyn Any + Send>| {
        note(&noting, Outcome::Panic, Duration::ZERO);
        (StatusCode::INTERNAL_SERVER_ERROR, "a defect of migsaw; its log has more").into_response()
    };
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(shed))
        .layer(LoadShedLayer::new())
        .layer(places)
        .layer(from_fn_with_state(Arc::clone(app), in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(app.max_body));
    route.layer(layers)
}

/// Answers a body.
async fn answered<A: Answers>(app: &App<A>, verb: Verb, body: Result<Bytes, BytesRejection>) -> Response {
    let begun = Instant::now();
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            app.metrics.answered(verb, Outcome::BadRequest, begun.elapsed(), &Tally::default());
            let status = rejection.status();
            let most = app.max_body;
            let sentence = match status {
                StatusCode::PAYLOAD_TOO_LARGE => format!("the body has more than {most} bytes"),
                _ => rejection.body_text(),
            };
            return (status, sentence).into_response();
        }
    };
    // An answer is reckoned without a pause. Those who have come meanwhile go first, so that they take a place or are
    // refused now; else they would wait unseen for all answers before theirs, however many there are.
    tokio::task::yield_now().await;
    let Reply { body, outcome, nodes } = match (verb, &app.bind) {
        (Verb::Bind, Some(bind)) => bound(bind.as_ref(), &body).await,
        _ => app.answers.answer(verb, &body),
    };
    app.metrics.answered(verb, outcome, begun.elapsed(), &nodes);
    tracing::debug!(verb = verb.as_str(), outcome = outcome.as_str(), offered = nodes.offered, kept = nodes.kept);
    if outcome == Outcome::BadRequest {
        return (StatusCode::BAD_REQUEST, body).into_response();
    }
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

async fn bound(bind: &dyn Bind, body: &[u8]) -> Reply {
    let args: BindArgs = match serde_json::from_slice(body) {
        Ok(args) => args,
        Err(error) => return Reply::bad(&format!("bind takes another body: {error}")),
    };
    let answer = match bind.bind(&args).await {
        Ok(()) => BindResult::default(),
        Err(error) => {
            let (pod, node) = (format!("{}/{}", args.namespace, args.name), &args.node);
            tracing::warn!(pod, node, %error, "a pod was not bound");
            BindResult { error: error.to_string() }
        }
    };
    let outcome = if answer.error.is_empty() { Outcome::Ok } else { Outcome::Error };
    let nodes = Tally { offered: 1, kept: usize::from(answer.error.is_empty()), reasons: Vec::new() };
    Reply::json(&answer, outcome, nodes).expect("an answer to bind is JSON")
}

/// Lets those in who may ask, and asks for a new connection before a stop.
async fn let_in<A: Answers>(State(app): State<Arc<App<A>>>, request: Request, next: Next) -> Response {
    if !app.client_names.is_empty() {
        let info = request.extensions().get::<Arc<TlsInfo>>();
        if !info.is_some_and(|info| bears_one_of(&app.client_names, info)) {
            if let Some(verb) = Verb::at(request.uri().path()) {
                app.metrics.answered(verb, Outcome::Forbidden, Duration::ZERO, &Tally::default());
            }
            let sentence = "the client's certificate bears none of the names that may ask";
            return (StatusCode::FORBIDDEN, sentence).into_response();
        }
    }
    let version = request.version();
    let mut response = next.run(request).await;
    if app.health.is_draining() && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn debug_node<A: Answers>(State(app): State<Arc<App<A>>>, Path(name): Path<String>) -> Response {
    let found = app.answers.extender().and_then(|extender| extender.explain_node(&name));
    found.map_or_else(
        || (StatusCode::NOT_FOUND, format!("no node {name} is known")).into_response(),
        |found| Json(found).into_response(),
    )
}

async fn debug_pod<A: Answers>(
    State(app): State<Arc<App<A>>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let found = app.answers.extender().and_then(|extender| extender.explain_pod(&namespace, &name));
    found.map_or_else(
        || (StatusCode::NOT_FOUND, format!("nothing was asked about pod {namespace}/{name} lately")).into_response(),
        |found| Json(found).into_response(),
    )
}

/// Numbers requests, from a beginning that tells processes apart.
#[derive(Debug, Clone)]
struct Numbered {
    from: u64,
    count: Arc<AtomicU64>,
}

impl Default for Numbered {
    fn default() -> Numbered {
        use std::hash::{BuildHasher, RandomState};
        Numbered { from: RandomState::new().hash_one(std::process::id()), count: Arc::default() }
    }
}

impl MakeRequestId for Numbered {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        HeaderValue::from_str(&format!("{:016x}{count:016x}", self.from)).ok().map(RequestId::new)
    }
}
