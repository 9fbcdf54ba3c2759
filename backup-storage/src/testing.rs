//! An S3 server in process, for tests (feature `testing`).
//!
//! It panics where it cannot start: it is for tests only.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::path::Path;
use tokio::net::TcpListener;

/// The access key that the server knows.
pub const ACCESS_KEY: &str = "backprooftest";
/// The secret that belongs to it; it must appear in nothing that is printed or stored.
pub const SECRET: &str = "very-secret-access-key-0123456789";

struct Access<F>(F);

#[async_trait::async_trait]
impl<F: Fn(&str) -> bool + Send + Sync + 'static> S3Access for Access<F> {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> s3s::S3Result<()> {
        let known = context.credentials().is_some();
        if known && (self.0)(context.s3_op().name()) {
            Ok(())
        } else {
            Err(s3s::s3_error!(AccessDenied, "Not allowed"))
        }
    }
}

/// s3s-fs with a bucket `bucket` in a folder, on a free port of this machine, until the caller's runtime ends. `allowed` says
/// which operations, by their names in S3 (`PutObject`), the credentials may do. Gives the endpoint.
///
/// Its create-if-absent is not atomic: not for tests of races.
pub async fn s3_server(folder: &Path, allowed: impl Fn(&str) -> bool + Send + Sync + 'static) -> String {
    std::fs::create_dir_all(folder.join("bucket")).expect("make the bucket's folder");
    let files = s3s_fs::FileSystem::new(folder).expect("open the bucket's folder");
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET));
    service.set_access(Access(allowed));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen on a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("the server's address"));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    endpoint
}
