package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/secrets"
)

//go:embed demo_mariadb.sql
var demoMariaDB string

// mariadbSource is the demo's datasource on MariaDB; there is one that is
// read-only as well.
const mariadbSource = "shop-mariadb"

// openMariaDB opens a pool of one connection at most.
func openMariaDB(config *mysql.Config) (*sql.DB, error) {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

func (w *demoWorld) startMariaDB(ctx context.Context, _ *slog.Logger, o demoOptions) error {
	if !o.mariadb {
		return nil
	}
	if _, _, err := myserver.Find(); err != nil {
		return fmt.Errorf("%w: install it (deploy/install.sh mariadb), or go without it (--mariadb=false)", err)
	}
	var err error
	w.mariadb, err = myserver.Start(ctx, myserver.Options{Accounts: []myserver.Account{{Name: "weir", Password: w.database.Password, TLS: true,
		Grants: "ALL ON *.*"}}})
	if err != nil {
		return err
	}
	if err := w.mariadb.Exec(ctx, "", demoMariaDB); err != nil {
		return fmt.Errorf("load the demo data: %w", err)
	}
	return nil
}

// addMariaDB configures the listener and the two datasources.
func (w *demoWorld) addMariaDB(config *configs.Config) error {
	if w.mariadb.CAFile == "" {
		return errors.New("the throw-away MariaDB has no TLS")
	}
	config.Listeners = append(config.Listeners, configs.Listener{Protocol: "mysql", Address: fmt.Sprintf("127.0.0.1:%d", w.mysqlPort),
		TLS: configs.ListenerTLS{SelfSigned: true}})
	source := config.Datasources[0]
	source.Name, source.Engine, source.Database = mariadbSource, "mariadb", "shop"
	source.Address, source.Password = fmt.Sprintf("%s:%d", w.mariadb.Host, w.mariadb.Port), secrets.Literal(w.database.Password)
	source.TLS = configs.UpstreamTLS{Mode: "verify-full", CA: w.mariadb.CAFile}
	replica := source
	replica.Name, replica.ReadOnly = mariadbSource+"-readonly", true
	config.Datasources = append(config.Datasources, source, replica)
	return nil
}

// mariadbArguments are those with which a person starts the mariadb client.
func (w *demoWorld) mariadbArguments(p person, source string) []string {
	return []string{"--protocol=tcp", "-h", "localhost", "-P", fmt.Sprint(w.mysqlPort), "-u", p.name + "@" + source,
		"--ssl-ca=" + filepath.Join(w.weir.config.State, "server.crt"), "--ssl-verify-server-cert", "shop"}
}
