package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveLockout guesses at a password on both protocols.
func TestLiveLockout(t *testing.T) {
	binary := build(t)
	for _, protocol := range []string{"postgresql", "mysql"} {
		t.Run(protocol, func(t *testing.T) {
			// Nothing gets as far as the database.
			w, err := weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: t.TempDir(), Protocol: protocol, Listener: "self_signed: true",
				Datasources: fmt.Sprintf("  - {name: fixed, engine: %s, address: \"localhost:9\", user: weir, password: upstream}\n", protocol),
				Policy:      map[string]string{"policy.yaml": strings.ReplaceAll(rotationPolicy, "fixed, leased", "fixed")},
				More:        "auth: {lockout: {attempts: 2, longest: 2s}}\n", Groups: []string{"all"}, Unready: true,
				People: []weirserver.Person{{Name: "ana", Group: "all", Password: "a long enough password"}}})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			login := func(user, password string) string {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if protocol == "postgresql" {
					_, err := pgx.Connect(ctx, fmt.Sprintf("host=localhost port=%d user=%s password='%s' dbname=fixed sslmode=verify-full sslrootcert=%s", w.Port, user, password, w.CAFile))
					return fmt.Sprint(err)
				}
				c := mysql.NewConfig()
				c.User, c.Passwd, c.Net, c.Addr, c.TLSConfig, c.Logger = user+"@fixed", password, "tcp", fmt.Sprintf("127.0.0.1:%d", w.Port), "skip-verify", &mysql.NopLogger{}
				connector, err := mysql.NewConnector(c)
				if err != nil {
					t.Fatal(err)
				}
				_, err = connector.Connect(ctx)
				return fmt.Sprint(err)
			}
			const wait = "too many failed logins of user"
			for _, user := range []string{"ana", "nobody"} { // alike, whether there is such a user
				for i := range 3 {
					if said := login(user, "a wrong password"); strings.Contains(said, wait) || !strings.Contains(strings.ToLower(said), "password") {
						t.Errorf("%s, attempt %d: %s", user, i, said)
					}
				}
				if said := login(user, "a long enough password"); !strings.Contains(said, wait) {
					t.Errorf("%s after three failures: %s", user, said)
				}
			}
			time.Sleep(1100 * time.Millisecond)
			if said := login("ana", "a long enough password"); strings.Contains(said, "password") || strings.Contains(said, wait) {
				t.Errorf("after the pause: %s", said)
			}
		})
	}
}
