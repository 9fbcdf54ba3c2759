//! The segment pipeline: from a stream of plaintext to sealed objects, and back.
//!
//! Writing ([`write`]): plaintext is cut into segments; workers hash, compress, decode again and compare, encrypt and hash each,
//! then it is put. Reading ([`read`]): segments are fetched ahead, checked, decrypted and decompressed in workers, and
//! delivered in order. [`budget`] bounds the memory of both.

pub mod budget;
mod codec;
pub(crate) mod patience;
mod pool;
pub mod read;
pub(crate) mod silence;
pub(crate) mod write;

pub use budget::PipelineOptions;
pub(crate) use pool::Buffer;
