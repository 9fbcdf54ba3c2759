//! Ready-made answers for managed services: what a scratch cluster of stock PostgreSQL cannot have, and need not.

/// A managed service.
#[derive(Debug)]
pub(super) struct Profile {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// What is accepted, by the names that proofs give.
    pub(super) accept: &'static [&'static str],
}

/// All of them.
pub(super) const PROFILES: &[Profile] = &[Profile {
    name: "supabase",
    // What every project has and Debian's PostgreSQL lacks: the image's own test lists them (supabase/postgres,
    // ebssurrogate/files/unit-tests/unit-test-01.sql), pgsodium in older projects, pg_net with database webhooks. The schemas that Supabase manages (auth, storage,
    // realtime) are restored and compared like any other, and its roles get stand-ins.
    accept: &[
        "extension:pg_graphql",
        "extension:pg_net",
        "extension:pgjwt",
        "extension:pgsodium",
        "extension:supabase_vault",
    ],
}];
