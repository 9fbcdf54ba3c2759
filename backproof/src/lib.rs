//! backproof
