package ldap

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/deploy/idp"
)

// TestLiveActiveDirectory asks a Samba domain controller.
func TestLiveActiveDirectory(t *testing.T) {
	d, err := idp.StartDomain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	const password = "Correct-horse-1"
	if err := d.Add(idp.Entry{Name: "ana", Password: password, Attributes: map[string]string{"mail": "ana@example.org", "displayName": "Ana Almeida"}},
		idp.Entry{Name: "weir", Password: password},
		// One binds by a name under which the other one is found.
		idp.Entry{Name: "bound", Password: password, Attributes: map[string]string{"sAMAccountName": "xena", "userPrincipalName": "carl@ad.example.org"}},
		idp.Entry{Name: "found", Password: "Another-horse-2", Attributes: map[string]string{"userPrincipalName": "xena@other.example"}},
		idp.Entry{Name: "off", Password: password, Attributes: map[string]string{"userAccountControl": "514"}},
		idp.Entry{Name: "change", Password: password, Attributes: map[string]string{"pwdLastSet": "0"}},
		idp.Entry{Name: "over", Password: password, Attributes: map[string]string{"accountExpires": "116444736000000000"}}, // 1970
		idp.Entry{Name: "analysts", Members: []string{"ana"}}, idp.Entry{Name: "staff", Members: []string{"analysts"}},
		idp.Entry{Name: "o(dd) #one", Members: []string{"staff"}}); err != nil {
		t.Fatal(err)
	}
	roots := pool(t, d.CAFile)
	direct := Config{Source: "corp", Servers: []string{d.LDAPS}, RootCAs: roots, Direct: "{name}", Base: d.Base, NameAttribute: "userPrincipalName", KeepDomain: true,
		SubjectAttribute: "objectGUID", Filter: "(objectCategory=person)", GroupBase: d.Base, Chain: true}
	searched := Config{Source: "corp", Servers: []string{d.LDAP}, RootCAs: roots, BindDN: "weir@" + d.Name, Account: account(password), Base: d.Base, NameAttribute: "sAMAccountName",
		SubjectAttribute: "objectGUID", GroupBase: d.Base}
	subjects := map[string]bool{}
	for name, cfg := range map[string]Config{"direct": direct, "searched": searched} {
		t.Run(name, func(t *testing.T) {
			p, _, err := check(t, cfg, "Ana@ad.example.org", password)
			if err != nil {
				t.Fatal(err)
			}
			groups := slices.DeleteFunc(p.Groups, func(g string) bool { return strings.Contains(g, "Users") }) // the domain's own
			if p.Name != "ana@ad.example.org" || len(p.Subject) != 32 || p.DisplayName != "Ana Almeida" || p.Email != "ana@example.org" || !slices.Equal(groups, []string{"analysts", "o(dd) #one", "staff"}) {
				t.Errorf("%+v", p)
			}
			subjects[p.Subject] = true
			for user, want := range map[string]external.Reason{"off": external.Disabled, "change": external.Expired, "over": external.Disabled, "nobody": external.Unknown} {
				_, got, err := check(t, cfg, user+"@ad.example.org", password)
				if got != want && (user != "nobody" || got != external.Wrong) { // Samba does not say which
					t.Errorf("%s: %s: %v", user, got, err)
				}
			}
			if _, got, err := check(t, cfg, "ana@ad.example.org", "wrong"); got != external.Wrong {
				t.Errorf("a wrong password: %v", err)
			}
			if _, got, err := check(t, cfg, "ana@ad.example.org", ""); got != external.Wrong {
				t.Errorf("an empty password: %v", err)
			}
		})
	}
	if len(subjects) != 1 {
		t.Errorf("one person is %v", subjects)
	}
	direct.Direct = "ADEX\\{local}"
	if _, _, err := check(t, direct, "ana@ad.example.org", password); err != nil {
		t.Errorf("by the domain's short name: %v", err)
	}
	if p, got, err := check(t, direct, "xena@other.example", password); got != external.Wrong {
		t.Errorf("somebody logs in as somebody else: %+v %v", p, err)
	}
	direct.Direct = "{name}"
	if _, _, err := check(t, direct, "xena@other.example", "Another-horse-2"); err != nil {
		t.Errorf("the one whose name it is: %v", err)
	}
	crossed := direct
	crossed.NameAttribute, crossed.KeepDomain = "sAMAccountName", false
	if p, got, err := check(t, crossed, "xena@other.example", "Another-horse-2"); got != external.Wrong {
		t.Errorf("somebody logs in as somebody else: %+v %v", p, err)
	}
	plain, err := New(direct)
	if err != nil {
		t.Fatal(err)
	}
	plain.servers[0].url = "ldap://" + strings.TrimPrefix(d.LDAPS, "ldaps://")
	plain.servers[0].tls.ServerName = "elsewhere"
	var f *external.Failure
	if _, err := plain.Check(t.Context(), "ana@ad.example.org", password); !errors.As(err, &f) || f.Reason != external.Unavailable {
		t.Errorf("StartTLS with another name: %v", err)
	}
}
