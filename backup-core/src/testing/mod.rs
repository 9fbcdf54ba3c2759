//! Conformance suites for the traits: someone's own implementation can be tested as ours are.

pub mod cipher;
