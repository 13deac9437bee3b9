package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/weirdb/weir/deploy/idp"
	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

const directoryPeople = `dn: uid=weir,%[1]s
objectClass: inetOrgPerson
uid: weir
cn: weir
sn: weir
userPassword: of the account

dn: uid=ana,%[1]s
objectClass: inetOrgPerson
uid: ana
cn: Ana Almeida
sn: Almeida
mail: ana@corp.example
userPassword: ana in the directory

dn: uid=ben,%[1]s
objectClass: inetOrgPerson
uid: ben
cn: Ben
sn: Ben
userPassword: ben in the directory

dn: cn=team,%[2]s
objectClass: groupOfNames
cn: team
member: uid=ana,%[1]s

dn: cn=readers,%[2]s
objectClass: groupOfNames
cn: readers
member: cn=team,%[2]s

`

// directoryWorld is a directory and a database behind weir, with a client.
type directoryWorld struct {
	*weirserver.Server
	t         *testing.T
	directory *idp.Directory
	binary    string
	folder    string
	protocol  string
	client    func(user, password string) (string, error) // what SELECT 'works' gives
}

// TestLiveDirectory logs people of an OpenLDAP directory in, on both protocols.
func TestLiveDirectory(t *testing.T) {
	binary := build(t)
	for _, protocol := range []string{"postgresql", "mysql"} {
		t.Run(protocol, func(t *testing.T) {
			d := newDirectoryWorld(t, binary, protocol)
			d.logins()
			d.disabled()
			d.journal()
			d.directory.Stop()
			if out, err := d.client("ana@corp.example", "ana in the directory"); err == nil || !strings.Contains(strings.ToLower(out), "users cannot be looked up now") {
				t.Errorf("without the directory: %v %s", err, out)
			}
		})
	}
}

func newDirectoryWorld(t *testing.T, binary, protocol string) *directoryWorld {
	directory, err := idp.StartDirectory(t.Context(), fmt.Sprintf(directoryPeople, idp.PeopleBase, idp.GroupBase))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(directory.Stop)
	d := &directoryWorld{t: t, directory: directory, binary: binary, folder: t.TempDir()}
	d.protocol, d.client = protocol, d.psql
	if protocol == "mysql" {
		d.client = d.mariadb
	}
	more := fmt.Sprintf(`auth:
  sources:
    - name: corp
      names: ["*@corp.example"]
      ldap: {servers: [%q], ca: %s, bind_dn: "uid=weir,%s", bind_password: of the account, base: %q, group_base: %q}
      map: [{group: Readers, groups: [all]}]
`, directory.LDAPS, directory.CAFile, idp.PeopleBase, idp.PeopleBase, idp.GroupBase)
	d.Server, err = weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: d.folder, Protocol: protocol, Listener: "self_signed: true", Datasources: databaseSources(t, protocol, "fixed"),
		Policy: map[string]string{"policy.yaml": strings.ReplaceAll(rotationPolicy, "fixed, leased", "fixed")}, More: more})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Server.Stop)
	return d
}

// databaseSources starts a database of a protocol and gives datasources by which
// weir reaches it, each of it alike.
func databaseSources(t *testing.T, protocol string, names ...string) string {
	t.Helper()
	form, port, ca := "  - {name: %s, address: \"localhost:%d\", database: postgres, user: weir, password: upstream, tls: {ca: %s}}\n", 0, ""
	if protocol == "postgresql" {
		db, err := pgserver.Start(t.Context(), pgserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Stop)
		if err := db.Exec(t.Context(), "postgres", "CREATE ROLE weir LOGIN PASSWORD 'upstream'"); err != nil {
			t.Fatal(err)
		}
		port, ca = db.Port, db.CAFile
	} else {
		db, err := myserver.Start(t.Context(), myserver.Options{Accounts: []myserver.Account{{Name: "weir", Password: "upstream", Grants: "ALL ON *.*"}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Stop)
		form, port, ca = "  - {name: %s, engine: mariadb, address: \"localhost:%d\", user: weir, password: upstream, tls: {ca: %s}}\n", db.Port, db.CAFile
	}
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, form, name, port, ca)
	}
	return b.String()
}

func (d *directoryWorld) psql(user, password string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), "psql", "-XAtc", "SELECT 'works'",
		fmt.Sprintf("host=localhost port=%d dbname=fixed user=%s sslmode=verify-full sslrootcert=%s", d.Port, user, d.CAFile))
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *directoryWorld) mariadb(user, password string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), "mariadb", "--no-defaults", "--protocol=tcp", "--host=localhost", fmt.Sprintf("--port=%d", d.Port), "--ssl-ca="+d.CAFile,
		"--ssl-verify-server-cert", "--user="+user, "--batch", "--skip-column-names", "--execute=SELECT 'works'")
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *directoryWorld) weir(args ...string) (string, error) {
	out, err := exec.CommandContext(d.t.Context(), d.binary, append(args, "--config", filepath.Join(d.folder, "weir.yaml"))...).CombinedOutput()
	return string(out), err
}

func (d *directoryWorld) logins() {
	d.t.Helper()
	refused := func(user, password, why string) {
		d.t.Helper()
		out, err := d.client(user, password)
		if err == nil || !strings.Contains(out, "password authentication failed") && !strings.Contains(out, "Access denied") {
			d.t.Errorf("%s: %v %s", why, err, out)
		}
	}
	if out, err := d.client("Ana@corp.example", "ana in the directory"); err != nil || out != "works" {
		d.t.Fatalf("ana: %v %s", err, out)
	}
	refused("ana@corp.example", "wrong", "a wrong password")
	refused("carl@corp.example", "wrong", "nobody")
	refused("*@corp.example", "ana in the directory", "a pattern")
	refused("ana", "ana in the directory", "a name that the directory does not answer for")
	// Ben is somebody, in no group that policy knows.
	if out, err := d.client("ben@corp.example", "ben in the directory"); err == nil || strings.Contains(out, "password authentication failed") {
		d.t.Errorf("ben: %v %s", err, out)
	}
	list, err := d.weir("user", "list", "--output", "json")
	if err != nil || !strings.Contains(list, `"name": "ana@corp.example"`) || !strings.Contains(list, `"source": "ldap:corp"`) || !strings.Contains(list, `"display_name": "Ana Almeida"`) {
		d.t.Errorf("users: %v %s", err, list)
	}
	if out, err := d.weir("user", "add", "dora@corp.example", "--generate"); err == nil || !strings.Contains(out, "answers for the name") {
		d.t.Errorf("a user under a name of the directory: %v %s", err, out)
	}
	if out, err := d.weir("user", "edit", "ana@corp.example", "--remove-group", "all"); err == nil || !strings.Contains(out, "change it there") {
		d.t.Errorf("a mapped group by hand: %v %s", err, out)
	}
	// The team leaves the readers, and so does ana at the next login.
	d.modify("cn=readers,"+idp.GroupBase, "member", "uid=ben,"+idp.PeopleBase)
	if out, err := d.client("ana@corp.example", "ana in the directory"); err == nil {
		d.t.Errorf("ana after she left the group: %s", out)
	}
	d.modify("cn=readers,"+idp.GroupBase, "member", "cn=team,"+idp.GroupBase)
}

// modify changes the directory.
func (d *directoryWorld) modify(dn, attribute, value string) {
	d.t.Helper()
	text, err := os.ReadFile(d.directory.CAFile)
	if err != nil {
		d.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	conn, err := ldap.DialURL(d.directory.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "localhost"}))
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close()
	change := ldap.NewModifyRequest(dn, nil)
	change.Replace(attribute, []string{value})
	for _, err := range []error{conn.Bind(d.directory.AdminDN, d.directory.Password), conn.Modify(change)} {
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// disabled: whoever is disabled here is out, whatever the directory says.
func (d *directoryWorld) disabled() {
	d.t.Helper()
	if out, err := d.weir("user", "disable", "ana@corp.example"); err != nil {
		d.t.Fatalf("%v %s", err, out)
	}
	if out, err := d.client("ana@corp.example", "ana in the directory"); err == nil {
		d.t.Errorf("a disabled user: %s", out)
	}
	if out, err := d.weir("user", "enable", "ana@corp.example"); err != nil {
		d.t.Fatalf("%v %s", err, out)
	}
	if out, err := d.client("ana@corp.example", "ana in the directory"); err != nil || out != "works" {
		d.t.Errorf("enabled again: %v %s", err, out)
	}
}

func (d *directoryWorld) journal() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	search := func(kind string) string {
		out, err := exec.CommandContext(ctx, d.binary, "audit", "search", "--config", filepath.Join(d.folder, "weir.yaml"), "--kind", kind, "--output", "json").CombinedOutput()
		if err != nil {
			d.t.Fatalf("%v %s", err, out)
		}
		return string(out)
	}
	for kind, want := range map[string]string{"login": `"ldap"`, "login_failed": "wrong_secret", "administration": `"source ldap:corp"`} {
		if out := search(kind); !strings.Contains(out, want) {
			d.t.Errorf("%s events do not tell of %s: %.600s", kind, want, out)
		}
	}
	text, err := os.ReadFile(d.Log)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, s := range []string{"in the directory", "of the account"} {
		if strings.Contains(string(text), s) {
			d.t.Errorf("the log holds a password: %s", s)
		}
	}
}
