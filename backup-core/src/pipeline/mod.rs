//! The segment pipeline: from a stream of plaintext to sealed objects, and back.

pub mod read;
