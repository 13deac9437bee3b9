package idp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"

	"github.com/weirdb/weir/deploy/authority"
)

// Domain is a running Samba domain controller: an Active Directory. Its ports are
// fixed, so that there is one at a time; it needs root.
type Domain struct {
	LDAP, LDAPS string
	CAFile      string
	Name        string // ad.example.org
	Base        string // dc=ad,dc=example,dc=org

	roots  *x509.CertPool
	folder string
	stop   func()
	done   chan struct{}
}

const (
	domainAddress  = "127.0.0.5"
	domainPassword = "Passw0rd!of-the-administrator"
	domainName     = "ad.example.org"
	domainBase     = "dc=ad,dc=example,dc=org"
)

const domainConf = `
[global]
  ldap server require strong auth = allow_sasl_over_tls
  tls enabled = yes
  tls keyfile = %[1]s/server.key
  tls certfile = %[1]s/server.crt
  tls cafile = %[1]s/ca.crt
`

// StartDomain makes a domain and starts its controller, which takes some
// seconds. The caller stops it.
func StartDomain(ctx context.Context) (*Domain, error) {
	if _, err := exec.LookPath("samba-tool"); err != nil {
		return nil, fmt.Errorf("find Samba: %w; install the packages samba and samba-ad-provision (`make servers` does)", err)
	}
	folder, err := os.MkdirTemp("", "weir-samba-")
	if err != nil {
		return nil, err
	}
	d := &Domain{LDAP: "ldap://" + domainAddress, LDAPS: "ldaps://" + domainAddress, CAFile: filepath.Join(folder, "ca.crt"), Name: domainName, Base: domainBase, folder: folder}
	if err := d.start(ctx); err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("start Samba: %w", err)
	}
	return d, nil
}

func (d *Domain) start(ctx context.Context) error {
	provision := exec.CommandContext(ctx, "samba-tool", "domain", "provision", "--targetdir="+d.folder, "--realm="+domainName, "--domain=ADEX", "--adminpass="+domainPassword,
		"--server-role=dc", "--dns-backend=NONE", "--host-name=dc1", "--host-ip="+domainAddress, "--use-rfc2307", "--option=interfaces="+domainAddress+"/8",
		"--option=bind interfaces only=yes", "--option=server services=ldap, kdc, rpc, cldap", "--option=tls verify peer=no_check")
	if out, err := provision.CombinedOutput(); err != nil {
		return fmt.Errorf("provision: %w: %.2000s", err, out)
	}
	ca, err := authority.New()
	if err != nil {
		return err
	}
	certificate, key, err := ca.Server(net.ParseIP(domainAddress))
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"ca.crt": ca.PEM, "server.crt": certificate, "server.key": key} {
		if err := os.WriteFile(filepath.Join(d.folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	d.roots = x509.NewCertPool()
	d.roots.AppendCertsFromPEM([]byte(ca.PEM))
	conf := filepath.Join(d.folder, "etc", "smb.conf")
	f, err := os.OpenFile(conf, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, domainConf, d.folder)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.run(ctx, conf)
}

// run starts the controller, whose processes are a group of their own.
func (d *Domain) run(ctx context.Context, conf string) error {
	cmd := exec.Command("samba", "-s", conf, "-i", "--debug-stdout")
	log, err := os.Create(filepath.Join(d.folder, "samba.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.done = make(chan struct{})
	go func() { // ends with the process
		_ = cmd.Wait()
		close(d.done)
	}()
	d.stop = func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := d.administrator()
		if err == nil {
			return conn.Close()
		}
		select {
		case <-d.done:
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("it has ended: %w: %.2000s", err, said)
		case <-ctx.Done():
			d.Stop()
			return ctx.Err()
		default:
		}
		if time.Now().After(deadline) {
			d.Stop()
			return err
		}
	}
}

func (d *Domain) administrator() (*ldap.Conn, error) {
	conn, err := ldap.DialURL(d.LDAPS, ldap.DialWithDialer(&net.Dialer{Timeout: time.Second}), ldap.DialWithTLSConfig(&tls.Config{ServerName: domainAddress, RootCAs: d.roots, MinVersion: tls.VersionTLS12}))
	if err != nil {
		return nil, err
	}
	if err := conn.Bind("administrator@"+domainName, domainPassword); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Entry is a user or group to add below CN=Users. Attributes replace those that
// an account has by itself.
type Entry struct {
	Name       string
	Password   string   // of a user; a group has none
	Members    []string // of a group: names of other entries
	Attributes map[string]string
}

// Add adds entries in order.
func (d *Domain) Add(entries ...Entry) error {
	conn, err := d.administrator()
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, e := range entries {
		if err := d.add(conn, &e); err != nil {
			return fmt.Errorf("add %s: %w", e.Name, err)
		}
	}
	return nil
}

// DN is where an entry of that name is.
func (d *Domain) DN(name string) string { return "cn=" + ldap.EscapeDN(name) + ",cn=users," + d.Base }

func (d *Domain) add(conn *ldap.Conn, e *Entry) error {
	r := ldap.NewAddRequest(d.DN(e.Name), nil)
	r.Attribute("sAMAccountName", []string{e.Name})
	if e.Password == "" {
		r.Attribute("objectClass", []string{"group"})
		for _, m := range e.Members {
			r.Attributes = append(r.Attributes, ldap.Attribute{Type: "member", Vals: []string{d.DN(m)}})
		}
		return conn.Add(r)
	}
	r.Attribute("objectClass", []string{"user"})
	r.Attribute("userPrincipalName", []string{e.Name + "@" + d.Name})
	r.Attribute("unicodePwd", []string{quotedUTF16(e.Password)})
	r.Attribute("userAccountControl", []string{"512"}) // enabled
	if err := conn.Add(r); err != nil || len(e.Attributes) == 0 {
		return err
	}
	m := ldap.NewModifyRequest(d.DN(e.Name), nil)
	for name, value := range e.Attributes {
		m.Replace(name, []string{value})
	}
	return conn.Modify(m)
}

// quotedUTF16 is how Active Directory takes a password (MS-ADTS, 3.1.1.3.1.5).
func quotedUTF16(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(`"` + s + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// Stop ends the controller and removes its data. A second time does nothing.
func (d *Domain) Stop() {
	d.stop()
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
	}
	_ = os.RemoveAll(d.folder)
}
