package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
)

// Mode says how much TLS a connection wants, under libpq's names.
type Mode string

// Modes. Require and Prefer check the server's certificate only if RootCAs is
// set, and then as VerifyCA does, like libpq. Prefer goes on in clear if the
// server has no TLS, and never because a handshake failed.
const (
	Disable    Mode = "disable"
	Prefer     Mode = "prefer"
	Require    Mode = "require"
	VerifyCA   Mode = "verify-ca"
	VerifyFull Mode = "verify-full"
)

// Binding says whether SCRAM is bound to the TLS connection.
type Binding string

// Values of Binding; the empty one is BindingPrefer.
const (
	BindingDisable Binding = "disable"
	BindingPrefer  Binding = "prefer"
	BindingRequire Binding = "require" // nothing but SCRAM-SHA-256-PLUS will do
)

// defaultTimeout is for a Config that names none.
const defaultTimeout = 15 * time.Second

// Config is where and as whom to connect.
type Config struct {
	Network string // tcp or unix
	Address string // host:port, or the path of a socket

	ConnectTimeout time.Duration // until ReadyForQuery; 15 s if zero

	TLS         Mode
	DirectTLS   bool           // without SSLRequest; PostgreSQL 17 and newer
	ServerName  string         // to verify and for SNI; the host if empty
	RootCAs     *x509.CertPool // the system's if nil, for the verifying modes
	Certificate func() (*tls.Certificate, error)

	User     string
	Password string
	Database string
	Params   []pgwire.Param // other settings of the startup message

	Newest         pgwire.Version // newest protocol to ask for; 3.2 if zero
	ChannelBinding Binding
	AllowCleartext bool // send a password in clear over a connection in clear

	Reader pgwire.ReaderOptions // in force from ReadyForQuery on
	Writer pgwire.WriterOptions
}

// LoadCA reads certificates in PEM from a file.
func LoadCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA file: no certificate in %s", file)
	}
	return pool, nil
}

// check completes the configuration or says what is wrong with it.
func (c *Config) check() error {
	switch c.TLS {
	case Disable, Prefer, Require, VerifyCA, VerifyFull:
	default:
		return fmt.Errorf("upstream: unknown TLS mode %q", c.TLS)
	}
	switch c.ChannelBinding {
	case "":
		c.ChannelBinding = BindingPrefer
	case BindingDisable, BindingPrefer, BindingRequire:
	default:
		return fmt.Errorf("upstream: unknown channel binding %q", c.ChannelBinding)
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = defaultTimeout
	}
	switch c.Newest {
	case 0:
		c.Newest = pgwire.Version32
	case pgwire.Version30, pgwire.Version32:
	default:
		return fmt.Errorf("upstream: protocol %s cannot be asked for", c.Newest)
	}
	if c.User == "" {
		return errors.New("upstream: no user")
	}
	return c.checkNetwork()
}

func (c *Config) checkNetwork() error {
	switch c.Network {
	case "tcp":
		host, _, err := net.SplitHostPort(c.Address)
		if err != nil {
			return fmt.Errorf("upstream: address: %w", err)
		}
		if c.ServerName == "" {
			c.ServerName = host
		}
		if c.DirectTLS && (c.TLS == Disable || c.TLS == Prefer) {
			return fmt.Errorf("upstream: direct TLS needs mode require or stronger, not %s", c.TLS)
		}
	case "unix":
		if c.DirectTLS || c.TLS != Disable && c.TLS != Prefer {
			return fmt.Errorf("upstream: PostgreSQL has no TLS over a unix socket, so mode %s cannot be met", c.TLS)
		}
		c.TLS = Disable
	default:
		return fmt.Errorf("upstream: unknown network %q", c.Network)
	}
	if c.ChannelBinding == BindingRequire && c.TLS == Disable {
		return errors.New("upstream: channel binding cannot be required without TLS")
	}
	return nil
}

// ClientTLS is the client side of TLS in the configuration's mode, for
// connections that others make with it; nil where the mode has none. The
// configuration's ServerName or address names the server.
func (c *Config) ClientTLS() *tls.Config {
	if c.TLS == Disable {
		return nil
	}
	complete := *c
	if complete.ServerName == "" {
		complete.ServerName, _, _ = net.SplitHostPort(c.Address)
	}
	return complete.tlsConfig()
}

// tlsConfig returns the client side of TLS 1.2 or newer in the mode.
func (c *Config) tlsConfig() *tls.Config {
	t := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{alpn},
		RootCAs:    c.RootCAs,
		ServerName: c.ServerName,
	}
	if c.Certificate != nil {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.Certificate()
		}
	}
	if c.TLS == VerifyFull {
		return t
	}
	// The chain is verified below, or not at all; the name is not.
	t.InsecureSkipVerify = true
	if c.TLS == VerifyCA || c.RootCAs != nil {
		t.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, c.RootCAs) }
	}
	return t
}

func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}
