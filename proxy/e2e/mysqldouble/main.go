// Command mysqldouble is a server that greets as Oracle's MySQL does, for tests
// of handshakes. It is a module of its own, so that what it needs stays out of
// weir's. It proves nothing about Oracle's server.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mysqldouble:", err)
		os.Exit(1)
	}
}

func run() error {
	address := flag.String("listen", "", "host:port")
	version := flag.String("version", "8.0.36", "what the greeting says")
	plugin := flag.String("plugin", "caching_sha2_password", "of the account weir")
	password := flag.String("password", "", "of the account weir")
	certificate, key := flag.String("certificate", "", "PEM file"), flag.String("key", "", "PEM file")
	flag.Parse()
	pro := memory.NewDBProvider(memory.NewDatabase("shop"))
	engine := sqle.NewDefault(pro)
	accounts := engine.Analyzer.Catalog.MySQLDb
	accounts.AddRootAccount()
	accounts.SetPersister(&mysql_db.NoopPersister{})
	ctx := sql.NewContext(context.Background(), sql.WithSession(memory.NewSession(
		sql.NewBaseSessionWithClientServer("", sql.Client{User: "root", Address: "localhost"}, 1), pro)))
	ctx.SetCurrentDatabase("shop")
	for _, statement := range []string{
		fmt.Sprintf("CREATE USER 'weir'@'%%' IDENTIFIED WITH %s BY '%s'", *plugin, *password),
		"GRANT ALL ON *.* TO 'weir'@'%'",
		"CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(40), email VARCHAR(80))",
		"INSERT INTO users VALUES (1, 'Ana', 'ana@example.com'), (2, 'Ben', 'ben@example.com')",
	} {
		if err := execute(ctx, engine, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return err
	}
	s, err := server.NewServer(server.Config{Protocol: "tcp", Address: *address, Version: *version,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}},
		engine, sql.NewContext, memory.NewSessionBuilder(pro), nil)
	if err != nil {
		return err
	}
	return s.Start()
}

func execute(ctx *sql.Context, engine *sqle.Engine, statement string) error {
	_, rows, _, err := engine.Query(ctx, statement)
	if err != nil {
		return err
	}
	for {
		if _, err := rows.Next(ctx); errors.Is(err, io.EOF) {
			return rows.Close(ctx)
		} else if err != nil {
			return errors.Join(err, rows.Close(ctx))
		}
	}
}
