package idp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/deploy/ports"
)

// Directory is a running OpenLDAP server.
type Directory struct {
	LDAP, LDAPS string // URLs on localhost; LDAP offers StartTLS
	CAFile      string
	Suffix      string // dc=example,dc=org
	// AdminDN may do everything. Password is its password.
	AdminDN, Password string

	folder string
	stop   func()
	done   chan struct{}
}

// People are below PeopleBase, groups below GroupBase.
const (
	suffix     = "dc=example,dc=org"
	PeopleBase = "ou=people," + suffix
	GroupBase  = "ou=groups," + suffix
)

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile %[1]s/slapd.pid
argsfile %[1]s/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile %[1]s/ca.crt
TLSCertificateFile %[1]s/server.crt
TLSCertificateKeyFile %[1]s/server.key
TLSProtocolMin 3.3
sizelimit size.soft=1000 size.hard=1000 size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
database mdb
suffix %[2]s
rootdn cn=admin,%[2]s
rootpw %[3]s
directory %[1]s/db
maxsize 67108864
index objectClass,uid,cn,member eq
`

const slapdStart = `dn: %[1]s
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: %[2]s
objectClass: organizationalUnit
ou: people

dn: %[3]s
objectClass: organizationalUnit
ou: groups

`

// StartDirectory starts slapd with the entries of an LDIF text below the two
// bases, which exist. The caller stops it.
func StartDirectory(ctx context.Context, ldif string) (*Directory, error) {
	program := "/usr/sbin/slapd"
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("find OpenLDAP: %w; install the package slapd (`make servers` does)", err)
	}
	folder, err := os.MkdirTemp("", "weir-slapd-")
	if err != nil {
		return nil, err
	}
	d := &Directory{Suffix: suffix, AdminDN: "cn=admin," + suffix, Password: rand.Text(), folder: folder, CAFile: filepath.Join(folder, "ca.crt")}
	if err := d.start(ctx, program, ldif); err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("start OpenLDAP: %w", err)
	}
	return d, nil
}

func (d *Directory) start(ctx context.Context, program, ldif string) error {
	ca, err := authority.New()
	if err != nil {
		return err
	}
	certificate, key, err := ca.Server()
	if err != nil {
		return err
	}
	conf := filepath.Join(d.folder, "slapd.conf")
	for path, text := range map[string]string{
		"ca.crt": ca.PEM, "server.crt": certificate, "server.key": key, "slapd.conf": fmt.Sprintf(slapdConf, d.folder, suffix, d.Password),
		"start.ldif": fmt.Sprintf(slapdStart, suffix, PeopleBase, GroupBase) + ldif,
	} {
		if err := os.WriteFile(filepath.Join(d.folder, path), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(d.folder, "db"), 0o700); err != nil {
		return err
	}
	load := exec.CommandContext(ctx, program, "-T", "add", "-q", "-f", conf, "-l", filepath.Join(d.folder, "start.ldif"))
	if out, err := load.CombinedOutput(); err != nil {
		return fmt.Errorf("load: %w: %s", err, out)
	}
	free, err := ports.Free(2)
	if err != nil {
		return err
	}
	d.LDAP, d.LDAPS = fmt.Sprintf("ldap://localhost:%d", free[0]), fmt.Sprintf("ldaps://localhost:%d", free[1])
	cmd := exec.Command(program, "-f", conf, "-h", strings.ReplaceAll(d.LDAP+"/ "+d.LDAPS+"/", "localhost", "127.0.0.1"), "-d", "0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.done = make(chan struct{})
	go func() { // ends with the process
		_ = cmd.Wait()
		close(d.done)
	}()
	d.stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM) }
	if err := listening(ctx, free[1], d.done); err != nil {
		d.Stop()
		return err
	}
	return nil
}

// listening waits until a port of this machine is open.
func listening(ctx context.Context, port int, done <-chan struct{}) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-done:
			return errors.New("it has ended")
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not listen on port %d", port)
		}
	}
}

// Stop ends the server and removes its data. A second time does nothing.
func (d *Directory) Stop() {
	d.stop()
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
	}
	_ = os.RemoveAll(d.folder)
}
