package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	maxRevocationList = 64 << 20         // bytes of a file
	revocationPoll    = 10 * time.Second // between looks whether a file has changed
)

// Revocations holds certificate revocation lists (RFC 5280, section 5) of the
// authorities of client certificates. Files are read again when they change; one
// that cannot be read leaves what was read before, until that is out of date.
// It is safe for concurrent use.
type Revocations struct {
	files []string

	mu     sync.Mutex
	read   map[string]*revocationFile // by name; guarded by mu
	looked time.Time                  // guarded by mu
}

type revocationFile struct {
	size     int64
	modified time.Time
	lists    []*revocationList
}

type revocationList struct {
	*x509.RevocationList
	serials map[string]time.Time // revoked when, by serial number
	signer  *x509.Certificate    // by whom the signature was last verified
}

// NewRevocations reads files of lists in PEM or DER. There has to be a list of
// every authority that issues client certificates.
func NewRevocations(files []string) (*Revocations, error) {
	r := &Revocations{files: files, read: map[string]*revocationFile{}}
	if err := r.refresh(time.Now()); err != nil {
		return nil, err
	}
	return r, nil
}

// refresh reads the files that have changed.
func (r *Revocations) refresh(now time.Time) error {
	if now.Sub(r.looked) < revocationPoll {
		return nil
	}
	r.looked = now
	var faults []error
	for _, name := range r.files {
		info, err := os.Stat(name)
		if err == nil {
			if known := r.read[name]; known != nil && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
				continue
			}
			err = r.readFile(name, info)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("revocation list %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

func (r *Revocations) readFile(name string, info fs.FileInfo) error {
	if info.Size() > maxRevocationList {
		return fmt.Errorf("it has more than %d bytes", maxRevocationList)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file := &revocationFile{size: info.Size(), modified: info.ModTime()}
	add := func(der []byte) error {
		list, err := parseRevocations(der)
		file.lists = append(file.lists, list)
		return err
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		err = add(text)
	}
	for err == nil {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == "X509 CRL" {
			err = add(block.Bytes)
		}
	}
	if err == nil && len(file.lists) == 0 {
		err = errors.New("there is no list in it")
	}
	if err == nil {
		r.read[name] = file
	}
	return err
}

// Extensions that change what a list is about.
var (
	deltaIndicator    = asn1.ObjectIdentifier{2, 5, 29, 27}
	distributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
)

func parseRevocations(der []byte) (*revocationList, error) {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	for _, e := range parsed.Extensions {
		switch {
		case e.Id.Equal(deltaIndicator):
			return nil, errors.New("it is a delta list, which holds changes alone: use the complete one")
		case e.Id.Equal(distributionPoint):
			return nil, errors.New("it covers a part of the certificates (issuing distribution point): use the complete one")
		case e.Critical:
			return nil, fmt.Errorf("its extension %s is critical and not known here", e.Id)
		}
	}
	list := &revocationList{RevocationList: parsed, serials: make(map[string]time.Time, len(parsed.RevokedCertificateEntries))}
	for i := range parsed.RevokedCertificateEntries {
		e := &parsed.RevokedCertificateEntries[i]
		for _, x := range e.Extensions {
			if x.Critical { // such as the issuer of an indirect list
				return nil, fmt.Errorf("an entry's extension %s is critical and not known here", x.Id)
			}
		}
		list.serials[string(e.SerialNumber.Bytes())] = e.RevocationTime
	}
	return list, nil
}

// Check says why a verified chain, leaf first, may not log in: a certificate of
// it is revoked, or nobody can know because the list of the leaf's authority is
// missing or out of date. An authority above the leaf's needs no list; if
// there is one, it counts.
func (r *Revocations) Check(chain []*x509.Certificate, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fault := r.refresh(now)
	for i := range max(0, len(chain)-1) {
		found, err := r.revoked(chain[i], chain[i+1], now)
		if err != nil {
			return err
		}
		if !found && i == 0 {
			return errors.Join(fmt.Errorf("there is no revocation list of %q that is in force", chain[1].Subject), fault)
		}
	}
	return nil
}

// revoked looks a certificate up in the lists of its issuer, and says whether
// there is one in force.
func (r *Revocations) revoked(c, issuer *x509.Certificate, now time.Time) (found bool, err error) {
	for _, name := range r.files {
		file := r.read[name]
		if file == nil {
			continue
		}
		for _, list := range file.lists {
			if !bytes.Equal(list.RawIssuer, c.RawIssuer) || !list.signedBy(issuer) {
				continue
			}
			// What was revoked once stays so, also in a list that is out of date.
			if at, ok := list.serials[string(c.SerialNumber.Bytes())]; ok {
				return true, fmt.Errorf("certificate %x of %q was revoked at %s", c.SerialNumber, c.Subject, at.UTC().Format(time.RFC3339))
			}
			found = found || !now.Before(list.ThisUpdate) && !list.NextUpdate.IsZero() && now.Before(list.NextUpdate)
		}
	}
	return found, nil
}

func (l *revocationList) signedBy(issuer *x509.Certificate) bool {
	if l.signer != nil && l.signer.Equal(issuer) {
		return true
	}
	if l.CheckSignatureFrom(issuer) != nil {
		return false
	}
	l.signer = issuer
	return true
}
