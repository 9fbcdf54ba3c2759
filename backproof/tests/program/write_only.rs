//! A host whose credentials may put and nothing else: against an S3 server that refuses all other requests.

use crate::site::Site;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// Whether everything is allowed, or puts alone; and how often something else was tried.
#[derive(Default)]
struct Rights {
    all: AtomicBool,
    refused: AtomicUsize,
}

struct Access(Arc<Rights>);

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> s3s::S3Result<()> {
        let known = context.credentials().is_some();
        if known && (self.0.all.load(Ordering::Relaxed) || context.s3_op().name() == "PutObject") {
            return Ok(());
        }
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Err(s3s::s3_error!(AccessDenied, "Not allowed"))
    }
}

/// s3s-fs with a bucket `bucket` in a folder, until the test's runtime ends. Gives the endpoint.
async fn server(folder: &Path, rights: Arc<Rights>) -> String {
    std::fs::create_dir_all(folder.join("bucket")).unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
    service.set_auth(SimpleAuth::from_single("AKIAEXAMPLE", "example-secret"));
    service.set_access(Access(rights));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_completes_with_the_right_to_put_alone() {
    let mut site = Site::new();
    let rights = Arc::new(Rights::default());
    let endpoint = server(&site.path("s3"), rights.clone()).await;
    site.set("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    site.set("AWS_SECRET_ACCESS_KEY", "example-secret");
    site.set("AWS_REGION", "us-east-1");
    let store = format!("[repository.store]\nendpoint = \"{endpoint}\"\nallow_http = true\nretry_for = \"2s\"\n");
    let keys = site.read("backproof.toml").replace(&site.url(), "s3://bucket/prod");
    let installation = format!("installation = \"{}\"\n", site.installation);
    site.write("backproof.toml", &format!("{}{store}", keys.replace(&installation, "")));
    let blocking = |site: Site, what: fn(&Site)| async move {
        tokio::task::spawn_blocking(move || {
            what(&site);
            site
        })
        .await
        .unwrap()
    };

    rights.all.store(true, Ordering::Relaxed);
    site = blocking(site, |site| {
        // s3s-fs's create is not atomic, so it may be found to be none: the status says so.
        let made = site.run(&["init", "--json", "--allow-unconditional-create"]);
        assert!(made.status <= 1, "{made}");
        let made = made.json();
        let id = |name: &str| made[name].as_str().unwrap().to_owned();
        let whole = site
            .read("backproof.toml")
            .replace("[repository]\n", &format!("[repository]\ninstallation = \"{}\"\n", id("installation")));
        site.write("reader.toml", &whole);
        let lines = format!("[repository]\nwrite_only = true\nrepository_id = \"{}\"\n", id("repository_id"));
        site.write("backproof.toml", &whole.replace("[repository]\n", &lines));
    })
    .await;

    rights.all.store(false, Ordering::Relaxed);
    rights.refused.store(0, Ordering::Relaxed);
    site = blocking(site, |site| {
        let first = site.backup("the first", &[]);
        let second = site.backup("the second", &[]);
        assert_ne!(first, second);
    })
    .await;
    assert_eq!(rights.refused.load(Ordering::Relaxed), 0, "something was read or listed");

    site = blocking(site, |site| {
        // The host cannot read: that is an error that says so.
        assert_eq!(site.run(&["list", "--config", "reader.toml", "--json"]).code(), "access_denied");
        assert_eq!(site.run(&["list", "--json"]).code(), "access_denied");
    })
    .await;

    rights.all.store(true, Ordering::Relaxed);
    let site = blocking(site, |site| {
        site.run(&["verify", "--config", "reader.toml", "--level", "readable"]).ok();
        let list = site.run(&["list", "--config", "reader.toml", "--json"]).ok().json();
        assert_eq!(list["backups"].as_array().unwrap().len(), 2);
        let shown = site.run(&["show", "latest", "--config", "reader.toml", "--json"]).ok().json();
        assert!(shown["manifest"]["previous"].is_null(), "it could not know the one before it");
    })
    .await;
    drop(site);
}
