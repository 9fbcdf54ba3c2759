//! The repository, from a source to a store and back: what is written, what is published, what is noticed.

mod choosing;
mod conformance;
mod contents;
mod damage;
mod documents;
mod names;
mod proofs;
mod publication;
mod retention;
mod round_trip;
mod stock_tools;
mod support;
mod trust;
mod verdicts;
