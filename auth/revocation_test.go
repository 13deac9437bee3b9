package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates and lists.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	self *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.self = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name)}, nil)
	return a
}

func (a *authority) issue(c, parent *x509.Certificate) *x509.Certificate {
	a.t.Helper()
	if parent == nil {
		parent = c
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &a.key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

func (a *authority) leaf(serial int64) []*x509.Certificate {
	return []*x509.Certificate{a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "ana"}, SerialNumber: big.NewInt(serial)}, a.self), a.self}
}

func (a *authority) list(until time.Duration, extra []pkix.Extension, serials ...int64) []byte {
	a.t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(until), ExtraExtensions: extra}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.self, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func TestRevocations(t *testing.T) {
	a, other, impostor := newAuthority(t, "authority"), newAuthority(t, "other"), newAuthority(t, "authority")
	partial := []pkix.Extension{{Id: distributionPoint, Critical: true, Value: []byte{0x30, 0}}}
	for name, c := range map[string]struct {
		lists []byte
		chain []*x509.Certificate
		want  string // empty: passes; "file: …": the file is refused
	}{
		"good":             {a.list(time.Hour, nil, 7, 8), a.leaf(9), ""},
		"revoked":          {a.list(time.Hour, nil, 7, 8), a.leaf(8), "certificate 8 of \"CN=ana\" was revoked"},
		"out of date":      {a.list(-time.Minute, nil, 7), a.leaf(9), "no revocation list"},
		"revoked long ago": {a.list(-time.Minute, nil, 7), a.leaf(7), "was revoked"},
		"of another":       {other.list(time.Hour, nil), a.leaf(9), "no revocation list"},
		"of an impostor":   {impostor.list(time.Hour, nil), a.leaf(9), "no revocation list"},
		"several":          {append(other.list(time.Hour, nil, 9), a.list(time.Hour, nil)...), a.leaf(9), ""},
		"a part":           {a.list(time.Hour, partial), a.leaf(9), "file: covers a part"},
		"a delta":          {a.list(time.Hour, []pkix.Extension{{Id: deltaIndicator, Critical: true, Value: []byte{2, 1, 1}}}), a.leaf(9), "file: delta"},
		"not known":        {a.list(time.Hour, []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}), a.leaf(9), "file: critical"},
		"no list":          {[]byte("-----BEGIN X509 CRL-----\n"), a.leaf(9), "file: no list"},
		"nonsense":         {[]byte("nonsense"), a.leaf(9), "file: "},
	} {
		file := filepath.Join(t.TempDir(), "lists.pem")
		if err := os.WriteFile(file, c.lists, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := NewRevocations([]string{file})
		want, refused := strings.CutPrefix(c.want, "file: ")
		if err == nil && !refused {
			err = r.Check(c.chain, time.Now())
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestRevocationsAreReadAgain(t *testing.T) {
	a := newAuthority(t, "authority")
	file := filepath.Join(t.TempDir(), "list.crl")
	write := func(text []byte, at time.Time) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	block, _ := pem.Decode(a.list(time.Hour, nil))
	write(block.Bytes, now) // DER
	r, err := NewRevocations([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	chain := a.leaf(9)
	if err := r.Check(chain, now); err != nil {
		t.Fatal(err)
	}
	write(a.list(time.Hour, nil, 9), now.Add(time.Second))
	if err := r.Check(chain, now.Add(time.Second)); err != nil {
		t.Errorf("it looks at the file every time: %v", err)
	}
	if err := r.Check(chain, now.Add(revocationPoll+time.Second)); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a new list is not read: %v", err)
	}
	write([]byte("half a lis"), now.Add(2*time.Second))
	if err := r.Check(chain, now.Add(3*revocationPoll)); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a damaged file makes one forget: %v", err)
	}
}
