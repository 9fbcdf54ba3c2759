//! The native half of the Python package: sessions, operations, the bytes that go in and out of them, and the program.
//!
//! Everything here is generic: a verb is a name, its options and its result are JSON, as the facade's `verbs::call` takes and gives
//! them. What a Python programmer sees is made of it by the package's Python half (`python/backproof`), whose types are generated
//! from `bindings/api.json`.
//!
//! One rule shapes all of it: **Python code runs in the thread, or the event loop, that asked for the work.** Iterators, progress
//! callbacks and log handlers are never called from a thread of ours, so that what belongs to a thread (a database connection, a
//! context variable) works. Our threads only leave things for the caller to pick up (exchange.rs), and ring.

mod error;
mod exchange;
mod facade;
mod logs;
mod operation;
mod program;
mod session;

#[pyo3::pymodule]
mod _backproof {
    #[pymodule_export]
    use super::operation::Operation;
    #[pymodule_export]
    use super::program::main;
    #[pymodule_export]
    use super::session::Session;
}
