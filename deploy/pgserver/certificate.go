package pgserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one cluster. It lives in memory.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("weir throw-away authority")
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, nil
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour)}
}

// issue returns a certificate and its key in PEM.
func (a *authority) issue(t *x509.Certificate) (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		return "", "", err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8), nil
}

func (s *Server) issueServerCertificate() error {
	t := template("localhost")
	t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	certificate, key, err := s.authority.issue(t)
	if err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.Dir, "ca.crt")
	if err := s.write("ca.crt", s.authority.pem, 0o644); err != nil {
		return err
	}
	if err := s.write("data/server.crt", certificate, 0o600); err != nil {
		return err
	}
	return s.write("data/server.key", key, 0o600)
}

// ClientCertificate issues a client certificate for a role and returns the
// paths of the certificate and its key. The key belongs to the calling account.
func (s *Server) ClientCertificate(role string) (certFile, keyFile string, err error) {
	t := template(role)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	certificate, key, err := s.authority.issue(t)
	if err != nil {
		return "", "", err
	}
	return s.writeClient(role, certificate, key)
}
func (s *Server) writeClient(role, certificate, key string) (string, string, error) {
	certFile, keyFile := filepath.Join(s.Dir, role+".crt"), filepath.Join(s.Dir, role+".key")
	if err := os.WriteFile(certFile, []byte(certificate), 0o644); err != nil {
		return "", "", err
	}
	if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
		return "", "", err
	}
	return certFile, keyFile, nil
}

// ServerCertificate copies the server's certificate and key into a folder, for
// a proxy that stands in for it.
func (s *Server) ServerCertificate(folder string) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(folder, "server.crt"), filepath.Join(folder, "server.key")
	for from, to := range map[string]string{"server.crt": certFile, "server.key": keyFile} {
		data, err := os.ReadFile(filepath.Join(s.data(), from))
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		if err != nil {
			return "", "", err
		}
	}
	return certFile, keyFile, nil
}
