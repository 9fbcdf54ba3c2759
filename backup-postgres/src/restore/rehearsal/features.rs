//! Features that a server was built without: XML, and ways to compress values.

use super::{Gap, Rehearsal};
use crate::error::codes::QUERY_FAILED;
use crate::queries;
use backup_core::Result;
use backup_core::error::ResultExt;

/// What is said where XML is lacking (`NO_XML_SUPPORT` in src/backend/utils/adt/xml.c).
const NO_XML: &str = "unsupported XML feature";
/// What is lacking then, as `accept` names it.
const XML: &str = "feature:xml";

/// What these words of a server say that it was built without, as `accept` names it.
pub(super) fn lacking(words: &str) -> Option<String> {
    if words.contains(NO_XML) {
        return Some(XML.into());
    }
    // `NO_COMPRESSION_SUPPORT` in src/backend/access/common/toast_compression.c.
    let (_, method) = words.split_once("compression method ")?;
    let (method, _) = method.split_once(" not supported")?;
    method.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| format!("feature:{method}"))
}

impl Rehearsal {
    /// Leaves out the rows of tables that hold XML where the server cannot read any.
    pub(super) async fn leave_out_xml(&mut self) -> Result<()> {
        let session = self.program.connection.connect_without_limits().await?;
        let Err(error) = session.batch_execute("SELECT '<a/>'::pg_catalog.xml").await else { return Ok(()) };
        if error.as_db_error().is_none_or(|error| error.message() != NO_XML) {
            return Ok(());
        }
        let failed = || "ask which tables hold XML".to_owned();
        let tables = session.query(queries::XML_TABLES, &[]).await.or_code(&QUERY_FAILED, failed)?;
        let gap = Gap { cause: XML.into(), reason: "the scratch server was built without support for XML".into() };
        for table in tables {
            let (schema, name): (String, String) = (table.get(0), table.get(1));
            let rows = self.outline.iter().filter(|one| one.kind == "TABLE DATA");
            let mut these = rows.filter(|one| {
                one.schema.as_ref().and_then(|name| name.as_str()) == Some(&schema) && one.name.as_str() == Some(&name)
            });
            if let Some(id) = these.next().map(|one| one.id) {
                self.skip(id, gap.clone());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::lacking;

    #[test]
    fn features_have_names() {
        let of = |words| lacking(words).unwrap_or_default();
        assert_eq!(of(" unsupported XML feature"), "feature:xml");
        assert_eq!(of(" compression method lz4 not supported"), "feature:lz4");
        for other in [
            "",
            "compression method",
            "invalid compression method \"lz4\"",
            "compression method \u{1b}[2J not supported",
        ] {
            assert_eq!(lacking(other), None, "{other}");
        }
    }
}
