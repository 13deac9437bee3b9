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
	case cfg.Account == nil && !d.byDN() && !strings.Contains(cfg.Direct, `\`) && cfg.Direct != "{name}" && !strings.Contains(cfg.Direct, "@"):
		return nil, fmt.Errorf(`direct bind as %q: it has to be a distinguished name, DOMAIN\{local}, or a principal as {name} or {local}@domain`, cfg.Direct)
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

// patience is how long one server may take over one step, so that another can
// still be asked.
func (d *Directory) patience() time.Duration { return d.cfg.Timeout / time.Duration(len(d.servers)+1) }

// dial connects to one server, by TLS before anything is said. What it sends is
// bounded; the end of ctx closes the connection.
func (d *Directory) dial(ctx context.Context, s server) (*ldap.Conn, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	step, cancel := context.WithTimeout(ctx, d.patience())
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(step, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	raw = &bounded{Conn: raw, left: maxAnswers}
	deadline, _ := step.Deadline()
	if err := raw.SetDeadline(deadline); err != nil { // also for the handshake after StartTLS
		return nil, errors.Join(err, raw.Close())
	}
	stop := context.AfterFunc(step, func() { _ = raw.Close() })
	conn, err := d.secure(step, u.Scheme, raw, s.tls)
	if stopped := stop(); err == nil && !stopped {
		err = step.Err()
	}
	if err == nil {
		err = raw.SetDeadline(time.Time{})
	}
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, errors.Join(err, raw.Close())
	}
	conn.SetTimeout(d.patience())
	return conn, nil
}

func (d *Directory) secure(ctx context.Context, scheme string, raw net.Conn, config *tls.Config) (*ldap.Conn, error) {
	if scheme == "ldaps" {
		t := tls.Client(raw, config)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn := ldap.NewConn(t, true)
		conn.Start()
		return conn, nil
	}
	conn := ldap.NewConn(raw, false)
	conn.Start()
	conn.SetTimeout(d.patience())
	return conn, conn.StartTLS(config)
}

// maxAnswers is what a server may send over one login, in bytes.
const maxAnswers = 16 << 20

// bounded ends a connection whose server sends too much. It is read by one
// goroutine at a time.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the directory sends too much")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
