package proxy

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync/atomic"
)

// Certificates holds the TLS configuration of a listener. It can be replaced
// while connections live; each handshake uses the one of its time.
type Certificates struct{ current atomic.Pointer[tls.Config] }

// NewCertificates checks and holds a configuration.
func NewCertificates(c *tls.Config) (*Certificates, error) {
	certs := &Certificates{}
	return certs, certs.Replace(c)
}

// Replace takes a new configuration for the handshakes to come. On an error
// the old one stays.
func (c *Certificates) Replace(config *tls.Config) error {
	if len(config.Certificates) == 0 {
		return errors.New("tls: no certificate")
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.SessionTicketsDisabled = true // connections live long; a resumed one has no certificate to bind to
	c.current.Store(config)
	return nil
}

// Server returns the server's side for one handshake with the given ALPN
// protocols. After it, presented is the certificate that the client was shown.
func (c *Certificates) Server(protocols ...string) (config *tls.Config, presented *tls.Certificate) {
	presented = &tls.Certificate{}
	config = &tls.Config{MinVersion: tls.VersionTLS12}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own := c.current.Load().Clone()
		own.NextProtos = slices.Clone(protocols)
		chosen := &own.Certificates[0]
		for i := range own.Certificates {
			if hello.SupportsCertificate(&own.Certificates[i]) == nil {
				chosen = &own.Certificates[i]
				break
			}
		}
		*presented = *chosen
		own.Certificates = []tls.Certificate{*chosen}
		own.GetCertificate = nil
		return own, nil
	}
	return config, presented
}
