//! Ctrl-C and SIGTERM: caught once, told to whatever is going on.

use backup_core::Result;
use backup_core::error::io_error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Which signal came, if any.
#[derive(Clone)]
pub(super) struct Signals {
    token: CancellationToken,
    status: Arc<AtomicU8>,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self> {
        let token = CancellationToken::new();
        let status = Arc::new(AtomicU8::new(0));
        // 128 plus the signal's number, as shells say it.
        for (kind, code) in [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)] {
            let mut stream = signal(kind).map_err(|error| io_error("listen for signals", error))?;
            let (token, status) = (token.clone(), status.clone());
            tokio::spawn(async move {
                stream.recv().await;
                let first = status.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_ok();
                token.cancel();
                // The first signal ends things in good order. Whoever sends another does not want to wait.
                if first {
                    stream.recv().await;
                }
                std::process::exit(i32::from(code));
            });
        }
        Ok(Signals { token, status })
    }

    /// Cancelled when a signal comes.
    pub(super) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Waits for a signal.
    pub(super) async fn wait(&self) {
        self.token.cancelled().await;
    }

    /// The exit status of the signal that came.
    pub(super) fn caught(&self) -> Option<u8> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }
}
