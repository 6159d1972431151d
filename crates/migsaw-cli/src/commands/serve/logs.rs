//! Where the log goes, and the traces.

use anyhow::Result;
use migsaw_extender::service::Follow;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

#[cfg(feature = "otel")]
use super::traces;
use crate::args::{LogFormat, ServeArgs};
use crate::failure::{Failure, Problem};

/// What writes logs, and sends traces where that is wanted, for as long as it is there.
pub(super) struct Logs {
    /// What makes a request part of its caller's trace, where traces are sent.
    pub(super) follow: Option<Follow>,
    #[cfg(feature = "otel")]
    _sending: Option<traces::Sending>,
}

impl Logs {
    /// Begins to log to standard error.
    pub(super) fn start(args: &ServeArgs) -> Result<Logs> {
        let filter = EnvFilter::try_new(&args.log).map_err(|error| {
            Failure::from(
                Problem::new(crate::USAGE, format!("--log {}: {error}", args.log))
                    .help("like `info` or `info,migsaw_extender=debug`"),
            )
        })?;
        let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let text = match args.log_format {
            LogFormat::Text => text.with_ansi(false).boxed(),
            LogFormat::Json => text.json().flatten_event(true).boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(text.with_filter(filter));
        #[cfg(feature = "otel")]
        let (subscriber, sending) = {
            let (layer, sending) = traces::start()?.unzip();
            (subscriber.with(layer), sending)
        };
        // Where there is one already, as in tests, it stays.
        let _ = subscriber.try_init();
        Ok(Logs {
            #[cfg(feature = "otel")]
            follow: sending.is_some().then_some(traces::follow),
            #[cfg(not(feature = "otel"))]
            follow: None,
            #[cfg(feature = "otel")]
            _sending: sending,
        })
    }
}
