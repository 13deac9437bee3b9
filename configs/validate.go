package configs

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirdb/weir/secrets"
)

// validator checks what the decoder cannot see in one value.
type validator struct {
	faults      Faults
	lines       map[string]int
	development bool
	secrets     *Secrets
}

func (v *validator) fault(path, format string, args ...any) {
	line := v.lines[path]
	for p := path; line == 0 && p != ""; {
		p = parent(p)
		line = v.lines[p]
	}
	v.faults = append(v.faults, Fault{Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,62}$`)

func (v *validator) config(c *Config) {
	v.development, v.secrets = c.Profile == "development", &c.Secrets
	v.required(reflect.ValueOf(*c), "")
	v.references(reflect.ValueOf(*c), "")
	for i := range c.Listeners {
		v.listener(&c.Listeners[i], fmt.Sprintf("listeners[%d]", i))
		v.served(&c.Listeners[i], c.Datasources, fmt.Sprintf("listeners[%d]", i))
	}
	names := map[string]int{}
	for i := range c.Datasources {
		path := fmt.Sprintf("datasources[%d]", i)
		d := &c.Datasources[i]
		v.datasource(d, path)
		if first, ok := names[d.Name]; ok && d.Name != "" {
			v.fault(path+".name", "datasource %q is already defined by datasources[%d]; give it another name", d.Name, first)
		}
		names[d.Name] = i
	}
	v.store(&c.Store)
	v.atLeast("auth.lockout.attempts", int64(c.Auth.Lockout.Attempts), 0, "0")
	v.atLeast("auth.lockout.longest", int64(c.Auth.Lockout.Longest), int64(time.Second), "1s")
	if c.Logins.Address != "" {
		v.listener(&Listener{Address: c.Logins.Address, TLS: ListenerTLS{Certificate: c.Logins.TLS.Certificate, Key: c.Logins.TLS.Key, SelfSigned: c.Logins.TLS.SelfSigned}}, "logins")
		v.atLeast("logins.session", int64(c.Logins.Session), int64(time.Minute), "1m")
		if c.Logins.Session > 24*time.Hour {
			v.fault("logins.session", "%s is longer than 24h; people can log in again", c.Logins.Session)
		}
	}
	v.plugins(c.Auth.MySQLPlugins)
	v.sources(c.Auth.Sources)
	v.policy(&c.Policy)
	v.secretSources(&c.Secrets)
	if c.Admin.Address != "off" {
		v.address(c.Admin.Address, "admin.address")
	}
	v.positive("limits.connections", c.Limits.Connections)
	v.positive("limits.connections_per_user", c.Limits.ConnectionsPerUser)
	v.atLeast("limits.startup", int64(c.Limits.Startup), int64(100e6), "100ms")
	v.atLeast("limits.stall", int64(c.Limits.Stall), int64(1e9), "1s")
	v.atLeast("limits.write_stall", int64(c.Limits.WriteStall), int64(1e9), "1s")
	v.atLeast("limits.message", int64(c.Limits.Message), 64<<10, "64KiB")
	v.atLeast("limits.statement", int64(c.Limits.Statement), 1<<10, "1KiB")
	v.atLeast("audit.segment_size", int64(c.Audit.SegmentSize), 64<<10, "64KiB")
}

// required reports fields that are marked required and empty.
func (v *validator) required(value reflect.Value, path string) {
	for i := range value.NumField() {
		field, inner := value.Type().Field(i), value.Field(i)
		p := join(path, keyOf(field))
		if field.Tag.Get("required") == "true" && (inner.IsZero() || inner.Kind() == reflect.Slice && inner.Len() == 0) {
			v.fault(p, "%s is missing; set it: %s", p, field.Tag.Get("doc"))
			continue
		}
		switch {
		case inner.Kind() == reflect.Struct && inner.Type() != refType:
			v.required(inner, p)
		case inner.Kind() == reflect.Slice && inner.Type().Elem().Kind() == reflect.Struct:
			for j := range inner.Len() {
				v.required(inner.Index(j), fmt.Sprintf("%s[%d]", p, j))
			}
		}
	}
}

// references refuses literal secrets in production and unknown schemes anywhere.
func (v *validator) references(value reflect.Value, path string) {
	switch {
	case value.Type() == refType:
		ref := value.Interface().(secrets.Ref)
		if ref.IsLiteral() && !v.development {
			v.fault(path, "%s holds a secret itself, which the production profile refuses; write ${env:NAME} or ${file:/path} and put the secret there", path)
		}
		v.reference(ref, path)
	case value.Kind() == reflect.Struct:
		for i := range value.NumField() {
			v.references(value.Field(i), join(path, keyOf(value.Type().Field(i))))
		}
	case value.Kind() == reflect.Slice:
		for i := range value.Len() {
			v.references(value.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

func (v *validator) listener(l *Listener, path string) {
	v.address(l.Address, path+".address")
	t := &l.TLS
	if t.SelfSigned && !v.development {
		v.fault(path+".tls.self_signed", "a self-signed certificate is for the development profile; set certificate and key, or profile: development")
	}
	if t.Plaintext && !v.development {
		v.fault(path+".tls.plaintext", "plaintext clients are for the development profile; remove it, or set profile: development")
	}
	switch {
	case t.SelfSigned && t.Certificate != "":
		v.fault(path+".tls.self_signed", "self_signed and certificate exclude each other; remove one")
	case !t.SelfSigned && t.Certificate == "" && !t.Plaintext && l.Address != "":
		v.fault(path+".tls", "%s has no TLS; set tls.certificate and tls.key", path)
	case t.Certificate != "" && t.Key.IsZero():
		v.fault(path+".tls.key", "the certificate's key is missing; set key: ${file:/path/to/key.pem}")
	}
	v.file(t.Certificate, path+".tls.certificate")
	v.file(t.ClientCA, path+".tls.client_ca")
	for i, f := range t.ClientCRL {
		v.file(f, fmt.Sprintf("%s.tls.client_crl[%d]", path, i))
	}
	if len(t.ClientCRL) > 0 && t.ClientCA == "" {
		v.fault(path+".tls.client_crl", "revocation lists without client_ca check nothing; set client_ca")
	}
}

// served checks that a listener has datasources of its protocol behind it.
func (v *validator) served(l *Listener, datasources []Datasource, path string) {
	behind := func(d Datasource) bool { return (d.Engine == "postgresql") == (l.Protocol == "postgresql") }
	if len(datasources) > 0 && !slices.ContainsFunc(datasources, behind) {
		v.fault(path+".protocol", "there is no datasource for protocol %s; set the datasource's engine, or another protocol", l.Protocol)
		return
	}
	if l.Datasource == "" {
		return
	}
	if l.Protocol == "postgresql" {
		v.fault(path+".datasource", "a listener for postgresql serves every datasource, which clients name as the database; remove datasource")
		return
	}
	if !slices.ContainsFunc(datasources, func(d Datasource) bool { return d.Name == l.Datasource && behind(d) }) {
		v.fault(path+".datasource", "%q is not the name of a datasource for protocol %s", l.Datasource, l.Protocol)
	}
}

func (v *validator) datasource(d *Datasource, path string) {
	if d.Name != "" && !nameForm.MatchString(d.Name) {
		v.fault(path+".name", "%q cannot be a datasource's name; use letters, digits, _ . - and at most 63 of them, beginning with a letter", d.Name)
	}
	if d.Engine == "postgresql" || !strings.HasPrefix(d.Address, "/") {
		v.upstreamAddress(d.Address, path+".address")
	}
	v.user(d.User, path+".user")
	v.upstreamTLS(&d.TLS, d.Address, path+".tls")
	for i, f := range d.SafeFunctions {
		if strings.Count(f, ".") != 1 {
			v.fault(fmt.Sprintf("%s.safe_functions[%d]", path, i), "%q is not schema.name", f)
		}
	}
}

func (v *validator) store(s *Store) {
	if s.Address == "" {
		if !s.Password.IsZero() || s.TLS.CA != "" {
			v.fault("store.address", "the store's server has no address; set it to host:port")
		}
		return
	}
	v.upstreamAddress(s.Address, "store.address")
	v.user(s.User, "store.user")
	v.upstreamTLS(&s.TLS, s.Address, "store.tls")
	v.atLeast("store.connect_timeout", int64(s.ConnectTimeout), int64(100e6), "100ms")
}

// upstreamTLS looks at what a connection to a server says of TLS.
func (v *validator) upstreamTLS(t *UpstreamTLS, address, path string) {
	if !v.development && (t.Mode == "disable" || t.Mode == "prefer") && !strings.HasPrefix(address, "/") {
		v.fault(path+".mode", "tls mode %s sends data over the network in clear, which the production profile refuses; use verify-full", t.Mode)
	}
	if (t.Certificate == "") != t.Key.IsZero() {
		v.fault(path, "a client certificate needs both certificate and key")
	}
	v.file(t.CA, path+".ca")
	v.file(t.Certificate, path+".certificate")
}

func (v *validator) policy(p *Policy) {
	b := &p.Bundle
	if p.Folder != "" && b.Location != "" {
		v.fault("policy.folder", "folder and bundle exclude each other; remove one")
	}
	if b.Location != "" && b.PublicKey == "" && !b.Unsigned {
		v.fault("policy.bundle", "the bundle's signature cannot be verified; set public_key, or unsigned: true to accept it without one")
	}
	if b.Location == "" && (b.PublicKey != "" || b.Unsigned || !b.Authorization.IsZero()) {
		v.fault("policy.bundle", "the bundle has no location; set it to a path or URL")
	}
	v.file(b.PublicKey, "policy.bundle.public_key")
	if p.Folder != "" {
		if info, err := os.Stat(p.Folder); err != nil || !info.IsDir() {
			v.fault("policy.folder", "policy folder %s is not there", p.Folder)
		}
	}
}

func (v *validator) file(name, path string) {
	if name == "" {
		return
	}
	if _, err := os.Stat(name); err != nil {
		v.fault(path, "file %s cannot be read; check its path and rights", name)
	}
}

func (v *validator) address(address, path string) {
	if address == "" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		v.fault(path, "%q is not host:port", address)
	}
}

func (v *validator) upstreamAddress(address, path string) {
	if !strings.HasPrefix(address, "/") {
		v.address(address, path)
		return
	}
	i := strings.LastIndexByte(address, ':')
	if _, err := strconv.ParseUint(address[i+1:], 10, 16); i < 0 || err != nil {
		v.fault(path, "%q is not a socket folder followed by :port, as /run/postgresql:5432", address)
	}
}

func (v *validator) positive(path string, n int) { v.atLeast(path, int64(n), 1, "1") }

func (v *validator) atLeast(path string, n, least int64, shown string) {
	if n < least {
		v.fault(path, "%s is less than %s", path, shown)
	}
}

// plugins checks auth.mysql_plugins, whose names the decoder knows.
func (v *validator) plugins(names []string) {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			v.fault(fmt.Sprintf("auth.mysql_plugins[%d]", i), "%s is there twice; remove it", name)
		}
	}
	if len(names) > 0 && !slices.Contains(names, "caching_sha2_password") {
		v.fault("auth.mysql_plugins", "caching_sha2_password has to be among them: users without other verifiers could not log in")
	}
}

// sources checks auth.sources. What is inside the directory is checked when it is asked.
func (v *validator) sources(sources []Source) {
	for i := range sources {
		s, path := &sources[i], fmt.Sprintf("auth.sources[%d]", i)
		if s.Name != "" && (!nameForm.MatchString(s.Name) || s.Name == "local") {
			v.fault(path+".name", "%q cannot name a source; use letters, digits, _, . and -, and not local", s.Name)
		}
		for j := range i {
			if sources[j].Name == s.Name {
				v.fault(path+".name", "source %q is already defined by auth.sources[%d]; give it another name", s.Name, j)
			}
		}
		for j, name := range s.Names {
			if strings.Trim(name, "*") == "" {
				v.fault(fmt.Sprintf("%s.names[%d]", path, j), "%q takes every login name, those of local users too; write a pattern such as *@corp.example", name)
			}
		}
		v.source(s, path)
		for j, m := range s.Map {
			for k, text := range m.Projects {
				project, role, found := strings.Cut(text, "=")
				if !found || project == "" || !slices.Contains([]string{"viewer", "editor", "admin", "owner"}, role) {
					v.fault(fmt.Sprintf("%s.map[%d].projects[%d]", path, j, k), "%q is not project=role with viewer, editor, admin or owner", text)
				}
			}
		}
	}
}

// source checks what is inside a source. The rest is checked when it is opened.
func (v *validator) source(s *Source, path string) {
	l, o := &s.LDAP, &s.OIDC
	for file, at := range map[string]string{l.CA: path + ".ldap.ca", o.CA: path + ".oidc.ca"} {
		if file != "" {
			v.file(file, at)
		}
	}
	v.atLeast(path+".ldap.timeout", int64(l.Timeout), int64(100e6), "100ms")
	switch {
	case (len(l.Servers) > 0) == (o.Issuer != ""):
		v.fault(path, "a source is a directory, with ldap.servers, or a provider, with oidc.issuer; set one")
	case o.Issuer != "":
		if strings.HasPrefix(o.Issuer, "http:") && !v.development {
			v.fault(path+".oidc.issuer", "%q is not https, which the production profile requires", o.Issuer)
		}
		if o.ClientID != "" && !slices.Contains(o.Audiences, o.ClientID) {
			v.fault(path+".oidc.client_id", "%q is not among the audiences, so that its tokens would be refused", o.ClientID)
		}
		if len(o.Audiences) == 0 {
			v.fault(path+".oidc.audiences", "say whom tokens are meant for; without that, those for others would pass")
		}
	case l.Base == "":
		v.fault(path+".ldap.base", "say where people are searched, as ou=people,dc=corp,dc=example")
	case (l.BindDN == "") == (l.DirectBind == ""):
		v.fault(path+".ldap", "give bind_dn with bind_password, or direct_bind")
	case (l.BindDN == "") != l.BindPassword.IsZero():
		v.fault(path+".ldap", "bind_dn and bind_password belong together")
	}
}
