//! A host whose credentials may put and nothing else: against an S3 server that refuses all other requests.

use crate::site::Site;
use backup_storage::testing::{ACCESS_KEY, SECRET, s3_server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether everything is allowed, or puts alone; and how often something else was tried.
#[derive(Default)]
struct Rights {
    all: AtomicBool,
    refused: AtomicUsize,
}

impl Rights {
    fn allow(&self, operation: &str) -> bool {
        let allowed = self.all.load(Ordering::Relaxed) || operation == "PutObject";
        if !allowed {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_completes_with_the_right_to_put_alone() {
    let mut site = Site::new();
    let rights = Arc::new(Rights::default());
    let granted = rights.clone();
    let endpoint = s3_server(&site.path("s3"), move |operation| granted.allow(operation)).await;
    site.set("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    site.set("AWS_SECRET_ACCESS_KEY", SECRET);
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
