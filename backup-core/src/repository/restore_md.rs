//! RESTORE.md: how to restore one backup with stock tools alone.

use super::layout;
use super::manifest::{Compression, KeyFileEntry, Manifest};
use crate::cipher::Scheme;
use std::fmt::Write;

/// What RESTORE.md is written from: known before the manifest is.
pub(crate) struct Guide<'a> {
    /// The manifest as it will be, but for the digest of SHA256SUMS.
    pub(crate) manifest: &'a Manifest,
    pub(crate) signed: bool,
    /// Where the repository is.
    pub(crate) location: &'a str,
    /// What to do with the opened parts: the source's own words, in Markdown.
    pub(crate) steps: &'a str,
}

impl Guide<'_> {
    /// The text. Its `sh` blocks, run in order by one bash, restore the backup.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let manifest = self.manifest;
        let (series, label, id) = (&manifest.series, &manifest.label, &manifest.id);
        let folder = manifest.folder();
        let folder = folder.as_str();
        writeln!(out, "# Restoring backup {id}\n")?;
        let mut tools = vec!["bash", "`sha256sum` (on macOS `shasum`)"];
        match manifest.encryption.scheme {
            Scheme::None => {}
            Scheme::AgeX25519 => tools.push("`age`"),
            Scheme::OpenpgpAes256 => tools.push("`gpg`"),
        }
        if manifest.segments.compression == Compression::Zstd {
            tools.push("`zstd`");
        }
        if self.signed {
            tools.push("`ssh-keygen`");
        }
        writeln!(
            out,
            "Series `{series}`, label `{label}`: the state of {}. Written by {}.\n\n\
             Nothing of ours is needed to restore it, only {}, and what step 4 names. Linux and macOS.\n",
            manifest.source.snapshot,
            manifest.writer,
            tools.join(", "),
        )?;
        for (title, facts) in [("Versions", &manifest.source.versions), ("Facts", &manifest.source.facts)] {
            if !facts.is_empty() {
                writeln!(out, "{title}:\n")?;
                for (name, value) in facts {
                    writeln!(out, "- {}: {}", plain(name), plain(value))?;
                }
                writeln!(out)?;
            }
        }
        if manifest.left_out > 0 {
            writeln!(
                out,
                "**{} things could not be captured.** Their names are in the part `contents` (lines with `left_out`).\n",
                manifest.left_out
            )?;
        }
        writeln!(
            out,
            "Start `bash`, go to an empty folder on a disk that only you can read, and run the blocks below in order. They change\n\
             nothing but that folder until step 4. A block that finds something wrong says `STOP` and ends that bash: then do not\n\
             go on, and look for another copy of the backup.\n"
        )?;

        writeln!(out, "## 1. Fetch\n")?;
        writeln!(
            out,
            "The backup was written to `{}`. `REPOSITORY` is where it is now: the folder or URL that holds `backproof.json`.\n\
             Fetch with the lines that fit; they leave the folder `{id}` and the file `{id}.manifest` here.\n",
            plain(self.location)
        )?;
        writeln!(
            out,
            "From S3 and compatible stores (for those, add `--endpoint-url`), or from any store that rclone knows:\n"
        )?;
        writeln!(out, "```\nREPOSITORY=s3://bucket/prefix")?;
        writeln!(out, "aws s3 cp --recursive \"$REPOSITORY/{folder}/\" {id}/")?;
        writeln!(out, "aws s3 cp \"$REPOSITORY/catalog/{series}/{id}.manifest\" .\n```\n")?;
        writeln!(out, "```\nREPOSITORY=remote:bucket/prefix")?;
        writeln!(out, "rclone copy \"$REPOSITORY/{folder}\" {id}")?;
        writeln!(out, "rclone copy \"$REPOSITORY/catalog/{series}/{id}.manifest\" .\n```\n")?;
        writeln!(out, "From a folder (`REPOSITORY=/mnt/backups`):\n")?;
        writeln!(out, "```sh\nset -euo pipefail\numask 077\nmkdir {id}")?;
        writeln!(out, "cp -R \"$REPOSITORY/{folder}/.\" {id}/")?;
        writeln!(out, "cp \"$REPOSITORY/catalog/{series}/{id}.manifest\" .\n```\n")?;

        writeln!(out, "## 2. Check\n")?;
        writeln!(out, "The manifest is whole, and of this backup:\n")?;
        writeln!(out, "```sh\nset -euo pipefail\numask 077")?;
        writeln!(out, "stop() {{ echo \"STOP: $1\" >&2; exit 1; }}")?;
        writeln!(out, "command -v sha256sum > /dev/null || sha256sum() {{ shasum -a 256 \"$@\"; }}")?;
        writeln!(out, "digest() {{ sha256sum < \"$1\" | cut -d ' ' -f 1; }}")?;
        writeln!(out, "sed '/^}}$/q' {id}.manifest > manifest.json")?;
        writeln!(
            out,
            "[ \"$(sed -n 's/^sha256 //p' {id}.manifest)\" = \"$(digest manifest.json)\" ] || stop \"the manifest is damaged\""
        )?;
        writeln!(
            out,
            "grep -qx '  \"id\": \"{id}\",' manifest.json || stop \"this is the manifest of another backup\"\n```\n"
        )?;
        if self.signed {
            writeln!(
                out,
                "Who wrote it. `SIGNERS` is your own list of the signers you trust (`allowed_signers` in `man ssh-keygen`), never a\n\
                 file from the store. Without such a list leave this block out, and know that the rest then finds damage, not\n\
                 forgery:\n"
            )?;
            writeln!(out, "```sh\nsed -n '/^-----BEGIN/,$p' {id}.manifest > manifest.sig")?;
            writeln!(
                out,
                "WRITER=$(ssh-keygen -Y find-principals -s manifest.sig -f \"$SIGNERS\" | head -n 1) || stop \"no trusted signer signed it\"\n\
                 ssh-keygen -Y verify -f \"$SIGNERS\" -I \"$WRITER\" -n backproof-manifest -s manifest.sig < manifest.json ||\n  \
                 stop \"the signature is wrong\"\n```\n"
            )?;
        } else {
            writeln!(out, "This backup is not signed: what follows finds damage, not forgery.\n")?;
        }
        writeln!(
            out,
            "Every file is there as the manifest says, and no segment is missing{}:\n",
            if manifest.encryption.key_files.len() > 1 { " (of the key files, one will do)" } else { "" }
        )?;
        writeln!(out, "```sh\ncd {id}")?;
        writeln!(
            out,
            "grep -qx \"  \\\"sha256sums\\\": \\\"$(digest {0})\\\",\" ../manifest.json || stop \"{0} is damaged\"",
            layout::SUMS
        )?;
        let keys: Vec<String> =
            manifest.encryption.key_files.iter().map(|file| format!("keys/{}", file.name)).collect();
        if keys.is_empty() {
            writeln!(out, "sha256sum -c {} || stop \"a file is damaged\"", layout::SUMS)?;
        } else {
            // One key file that can be opened is enough.
            writeln!(out, "grep -v ' keys/' {} | sha256sum -c - || stop \"a file is damaged\"", layout::SUMS)?;
            writeln!(
                out,
                "intact() {{ grep -v '^#' {} | grep \" $1\\$\" | sha256sum -c - > /dev/null 2>&1; }}\nkeys=0",
                layout::SUMS
            )?;
            writeln!(out, "for file in {}; do", keys.join(" "))?;
            writeln!(
                out,
                "  if intact \"$file\"; then keys=$((keys + 1)); else echo \"$file is damaged: it is left out\" >&2; fi\ndone"
            )?;
            writeln!(out, "[ \"$keys\" -gt 0 ] || stop \"every key file is damaged\"")?;
        }
        writeln!(out, "check_part() (\n  cd \"$1\" || exit 1")?;
        writeln!(out, "  [ \"$(grep -vc '^#' {})\" = \"$2\" ] || exit 1\n  sha256sum -c {0}\n)", layout::SUMS)?;
        for part in &manifest.parts {
            writeln!(out, "check_part {0} {1} || stop \"{0} is damaged\"", part.name, part.segments)?;
        }
        writeln!(out, "```\n")?;

        self.write_open(out)?;

        writeln!(out, "## 4. Restore\n")?;
        writeln!(out, "{}", self.steps.trim())?;
        writeln!(out, "\n## 5. Clean up\n")?;
        if manifest.encryption.scheme != Scheme::None {
            writeln!(out, "The file `key` opens this backup for whoever has it.\n\n```sh\nrm -f key\n```\n")?;
        }
        writeln!(out, "Remove this folder, and what you wrote from the parts, once you no longer need them.")
    }

    fn write_open(&self, out: &mut String) -> std::fmt::Result {
        let encryption = &self.manifest.encryption;
        writeln!(out, "## 3. Open\n")?;
        if encryption.scheme != Scheme::None {
            self.write_unseal(out)?;
        }
        let open = match encryption.scheme {
            Scheme::None => "cat \"$name\"",
            Scheme::AgeX25519 => "age -d -i ../key \"$name\"",
            Scheme::OpenpgpAes256 => {
                "gpg --batch --quiet --pinentry-mode loopback --passphrase-file ../key -d \"$name\""
            }
        };
        let unpack = match self.manifest.segments.compression {
            Compression::Zstd => " | zstd -dcq",
            Compression::None => "",
        };
        writeln!(
            out,
            "`open_part NAME` writes a part's plaintext to its standard output. It follows the list that was checked, never what\n\
             else may be in the folder.\n"
        )?;
        writeln!(out, "```sh\nset -euo pipefail\nopen_part() (\n  set -euo pipefail\n  cd \"$1\" || exit 1")?;
        writeln!(out, "  grep -v '^#' {} | while read -r _ name; do", layout::SUMS)?;
        writeln!(out, "    {open} < /dev/null{unpack} || exit 1\n  done\n)\n```\n")?;
        let names: Vec<String> = self.manifest.parts.iter().map(|part| format!("`{}`", part.name)).collect();
        writeln!(out, "The parts are {}.\n", names.join(", "))
    }

    /// The key file is chosen by what the reader has: one block serves all of them, and a script.
    fn write_unseal(&self, out: &mut String) -> std::fmt::Result {
        let files = &self.manifest.encryption.key_files;
        writeln!(out, "The backup's own key is sealed to these recipients; the secret of one of them unseals it:\n")?;
        for file in files {
            for recipient in &file.recipients {
                writeln!(out, "- `keys/{}`: {} `{}`", file.name, plain(&recipient.kind), plain(&recipient.id))?;
            }
        }
        writeln!(out)?;
        let passphrase = |file: &&KeyFileEntry| file.recipients.iter().any(|recipient| recipient.kind == "passphrase");
        let gpg = |file: &&KeyFileEntry| file.name.ends_with(".gpg");
        let with_identity: Vec<_> = files.iter().filter(|file| !gpg(file) && !passphrase(file)).collect();
        let with_gpg: Vec<_> = files.iter().filter(gpg).collect();
        let with_passphrase: Vec<_> = files.iter().filter(|file| !gpg(file) && passphrase(file)).collect();
        let mut ways = Vec::new();
        if !with_identity.is_empty() {
            ways.push("an age or SSH identity: set `IDENTITY` to its file");
        }
        if !with_gpg.is_empty() {
            ways.push("an OpenPGP secret key: import it into gpg's keyring");
        }
        if !with_passphrase.is_empty() {
            ways.push("the passphrase: it is asked for");
        }
        writeln!(out, "What you have, and what to do with it before the block:\n\n- {}\n", ways.join("\n- "))?;
        writeln!(out, "```sh\numask 077\nrm -f key")?;
        for file in with_identity {
            writeln!(
                out,
                "[ -s key ] || [ -z \"${{IDENTITY:-}}\" ] || ! intact keys/{0} || age -d -i \"$IDENTITY\" keys/{0} > key || rm -f key",
                file.name
            )?;
        }
        for file in with_gpg {
            writeln!(out, "[ -s key ] || ! intact keys/{0} || gpg -d keys/{0} > key || rm -f key", file.name)?;
        }
        for file in with_passphrase {
            writeln!(out, "[ -s key ] || ! intact keys/{0} || age -d keys/{0} > key || rm -f key", file.name)?;
        }
        writeln!(out, "[ -s key ] || stop \"no key file was opened with what you have\"\n```\n")?;
        if self.manifest.encryption.scheme == Scheme::AgeX25519 && files.iter().any(|file| gpg(&file)) {
            writeln!(out, "Holders of an OpenPGP key need `age` besides `gpg`: the segments are age files.\n")?;
        }
        Ok(())
    }
}

/// A text from elsewhere that stays within its line, and within its code span.
fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() || c == '`', " ")
}
