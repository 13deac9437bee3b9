package upstream

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/weirdb/weir/deploy/myserver"
)

// accounts of the server, each with its name's own password.
var accounts = []myserver.Account{
	{Name: "native", Password: "nativé ½", Grants: "ALL ON *.*"},
	{Name: "ed", Password: "edpw", Plugin: myserver.Ed25519},
	{Name: "secure", Password: "securepw", TLS: true},
}

// mariadb is started once for the package, by the first test that needs it.
var mariadb = sync.OnceValues(func() (*myserver.Server, error) {
	s, err := myserver.Start(context.Background(), myserver.Options{
		Settings: map[string]string{"max-allowed-packet": "64M"}, Accounts: accounts})
	if err != nil {
		return nil, err
	}
	if err := s.Exec(context.Background(), "", "CREATE DATABASE shop; CREATE USER nobody@'%' IDENTIFIED VIA mysql_native_password USING ''; "+
		"CREATE USER carried@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('carriedpw') REQUIRE X509"); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := mariadb(); err == nil {
		s.Stop()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// config is a configuration for an account of the server, over verified TLS.
func config(t testing.TB, user, password string) Config {
	t.Helper()
	s, err := mariadb()
	if err != nil {
		t.Fatal(err)
	}
	roots, err := LoadCA(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Network: "tcp", Address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), TLS: VerifyFull, RootCAs: roots,
		User: user, Password: password}
}
