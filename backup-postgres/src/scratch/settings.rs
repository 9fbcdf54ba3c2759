//! The settings of a scratch cluster: it loads once, is read once, and is thrown away.

use std::fmt::Write as _;
use std::path::Path;

const MIB: u64 = 1 << 20;

/// What the machine can spare for a scratch cluster, and what the cluster is told of the dump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Bytes of memory that are free for us.
    pub(super) memory: u64,
    /// Bytes that the database will have on disk, if known.
    pub(super) disk: Option<u64>,
}

impl Sizes {
    /// What may stay in memory: the tables are on disk, and the system caches them besides.
    fn shared_buffers(self) -> u64 {
        (self.memory / 8).clamp(32 * MIB, 1024 * MIB)
    }

    /// For each index that is made; several are at once.
    fn maintenance(self) -> u64 {
        (self.memory / 16).clamp(32 * MIB, 1024 * MIB)
    }

    /// The log between two checkpoints: a checkpoint that a small database never sees.
    pub(super) fn log(self) -> u64 {
        self.disk.unwrap_or(1024 * MIB).clamp(128 * MIB, 4096 * MIB)
    }
}

/// The text of `postgresql.conf`.
///
/// `more` is what the user wants besides, such as `shared_preload_libraries`; it is last, so it wins.
pub(super) fn configuration(folder: &Path, major: u32, sizes: Sizes, more: &[(String, String)]) -> String {
    let megabytes = |bytes: u64| format!("{}MB", bytes / MIB);
    let mut settings: Vec<(&str, String)> = Vec::new();
    let mut set = |name, value: &str| settings.push((name, value.to_owned()));
    set("listen_addresses", "");
    set("unix_socket_directories", &folder.to_string_lossy());
    set("unix_socket_permissions", "0700");
    set("port", "5432");
    set("hba_file", &folder.join("pg_hba.conf").to_string_lossy());
    set("max_connections", "50");
    set("superuser_reserved_connections", "3");
    // Nothing of it has to survive a crash, and nobody follows it.
    set("fsync", "off");
    set("synchronous_commit", "off");
    set("full_page_writes", "off");
    set("wal_level", "minimal");
    set("max_wal_senders", "0");
    set("archive_mode", "off");
    set("max_wal_size", &megabytes(sizes.log()));
    set("min_wal_size", "80MB");
    set("checkpoint_timeout", "1d");
    set("wal_buffers", "16MB");
    set("autovacuum", "off");
    set("bgwriter_lru_maxpages", "0");
    set("bgwriter_delay", "10s");
    set("wal_writer_delay", "10s");
    set("track_counts", "off");
    set("jit", "off");
    set("huge_pages", "off");
    set("shared_buffers", &megabytes(sizes.shared_buffers()));
    set("maintenance_work_mem", &megabytes(sizes.maintenance()));
    set("work_mem", "16MB");
    set("max_locks_per_transaction", "1024");
    // /dev/shm is small in containers; without a sync, files are memory too.
    set("dynamic_shared_memory_type", "mmap");
    // What code in the dump might want: no workers, no subscriptions, no prepared transactions.
    set("max_logical_replication_workers", "0");
    set("max_replication_slots", "0");
    set("max_prepared_transactions", "0");
    set("shared_preload_libraries", "");
    set("TimeZone", "UTC");
    set("lc_messages", "C");
    // Statements can hold secrets; the log is read for errors alone.
    set("log_statement", "none");
    set("log_min_error_statement", "panic");
    set("log_checkpoints", "off");
    set("log_line_prefix", "");
    set("logging_collector", "off");
    // The data is loaded by a role that owns none of the large objects.
    set("lo_compat_privileges", "on");
    set("check_function_bodies", "off");
    if major >= 15 {
        // `CREATE TABLESPACE … LOCATION ''`: a folder of the cluster's own.
        set("allow_in_place_tablespaces", "on");
    }
    if major >= 17 {
        // An event trigger of a dump would run in our own sessions, from their login on.
        set("event_triggers", "off");
    }
    let mut text = String::new();
    let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in settings.iter().map(|(name, value)| (*name, value.as_str())).chain(more) {
        let value = value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n");
        let _ = writeln!(text, "{name} = '{value}'");
    }
    text
}

/// What every session in the cluster starts with. The restored database has settings of the source, and they hold from a session's first statement on,
/// before it could change them: limits on time that are too short on a busy machine, and serializable transactions, of which one of
/// two that run side by side may fail.
pub(super) fn session_options(major: u32) -> String {
    let mut limits = vec!["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    if major >= 14 {
        limits.push("idle_session_timeout");
    }
    if major >= 17 {
        limits.push("transaction_timeout");
    }
    let limits = limits.iter().map(|limit| format!("-c {limit}=0"));
    // A space in a value is escaped (pg_split_opts in postinit.c).
    let isolation = ["-c default_transaction_isolation=read\\ committed", "-c default_transaction_deferrable=off"];
    limits.chain(isolation.map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

/// Bytes of memory that this machine, or the container we are in, has to spare. 1 GiB where nobody says.
pub(super) fn spare_memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let meminfo = read("/proc/meminfo");
    let kilobytes = |line: &str| line.split_whitespace().next()?.parse::<u64>().ok();
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")).and_then(kilobytes);
    let number = |path: &str| read(path).trim().parse::<u64>().ok();
    // A container sees its own control group at the root of these (cgroups(7)); `max`, or a huge number, is no limit.
    let limits = [
        (number("/sys/fs/cgroup/memory.max"), number("/sys/fs/cgroup/memory.current")),
        (number("/sys/fs/cgroup/memory/memory.limit_in_bytes"), number("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
    ];
    let allowed = limits.iter().filter_map(|(limit, used)| Some((*limit)?.saturating_sub(used.unwrap_or(0))));
    allowed.chain(available.map(|kilobytes| kilobytes * 1024)).min().unwrap_or(1024 * MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_fit_the_version_and_the_machine() {
        let text = |major, memory| {
            let sizes = Sizes { memory, disk: Some(0) };
            configuration(Path::new("/tmp/it's"), major, sizes, &[("work_mem".into(), "9MB".into())])
        };
        let small = text(14, 0);
        assert!(small.contains("unix_socket_directories = '/tmp/it''s'\n"), "{small}");
        assert!(small.contains("shared_buffers = '32MB'\n") && small.contains("max_wal_size = '128MB'\n"), "{small}");
        assert!(small.ends_with("work_mem = '9MB'\n"), "{small}");
        assert!(!small.contains("allow_in_place_tablespaces") && !small.contains("event_triggers"));
        let large = text(17, u64::MAX);
        assert!(large.contains("shared_buffers = '1024MB'\n"), "{large}");
        assert!(large.contains("allow_in_place_tablespaces = 'on'\n") && large.contains("event_triggers = 'off'\n"));
    }
}
