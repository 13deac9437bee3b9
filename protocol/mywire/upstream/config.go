package upstream

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
)

// Mode says how much TLS a connection wants, under the names that weir uses for
// every kind of server.
type Mode string

// Modes. Require and Prefer check the server's certificate only if RootCAs is
// set, and then as VerifyCA does. Prefer goes on in clear if the server has no
// TLS, and never because a handshake failed.
const (
	Disable    Mode = "disable"
	Prefer     Mode = "prefer"
	Require    Mode = "require"
	VerifyCA   Mode = "verify-ca"
	VerifyFull Mode = "verify-full"
)

// Compression is an algorithm for the connection's bytes.
type Compression string

// Algorithms. One that the server lacks is an error; the empty string is none.
const (
	Zlib Compression = "zlib"
	Zstd Compression = "zstd" // MySQL 8.0.18 and newer
)

// Collations that a connection can begin with.
const (
	CollationUTF8MB4 = 45 // utf8mb4_general_ci, which MySQL and MariaDB know
)

const (
	// defaultTimeout is for a Config that names none.
	defaultTimeout = 15 * time.Second
	// defaultMaxPacket is what libmysqlclient announces.
	defaultMaxPacket = 1 << 24
	zstdLevel        = 3
)

// Config is where and as whom to connect.
type Config struct {
	Network string // tcp or unix
	Address string // host:port, or the path of a socket

	ConnectTimeout time.Duration // until the login's OK; 15 s if zero

	TLS         Mode
	ServerName  string         // to verify and for SNI; the host if empty
	RootCAs     *x509.CertPool // the system's if nil, for the verifying modes
	Certificate func() (*tls.Certificate, error)
	// TrustByPassword lets the verifying modes take a certificate of an unknown
	// CA, whatever name it is for, from a MariaDB server (11.4 and newer) that
	// proves, over this certificate, that it knows the password. Until it has,
	// nothing but the login is sent. It excludes RootCAs. Whoever stands in
	// between gets no password and no statement, but can use the login's answer
	// to log in as this user.
	TrustByPassword bool

	User     string
	Password string
	Database string

	// Capabilities are wanted beyond what this package needs itself; the
	// connection has those of them that the server has (Conn.Capabilities).
	Capabilities mywire.Capabilities
	Compression  Compression
	Collation    byte // CollationUTF8MB4 if zero
	MaxPacket    uint32
	Attributes   []mywire.Attribute

	// AllowCleartext sends a password in clear over a connection in clear.
	AllowCleartext bool
	// ServerKey encrypts the password for the SHA plugins where there is no
	// TLS. AskServerKey takes the server's word for its key instead, which
	// whoever stands in between can forge.
	ServerKey    *rsa.PublicKey
	AskServerKey bool

	Reader mywire.ReaderOptions // in force from the login's OK on
	Writer mywire.WriterOptions
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
	switch c.Compression {
	case "", Zlib, Zstd:
	default:
		return fmt.Errorf("upstream: unknown compression %q", c.Compression)
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = defaultTimeout
	}
	if c.Collation == 0 {
		c.Collation = CollationUTF8MB4
	}
	if c.MaxPacket == 0 {
		c.MaxPacket = defaultMaxPacket
	}
	if c.User == "" {
		return errors.New("upstream: no user")
	}
	if c.TrustByPassword && (c.RootCAs != nil || c.Password == "" || c.TLS != VerifyCA && c.TLS != VerifyFull) {
		return errors.New("upstream: trust by password is for verify-ca and verify-full with a password and without CAs")
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
	case "unix":
		if c.TLS == Prefer {
			c.TLS = Disable
		}
		if (c.TLS == VerifyFull || c.TLS != Disable) && c.ServerName == "" {
			c.ServerName = "localhost"
		}
	default:
		return fmt.Errorf("upstream: unknown network %q", c.Network)
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
		RootCAs:    c.RootCAs,
		ServerName: c.ServerName,
	}
	if c.Certificate != nil {
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.Certificate()
		}
	}
	if c.TLS == VerifyFull && !c.TrustByPassword {
		return t
	}
	// The chain is verified below, or not at all; the name is not.
	t.InsecureSkipVerify = true
	if c.TLS == VerifyCA && !c.TrustByPassword || c.RootCAs != nil {
		t.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, c.RootCAs) }
	}
	return t
}

// verify checks what the server showed under TrustByPassword. It reports
// whether the certificate is good by itself, or an error if nothing can make it
// good.
func (c *Config) verify(s tls.ConnectionState) (trusted bool, err error) {
	err = verifyChain(s, nil)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return false, nil
	}
	if err == nil && c.TLS == VerifyFull {
		err = s.PeerCertificates[0].VerifyHostname(c.ServerName)
	}
	return err == nil, err
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
