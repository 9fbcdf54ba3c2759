//! The repository, from a source to a store and back: what is written, what is published, what is noticed.

mod conformance;
mod damage;
mod documents;
mod publication;
mod round_trip;
mod support;
