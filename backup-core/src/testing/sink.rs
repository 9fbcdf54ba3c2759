//! For [`Sink`](crate::sink::Sink)s: the conformance suite, a sink in memory, and a wrapper that injects faults.

mod conformance;
mod faulty;
mod memory;

pub use conformance::{SinkExpectations, sink_conformance, sink_conformance_with};
pub use faulty::{Fault, FaultySink, Operation};
pub use memory::MemorySink;
