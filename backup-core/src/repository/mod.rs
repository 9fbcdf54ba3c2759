//! Repository format 1: what lies where, and how it is read and written. docs/format.md describes every byte.

pub mod contents;
pub mod manifest;
