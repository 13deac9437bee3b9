package ldap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/weirdb/weir/auth/external"
)

// Bounds of what a directory says.
const (
	maxName   = 255
	maxGroups = 1000
	maxDepth  = 20 // of groups in groups
	page      = 500
)

// Check proves a person by a password. Its errors are *external.Failure. Names
// are taken in lower case: directories do not tell cases apart.
func (d *Directory) Check(ctx context.Context, name, password string) (*external.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	refuse := func(reason external.Reason, cause error) error {
		return &external.Failure{Source: d.cfg.Source, Reason: reason, Cause: cause}
	}
	name = strings.ToLower(name)
	switch {
	case password == "":
		return nil, refuse(external.Wrong, errors.New("an empty password is none"))
	case name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return nil, refuse(external.Unknown, errors.New("not a name that a directory could have"))
	}
	var failed []error
	for _, s := range d.servers {
		person, err := d.ask(ctx, s, name, password)
		var failure *external.Failure
		if err == nil || errors.As(err, &failure) {
			return person, err
		}
		if failed = append(failed, fmt.Errorf("%s: %w", s.url, err)); ctx.Err() != nil {
			break
		}
	}
	return nil, refuse(external.Unavailable, errors.Join(failed...))
}

// ask asks one server. An error that is no *external.Failure is the server's:
// another one may do better.
func (d *Directory) ask(ctx context.Context, s server, name, password string) (*external.Person, error) {
	conn, err := d.dial(ctx, s)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	return d.check(ctx, conn, name, password)
}

func (d *Directory) check(ctx context.Context, conn *ldap.Conn, name, password string) (*external.Person, error) {
	var entry *ldap.Entry
	var err error
	if d.cfg.Account == nil {
		entry, err = d.direct(conn, name, password)
	} else {
		entry, err = d.searched(ctx, conn, name, password)
	}
	if err != nil {
		return nil, err
	}
	p := &external.Person{Source: d.cfg.Source, Name: name, DisplayName: entry.GetEqualFoldAttributeValue("displayName"),
		Email: entry.GetEqualFoldAttributeValue("mail"), Authenticated: time.Now().UTC(), Subject: subject(entry.GetEqualFoldRawAttributeValue(d.cfg.SubjectAttribute))}
	if p.DisplayName == "" {
		p.DisplayName = entry.GetEqualFoldAttributeValue("cn")
	}
	if p.Subject == "" {
		return nil, d.failure(external.Malformed, fmt.Errorf("%s has no %s that can be read", entry.DN, d.cfg.SubjectAttribute))
	}
	if p.Groups, err = d.groups(conn, entry.DN); err != nil {
		return nil, err
	}
	return p, nil
}

func (d *Directory) failure(reason external.Reason, cause error) error {
	return &external.Failure{Source: d.cfg.Source, Reason: reason, Cause: cause}
}

// direct binds as the person, who then looks for themselves.
func (d *Directory) direct(conn *ldap.Conn, name, password string) (*ldap.Entry, error) {
	if err := d.bind(conn, d.principal(name), password); err != nil {
		return nil, err
	}
	entry, err := d.find(conn, name)
	switch {
	case err != nil:
		return nil, err
	case entry == nil:
		return nil, d.failure(external.Unknown, fmt.Errorf("%q can bind, but there is no such entry below %s", name, d.cfg.Base))
	case !d.bound(entry, d.principal(name)):
		return nil, d.failure(external.Wrong, fmt.Errorf("%s has bound as %q, and %s is somebody else", name, d.principal(name), entry.DN))
	}
	return entry, nil
}

// bound says that an entry is the one that binds as a principal: a name may mean
// one person where people bind, and another one where they are searched.
func (d *Directory) bound(entry *ldap.Entry, principal string) bool {
	if d.byDN() {
		a, errA := ldap.ParseDN(entry.DN)
		b, errB := ldap.ParseDN(principal)
		return errA == nil && errB == nil && a.EqualFold(b)
	}
	if _, account, ok := strings.Cut(principal, `\`); ok {
		return strings.EqualFold(entry.GetEqualFoldAttributeValue("sAMAccountName"), account)
	}
	return strings.EqualFold(entry.GetEqualFoldAttributeValue("userPrincipalName"), principal)
}

// byDN says that people bind by their distinguished names.
func (d *Directory) byDN() bool {
	_, err := ldap.ParseDN(d.cfg.Direct)
	return err == nil && strings.Contains(d.cfg.Direct, "=")
}

// principal is the DN or principal for a name, which cannot leave its place in it.
func (d *Directory) principal(name string) string {
	escape := func(s string) string { return s }
	if d.byDN() {
		escape = ldap.EscapeDN
	}
	return strings.NewReplacer("{name}", escape(name), "{local}", escape(local(name))).Replace(d.cfg.Direct)
}

func local(name string) string {
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		return name[:i]
	}
	return name
}

// searched looks for the person by the account, binds as the person, and goes
// on as the account, which may read groups. Who does not exist is bound all
// the same.
func (d *Directory) searched(ctx context.Context, conn *ldap.Conn, name, password string) (*ldap.Entry, error) {
	var entry *ldap.Entry
	again := func(with func() error) error {
		return d.cfg.Account(ctx, func(_ context.Context, account string) error {
			if err := conn.Bind(d.cfg.BindDN, account); err != nil {
				return fmt.Errorf("bind as %s: %w", d.cfg.BindDN, err)
			}
			return with()
		})
	}
	err := again(func() (err error) {
		entry, err = d.find(conn, name)
		return err
	})
	var several *external.Failure
	if err != nil && !errors.As(err, &several) {
		return nil, err
	}
	dn := "cn=" + rand.Text() + "," + d.cfg.Base
	if entry != nil {
		dn = entry.DN
	}
	err = d.bind(conn, dn, password)
	switch {
	case several != nil:
		return nil, several
	case entry == nil && err == nil:
		return nil, d.failure(external.Unknown, errors.New("the directory lets in whom it does not know"))
	case entry == nil:
		return nil, d.failure(external.Unknown, fmt.Errorf("no entry for %q below %s", name, d.cfg.Base))
	case err != nil:
		return nil, err
	}
	return entry, again(func() error { return nil })
}

// Refused says that an error is a server's refusal of the account's password.
func Refused(err error) bool { return ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) }

// bind proves the person's password.
func (d *Directory) bind(conn *ldap.Conn, dn, password string) error {
	err := conn.Bind(dn, password)
	var refusal *ldap.Error
	if err == nil || !errors.As(err, &refusal) {
		return err
	}
	switch refusal.ResultCode {
	case ldap.LDAPResultInvalidCredentials:
		return d.failure(reasonOf(refusal), err)
	case ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateAuthentication:
		return d.failure(external.Wrong, err) // no password, or nobody
	case ldap.LDAPResultConstraintViolation: // 389 Directory Server: locked
		return d.failure(external.Disabled, err)
	}
	return err
}

// reasonOf reads the reason that Active Directory gives behind "data" (MS-ADTS,
// 5.1.1.1.1; the numbers are Win32 errors in hex).
func reasonOf(e *ldap.Error) external.Reason {
	_, rest, _ := strings.Cut(e.Err.Error(), ", data ")
	code, _, _ := strings.Cut(rest, ",")
	switch strings.TrimSpace(code) {
	case "525":
		return external.Unknown
	case "532", "773": // password expired, or to be changed first
		return external.Expired
	case "530", "531", "533", "701", "775": // hours, workstation, disabled, account expired, locked
		return external.Disabled
	}
	return external.Wrong
}

// find returns the person's entry, nil if there is none.
func (d *Directory) find(conn *ldap.Conn, name string) (*ldap.Entry, error) {
	value := name
	if !d.cfg.KeepDomain {
		value = local(name)
	}
	filter := "(" + d.cfg.NameAttribute + "=" + ldap.EscapeFilter(value) + ")"
	if d.cfg.Filter != "" {
		filter = "(&" + filter + d.cfg.Filter + ")"
	}
	found, err := d.search(conn, d.cfg.Base, filter, 2, d.cfg.NameAttribute, d.cfg.SubjectAttribute, "displayName", "cn", "mail", "sAMAccountName", "userPrincipalName")
	if err != nil {
		return nil, err
	}
	// A directory may find what only looks alike to it; that is somebody else here.
	found = slices.DeleteFunc(found, func(e *ldap.Entry) bool {
		return !slices.ContainsFunc(e.GetEqualFoldAttributeValues(d.cfg.NameAttribute), func(v string) bool { return strings.ToLower(v) == value })
	})
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, d.failure(external.Malformed, fmt.Errorf("several entries for %q below %s", name, d.cfg.Base))
}

// search reads at most a number of entries, in pages. Referrals are not followed.
func (d *Directory) search(conn *ldap.Conn, base, filter string, most int, attributes ...string) ([]*ldap.Entry, error) {
	var found []*ldap.Entry
	paging := ldap.NewControlPaging(uint32(min(page, most+1)))
	for {
		r, err := conn.Search(&ldap.SearchRequest{BaseDN: base, Scope: ldap.ScopeWholeSubtree, DerefAliases: ldap.NeverDerefAliases,
			TimeLimit: int(d.cfg.Timeout/time.Second) + 1, Filter: filter, Attributes: attributes, Controls: []ldap.Control{paging}})
		if err != nil {
			return nil, fmt.Errorf("search below %s: %w", base, err)
		}
		found = append(found, r.Entries...)
		if len(found) > most {
			return nil, d.failure(external.Malformed, fmt.Errorf("more than %d entries below %s match", most, base))
		}
		next, ok := ldap.FindControl(r.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return found, nil
		}
		paging.SetCookie(next.Cookie)
	}
}

// groups returns the names of the groups that somebody is in, also through
// others.
func (d *Directory) groups(conn *ldap.Conn, dn string) ([]string, error) {
	if d.cfg.GroupBase == "" {
		return nil, nil
	}
	rule := d.cfg.GroupMember
	if d.cfg.Chain {
		rule += ":1.2.840.113556.1.4.1941:" // LDAP_MATCHING_RULE_IN_CHAIN
	}
	names, seen := []string{}, map[string]bool{}
	for level, depth := []string{dn}, 0; len(level) > 0; depth++ {
		if depth == maxDepth {
			return nil, d.failure(external.Malformed, fmt.Errorf("groups of %s are nested more than %d deep", dn, maxDepth))
		}
		var next []string
		for _, member := range level {
			found, err := d.search(conn, d.cfg.GroupBase, "(&("+rule+"="+ldap.EscapeFilter(member)+")"+d.cfg.GroupFilter+")", maxGroups, d.cfg.GroupName)
			if err != nil {
				return nil, err
			}
			for _, e := range found {
				if key := strings.ToLower(e.DN); !seen[key] {
					seen[key] = true
					names = append(names, e.GetEqualFoldAttributeValues(d.cfg.GroupName)...)
					next = append(next, e.DN)
				}
			}
			if len(seen) > maxGroups {
				return nil, d.failure(external.Malformed, fmt.Errorf("%s is in more than %d groups", dn, maxGroups))
			}
		}
		if d.cfg.Chain {
			break
		}
		level = next
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// subject is an attribute's value as text.
func subject(raw []byte) string {
	if len(raw) > 0 && len(raw) <= maxName && utf8.Valid(raw) && !strings.ContainsFunc(string(raw), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return string(raw)
	}
	if len(raw) == 0 || len(raw) > maxName/2 {
		return ""
	}
	return hex.EncodeToString(raw)
}
