//! A certificate authority with a server certificate, made on the spot.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::path::{Path, PathBuf};

/// A certificate authority, and a folder with what it issued.
#[derive(Debug)]
pub struct Certificates {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A client's certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, mode 0600.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes a new authority and writes its certificate to `ca.crt` in this folder.
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "backproof tests");
        let key = KeyPair::generate().unwrap_or_else(|e| panic!("make a key: {e}"));
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap_or_else(|e| panic!("make a certificate: {e}"));
        let this = Certificates { issuer, folder: folder.to_owned() };
        write(&this.authority(), &this.issuer.pem(), 0o644);
        this
    }

    /// The authority's certificate, PEM: what clients give as `sslrootcert`.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Issues a server's certificate for these DNS names and addresses: the texts of certificate and key.
    pub fn server(&self, names: &[&str]) -> (String, String) {
        self.issue(names, names.first().copied().unwrap_or("server"), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a certificate with which this role logs in.
    pub fn client(&self, role: &str) -> ClientCertificate {
        let (certificate, key) = self.issue(&[], role, ExtendedKeyUsagePurpose::ClientAuth);
        let files = ClientCertificate {
            certificate: self.folder.join(format!("client-{role}.crt")),
            key: self.folder.join(format!("client-{role}.key")),
        };
        write(&files.certificate, &certificate, 0o644);
        write(&files.key, &key, 0o600);
        files
    }

    fn issue(&self, names: &[&str], common_name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut params = CertificateParams::new(names).unwrap_or_else(|e| panic!("names of a certificate: {e}"));
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap_or_else(|e| panic!("make a key: {e}"));
        let certificate = params.signed_by(&key, &self.issuer).unwrap_or_else(|e| panic!("sign a certificate: {e}"));
        (certificate.pem(), key.serialize_pem())
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)))
        .unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
}
