//! Traces for a collector of OpenTelemetry, by OTLP over HTTP. The standard environment variables say where it is
//! (`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; without one nothing is sent), what is
//! sampled, and what this is called.

use std::time::Duration;

use anyhow::Result;
use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::failure::{Failure, Problem};

/// How long sending what is left may take at the end.
const LAST: Duration = Duration::from_secs(5);
const NAME: &str = "migsaw";

/// Sends traces until it is dropped, and what is left then.
pub(super) struct Sending(SdkTracerProvider);

impl Drop for Sending {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Begins to send, if the environment says where to.
pub(super) fn start<S>() -> Result<Option<(impl Layer<S>, Sending)>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if is_off || !["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].into_iter().any(is_set) {
        return Ok(None);
    }
    crate::cluster::install_tls();
    let exporter = SpanExporter::builder().with_http().build().map_err(|error| {
        Failure::from(
            Problem::new(crate::USAGE, format!("traces cannot be sent: {error}"))
                .help("OTEL_EXPORTER_OTLP_ENDPOINT is a URL like http://collector:4318"),
        )
    })?;
    let resource = Resource::builder();
    let resource = if is_set("OTEL_SERVICE_NAME") { resource } else { resource.with_service_name(NAME) };
    let provider = SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
    // Requests alone: what sends them makes spans of its own.
    let requests = Targets::new().with_target("migsaw_extender", LevelFilter::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(NAME)).with_filter(requests);
    Ok(Some((layer, Sending(provider))))
}

/// Makes a request part of the trace that its headers name (W3C Trace Context).
pub(super) fn follow(headers: &HeaderMap, span: &Span) {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // It fails only where nothing is sent.
    let _ = span.set_parent(parent);
    span.record("otel.kind", "server");
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
