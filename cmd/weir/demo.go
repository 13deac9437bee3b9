package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/ports"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

//go:embed demo.sql
var demoSQL string

// person is somebody who uses the demo.
type person struct {
	name, group, what, password string
}

// demoWorld is a running demo: databases, weir in front of them, three people.
type demoWorld struct {
	folder    string
	database  *pgserver.Server
	mariadb   *myserver.Server // nil without
	weir      *daemon
	people    []person
	port      int
	mysqlPort int
}

// demoOptions say what a demo has. Ports that are 0 are free ones.
type demoOptions struct {
	port, mysqlPort int
	postgres        int // major version, 0 for the newest of the distribution
	mariadb         bool
}

func newDemo() *cobra.Command {
	var check bool
	var o demoOptions
	cmd := &cobra.Command{Use: "demo", Short: "Try weir: throw-away databases and three people", Args: cobra.NoArgs,
		Long: `Demo starts a throw-away PostgreSQL and a MariaDB with the same made-up data and
weir in front of them with embedded defaults, prints a psql and a mariadb line
for each of three people and what to try, and removes everything on Ctrl-C. With
--check it runs the showcase as each person by itself and ends: exit status 0
only if everything was as expected.`,
		Example: `  weir demo
  weir demo --mariadb=false
  weir demo --check`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.NewTextHandler(logOutput(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			out := cmd.OutOrStdout()
			if check {
				o.port, o.mysqlPort = 0, 0
			}
			w, err := startDemo(cmd.Context(), out, log, o)
			if err != nil {
				return err
			}
			if check {
				ok := w.check(cmd.Context(), out)
				if err := w.close(); err != nil {
					return err
				}
				if !ok {
					return exitError(1)
				}
				return nil
			}
			w.invite(out)
			select {
			case <-cmd.Context().Done():
				fmt.Fprintln(out, "\nremoving everything")
			case err = <-w.weir.failed:
			}
			return errors.Join(err, w.close())
		}}
	cmd.Flags().BoolVar(&check, "check", false, "run the showcase and end")
	cmd.Flags().IntVar(&o.port, "port", 6432, "port of weir for PostgreSQL; 0 for a free one")
	cmd.Flags().IntVar(&o.mysqlPort, "mysql-port", 6433, "port of weir for MariaDB; 0 for a free one")
	cmd.Flags().IntVar(&o.postgres, "postgres", 0, "major version of PostgreSQL; 0 for the newest of the distribution")
	cmd.Flags().BoolVar(&o.mariadb, "mariadb", true, "show MariaDB beside PostgreSQL")
	return cmd
}

// startDemo starts everything. What it started is closed again when it fails.
func startDemo(ctx context.Context, out io.Writer, log *slog.Logger, o demoOptions) (*demoWorld, error) {
	w := &demoWorld{port: o.port, mysqlPort: o.mysqlPort, people: []person{
		{name: "admin", group: "administrators", what: "administrator: sees and does everything"},
		{name: "ana", group: "analysts", what: "analyst: reads, sees masks"},
		{name: "app", group: "applications-ro", what: "application: reads, sees people but no payment data"}}}
	for _, step := range []struct {
		say string
		do  func(context.Context, *slog.Logger, demoOptions) error
	}{
		{"starting a throw-away PostgreSQL with made-up data", w.startDatabase},
		{"starting a throw-away MariaDB with the same data", w.startMariaDB},
		{"starting weir in front of them", w.startWeir},
		{"adding three people", w.addPeople},
	} {
		fmt.Fprintf(out, "%s …\n", step.say)
		if err := step.do(ctx, log, o); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

func (w *demoWorld) startDatabase(ctx context.Context, _ *slog.Logger, o demoOptions) error {
	var err error
	if w.database, err = pgserver.Start(ctx, pgserver.Options{Major: o.postgres}); err != nil {
		return err
	}
	role := fmt.Sprintf("CREATE ROLE weir LOGIN CREATEROLE PASSWORD '%s'", w.database.Password)
	for _, step := range []struct{ database, sql string }{
		{"postgres", role}, {"postgres", "CREATE DATABASE shop OWNER weir"},
		{"shop", "ALTER SCHEMA public OWNER TO weir"}, {"shop", "SET ROLE weir; " + demoSQL},
	} {
		if err := w.database.Exec(ctx, step.database, step.sql); err != nil {
			return fmt.Errorf("load the demo data: %w", err)
		}
	}
	return nil
}

func (w *demoWorld) startWeir(ctx context.Context, log *slog.Logger, _ demoOptions) error {
	var err error
	if w.folder, err = os.MkdirTemp("", "weir-demo-"); err != nil {
		return err
	}
	for _, port := range []*int{&w.port, &w.mysqlPort} {
		if *port == 0 {
			if *port, err = ports.One(); err != nil {
				return err
			}
		}
	}
	config := configs.Default()
	config.Profile, config.State = "development", filepath.Join(w.folder, "state")
	config.Admin.Address = "off"
	config.Listeners = []configs.Listener{{Protocol: "postgresql", Address: fmt.Sprintf("127.0.0.1:%d", w.port), TLS: configs.ListenerTLS{SelfSigned: true}}}
	shop := configs.Datasource{Name: "shop", Project: "demo", Environment: "demo", Engine: "postgresql", User: "weir", Database: "shop",
		Address: fmt.Sprintf("%s:%d", w.database.Host, w.database.Port), Password: secrets.Literal(w.database.Password),
		TLS: configs.UpstreamTLS{Mode: "verify-full", CA: w.database.CAFile}, CatalogInterval: 2 * time.Second, ConnectTimeout: 10 * time.Second}
	replica := shop
	replica.Name, replica.ReadOnly = "shop-readonly", true
	config.Datasources = []configs.Datasource{shop, replica}
	if w.mariadb != nil {
		if err := w.addMariaDB(config); err != nil {
			return err
		}
	}
	w.weir, err = start(ctx, "", config, log)
	return err
}

func (w *demoWorld) addPeople(ctx context.Context, _ *slog.Logger, _ demoOptions) error {
	for i := range w.people {
		p := &w.people[i]
		p.password = auth.GeneratePassword()
		verifier, err := auth.NewVerifier(p.password, auth.DefaultIterations)
		if err != nil {
			return err
		}
		if err := w.weir.store.AddGroup(ctx, p.group); err != nil {
			return err
		}
		if _, err := w.weir.store.AddUser(ctx, store.NewUser{Name: p.name, Verifier: verifier.Encode(), Groups: []string{p.group}}); err != nil {
			return err
		}
	}
	return nil
}

// conninfo is how a person connects, with verified TLS.
func (w *demoWorld) conninfo(p person, database string) string {
	return fmt.Sprintf("host=localhost port=%d dbname=%s user=%s sslmode=verify-full sslrootcert=%s", w.port, database, p.name, filepath.Join(w.weir.config.State, "server.crt"))
}

func (w *demoWorld) invite(out io.Writer) {
	fmt.Fprintf(out, "\nweir listens on port %d. Paste a line into another terminal:\n", w.port)
	for _, p := range w.people {
		fmt.Fprintf(out, "\n  # %s\n  PGPASSWORD=%s psql \"%s\"\n", p.what, p.password, w.conninfo(p, "shop"))
		if w.mariadb != nil {
			fmt.Fprintf(out, "  MYSQL_PWD=%s mariadb %s\n", p.password, strings.Join(w.mariadbArguments(p, mariadbSource), " "))
		}
	}
	readonlyToo := ""
	if w.mariadb != nil {
		readonlyToo = " or as …@shop-mariadb-readonly"
	}
	fmt.Fprintf(out, `
Try, as each of them:
  SELECT * FROM customers LIMIT 5;
  SELECT full_name, ssn, salary FROM hr.employees LIMIT 5;
  SELECT * FROM payments LIMIT 5;
  SELECT count(*) FROM hr.employees WHERE salary > 50000;   -- refused for ana, with the reason
  UPDATE customers SET city = 'Rome' WHERE id = 1;          -- only the administrator may
Everybody, the administrator too, only reads with dbname=shop-readonly%[3]s.

What happened is in the audit journal:
  %[2]s audit search --dir %[1]s --limit 5
  %[2]s audit verify --dir %[1]s

Ctrl-C ends weir and removes everything.
`, journalFolder(w.weir.config), os.Args[0], readonlyToo)
}

func (w *demoWorld) close() error {
	var errs []error
	if w.weir != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, w.weir.close(ctx))
	}
	if w.database != nil {
		w.database.Stop()
	}
	if w.mariadb != nil {
		w.mariadb.Stop()
	}
	if w.folder != "" {
		errs = append(errs, os.RemoveAll(w.folder))
	}
	return errors.Join(errs...)
}
