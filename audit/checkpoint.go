package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	keyName        = "signing.key"
	pubName        = "signing.pub"
	checkpointName = "checkpoints.jsonl"
)

// The types of a Statement.
const (
	typeCheckpoint = "checkpoint"
	typeRetention  = "retention"
)

// Statement is something that the journal signed. A checkpoint says that
// record Sequence of Segment exists and has Hash. A retention statement says
// that everything up to that record was removed on purpose.
type Statement struct {
	Type      string `json:"type"`
	Journal   string `json:"journal"` // identifier of the journal
	Segment   int    `json:"segment"`
	Sequence  uint64 `json:"sequence"`
	Hash      string `json:"hash"` // hexadecimal
	Time      string `json:"time"` // RFC 3339
	Key       string `json:"key"`  // KeyID of the signer
	Signature string `json:"signature"`
}

// message is what is signed: a fixed label and the fields, one a line.
func (s *Statement) message() []byte {
	return fmt.Appendf(nil, "weir audit statement 1\n%q\n%q\n%d\n%d\n%q\n%q\n",
		s.Type, s.Journal, s.Segment, s.Sequence, s.Hash, s.Time)
}

func (s *Statement) sign(key ed25519.PrivateKey) {
	s.Key = KeyID(key.Public().(ed25519.PublicKey))
	s.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, s.message()))
}

// verify checks the signature against the key among keys that made it.
func (s *Statement) verify(keys []ed25519.PublicKey) error {
	for _, k := range keys {
		if KeyID(k) != s.Key {
			continue
		}
		sig, err := base64.StdEncoding.DecodeString(s.Signature)
		if err != nil || !ed25519.Verify(k, s.message(), sig) {
			return errors.New("the signature is not that of its key")
		}
		return nil
	}
	return fmt.Errorf("signed by key %q, which is not trusted here", s.Key)
}

func (s *Statement) digest() (d digest, ok bool) {
	if len(s.Hash) != hexLen {
		return d, false
	}
	return d, decodeHex(&d, []byte(s.Hash))
}

func newStatement(typ, journal string, segment int, l link, t time.Time) Statement {
	return Statement{Type: typ, Journal: journal, Segment: segment, Sequence: l.seq,
		Hash: hex.EncodeToString(l.hash[:]), Time: t.UTC().Format(time.RFC3339Nano)}
}

// KeyID is a short name for a public key: the first half of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:16])
}

// parseStatement reads one line of checkpoints.jsonl.
func parseStatement(line []byte) (Statement, error) {
	var s Statement
	if err := json.Unmarshal(line, &s); err != nil {
		return s, fmt.Errorf("not a signed statement: %w", err)
	}
	if _, ok := s.digest(); !ok || s.Type != typeCheckpoint && s.Type != typeRetention {
		return s, errors.New("not a signed statement")
	}
	return s, nil
}

// loadKey returns the signing key, making it at first start, and leaves its
// public half in the journal's directory.
func loadKey(o *Options) (ed25519.PrivateKey, error) {
	key := o.SigningKey
	if key == nil {
		var err error
		if key, err = readPrivateKey(o.KeyFile); errors.Is(err, os.ErrNotExist) {
			key, err = makeKey(o.KeyFile)
		}
		if err != nil {
			return nil, err
		}
	}
	pub := key.Public().(ed25519.PublicKey)
	path := filepath.Join(o.Dir, pubName)
	if have, err := ReadPublicKey(path); err == nil && have.Equal(pub) {
		return key, nil
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return key, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func readPrivateKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("signing key %s: mode %04o lets others read it; make it 0600", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("signing key %s: not PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s: not an Ed25519 key", path)
	}
	return key, nil
}

func makeKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return key, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// ReadPublicKey reads an Ed25519 public key from a PEM file (PKIX).
func ReadPublicKey(path string) (ed25519.PublicKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("public key %s: not PEM", path)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key %s: not an Ed25519 key", path)
	}
	return key, nil
}

// writeFile puts b at path, 0600, so that a crash leaves the old or the new file.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes new names in dir durable.
func syncDir(dir string) error { return syncFile(dir) }

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("fsync: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", path, err)
	}
	return nil
}
