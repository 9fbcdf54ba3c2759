//! How fast segments are sealed and opened on this machine, in one thread: `cargo run --release -p backup-crypto --example
//! segment_speed`. The buffers are reused, as the pipeline reuses them.

use backup_core::cipher::Cipher;
use backup_crypto::{AgeCipher, OpenpgpCipher};
use std::io::{Read as _, Write as _};
use std::time::Instant;

const SEGMENT: usize = 16 << 20;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut plain = vec![0; SEGMENT];
    getrandom::fill(&mut plain).map_err(|error| error.to_string())?;
    let identity = age::x25519::Identity::generate();
    let age_cipher = AgeCipher::new(identity.clone());
    let openpgp_cipher = OpenpgpCipher::new("0123456789abcdef".repeat(4).into());
    for (name, cipher) in [("age", &age_cipher as &dyn Cipher), ("OpenPGP", &openpgp_cipher)] {
        let mut sealed = Vec::with_capacity(cipher.max_sealed_len(SEGMENT));
        let mut opened = Vec::with_capacity(cipher.max_sealed_len(SEGMENT));
        let seal = best(|| Ok(cipher.seal(&plain, &mut sealed)?))?;
        let open = best(|| Ok(cipher.open(&sealed, SEGMENT, &mut opened)?))?;
        println!("{name}: seal {seal:.0} MB/s, open {open:.0} MB/s");
    }
    // What it is measured against: the age crate's own streams.
    let recipient = identity.to_public();
    let mut sealed = Vec::with_capacity(age_cipher.max_sealed_len(SEGMENT) + 1000);
    let seal = best(|| {
        sealed.clear();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))?;
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        writer.write_all(&plain)?;
        writer.finish()?;
        Ok(())
    })?;
    let mut opened = Vec::with_capacity(SEGMENT + 1000);
    let open = best(|| {
        opened.clear();
        let decryptor = age::Decryptor::new_buffered(&sealed[..])?;
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))?.read_to_end(&mut opened)?;
        Ok(())
    })?;
    println!("the age crate's streams: seal {seal:.0} MB/s, open {open:.0} MB/s");
    Ok(())
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Megabytes (10^6 bytes) of plaintext a second, in the best of the rounds: other work on the machine only slows.
fn best(mut work: impl FnMut() -> Outcome) -> Result<f64, Box<dyn std::error::Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(SEGMENT as f64 / 1e6 / best)
}
