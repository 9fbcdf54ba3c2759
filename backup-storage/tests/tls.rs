//! Certificates: the system's authorities, one's own, and none that fits.

mod support;

use backup_storage::error::codes as storage_codes;
use backup_storage::open;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{create, s3_options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Makes an authority and a certificate of `localhost` signed by it.
fn certificates(folder: &Path) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
            -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr
        printf 'subjectAltName=DNS:localhost' > extensions
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem";
    let made = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(
        made.status.success(),
        "`openssl` is needed (Debian package openssl): {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// A server that accepts every put, over TLS. Gives its port.
async fn serve(folder: &Path) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(folder.join("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(socket).await.ok()?;
                let mut request = Vec::new();
                // Headers and the body of one byte.
                while !request.windows(4).rev().skip(1).any(|end| end == b"\r\n\r\n") {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
                    request.extend_from_slice(&part[..read]);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 0\r\n\r\n").await.ok()
            });
        }
    });
    port
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let port = serve(folder.path()).await;
    let mut options = s3_options(&format!("https://localhost:{port}"));
    options.allow_http = false;

    let sink = open("s3://bucket", &options).await.unwrap();
    let began = Instant::now();
    let error = create(&*sink, "a", b"1").await.unwrap_err();
    assert!(error.is(&storage_codes::TLS_FAILED), "{}", error.report());
    assert!(error.hint().contains("ca_file"), "{}", error.report());
    assert!(began.elapsed() < Duration::from_secs(5), "not tried again");

    options.ca_file = Some(folder.path().join("ca.pem"));
    create(&*open("s3://bucket", &options).await.unwrap(), "a", b"1").await.unwrap();

    // The variable that AWS's own tools take.
    let ca = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    options.ca_file = None;
    options.env =
        [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_CA_BUNDLE", &ca)].into_iter().collect();
    create(&*open("s3://bucket", &options).await.unwrap(), "a", b"1").await.unwrap();

    // The name has to fit too.
    options.endpoint = Some(format!("https://127.0.0.1:{port}"));
    let error = create(&*open("s3://bucket", &options).await.unwrap(), "a", b"1").await.unwrap_err();
    assert!(error.is(&storage_codes::TLS_FAILED), "{}", error.report());
}
