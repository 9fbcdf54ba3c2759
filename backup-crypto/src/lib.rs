//! backup-crypto
