package auth

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/store"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*@corp.example", "ana@corp.example", true}, {"*@corp.example", "Ana@CORP.example", true}, {"*@corp.example", "ana@corp.example.org", false},
		{"*@corp.example", "@corp.example", true}, {"ana", "ana", true}, {"ana", "anas", false}, {"corp-*", "corp-", true}, {"corp-*", "corp", false},
		{"a*b*c", "abc", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"*ab*ab", "ab", false}, {"*", "", true}, {"", "x", false},
	} {
		if got := Matches(c.pattern, c.name); got != c.want {
			t.Errorf("%q %q: %t", c.pattern, c.name, got)
		}
	}
}

// shelf is a store of people whom a source vouches for.
type shelf struct {
	oneUser
	got  store.External
	err  error
	user store.User
}

func (s *shelf) Provision(_ context.Context, p store.External) (store.User, error) {
	s.got = p
	return s.user, s.err
}

func TestVouched(t *testing.T) {
	refusal := func(r external.Reason) error {
		return &external.Failure{Source: "corp", Reason: r, Cause: errors.New("so it is")}
	}
	for name, c := range map[string]struct {
		user, password string
		says           error
		stored         error
		disabled       bool
		want           Reason // "-": not a failure of the login
	}{
		"right":            {"ana@corp", "right", nil, nil, false, ""},
		"wrong":            {"ana@corp", "wrong", refusal(external.Wrong), nil, false, "wrong_secret"},
		"expired":          {"ana@corp", "right", refusal(external.Expired), nil, false, "expired"},
		"away":             {"ana@corp", "right", refusal(external.Unavailable), nil, false, "-"},
		"a broken source":  {"ana@corp", "right", errors.New("bug"), nil, false, "-"},
		"a taken name":     {"ana@corp", "right", nil, &store.Taken{Name: "ana@corp", Source: "local"}, false, ReasonTaken},
		"an unusable name": {"ana@corp", "right", nil, &store.Invalid{What: "user name"}, false, ReasonUnusable},
		"the store is off": {"ana@corp", "right", nil, &store.Unavailable{}, false, "-"},
		"disabled here":    {"ana@corp", "right", nil, nil, true, ReasonDisabled},
		"somebody of here": {"ana", "right", nil, nil, false, ReasonUnknownUser},
	} {
		t.Run(name, func(t *testing.T) {
			kept := &shelf{err: c.stored, user: store.User{ID: "corp|1", Name: "ana@corp", Source: "corp", GlobalRole: "member", Groups: []string{"analysts"}}}
			if c.disabled {
				kept.user.DisabledAt = time.Now()
			}
			asked := 0
			source := Source{Name: "corp", Method: "ldap", Names: []string{"*@corp"}, Check: func(_ context.Context, name, password string) (*external.Person, error) {
				asked++
				if name != c.user || password != c.password {
					t.Errorf("asked for %q", name)
				}
				return &external.Person{Subject: "1", Name: name, MFA: true, Groups: []string{"CN=x"}}, c.says
			}, Map: func(p *external.Person) store.Mapped {
				return store.Mapped{Groups: []string{strings.ToLower(p.Groups[0])}}
			}}
			var seen []Attempt
			a, err := New(kept, make([]byte, 32), Options{Cleartext: true, Sources: []Source{source}, Provisioner: kept,
				Observe: func(_ context.Context, a Attempt) { seen = append(seen, a) }})
			if err != nil {
				t.Fatal(err)
			}
			if a.Outside(c.user) != strings.Contains(c.user, "@") {
				t.Error("whose name it is")
			}
			th := NewThrottle(1, time.Minute)
			id, err := th.Guard(c.user, &net.TCPAddr{}, func() (*Identity, error) { return a.Password(t.Context(), c.user, c.password) })
			var f *Failure
			switch {
			case c.want == "":
				if err != nil || id.Method != "ldap" || !id.MFA || id.Source != "corp" || len(seen) != 1 || kept.got.Subject != "1" || kept.got.Mapped.Groups[0] != "cn=x" {
					t.Errorf("%+v %v %+v", id, err, kept.got)
				}
			case c.want == "-":
				if err == nil || errors.As(err, &f) || len(seen) != 0 {
					t.Errorf("%v", err)
				}
			case !errors.As(err, &f) || f.Reason != c.want || !strings.Contains(f.Public, "password authentication failed for user") || len(seen) != 1:
				t.Errorf("%v", err)
			}
			if c.user == "ana" && asked != 0 {
				t.Error("the source is asked for others' names")
			}
		})
	}
	if _, err := New(oneUser{}, make([]byte, 32), Options{Sources: []Source{{Name: "corp"}}}); err == nil {
		t.Error("sources without a provisioner")
	}
}
