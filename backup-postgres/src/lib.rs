//! backup-postgres
