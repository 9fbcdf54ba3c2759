//! Libraries that every session of the restored database would load.

use super::{Gap, Rehearsal, run};
use crate::restore::statement::{self, quote_name};
use backup_core::Result;

/// Settings that name libraries which every session loads, or does not begin (`load_libraries` in src/backend/utils/init/miscinit.c).
const PRELOADS: [&str; 2] = ["session_preload_libraries", "local_preload_libraries"];
/// What is said to be lacking where one of these libraries is.
pub(crate) const LIBRARIES: &str = "setting:session_preload_libraries";

impl Rehearsal {
    /// No session begins in a database whose settings name a library that is not there: then these settings are left out.
    pub(super) async fn leave_out_libraries(&mut self) -> Result<()> {
        let loads = |text: &String| {
            let parsed = statement::statements(text).unwrap_or_default();
            parsed.iter().any(|statement| {
                let mut pairs = statement.tokens.windows(2);
                pairs.any(|pair| pair[0].is("set") && pair[1].name().is_some_and(|name| PRELOADS.contains(&name)))
            })
        };
        if !self.own || !self.recreation.before.iter().any(loads) {
            return Ok(());
        }
        let Err(error) = self.program.connection.connect_without_limits().await else { return Ok(()) };
        let said = error.chain();
        if !said.contains("could not access file") && !said.contains("could not load library") {
            return Err(error);
        }
        self.recreation.before.retain(|text| !loads(text));
        self.recreation.after.retain(|text| !loads(text));
        let session = self.connection.connect_without_limits().await?;
        for name in PRELOADS {
            run(&session, "reset a setting", &format!("ALTER DATABASE {} RESET {name}", quote_name(&self.name)))
                .await?;
        }
        self.lacking.push(Gap {
            cause: LIBRARIES.into(),
            reason: format!(
                "the scratch server lacks a library that every session of the database loads, so the database's settings are not compared: {said}"
            ),
        });
        Ok(())
    }

    /// Whether settings of the database were left out, for a library that is not there.
    pub(crate) fn lacks_libraries(&self) -> bool {
        self.lacking.iter().any(|gap| gap.cause == LIBRARIES)
    }
}
