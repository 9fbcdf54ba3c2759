//! Conformance suites for [`Cipher`], and for [`KeySealer`] with [`KeyOpener`].

use crate::cipher::{Cipher, KeyOpener, KeySealer, NewKey, Scheme};
use crate::digest::Sha256;
use crate::error::codes::{DECRYPT_FAILED, WRONG_IDENTITY};
use crate::id::BackupId;
use std::collections::BTreeSet;

/// Sizes around the boundaries that ciphers have: nothing, one byte, AES blocks, age's chunks of 64 KiB.
pub const SIZES: [usize; 11] = [0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 131_072, 131_073, 1_000_000];

/// Bytes that do not repeat in any simple way, the same for the same length.
pub fn sample(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Checks everything that [`Cipher`]'s contract says.
///
/// A cipher with an empty ending encrypts nothing: only round trips and limits are checked.
///
/// # Panics
/// When the contract is broken; the message says where.
pub fn cipher_conformance(cipher: &dyn Cipher) {
    for size in SIZES {
        round_trip(cipher, size);
    }
    limits(cipher);
    if cipher.ending().is_empty() {
        return;
    }
    for size in [0, 1, 100, 65_536, 70_000] {
        damage(cipher, size);
    }
    shared(cipher);
}

fn round_trip(cipher: &dyn Cipher, size: usize) {
    let plain = sample(size);
    let max = cipher.max_sealed_len(size);
    let mut sealed = Vec::with_capacity(max);
    sealed.extend_from_slice(b"left over from before");
    let (pointer, capacity) = (sealed.as_ptr(), sealed.capacity());
    cipher.seal(&plain, &mut sealed).expect("seals");
    assert!(sealed.len() <= max, "sealing {size} bytes gave {} where max_sealed_len says {max}", sealed.len());
    if capacity >= max {
        assert_eq!(sealed.as_ptr(), pointer, "seal moved a buffer that was large enough");
    }
    let mut opened = Vec::with_capacity(max);
    opened.extend_from_slice(b"left over from before");
    let (pointer, capacity) = (opened.as_ptr(), opened.capacity());
    cipher.open(&sealed, size, &mut opened).expect("opens");
    assert!(opened == plain, "{size} bytes did not come back as they were");
    if capacity >= max {
        assert_eq!(opened.as_ptr(), pointer, "open moved a buffer that was large enough");
    }
    let mut again = Vec::new();
    cipher.seal(&plain, &mut again).expect("seals into an empty buffer");
    if !cipher.ending().is_empty() {
        assert_ne!(sealed, again, "sealing {size} bytes twice gave the same");
        assert!(size < 16 || !contains(&sealed, &plain[..16]), "the plaintext shows in the sealed bytes");
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn limits(cipher: &dyn Cipher) {
    let (mut sealed, mut opened) = (Vec::new(), Vec::new());
    for size in [1, 16, 65_536, 65_537] {
        cipher.seal(&sample(size), &mut sealed).expect("seals");
        cipher.open(&sealed, size, &mut opened).expect("opens at exactly the limit");
        let error = cipher.open(&sealed, size - 1, &mut opened).expect_err("over the limit");
        assert!(error.is(&DECRYPT_FAILED), "over the limit: {error:?}");
        assert!(opened.len() < size, "more than the limit was written");
    }
}

fn refused(cipher: &dyn Cipher, damaged: &[u8], plain: &[u8], what: &str) {
    let mut opened = Vec::new();
    match cipher.open(damaged, plain.len() + 1000, &mut opened) {
        Ok(()) => {
            panic!("{what} went unnoticed (the plaintext is {})", if opened == plain { "right" } else { "wrong" })
        }
        Err(error) => assert!(error.is(&DECRYPT_FAILED), "{what}: {error:?}"),
    }
    assert!(opened.is_empty(), "{what} left {} bytes of output behind", opened.len());
}

/// Positions to damage: all of the head and the tail, and a sample between.
fn positions(len: usize) -> BTreeSet<usize> {
    (0..len.min(400)).chain((400..len).step_by(len.div_ceil(60).max(1))).chain(len.saturating_sub(60)..len).collect()
}

fn damage(cipher: &dyn Cipher, size: usize) {
    let plain = sample(size);
    let mut sealed = Vec::new();
    cipher.seal(&plain, &mut sealed).expect("seals");
    for position in positions(sealed.len()) {
        for mask in [1, 0x80] {
            let mut damaged = sealed.clone();
            damaged[position] ^= mask;
            refused(cipher, &damaged, &plain, &format!("{size} bytes, bit mask {mask:#x} flipped at {position}"));
        }
        refused(cipher, &sealed[..position], &plain, &format!("{size} bytes, cut off at {position}"));
    }
    let mut longer = sealed.clone();
    longer.push(0);
    refused(cipher, &longer, &plain, "a byte too many");
    let twice = [sealed.as_slice(), sealed.as_slice()].concat();
    refused(cipher, &twice, &plain, "a sealed segment twice");
    refused(cipher, &plain, &plain, "plaintext");
}

fn shared(cipher: &dyn Cipher) {
    std::thread::scope(|scope| {
        for size in [10, 65_536, 200_000] {
            scope.spawn(move || round_trip(cipher, size));
        }
    });
}

/// Checks everything that the contracts of [`KeySealer`] and [`KeyOpener`] say: `opener` opens what `sealer` seals,
/// `stranger` has none of its identities.
///
/// # Panics
/// When a contract is broken; the message says where.
pub async fn key_conformance(sealer: &dyn KeySealer, opener: &dyn KeyOpener, stranger: &dyn KeyOpener) {
    let backup: BackupId = "20261120T020000Z-7f3a9c51d2e8b604".parse().expect("an id");
    let other: BackupId = "20261120T020000Z-7f3a9c51d2e8b605".parse().expect("an id");
    let first = sealer.new_key(&backup).await.expect("makes a key");
    let second = sealer.new_key(&backup).await.expect("makes another key");
    assert_ne!(first.commitment, second.commitment, "two keys are the same");
    assert_ne!(first.scheme, Scheme::None, "a sealer that encrypts");
    assert_eq!(first.cipher.ending(), first.scheme.ending());
    assert!(!first.files.is_empty());
    assert!(first.files.iter().all(|file| !file.bytes.is_empty() && ["age", "gpg"].contains(&file.ending.as_str())));
    let mut named: Vec<_> = first.files.iter().flat_map(|file| file.recipients.clone()).collect();
    let mut recipients = sealer.recipients();
    named.sort();
    recipients.sort();
    assert_eq!(named, recipients, "the key files name other recipients than the sealer");

    let commitment = first.commitment.expect("an encrypting sealer commits to its key");
    let cipher = opener.open_key(&backup, first.scheme, &first.files, commitment).await.expect("opens");
    assert_eq!(cipher.ending(), first.cipher.ending());
    opens(&first, cipher.as_ref()).expect("the opened key opens what the new one sealed");
    let plain = sample(100);
    let (mut sealed, mut opened) = (Vec::new(), Vec::new());
    second.cipher.seal(&plain, &mut sealed).expect("seals");
    let error = cipher.open(&sealed, plain.len(), &mut opened).expect_err("the key of another backup");
    assert!(error.is(&DECRYPT_FAILED), "another key: {error:?}");

    for (backup, commitment, what) in [
        (&other, commitment, "another backup's id"),
        (&backup, Sha256::of(b""), "another commitment"),
        (&backup, second.commitment.expect("commits"), "another key's commitment"),
    ] {
        let error = opener.open_key(backup, first.scheme, &first.files, commitment).await.expect_err(what);
        assert!(error.is(&DECRYPT_FAILED), "{what}: {error:?}");
    }
    let error = stranger.open_key(&backup, first.scheme, &first.files, commitment).await.expect_err("a stranger");
    assert!(error.is(&WRONG_IDENTITY), "a stranger: {error:?}");

    // One damaged file among several does not hide the others, and damage is never taken for a key.
    let mut damaged = first.files.clone();
    for file in &mut damaged {
        let last = file.bytes.len() - 1;
        file.bytes[last] ^= 1;
    }
    let error = opener.open_key(&backup, first.scheme, &damaged, commitment).await.expect_err("damaged key files");
    assert!(error.is(&DECRYPT_FAILED), "damaged key files: {error:?}");
    let both: Vec<_> = damaged.into_iter().chain(first.files.clone()).collect();
    opener.open_key(&backup, first.scheme, &both, commitment).await.expect("a good file after a damaged one");
}

fn opens(key: &NewKey, cipher: &dyn Cipher) -> crate::Result<()> {
    let plain = sample(70_000);
    let (mut sealed, mut opened) = (Vec::new(), Vec::new());
    key.cipher.seal(&plain, &mut sealed)?;
    cipher.open(&sealed, plain.len(), &mut opened)?;
    assert!(opened == plain, "the opened key gave other bytes");
    Ok(())
}
