//! What a restore that was killed (`kill -9`, a machine that lost its power) leaves on the server, for the next one to name.

use super::names::Names;
use super::{check, connect};
use crate::connection::{Connection, Session};
use crate::error::codes::QUERY_FAILED;
use crate::queries;
use crate::restore::quote_name;
use backup_core::Result;
use backup_core::error::ResultExt;
use jiff::Timestamp;

/// The setting that stops writes.
pub(crate) const SETTING: &str = "default_transaction_read_only";
/// How we say `on`: the server takes any beginning of `true` (`parse_bool_with_len` in src/backend/utils/adt/bool.c) and keeps it as it was written, and
/// people write another one. A setting of our own would say more, and only superusers may make one up.
pub(crate) const STOPPED: &str = "tru";
/// What the empty databases begin with that are made, renamed and dropped to see whether that can be done.
pub(super) const PROBE: &str = "backproof_probe_";

/// What restores that were killed seem to have left behind, each with the statement that puts it in order: a database to which writes are stopped, and
/// databases that were restored beside it or made to try something. A restore that is still running looks the same: that is said, too.
pub async fn left_behind(live: &Connection, maintenance: Option<&str>) -> Result<Vec<String>> {
    let session = connect(live, maintenance).await?;
    let name = live.database();
    let failed = || format!("ask {} about database \"{name}\"", session.connection());
    let row = session.query_one(queries::SWAP_OIDS, &[&name, &name]).await.or_code(&QUERY_FAILED, failed)?;
    let mut found = Vec::new();
    if let Some(oid) = row.get::<_, Option<u32>>(0) {
        found.extend(stopped(&session, oid, name).await?);
    }
    let names = Names::new(name, Timestamp::now());
    for row in session.query(queries::SWAP_NAMES, &[&0u32]).await.or_code(&QUERY_FAILED, failed)? {
        found.extend(database(&names, row.get(0), row.get(1)));
    }
    Ok(found)
}

/// What is said of this database, if a restore that was killed stopped writes to it.
pub(super) async fn stopped(session: &Session, oid: u32, name: &str) -> Result<Option<String>> {
    let stopped = read_only(session, oid).await?.as_deref() == Some(STOPPED);
    Ok(stopped.then(|| {
        format!(
            "writes to database \"{name}\" are stopped, by a restore --in-place that did not end: if none is running now, ALTER DATABASE {} RESET {SETTING} allows them again",
            quote_name(name)
        )
    }))
}

/// What is said of this database, if a killed swap may have left it.
pub(super) fn database(names: &Names, name: &str, comment: Option<&str>) -> Option<String> {
    let probe = name.strip_prefix(PROBE).is_some_and(|rest| {
        let random = rest.strip_suffix("_renamed").unwrap_or(rest);
        !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let beside = name.starts_with(&check::prefix(&names.beside))
        && check::is_dated(name)
        && comment.is_none_or(|text| !text.starts_with("backproof: this was"));
    (probe || beside).then(|| {
        format!(
            "database \"{name}\" may be left of a swap that was killed: if none is running now, DROP DATABASE {}",
            quote_name(name)
        )
    })
}

/// The value of the setting that this database has for everybody, as it was written.
pub(super) async fn read_only(session: &Session, database: u32) -> Result<Option<String>> {
    let settings = session.query(queries::SWAP_SETTINGS, &[&database]).await;
    let settings = settings.or_code(&QUERY_FAILED, || "ask for the settings of a database".to_owned())?;
    let for_everybody = settings.iter().find(|row| row.get::<_, Option<String>>(0).is_none());
    let values: Vec<String> = for_everybody.map(|row| row.get(1)).unwrap_or_default();
    Ok(values.iter().find_map(|value| Some(value.strip_prefix(SETTING)?.strip_prefix('=')?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_ours_is_named() {
        let names = Names::new("shop", Timestamp::UNIX_EPOCH);
        let named = |name: &str, comment: Option<&str>| database(&names, name, comment).is_some();
        assert!(named("shop_restored_20261120T020000Z", None));
        assert!(named("shop_restored_20261120T020000Z", Some("backproof: restore of x has not finished")));
        assert!(named("backproof_probe_0123456789abcdef", None) && named("backproof_probe_0f_renamed", None));
        assert!(!named("shop_restored_20261120T020000Z", Some("backproof: this was restored from …")));
        for other in [
            "shop",
            "shop_restored",
            "shop_restored_today",
            "other_restored_20261120T020000Z",
            "backproof_probe_",
            "backproof_probe_mine",
        ] {
            assert!(!named(other, None), "{other}");
        }
        let said =
            database(&Names::new("a\"b", Timestamp::UNIX_EPOCH), "a\"b_restored_20261120T020000Z", None).unwrap();
        assert!(said.ends_with("DROP DATABASE \"a\"\"b_restored_20261120T020000Z\""), "{said}");
    }
}
