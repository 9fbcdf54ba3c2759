//! Reading a part back: segments fetched ahead, checked, opened in workers, delivered in order.

use crate::error::Result;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

/// The plaintext of one part, in order, in pieces of at most one segment.
///
/// Every piece was checked before it is given. `Ok(None)` comes only after the last byte of the part: a stream that was
/// cut, or whose segment is damaged, ends with an error instead.
pub struct PartStream(BoxStream<'static, Result<Bytes>>);

impl std::fmt::Debug for PartStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartStream")
    }
}

impl PartStream {
    /// A part whose checked pieces come from this stream.
    pub fn new(stream: impl futures::Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        PartStream(stream.boxed())
    }

    /// The next piece, or `None` at the checked end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0.next().await.transpose()
    }
}
