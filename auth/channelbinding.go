package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"hash"
)

// Names of the SASL mechanisms.
const (
	SCRAMSHA256     = "SCRAM-SHA-256"
	SCRAMSHA256Plus = "SCRAM-SHA-256-PLUS"
)

// endPointBinding is the one channel binding that PostgreSQL knows.
const endPointBinding = "tls-server-end-point"

// ChannelBinding is the server's side of tls-server-end-point (RFC 5929,
// section 4). The zero value says that no binding is possible: no TLS, or a
// certificate whose signature has no single hash.
type ChannelBinding struct{ data []byte }

// Available says whether SCRAM-SHA-256-PLUS can be offered.
func (cb ChannelBinding) Available() bool { return len(cb.data) > 0 }

// Mechanisms returns the SASL mechanisms to offer, strongest first.
func (cb ChannelBinding) Mechanisms() []string {
	if cb.Available() {
		return []string{SCRAMSHA256Plus, SCRAMSHA256}
	}
	return []string{SCRAMSHA256}
}

// ServerEndPoint returns the binding to the certificate that the server
// presented in this TLS connection. It is an error when RFC 5929 defines no
// hash for the certificate's signature (Ed25519, for one): the caller then
// goes on with the zero ChannelBinding.
func ServerEndPoint(certificate *x509.Certificate) (ChannelBinding, error) {
	var h hash.Hash
	switch certificate.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, // RFC 5929: MD5 and SHA-1 become SHA-256
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256, x509.DSAWithSHA256:
		h = sha256.New()
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = sha512.New384()
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = sha512.New()
	default:
		return ChannelBinding{}, fmt.Errorf("channel binding: no hash for signature algorithm %s", certificate.SignatureAlgorithm)
	}
	h.Write(certificate.Raw)
	return ChannelBinding{data: h.Sum(nil)}, nil
}
