//! backup-storage
