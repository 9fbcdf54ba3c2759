//! TLS as libpq's `sslmode`, `sslrootcert` and their kin mean it, with rustls.
//!
//! Rules: docs "SSL Support" (libpq-ssl.html), and `initialize_SSL` in src/interfaces/libpq/fe-secure-openssl.c. In two points rustls is
//! stricter, and says so in an error instead of connecting: a host is compared with the certificate's subjectAltName only (libpq falls back
//! to the common name), and TLS before 1.2 is not spoken.

use crate::connection::Env;
use crate::error::codes::{TLS_FAILED, UNSUPPORTED_CONNECTION_SETTING};
use backup_core::error::codes::INVALID_ARGUMENT;
use backup_core::error::io_error;
use backup_core::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a connection is protected: libpq's `sslmode`. Sockets of the same machine never use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// Never TLS.
    Disable,
    /// TLS only if the server insists.
    Allow,
    /// TLS if the server has it (the default); no protection against someone in the middle.
    Prefer,
    /// TLS, without looking at the certificate unless there is a root certificate file.
    Require,
    /// TLS with a certificate from a trusted authority.
    VerifyCa,
    /// The same, and the certificate must be for this host.
    VerifyFull,
}

impl TlsMode {
    /// libpq's word.
    pub fn name(self) -> &'static str {
        match self {
            TlsMode::Disable => "disable",
            TlsMode::Allow => "allow",
            TlsMode::Prefer => "prefer",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One try to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Plain,
    Tls,
}

/// Whose certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Roots {
    /// The system's store (`sslrootcert=system`).
    System,
    /// This file, if it is there.
    File(PathBuf),
    None,
}

/// Resolved settings.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    mode: TlsMode,
    roots: Roots,
    revoked: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    send_certificate: bool,
    send_name: bool,
    direct: bool,
    oldest: Option<String>,
    newest: Option<String>,
}

/// Files with the system's authorities, for programs whose libpq does not know `sslrootcert=system` (it came with 16).
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Tls {
    /// Understands the settings (by libpq's keywords) and the default files in the home folder.
    pub(crate) fn resolve(get: &dyn Fn(&str) -> Option<String>, env: &Env) -> Result<Self> {
        let in_home = |name: &str| env.in_home(".postgresql").map(|folder| folder.join(name));
        let roots = match get("sslrootcert").as_deref() {
            Some("system") => Roots::System,
            Some(file) => Roots::File(file.into()),
            None => in_home("root.crt").map_or(Roots::None, Roots::File),
        };
        let mode = match get("sslmode").as_deref() {
            None if roots == Roots::System => TlsMode::VerifyFull,
            None => TlsMode::Prefer,
            Some(word) => mode(word)?,
        };
        // libpq, connectOptions2: anything weaker with the system's authorities would trust everybody with any certificate.
        if roots == Roots::System && mode != TlsMode::VerifyFull {
            return Err(Error::new(&INVALID_ARGUMENT, format!("sslmode={mode} is too weak for sslrootcert=system"))
                .with_hint("use sslmode=verify-full"));
        }
        let key = get("sslkey");
        if key.as_deref().is_some_and(|key| key.contains(':')) {
            return Err(Error::new(&UNSUPPORTED_CONNECTION_SETTING, "sslkey names a key of an OpenSSL engine")
                .with_hint("give a key file"));
        }
        let direct = match get("sslnegotiation").as_deref() {
            None | Some("postgres") => false,
            Some("direct") if mode >= TlsMode::Require => true,
            Some("direct") => {
                return Err(Error::new(
                    &INVALID_ARGUMENT,
                    format!("sslmode={mode} is too weak for sslnegotiation=direct"),
                )
                .with_hint("use sslmode=require or stronger"));
            }
            Some(_) => return Err(Error::new(&INVALID_ARGUMENT, "sslnegotiation is neither postgres nor direct")),
        };
        let certificate = get("sslcert").map(PathBuf::from).or_else(|| in_home("postgresql.crt"));
        let tls = Tls {
            mode,
            roots,
            revoked: get("sslcrl").map(PathBuf::from).or_else(|| in_home("root.crl").filter(|file| file.exists())),
            certificate,
            key: key.map(PathBuf::from).or_else(|| in_home("postgresql.key")),
            send_certificate: get("sslcertmode").as_deref() != Some("disable"),
            send_name: get("sslsni").as_deref() != Some("0"),
            direct,
            oldest: get("ssl_min_protocol_version"),
            newest: get("ssl_max_protocol_version"),
        };
        tls.versions()?;
        Ok(tls)
    }

    pub(crate) fn mode(&self) -> TlsMode {
        self.mode
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.direct
    }

    /// What is tried, in order (docs, `sslmode`).
    pub(crate) fn attempts(&self) -> &'static [Attempt] {
        match self.mode {
            TlsMode::Disable => &[Attempt::Plain],
            TlsMode::Allow => &[Attempt::Plain, Attempt::Tls],
            TlsMode::Prefer => &[Attempt::Tls, Attempt::Plain],
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => &[Attempt::Tls],
        }
    }

    /// The same for PostgreSQL's programs. Every default is spelt out, so that they look for no other file.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        const NOWHERE: &str = "/nonexistent/backproof";
        let file = |file: &Option<PathBuf>| {
            file.as_deref().map_or(NOWHERE.to_owned(), |file| file.to_string_lossy().into_owned())
        };
        let mut variables = vec![
            ("PGSSLMODE", self.mode.name().to_owned()),
            (
                "PGSSLROOTCERT",
                match &self.roots {
                    Roots::System => SYSTEM_BUNDLES
                        .iter()
                        .find(|file| Path::new(file).is_file())
                        .copied()
                        .unwrap_or("system")
                        .to_owned(),
                    Roots::File(file) => file.to_string_lossy().into_owned(),
                    Roots::None => NOWHERE.to_owned(),
                },
            ),
            ("PGSSLCERT", file(&self.certificate.clone().filter(|_| self.send_certificate))),
            ("PGSSLKEY", file(&self.key)),
            ("PGSSLCRL", file(&self.revoked)),
            ("PGSSLSNI", if self.send_name { "1" } else { "0" }.to_owned()),
            ("PGSSLMINPROTOCOLVERSION", self.oldest.clone().unwrap_or_else(|| "TLSv1.2".to_owned())),
        ];
        if self.direct {
            variables.push(("PGSSLNEGOTIATION", "direct".to_owned()));
        }
        variables.extend(self.newest.clone().map(|newest| ("PGSSLMAXPROTOCOLVERSION", newest)));
        variables
    }

    /// The settings for rustls. Reads the certificate files.
    pub(crate) fn client_config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = self.versions()?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|error| Error::new(&TLS_FAILED, "set up TLS").with_source(error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.verifier(provider)?));
        let mut config = match self.client_certificate()? {
            Some((certificates, key)) => builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| Error::new(&TLS_FAILED, "use the client certificate").with_source(error))?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.send_name;
        if self.direct {
            // Asked for by servers in this mode (PostgreSQL 17, src/include/libpq/pqcomm.h: PG_ALPN_PROTOCOL).
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(config)
    }

    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>> {
        let rank = |name: &str, value: &Option<String>, default: u8| match value
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None => Ok(default),
            Some("tlsv1") => Ok(10),
            Some("tlsv1.1") => Ok(11),
            Some("tlsv1.2") => Ok(12),
            Some("tlsv1.3") => Ok(13),
            Some(_) => Err(Error::new(&INVALID_ARGUMENT, format!("{name} is not a version such as TLSv1.2"))),
        };
        let oldest = rank("ssl_min_protocol_version", &self.oldest, 12)?;
        let newest = rank("ssl_max_protocol_version", &self.newest, 13)?;
        let all: [(u8, &'static SupportedProtocolVersion); 2] =
            [(12, &rustls::version::TLS12), (13, &rustls::version::TLS13)];
        let wanted: Vec<_> =
            all.into_iter().filter(|(rank, _)| (oldest..=newest).contains(rank)).map(|(_, version)| version).collect();
        if wanted.is_empty() {
            return Err(Error::new(
                &UNSUPPORTED_CONNECTION_SETTING,
                "the TLS versions asked for exclude TLS 1.2 and 1.3",
            ));
        }
        Ok(wanted)
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Verifier> {
        let unchecked = |provider| Verifier { trust: None, check_name: false, provider };
        let certificates = match &self.roots {
            Roots::System => {
                let found = rustls_native_certs::load_native_certs();
                if found.certs.is_empty() {
                    return Err(Error::new(&TLS_FAILED, "sslrootcert=system: this machine has no certificate store")
                        .with_hint("install it (Debian: ca-certificates), or give a file as sslrootcert"));
                }
                found.certs
            }
            Roots::File(file) if file.exists() => certificates(file)?,
            // As libpq: without a file, only the verify modes fail.
            Roots::File(_) | Roots::None if self.mode < TlsMode::VerifyCa => return Ok(unchecked(provider)),
            Roots::File(file) => {
                return Err(Error::new(
                    &TLS_FAILED,
                    format!(
                        "sslmode={} needs the root certificate file {}, which does not exist",
                        self.mode,
                        file.display()
                    ),
                )
                .with_hint(
                    "give the provider's CA file as sslrootcert, or sslrootcert=system for public authorities",
                ));
            }
            Roots::None => {
                return Err(Error::new(&TLS_FAILED, format!("sslmode={} needs a root certificate", self.mode))
                    .with_hint(
                        "give the provider's CA file as sslrootcert, or sslrootcert=system for public authorities",
                    ));
            }
        };
        let mut store = RootCertStore::empty();
        let (usable, _) = store.add_parsable_certificates(certificates.iter().cloned());
        if usable == 0 {
            return Err(Error::new(&TLS_FAILED, "the root certificate file holds no certificate that can be used"));
        }
        let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
        if let Some(file) = &self.revoked {
            builder = builder.with_crls(revocation_lists(file)?);
        }
        let chain = builder
            .build()
            .map_err(|error| Error::new(&TLS_FAILED, "read the root certificates").with_source(error))?;
        Ok(Verifier {
            trust: Some(Trust { chain, certificates }),
            check_name: self.mode == TlsMode::VerifyFull,
            provider,
        })
    }

    fn client_certificate(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
        let Some(file) = self.certificate.as_deref().filter(|file| self.send_certificate && file.exists()) else {
            return Ok(None);
        };
        let chain = certificates(file)?;
        let Some(key) = self.key.as_deref().filter(|key| key.exists()) else {
            return Err(Error::new(&TLS_FAILED, format!("the client certificate {} has no key", file.display()))
                .with_hint("give its key file as sslkey"));
        };
        check_key_permissions(key)?;
        let bytes = std::fs::read(key).map_err(|error| io_error(format!("read the key {}", key.display()), error))?;
        let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
            Error::new(&TLS_FAILED, format!("read the key {}", key.display()))
                .with_source(error.to_string())
                .with_hint("it must be in PEM form and have no password")
        })?;
        Ok(Some((chain, key)))
    }
}

fn mode(word: &str) -> Result<TlsMode> {
    let all =
        [TlsMode::Disable, TlsMode::Allow, TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull];
    all.into_iter().find(|mode| mode.name() == word).ok_or_else(|| {
        Error::new(&INVALID_ARGUMENT, "sslmode has an unknown value")
            .with_hint("it is one of disable, allow, prefer, require, verify-ca, verify-full")
    })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = std::fs::read(file)
        .map_err(|error| io_error(format!("read the certificate file {}", file.display()), error))?;
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(Error::new(&TLS_FAILED, format!("{} holds no certificate in PEM form", file.display()))),
        Err(error) => Err(Error::new(&TLS_FAILED, format!("read the certificate file {}", file.display()))
            .with_source(error.to_string())),
    }
}

fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>> {
    let bytes =
        std::fs::read(file).map_err(|error| io_error(format!("read the revocation list {}", file.display()), error))?;
    let all: std::result::Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    all.map_err(|error| {
        Error::new(&TLS_FAILED, format!("read the revocation list {}", file.display())).with_source(error.to_string())
    })
}

/// libpq's rule: mode 0600 or less, or 0640 when root owns it.
fn check_key_permissions(key: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata =
        std::fs::metadata(key).map_err(|error| io_error(format!("read the key {}", key.display()), error))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(Error::new(&TLS_FAILED, format!("the key {} can be read by others", key.display()))
            .with_hint(format!("run: chmod 0600 {}", key.display())));
    }
    Ok(())
}

#[derive(Debug)]
struct Trust {
    chain: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

/// Checks a server's certificate as far as `sslmode` asks for it.
#[derive(Debug)]
struct Verifier {
    trust: Option<Trust>,
    check_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(trust) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        match trust.chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // rustls looks at the name last, so all else was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate that is its own authority, as PostgreSQL's documentation makes it: OpenSSL takes it when it is in the
            // trusted file, rustls never takes an authority for a server. The very same bytes are as good as trust can be.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if trust.certificates.iter().any(|c| c == certificate) =>
            {
                if self.check_name {
                    let parsed = rustls::server::ParsedCertificate::try_from(certificate)?;
                    rustls::client::verify_server_name(&parsed, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    // Signatures are checked in every mode: channel binding rests on the server having the certificate's key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
