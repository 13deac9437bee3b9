package auth

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/weirdb/weir/store"
)

// CertificateField is the part of a client certificate that names a user.
type CertificateField string

// The fields.
const (
	CertificateCN    CertificateField = "cn"    // the subject's common name, if it has exactly one
	CertificateEmail CertificateField = "email" // SAN rfc822Name
	CertificateDNS   CertificateField = "dns"   // SAN dNSName
	CertificateURI   CertificateField = "uri"   // SAN uniformResourceIdentifier
)

// CertificateRule maps a value of one field to a user name.
type CertificateRule struct {
	field    CertificateField
	pattern  *regexp.Regexp // nil: the value is the user name
	template string
}

// NewCertificateRule makes a rule. With an empty pattern the value is the user
// name. Otherwise the pattern has to match the whole value, and user is a
// template in which $1 or ${name} stand for its groups; an empty user stands
// for the whole value. Case counts everywhere.
func NewCertificateRule(field CertificateField, pattern, user string) (CertificateRule, error) {
	rule := CertificateRule{field: field, template: user}
	switch field {
	case CertificateCN, CertificateEmail, CertificateDNS, CertificateURI:
	default:
		return rule, fmt.Errorf("certificate rule: field %q is not one of cn, email, dns, uri", string(field))
	}
	if pattern == "" {
		if user != "" {
			return rule, errors.New("certificate rule: a user without a pattern would be everybody")
		}
		return rule, nil
	}
	if _, err := regexp.Compile(pattern); err != nil { // by itself, so that it cannot close the group below
		return rule, fmt.Errorf("certificate rule: %w", err)
	}
	anchored, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return rule, fmt.Errorf("certificate rule: %w", err)
	}
	rule.pattern = anchored
	if rule.template == "" {
		rule.template = "${0}"
	}
	return rule, nil
}

// user returns the user name for a value, or false.
func (r CertificateRule) user(value string) (string, bool) {
	if r.pattern == nil {
		return value, value != ""
	}
	match := r.pattern.FindStringSubmatchIndex(value)
	if match == nil {
		return "", false
	}
	name := string(r.pattern.ExpandString(nil, r.template, value, match))
	return name, name != ""
}

// values returns what the certificate says in the rule's field.
func (r CertificateRule) values(certificate *x509.Certificate) []string {
	switch r.field {
	case CertificateEmail:
		return certificate.EmailAddresses
	case CertificateDNS:
		return certificate.DNSNames
	case CertificateURI:
		var uris []string
		for _, uri := range certificate.URIs {
			uris = append(uris, uri.String())
		}
		return uris
	}
	// Of several common names, readers disagree which one counts.
	var names []string
	for _, attribute := range certificate.Subject.Names {
		if attribute.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			name, _ := attribute.Value.(string)
			names = append(names, name)
		}
	}
	if len(names) != 1 {
		return nil
	}
	return names
}

// Certificate logs in by a client certificate. The chain is one of the
// connection's tls.ConnectionState.VerifiedChains, leaf first: signatures,
// revocation and key usage are TLS's part. A rule has to map the leaf to the
// name that the client claims. Errors are *Failure, or say that users cannot
// be looked up now.
func (a *Authenticator) Certificate(ctx context.Context, chain []*x509.Certificate, claimedUser string) (*Identity, error) {
	refuse := func(reason Reason, cause error) error {
		return a.fail(ctx, claimedUser, MethodCertificate, reason, cause)
	}
	name, err := a.mapCertificate(chain, claimedUser)
	if err != nil {
		return nil, refuse(ReasonCertificate, err)
	}
	user, err := a.users.LookupUser(ctx, name)
	var unknown *store.NotFound
	switch {
	case errors.As(err, &unknown):
		return nil, refuse(ReasonUnknownUser, err)
	case err != nil:
		return nil, fmt.Errorf("find user: %w", err)
	case user.Disabled():
		return nil, refuse(ReasonDisabled, errors.New("user is disabled"))
	}
	return a.succeed(ctx, claimedUser, identityOf(user, MethodCertificate, time.Now().UTC())), nil
}

// mapCertificate returns the normalised claimed name if a rule maps the leaf to it.
func (a *Authenticator) mapCertificate(chain []*x509.Certificate, claimed string) (string, error) {
	if len(chain) == 0 {
		return "", errors.New("no verified client certificate")
	}
	leaf := chain[0]
	// A resumed TLS session can outlive the certificate.
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return "", errors.New("client certificate is not valid now")
	}
	claimed, err := store.NormalizeName(claimed)
	if err != nil {
		return "", err
	}
	for _, rule := range a.options.Certificates {
		for _, value := range rule.values(leaf) {
			mapped, ok := rule.user(value)
			if !ok {
				continue
			}
			if mapped, err := store.NormalizeName(mapped); err == nil && mapped == claimed {
				return claimed, nil
			}
		}
	}
	return "", errors.New("no rule maps the client certificate to the claimed user")
}
