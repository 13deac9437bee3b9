package upstream

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// authority is a CA made for one run of the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(name)
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pool: pool}, nil
}

func (a *authority) issue(name string, ips ...net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := template(name)
	t.DNSNames, t.IPAddresses = []string{name}, ips
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60)) // fails as issuing would
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func pemCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// server is a PostgreSQL of the distribution, started once for the package.
type server struct {
	dir, addr string
	ca        *authority
	client    tls.Certificate
}

const hba = `
local     all all               trust
host      all trusted 127.0.0.1/32 trust
hostssl   all secure  127.0.0.1/32 scram-sha-256
hostnossl all plain   127.0.0.1/32 scram-sha-256
host      all old     127.0.0.1/32 md5
host      all clear   127.0.0.1/32 password
hostssl   all carried 127.0.0.1/32 cert
`

const setup = `
create role trusted login; create role carried login;
create role secure login password 'sécret ½'; create role plain login password 'pw';
create role clear login password 'clear text';
set password_encryption = md5; create role old login password 'ancient';
`

// pgBin returns the folder of the server's programs; PGBIN names another
// major version's.
func pgBin() string { return cmp.Or(os.Getenv("PGBIN"), "/usr/lib/postgresql/15/bin") }

var postgres = sync.OnceValues(startServer)

func startServer() (*server, error) {
	s := &server{}
	var err error
	if s.ca, err = newAuthority("test CA"); err != nil {
		return nil, err
	}
	if s.client, err = s.ca.issue("carried"); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("/tmp", "weir-upstream-"); err != nil {
		return nil, err
	}
	if err := asPostgres(s.dir, "initdb", "-D", s.dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"); err != nil {
		return nil, err
	}
	if err := s.configure(); err != nil {
		return nil, err
	}
	if err := asPostgres(s.dir, "pg_ctl", "-D", s.dir+"/data", "-l", s.dir+"/log", "-w", "-t", "20", "start"); err != nil {
		return nil, err
	}
	cmd := exec.Command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", s.dir, "-p", s.addr[len("127.0.0.1:"):], "-U", "postgres", "postgres")
	cmd.Stdin = bytes.NewBufferString(setup)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("set up roles: %w: %s", err, out)
	}
	return s, nil
}

func (s *server) configure() error {
	cert, err := s.ca.issue("localhost", net.IPv4(127, 0, 0, 1))
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return err
	}
	port := 0
	for p := 55840; p <= 55849 && port == 0; p++ {
		if ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p)); err == nil {
			ln.Close()
			port = p
		}
	}
	s.addr = "127.0.0.1:" + strconv.Itoa(port)
	conf := fmt.Sprintf("listen_addresses='127.0.0.1'\nport=%d\nunix_socket_directories='%s'\nssl=on\nssl_ca_file='ca.crt'\nfsync=off\n", port, s.dir)
	files := map[string][]byte{
		"server.crt":           pemCert(cert.Certificate[0]),
		"server.key":           pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"ca.crt":               pemCert(s.ca.cert.Raw),
		"pg_hba.conf":          []byte(hba),
		"postgresql.auto.conf": []byte(conf),
	}
	for name, data := range files {
		path := filepath.Join(s.dir, "data", name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		if uid, gid, ok := postgresUser(); ok {
			if err := os.Chown(path, uid, gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// postgresUser returns whom to be, if this process is root: PostgreSQL refuses it.
func postgresUser() (uid, gid int, ok bool) {
	u, err := user.Lookup("postgres")
	if err != nil || os.Getuid() != 0 {
		return 0, 0, false
	}
	uid, _ = strconv.Atoi(u.Uid) // numbers on every Unix
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid, true
}

func asPostgres(dir, name string, args ...string) error {
	cmd := exec.Command(filepath.Join(pgBin(), name), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if uid, gid, ok := postgresUser(); ok {
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	// The server inherits the output; a pipe would wait for its end.
	out, err := os.Create(filepath.Join(dir, name+".out"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name()) // for the message only
		return fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := postgres(); err == nil {
		if err := asPostgres(s.dir, "pg_ctl", "-D", s.dir+"/data", "-m", "immediate", "-w", "stop"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.RemoveAll(s.dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// config returns a Config for the server as one of its roles.
func config(t *testing.T, role, password string) Config {
	t.Helper()
	s, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Network: "tcp", Address: s.addr, TLS: VerifyFull, RootCAs: s.ca.pool,
		User: role, Password: password, Database: "postgres",
		ConnectTimeout: 10 * time.Second,
	}
}
