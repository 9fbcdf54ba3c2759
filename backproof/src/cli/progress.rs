//! Progress bars on a terminal; nothing elsewhere.

use super::output::{Output, printable, say};
use crate::config::units::show_size;
use backup_core::monitor::{Event, Monitor};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

/// The monitor that fits where the program runs, and the line on the terminal that has to make room for questions.
pub(super) fn monitor(output: &Output) -> (Arc<dyn Monitor>, Option<ProgressBar>) {
    if output.shows_progress() {
        let bar = ProgressBar::new_spinner();
        let _ = bar.set_style_of("{spinner} {msg}");
        let (plain, stored) = Default::default();
        (Arc::new(Bar { bar: bar.clone(), moves: Once::new(), plain, stored }), Some(bar))
    } else {
        (Arc::new(Lines { quiet: output.quiet }), None)
    }
}

trait SetStyle {
    fn set_style_of(&self, template: &str) -> Result<(), indicatif::style::TemplateError>;
}

impl SetStyle for ProgressBar {
    fn set_style_of(&self, template: &str) -> Result<(), indicatif::style::TemplateError> {
        self.set_style(ProgressStyle::with_template(template)?);
        Ok(())
    }
}

/// One line that moves.
#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    /// It is there from the first thing that is told: before, a question may stand there.
    moves: Once,
    plain: AtomicU64,
    stored: AtomicU64,
}

impl Monitor for Bar {
    fn event(&self, event: Event) {
        if !matches!(event, Event::Warning { .. }) {
            self.moves.call_once(|| self.bar.enable_steady_tick(Duration::from_millis(200)));
        }
        match event {
            Event::Step { doing } => self.bar.set_message(printable(&doing).into_owned()),
            Event::Started { backup } => self.bar.set_message(format!("backup {backup}")),
            Event::PartStarted { part, expected } => {
                self.plain.store(0, Ordering::Relaxed);
                self.stored.store(0, Ordering::Relaxed);
                self.bar.set_message(part.to_string());
                if let Some(expected) = expected.filter(|expected| *expected > 0) {
                    self.bar.set_length(expected);
                    let _ = self.bar.set_style_of("{spinner} {msg:30} [{bar:30}] {elapsed}");
                } else {
                    let _ = self.bar.set_style_of("{spinner} {msg} {elapsed}");
                }
            }
            Event::Progress { plain, stored } => {
                let plain = self.plain.fetch_add(plain, Ordering::Relaxed) + plain;
                let stored = self.stored.fetch_add(stored, Ordering::Relaxed) + stored;
                self.bar.set_position(plain);
                self.bar.set_message(format!("{} read, {} stored", show_size(plain), show_size(stored)));
            }
            Event::PartFinished { .. } => {
                let _ = self.bar.set_style_of("{spinner} {msg}");
            }
            Event::Warning { message } => self.bar.suspend(|| say(&format!("warning: {}", printable(&message)))),
            _ => {}
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Warnings alone, for logs.
#[derive(Debug)]
struct Lines {
    quiet: bool,
}

impl Monitor for Lines {
    fn event(&self, event: Event) {
        match event {
            Event::Warning { message } => say(&format!("warning: {}", printable(&message))),
            Event::Step { doing } if !self.quiet => tracing::info!(step = doing),
            _ => {}
        }
    }
}
