package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Config is one directory. Build it with New.
type Config struct {
	// Source names the directory in failures and in what it vouches for.
	Source string
	// Servers are tried in order: ldaps://host, or ldap://host, which has to go on
	// with StartTLS. Ports may follow.
	Servers []string
	// RootCAs verify the servers; the system's if nil.
	RootCAs *x509.CertPool
	// Timeout bounds a whole login, 10 s if zero.
	Timeout time.Duration

	// Account runs a function with the password of BindDN, perhaps again with a
	// fresh one where the function's error is Refused. Not set: there is no such
	// account, and people bind directly.
	Account func(ctx context.Context, with func(ctx context.Context, password string) error) error
	BindDN  string
	// Direct is how people bind where there is no account: a DN or a principal
	// with {name} or {local}, the login name or its part before the last @.
	Direct string

	// Base is where people are searched, by NameAttribute (uid), whose value is
	// {local} if the login name has an @ and KeepDomain is not set.
	Base          string
	NameAttribute string
	KeepDomain    bool   // NameAttribute holds the whole login name, as userPrincipalName does
	Filter        string // what else has to hold, such as (objectClass=person)
	// SubjectAttribute is unique and unchanging (entryUUID); binary values, such
	// as objectGUID's, are taken in hex.
	SubjectAttribute string

	// GroupBase is where groups are searched whose GroupMember (member) names the
	// person, and groups in turn; empty: none are. GroupName (cn) is what they
	// are called.
	GroupBase, GroupMember, GroupName string
	// GroupFilter is what else has to hold of a group.
	GroupFilter string
	// Chain asks Active Directory for the groups of groups at once.
	Chain bool
}

// Directory answers for the people of a Config. It is safe for concurrent use.
type Directory struct {
	cfg     Config
	servers []server
}

type server struct {
	url string
	tls *tls.Config // also for StartTLS
}

// New checks a configuration. It connects to nothing.
func New(cfg Config) (*Directory, error) {
	for _, d := range []struct {
		field *string
		text  string
	}{{&cfg.NameAttribute, "uid"}, {&cfg.SubjectAttribute, "entryUUID"}, {&cfg.GroupMember, "member"}, {&cfg.GroupName, "cn"}} {
		if *d.field == "" {
			*d.field = d.text
		}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	d := &Directory{cfg: cfg}
	for _, s := range cfg.Servers {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" || u.Path != "" && u.Path != "/" {
			return nil, fmt.Errorf("%q is not ldap://host or ldaps://host", s)
		}
		d.servers = append(d.servers, server{u.Scheme + "://" + u.Host, &tls.Config{ServerName: u.Hostname(), RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}})
	}
	switch {
	case len(d.servers) == 0:
		return nil, errors.New("no servers")
	case cfg.Base == "":
		return nil, errors.New("no base to search people in")
	case cfg.Account == nil && !strings.Contains(cfg.Direct, "{name}") && !strings.Contains(cfg.Direct, "{local}"):
		return nil, errors.New("neither an account to search with, nor a direct bind with {name} or {local}")
	}
	for _, dn := range []string{cfg.Base, cfg.GroupBase, cfg.BindDN} {
		if _, err := ldap.ParseDN(dn); err != nil && (dn != cfg.BindDN || !strings.ContainsAny(dn, `@\`)) { // Active Directory takes principals
			return nil, fmt.Errorf("%q is not a distinguished name: %w", dn, err)
		}
	}
	for _, filter := range []string{cfg.Filter, cfg.GroupFilter} {
		if filter == "" {
			continue
		}
		if _, err := ldap.CompileFilter(filter); err != nil {
			return nil, fmt.Errorf("%q is not a filter: %w", filter, err)
		}
	}
	for _, attribute := range []string{cfg.NameAttribute, cfg.SubjectAttribute, cfg.GroupMember, cfg.GroupName} {
		if strings.Trim(attribute, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != "" {
			return nil, fmt.Errorf("%q is not an attribute", attribute)
		}
	}
	return d, nil
}

// connect dials the first server that answers.
func (d *Directory) connect(ctx context.Context) (*ldap.Conn, error) {
	var failed []error
	for _, s := range d.servers {
		conn, err := d.dial(ctx, s)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", s.url, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failed...)
}

// dial connects to one server, by TLS before anything is said. A server that
// does not answer leaves time for the others.
func (d *Directory) dial(ctx context.Context, s server) (*ldap.Conn, error) {
	patience := d.cfg.Timeout / time.Duration(len(d.servers)+1)
	conn, err := ldap.DialURL(s.url, ldap.DialWithDialer(&net.Dialer{Timeout: patience, Cancel: ctx.Done()}), ldap.DialWithTLSConfig(s.tls)) //nolint:staticcheck // DialURL takes no context
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(patience)
	if strings.HasPrefix(s.url, "ldap:") {
		if err := conn.StartTLS(s.tls); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetTimeout(time.Until(deadline))
	}
	return conn, nil
}
