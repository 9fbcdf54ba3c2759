//! RESTORE.md: how to restore one backup with stock tools alone.

use super::layout;
use super::manifest::{KeyFileEntry, Manifest};
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
        writeln!(
            out,
            "Series `{series}`, label `{label}`, state of {}. Written by {}. This needs no program of ours: only bash,\n\
             `sha256sum` (macOS: `shasum`), {}{}, and what step 4 names.\n",
            manifest.source.snapshot,
            manifest.writer,
            match manifest.encryption.scheme {
                Scheme::None => "",
                Scheme::AgeX25519 => "`age`, ",
                Scheme::OpenpgpAes256 => "`gpg`, ",
            },
            match manifest.segments.compression {
                super::manifest::Compression::Zstd => "`zstd`",
                super::manifest::Compression::None => "`cat`",
            },
        )?;
        for (title, facts) in [("Versions", &manifest.source.versions), ("Facts", &manifest.source.facts)] {
            if !facts.is_empty() {
                writeln!(out, "{title}:\n")?;
                for (name, value) in facts {
                    writeln!(out, "- {name}: {}", value.replace(['\n', '\r', '`'], " "))?;
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
            "Run the blocks below in order, in one `bash`, in an empty folder on a disk that only you can read. Stop at the first\n\
             error: every block ends at the first one anywhere in a pipe.\n"
        )?;

        writeln!(out, "## 1. Fetch\n")?;
        writeln!(
            out,
            "The backup was written to `{}`. Set `REPOSITORY` to where it is now, and use the line that fits; each leaves the\n\
             folder `{id}` and the file `{id}.manifest` here.\n",
            self.location
        )?;
        writeln!(out, "```\n# S3 and compatible stores\naws s3 cp --recursive \"$REPOSITORY/{folder}\" {id}")?;
        writeln!(out, "aws s3 cp \"$REPOSITORY/catalog/{series}/{id}.manifest\" .")?;
        writeln!(out, "# any store that rclone knows")?;
        writeln!(out, "rclone copy \"$REPOSITORY/{folder}\" {id}")?;
        writeln!(out, "rclone copy \"$REPOSITORY/catalog/{series}/{id}.manifest\" .\n```\n")?;
        writeln!(out, "A folder:\n")?;
        writeln!(out, "```sh\nset -euo pipefail\numask 077")?;
        writeln!(out, "cp -R \"$REPOSITORY/{folder}\" {id}")?;
        writeln!(out, "cp \"$REPOSITORY/catalog/{series}/{id}.manifest\" .\n```\n")?;

        writeln!(out, "## 2. Check\n")?;
        writeln!(out, "```sh\nset -euo pipefail\numask 077")?;
        writeln!(out, "command -v sha256sum >/dev/null || sha256sum() {{ shasum -a 256 \"$@\"; }}")?;
        writeln!(out, "sed '/^}}$/q' {id}.manifest > manifest.json")?;
        writeln!(
            out,
            "[ \"$(sed -n 's/^sha256 //p' {id}.manifest)\" = \"$(sha256sum < manifest.json | cut -d ' ' -f 1)\" ]\n```\n"
        )?;
        if self.signed {
            writeln!(
                out,
                "Who wrote it: `SIGNERS` is your own list of trusted signers (the format of `ssh-keygen`'s `allowed_signers`), never a\n\
                 file from the store.\n"
            )?;
            writeln!(out, "```sh\nsed -n '/^-----BEGIN/,$p' {id}.manifest > manifest.sig")?;
            writeln!(
                out,
                "WRITER=$(ssh-keygen -Y find-principals -s manifest.sig -f \"$SIGNERS\" | head -n 1)\n\
                 ssh-keygen -Y verify -f \"$SIGNERS\" -I \"$WRITER\" -n backproof-manifest -s manifest.sig < manifest.json\n```\n"
            )?;
        } else {
            writeln!(out, "This backup is not signed: what follows finds damage, not forgery.\n")?;
        }
        writeln!(out, "That it is this backup's manifest, and all files are as it says:\n")?;
        writeln!(out, "```sh\ngrep -qx '  \"id\": \"{id}\",' manifest.json")?;
        writeln!(out, "cd {id}")?;
        writeln!(
            out,
            "grep -qx \"  \\\"sha256sums\\\": \\\"$(sha256sum < {} | cut -d ' ' -f 1)\\\",\" ../manifest.json",
            layout::SUMS
        )?;
        writeln!(out, "sha256sum -c {}", layout::SUMS)?;
        for part in &manifest.parts {
            writeln!(
                out,
                "(cd {0} && sha256sum -c {1} && [ \"$(grep -vc '^#' {1})\" = {2} ])",
                part.name,
                layout::SUMS,
                part.segments
            )?;
        }
        writeln!(out, "```\n")?;

        self.write_open(out)?;

        writeln!(out, "## 4. Restore\n")?;
        writeln!(out, "{}", self.steps.trim())?;
        writeln!(out, "\n## 5. Clean up\n")?;
        writeln!(out, "```sh\nrm -f key\n```")
    }

    fn write_open(&self, out: &mut String) -> std::fmt::Result {
        let encryption = &self.manifest.encryption;
        writeln!(out, "## 3. Open\n")?;
        if encryption.scheme != Scheme::None {
            writeln!(
                out,
                "The backup's own key is sealed to these recipients. With the secret of one of them, unseal it:\n"
            )?;
            for file in &encryption.key_files {
                for recipient in &file.recipients {
                    writeln!(out, "- `keys/{}`: {} `{}`", file.name, recipient.kind, recipient.id.replace('`', " "))?;
                }
            }
            writeln!(out)?;
            for file in &encryption.key_files {
                self.write_unseal(out, file)?;
            }
            if encryption.scheme == Scheme::AgeX25519
                && encryption.key_files.iter().any(|file| file.name.ends_with(".gpg"))
            {
                writeln!(out, "Holders of an OpenPGP key need `age` besides `gpg`: the segments are age files.\n")?;
            }
        }
        let open = match encryption.scheme {
            Scheme::None => "cat \"$name\"",
            Scheme::AgeX25519 => "age -d -i ../key \"$name\"",
            Scheme::OpenpgpAes256 => {
                "gpg --batch --quiet --pinentry-mode loopback --passphrase-file ../key -d \"$name\""
            }
        };
        let unpack = match self.manifest.segments.compression {
            super::manifest::Compression::Zstd => " | zstd -dcq",
            super::manifest::Compression::None => "",
        };
        writeln!(
            out,
            "`open_part NAME` writes a part's plaintext to its standard output. It follows the list that was checked, never what\n\
             happens to be in the folder.\n"
        )?;
        writeln!(out, "```sh\nset -euo pipefail\nopen_part() (")?;
        writeln!(out, "  cd \"$1\" || exit 1")?;
        writeln!(out, "  grep -v '^#' {} | while read -r _ name; do", layout::SUMS)?;
        writeln!(out, "    {open}{unpack} || exit 1\n  done\n)\n```\n")
    }

    fn write_unseal(&self, out: &mut String, file: &KeyFileEntry) -> std::fmt::Result {
        let passphrase = file.recipients.iter().any(|recipient| recipient.kind == "passphrase");
        // The block that a script can run is marked `sh`; with several key files, the reader chooses.
        let mark = if self.manifest.encryption.key_files.len() == 1 && !passphrase { "sh" } else { "" };
        if file.name.ends_with(".gpg") {
            writeln!(
                out,
                "With the OpenPGP secret key in gpg's keyring:\n\n```{mark}\ngpg -d keys/{} > key\n```\n",
                file.name
            )
        } else if passphrase {
            writeln!(out, "With the passphrase:\n\n```{mark}\nage -d keys/{} > key\n```\n", file.name)
        } else {
            writeln!(
                out,
                "With `IDENTITY`, the file of an age or SSH identity:\n\n```{mark}\nage -d -i \"$IDENTITY\" keys/{} > key\n```\n",
                file.name
            )
        }
    }
}
