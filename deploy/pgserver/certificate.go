package pgserver

import (
	"os"
	"path/filepath"
)

func (s *Server) issueServerCertificate() error {
	certificate, key, err := s.authority.Server()
	if err != nil {
		return err
	}
	s.CAFile = filepath.Join(s.Dir, "ca.crt")
	if err := s.write("ca.crt", s.authority.PEM, 0o644); err != nil {
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
	certificate, key, err := s.authority.Client(role)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(s.Dir, role+".crt"), filepath.Join(s.Dir, role+".key")
	if err := os.WriteFile(certFile, []byte(certificate), 0o644); err != nil {
		return "", "", err
	}
	return certFile, keyFile, os.WriteFile(keyFile, []byte(key), 0o600)
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
