package main

import (
	"database/sql"
	_ "embed"

	"github.com/go-sql-driver/mysql"
)

//go:embed demo_mariadb.sql
var demoMariaDB string

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
