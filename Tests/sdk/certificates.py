"""Certificates of an authority that only these tests trust, as the files of a server."""

import ssl

HOST = "127.0.0.1"


class TLSFiles:
    """The two files of one server, and what its clients trust."""

    def __init__(self, folder, authority):
        self.authority = authority
        self.certificate = folder / "certificate.pem"
        self.private_key = folder / "private-key.pem"
        self.environment = {"CONVERSATIOND_TLS_CERTIFICATE": str(self.certificate),
                            "CONVERSATIOND_TLS_PRIVATE_KEY": str(self.private_key)}

    def write(self, leaf=None):
        """Writes a certificate with its chain, and its key; returns the certificate as a client
        sees it."""
        leaf = leaf or self.authority.issue_cert(HOST)
        chain = [blob.bytes() for blob in leaf.cert_chain_pems]
        self.certificate.write_bytes(b"".join(chain))
        self.private_key.write_bytes(leaf.private_key_pem.bytes())
        return ssl.PEM_cert_to_DER_cert(chain[0].decode())

    def client_context(self, version=None):
        """What a client uses, of any version or of one alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        if version:
            # Or OpenSSL would not offer the old versions, and the server would not be asked.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        return context
