package ldap

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/deploy/idp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// people are entries of a directory; hard cases among them.
func people() string {
	var b strings.Builder
	person := func(uid, cn, more string) {
		fmt.Fprintf(&b, "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %[3]s\ncn: %[4]s\nsn: x\nmail: %[3]s@example.org\n%[5]s\n", uid, idp.PeopleBase, strings.ReplaceAll(uid, `\`, ""), cn, more)
	}
	person("weir", "Service", "userPassword: of the account\n")
	person("ana", "Ana Almeida", "userPassword: ana's password\ndisplayName: Ana\n")
	person("ben", "Ben", "userPassword: ben's password\n")
	person("mix", "Mia", "userPassword: mix's password\n")
	person("zoe", "mix", "userPassword: zoe's password\n")
	person("cora", "Cora", "userPassword: cora's password\n")
	person("nopassword", "Nobody", "")
	person("twin", "One", "userPassword: twin's password\n")
	fmt.Fprintf(&b, "dn: cn=Twin Two,%s\nobjectClass: inetOrgPerson\nuid: twin\ncn: Twin Two\nsn: x\nuserPassword: twin's password\n\n", idp.PeopleBase)
	person("paren(the\\,sis)*", "Hard", "userPassword: hard password\n")
	group := func(cn string, members ...string) {
		fmt.Fprintf(&b, "dn: cn=%s,%s\nobjectClass: groupOfNames\ncn: %[1]s\n", cn, idp.GroupBase)
		for _, m := range members {
			fmt.Fprintf(&b, "member: %s\n", m)
		}
		b.WriteString("\n")
	}
	of := func(cn string) string { return "cn=" + cn + "," + idp.GroupBase }
	group("analysts", "uid=ana,"+idp.PeopleBase)
	group("staff", of("analysts"), of("round"))
	group("round", of("staff")) // in a circle
	group("everybody", of("staff"))
	group("others", "uid=weir,"+idp.PeopleBase)
	for i := range 1200 { // more than a page, and more than anybody may be in
		members := []string{"uid=ben," + idp.PeopleBase}
		if i < 700 { // two pages
			members = append(members, "uid=cora,"+idp.PeopleBase)
		}
		group(fmt.Sprintf("many%d", i), members...)
	}
	return b.String()
}

func directory(t *testing.T) (*idp.Directory, Config) {
	t.Helper()
	d, err := idp.StartDirectory(t.Context(), people())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d, Config{Source: "corp", Servers: []string{d.LDAPS}, RootCAs: pool(t, d.CAFile), BindDN: "uid=weir," + idp.PeopleBase, Account: account("of the account"),
		Base: idp.PeopleBase, GroupBase: idp.GroupBase}
}

func pool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return roots
}

// account has passwords, the later ones for when the earlier are refused.
func account(passwords ...string) func(context.Context, func(context.Context, string) error) error {
	return func(ctx context.Context, with func(context.Context, string) error) (err error) {
		for _, p := range passwords {
			if err = with(ctx, p); !Refused(err) {
				break
			}
		}
		return err
	}
}

func check(t *testing.T, cfg Config, name, password string) (*external.Person, external.Reason, error) {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Check(t.Context(), name, password)
	var f *external.Failure
	if err != nil && (!errors.As(err, &f) || f.Source != "corp") {
		t.Fatalf("error %v", err)
	}
	if f != nil {
		return p, f.Reason, err
	}
	return p, "", nil
}

func TestLiveOpenLDAP(t *testing.T) {
	d, cfg := directory(t)
	t.Run("ways", func(t *testing.T) { ways(t, d, cfg) })
	t.Run("refused", func(t *testing.T) { refused(t, cfg) })
	t.Run("servers", func(t *testing.T) { servers(t, d, cfg) })
}

// ways are configurations by which the right password passes.
func ways(t *testing.T, d *idp.Directory, cfg Config) {
	for name, change := range map[string]func(*Config){
		"search over LDAPS":             func(*Config) {},
		"StartTLS":                      func(c *Config) { c.Servers = []string{d.LDAP} },
		"direct":                        func(c *Config) { c.Account, c.BindDN, c.Direct = nil, "", "uid={local},"+idp.PeopleBase },
		"a filter":                      func(c *Config) { c.Filter = "(objectClass=inetOrgPerson)" },
		"the whole name":                func(c *Config) { c.NameAttribute, c.KeepDomain = "mail", true },
		"a changed password":            func(c *Config) { c.Account = account("an old one", "of the account") },
		"the second server":             func(c *Config) { c.Servers = []string{"ldaps://localhost:1", d.LDAPS} },
		"one that stops after StartTLS": func(c *Config) { c.Servers = []string{"ldap://" + stalls(t), d.LDAPS}; c.Timeout = 3 * time.Second },
		"a server that does not answer": func(c *Config) { c.Servers = []string{"ldaps://" + silent(t), d.LDAPS}; c.Timeout = 3 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			change(&cfg)
			p, _, err := check(t, cfg, "Ana@example.org", "ana's password")
			if err != nil {
				t.Fatal(err)
			}
			if p.Source != "corp" || p.Name != "ana@example.org" || len(p.Subject) != 36 || p.DisplayName != "Ana" || p.Email != "ana@example.org" ||
				!slices.Equal(p.Groups, []string{"analysts", "everybody", "round", "staff"}) || time.Since(p.Authenticated) > time.Minute {
				t.Errorf("%+v", p)
			}
		})
	}
	if p, _, err := check(t, cfg, "cora", "cora's password"); err != nil || len(p.Groups) != 700 {
		t.Errorf("several pages: %v", err)
	}
	elsewhere := cfg // a name that binds in one place and is found in another
	elsewhere.Account, elsewhere.BindDN, elsewhere.Direct, elsewhere.NameAttribute = nil, "", "uid={local},"+idp.PeopleBase, "cn"
	if p, reason, err := check(t, elsewhere, "mix", "mix's password"); reason != external.Wrong {
		t.Errorf("somebody logs in as somebody else: %+v %v", p, err)
	}
	if _, _, err := check(t, elsewhere, "cora", "cora's password"); err != nil {
		t.Errorf("herself: %v", err)
	}
	cfg.GroupFilter = "(cn=a*)"
	if p, _, err := check(t, cfg, "ana", "ana's password"); err != nil || !slices.Equal(p.Groups, []string{"analysts"}) {
		t.Errorf("a filter of groups: %+v %v", p, err)
	}
	cfg.GroupBase = ""
	if p, _, err := check(t, cfg, "paren(the,sis)*", "hard password"); err != nil || p.Groups != nil {
		t.Errorf("a hard name: %+v %v", p, err)
	}
}

// stalls agrees to StartTLS (RFC 4511, 4.14) and says nothing more.
func stalls(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			if _, err := c.Read(make([]byte, 1024)); err == nil {
				_, _ = c.Write([]byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00})
			}
		}
	}()
	return l.Addr().String()
}

// silent listens and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func refused(t *testing.T, cfg Config) {
	direct := cfg
	direct.Account, direct.BindDN, direct.Direct = nil, "", "uid={local},"+idp.PeopleBase
	for _, c := range []struct {
		what, name, password string
		want                 external.Reason
	}{
		{"a wrong password", "ana", "wrong", external.Wrong},
		{"an empty password", "ana", "", external.Wrong},
		{"nobody", "carl", "wrong", external.Unknown},
		{"nobody, with the account's password", "carl", "of the account", external.Unknown},
		{"no name", "", "x", external.Unknown},
		{"somebody without a password", "nopassword", "x", external.Wrong},
		{"any name", "*", "ana's password", external.Unknown},
		{"any name that begins so", "an*", "ana's password", external.Unknown},
		{"another filter", "ana)(uid=*", "ana's password", external.Unknown},
		{"an end of the filter", "ana))(|(uid=*", "ana's password", external.Unknown},
		{"another place", "ana," + idp.PeopleBase, "ana's password", external.Unknown},
		{"a NUL", "ana\x00", "ana's password", external.Unknown},
		{"not UTF-8", "an\xe1", "ana's password", external.Unknown},
		{"a letter that looks alike", "ａna", "ana's password", external.Unknown},
		{"spaces, which a directory ignores", " ana ", "ana's password", external.Unknown},
		{"a long name", strings.Repeat("a", 256), "ana's password", external.Unknown},
		{"two of a name", "twin", "twin's password", external.Malformed},
		{"in too many groups", "ben", "ben's password", external.Malformed},
	} {
		t.Run(c.what, func(t *testing.T) {
			if p, got, err := check(t, cfg, c.name, c.password); got != c.want || p != nil {
				t.Errorf("%+v, %s: %v", p, got, err)
			}
			if p, got, err := check(t, direct, c.name, c.password); got == "" || got == external.Unavailable {
				t.Errorf("directly: %+v, %s: %v", p, got, err)
			}
		})
	}
}

// servers are directories that cannot answer, or may not be believed.
func servers(t *testing.T, d *idp.Directory, cfg Config) {
	for name, change := range map[string]func(*Config){
		"none":                     func(c *Config) { c.Servers = []string{"ldaps://localhost:1", "ldap://localhost:1"} },
		"an unknown authority":     func(c *Config) { c.RootCAs = x509.NewCertPool() },
		"the same with StartTLS":   func(c *Config) { c.RootCAs, c.Servers = x509.NewCertPool(), []string{d.LDAP} },
		"another name":             func(c *Config) { c.Servers = []string{strings.Replace(d.LDAPS, "localhost", "ip6-localhost", 1)} },
		"a stop after StartTLS":    func(c *Config) { c.Servers, c.Timeout = []string{"ldap://" + stalls(t)}, time.Second },
		"silence":                  func(c *Config) { c.Servers, c.Timeout = []string{"ldaps://" + silent(t)}, time.Second },
		"a wrong account":          func(c *Config) { c.Account = account("wrong") },
		"an account without place": func(c *Config) { c.BindDN = "uid=gone," + idp.PeopleBase },
		"a base that is not there": func(c *Config) { c.Base = "ou=gone,dc=example,dc=org" },
		"no secret": func(c *Config) {
			c.Account = func(context.Context, func(context.Context, string) error) error { return errors.New("no vault") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			change(&cfg)
			began := time.Now()
			p, reason, err := check(t, cfg, "ana", "ana's password")
			if reason != external.Unavailable || p != nil || time.Since(began) > 11*time.Second {
				t.Errorf("%+v, %s after %v: %v", p, reason, time.Since(began), err)
			}
			if strings.Contains(fmt.Sprint(err), "ana's") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
	cfg.SubjectAttribute = "employeeNumber"
	if _, reason, err := check(t, cfg, "ana", "ana's password"); reason != external.Malformed {
		t.Errorf("without a subject: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg.SubjectAttribute = ""
	dir, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Check(ctx, "ana", "ana's password"); err == nil {
		t.Error("a login that has ended goes on")
	}
}

func TestConfigurations(t *testing.T) {
	good := Config{Servers: []string{"ldaps://dc.corp.example"}, Account: account("x"), BindDN: "cn=x,dc=corp", Base: "dc=corp"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"is not ldap://":                func(c *Config) { c.Servers = []string{"http://x"} },
		"ldap://host or ldaps":          func(c *Config) { c.Servers = []string{"ldap://x/dc=corp"} },
		"no servers":                    func(c *Config) { c.Servers = nil },
		"no base":                       func(c *Config) { c.Base = "" },
		"neither an account":            func(c *Config) { c.Account, c.Direct = nil, "cn=x" },
		`"corp" is not a distinguished`: func(c *Config) { c.Base = "corp" },
		"is not a filter":               func(c *Config) { c.Filter = "(a=b" },
		"is not an attribute":           func(c *Config) { c.NameAttribute = "uid=*)(a" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestReasons reads what Active Directory says (MS-ADTS 5.1.1.1.1).
func TestReasons(t *testing.T) {
	for code, want := range map[string]external.Reason{"52e": external.Wrong, "525": external.Unknown, "530": external.Disabled, "532": external.Expired,
		"533": external.Disabled, "701": external.Disabled, "773": external.Expired, "775": external.Disabled, "": external.Wrong} {
		e := &ldap.Error{ResultCode: 49, Err: errors.New("80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data " + code + ", v1db1")}
		if got := reasonOf(e); got != want {
			t.Errorf("%s: %s", code, got)
		}
	}
}

func FuzzPrincipal(f *testing.F) {
	for _, s := range []string{"ana", "a,b=c", `a\,b`, "#a", " a ", "a@b@c", "a+b=c", "\x00"} {
		f.Add(s)
	}
	d, err := New(Config{Servers: []string{"ldaps://x"}, Direct: "uid={local},ou=people,dc=x", Base: "dc=x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return // Check refuses it
		}
		dn, err := ldap.ParseDN(d.principal(name))
		if err != nil {
			return // the directory refuses it as well
		}
		if len(dn.RDNs) != 3 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != local(name) {
			t.Errorf("%q becomes %s", name, d.principal(name))
		}
		if _, err := ldap.CompileFilter("(uid=" + ldap.EscapeFilter(name) + ")"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	})
}
