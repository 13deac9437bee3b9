package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"testing"
	"time"
)

func TestCertificate(t *testing.T) {
	_, key, _, _ := keys(t)
	spiffe, err := url.Parse("spiffe://corp/db/ana")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(change func(*x509.Certificate)) []*x509.Certificate {
		return []*x509.Certificate{certificate(t, key, x509.ECDSAWithSHA256, change)}
	}
	cn := func(name string) []*x509.Certificate {
		return issue(func(c *x509.Certificate) { c.Subject.CommonName = name })
	}
	san := issue(func(c *x509.Certificate) {
		c.Subject.CommonName = ""
		c.EmailAddresses = []string{"other@corp.example", "ana@corp.example"}
		c.DNSNames = []string{"ana.db.corp.example"}
		c.URIs = []*url.URL{spiffe}
	})
	rule := func(field CertificateField, pattern, user string) []CertificateRule {
		t.Helper()
		r, err := NewCertificateRule(field, pattern, user)
		if err != nil {
			t.Fatal(err)
		}
		return []CertificateRule{r}
	}
	twoNames := issue(func(c *x509.Certificate) {
		c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: []int{2, 5, 4, 3}, Value: "nobody"}, {Type: []int{2, 5, 4, 3}, Value: "ana"}}}
	})
	expired := issue(func(c *x509.Certificate) { c.Subject.CommonName = "ana"; c.NotAfter = time.Now().Add(-time.Minute) })
	early := issue(func(c *x509.Certificate) { c.Subject.CommonName = "ana"; c.NotBefore = time.Now().Add(time.Minute) })
	tests := []struct {
		name  string
		rules []CertificateRule
		chain []*x509.Certificate
		user  string
		want  Reason // empty: accepted
	}{
		{"common name", rule(CertificateCN, "", ""), cn("ana"), "ana", ""},
		{"no rule", nil, cn("ana"), "ana", ReasonCertificate},
		{"no certificate", rule(CertificateCN, "", ""), nil, "ana", ReasonCertificate},
		{"somebody else's", rule(CertificateCN, "", ""), cn("dan"), "ana", ReasonCertificate},
		{"another case", rule(CertificateCN, "", ""), cn("Ana"), "ana", ReasonCertificate},
		{"no common name", rule(CertificateCN, "", ""), san, "ana", ReasonCertificate},
		{"several common names", rule(CertificateCN, "", ""), twoNames, "ana", ReasonCertificate},
		{"disabled", rule(CertificateCN, "", ""), cn("dan"), "dan", ReasonDisabled},
		{"unknown", rule(CertificateCN, "", ""), cn("eve"), "eve", ReasonUnknownUser},
		{"empty claim", rule(CertificateCN, "", ""), cn(""), "", ReasonCertificate},
		{"expired", rule(CertificateCN, "", ""), expired, "ana", ReasonCertificate},
		{"not yet valid", rule(CertificateCN, "", ""), early, "ana", ReasonCertificate},
		{"email", rule(CertificateEmail, `(.+)@corp\.example`, "$1"), san, "ana", ""},
		{"email of another domain", rule(CertificateEmail, `(.+)@evil\.example`, "$1"), san, "ana", ReasonCertificate},
		{"the pattern has to match the whole value", rule(CertificateEmail, `(ana)@corp`, "$1"), san, "ana", ReasonCertificate},
		{"alternatives are anchored too", rule(CertificateDNS, `ana|x`, "ana"), san, "ana", ReasonCertificate},
		{"dns", rule(CertificateDNS, `(?P<who>[a-z]+)\.db\.corp\.example`, "${who}"), san, "ana", ""},
		{"uri", rule(CertificateURI, `spiffe://corp/db/([a-z]+)`, "$1"), san, "ana", ""},
		{"second rule", append(rule(CertificateCN, "", ""), rule(CertificateURI, `spiffe://corp/db/([a-z]+)`, "$1")...), san, "ana", ""},
		{"shared account", rule(CertificateCN, `app-\d+`, "ana"), cn("app-7"), "ana", ""},
		{"no password needed", rule(CertificateCN, "", ""), cn("sso"), "sso", ""},
	}
	users := newWorld(t, Options{}).users
	for _, test := range tests {
		a, err := New(users, make([]byte, 32), Options{Certificates: test.rules})
		if err != nil {
			t.Fatal(err)
		}
		id, err := a.Certificate(t.Context(), test.chain, test.user)
		var failure *Failure
		switch {
		case test.want == "":
			if err != nil || id.Name != test.user || id.Method != MethodCertificate {
				t.Errorf("%s: %+v, %v", test.name, id, err)
			}
		case !errors.As(err, &failure) || failure.Reason != test.want || id != nil:
			t.Errorf("%s: %+v, %v, want reason %s", test.name, id, err, test.want)
		case failure.Public != `certificate authentication failed for user "`+test.user+`"`:
			t.Errorf("%s: the client is told %q", test.name, failure.Public)
		}
	}
}

func TestCertificateRuleRefused(t *testing.T) {
	for name, rule := range map[string][3]string{
		"field":          {"serial", "", ""},
		"pattern":        {"cn", "(", "$1"},
		"closing anchor": {"cn", `a)|(?:b`, ""},
		"everybody":      {"cn", "", "ana"},
	} {
		if _, err := NewCertificateRule(CertificateField(rule[0]), rule[1], rule[2]); err == nil {
			t.Errorf("%s: %q is accepted", name, rule)
		}
	}
}
