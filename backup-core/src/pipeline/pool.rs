//! Large buffers, allocated once and used again: peak memory stays the same however much goes through.

use crate::error::{Error, Result, codes};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A fixed number of buffers of one capacity. Waiting for a free one is the pipeline's back-pressure.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
    permits: Arc<Semaphore>,
    buffers: usize,
    capacity: usize,
}

impl Pool {
    pub(crate) fn new(buffers: usize, capacity: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(buffers));
        Arc::new(Pool { free: Mutex::new(Vec::new()), permits, buffers, capacity })
    }

    /// An empty buffer of exactly the pool's capacity, as soon as there is one.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Buffer> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(&codes::CANCELLED, "the pipeline was closed"))?;
        let recycled = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let data = recycled.unwrap_or_else(|| Vec::with_capacity(self.capacity));
        // Readers fill to the capacity, and a segment must have exactly its size.
        if data.capacity() != self.capacity {
            return Err(Error::new(&codes::SELF_CHECK_FAILED, "the allocator gave a buffer of another size"));
        }
        Ok(Buffer { data, pool: self.clone(), permit: Some(permit) })
    }
}

/// A buffer on loan; goes back to its pool when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) data: Vec<u8>,
    pool: Arc<Pool>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Buffer {
    /// Takes the right to this buffer out of it, for one that is handed to somebody who may keep it for longer than they
    /// should (a store in memory): the right is given back when it is dropped, and nobody waits for the buffer.
    pub(crate) fn take_permit(&mut self) -> Option<OwnedSemaphorePermit> {
        self.permit.take()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut data = std::mem::take(&mut self.data);
        // A buffer that was lost in a cancelled read, or that had to grow, is not worth keeping.
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        if data.capacity() == self.pool.capacity && free.len() < self.pool.buffers {
            data.clear();
            free.push(data);
        }
    }
}
