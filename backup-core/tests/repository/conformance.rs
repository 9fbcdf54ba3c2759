//! The tests' own implementations keep the contracts too, so that what they show counts.

use crate::support::*;
use backup_core::cipher::{KeySealer, Plain};
use backup_core::testing::cipher::{cipher_conformance, key_conformance};
use backup_core::testing::source::source_conformance;

#[test]
fn no_encryption_keeps_the_contract() {
    cipher_conformance(&Plain);
}

#[tokio::test]
async fn the_toy_cipher_keeps_the_contract() {
    let sealer = ToySealer(vec![alice(), bob()]);
    let key = sealer.new_key(&"20261120T020000Z-7f3a9c51d2e8b604".parse().unwrap()).await.unwrap();
    cipher_conformance(&*key.cipher);
    for identity in [alice(), bob()] {
        key_conformance(&sealer, &ToyOpener(vec![identity]), &ToyOpener(vec![ToyIdentity("mallory")])).await;
    }
}

#[tokio::test]
async fn the_test_source_keeps_the_contract() {
    let (dump, globals) = (data(3_000_000, 1), data(5_000, 2));
    let make = || TestSource::new([("dump", dump.clone()), ("globals", globals.clone())]);
    source_conformance(make, &[("dump", &dump), ("globals", &globals)]).await;
}
