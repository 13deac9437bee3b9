package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/pgserver"
)

// Names that the corpora know.
const (
	sideA     = "a" // and b differ in protected values alone
	sideB     = "b"
	constants = "m" // protected values are what the masks show

	analyst     = "ni_analyst"
	superuser   = "ni_super"
	superSuffix = "_super" // of datasources that log in as superuser
)

// trusted is a second address of the server, at which no password is asked
// for: thousands of sessions log in. Cases that connect from inside the server
// use the other, as dblink works for ordinary users with a password only.
const trusted = "127.0.0.2"

func databaseOf(side string) string { return "ni_" + side }

// databases is a server with the sides of a corpus.
type databases struct {
	major  int
	server *pgserver.Server
	// passwords by role.
	passwords map[string]string
	masks     []maskedColumn
	digest    string // of version, schema and data
	newest    uint32 // the largest OID of what the corpus made
	expand    *expander
	admins    map[string]*pgx.Conn // by side
	pool      pool
	mu        sync.Mutex // guards admins
}

// startDatabases starts a server and loads the corpus.
func startDatabases(ctx context.Context, major int, c *corpus) (*databases, error) {
	s, err := pgserver.Start(ctx, pgserver.Options{Major: major, Settings: map[string]string{
		"listen_addresses": "127.0.0.1," + trusted, "autovacuum": "off", "shared_buffers": "24MB", "max_connections": "60", "wal_level": "minimal", "max_wal_senders": "0", "jit": "off"},
		HBA: []string{"host all " + analyst + "," + superuser + " " + trusted + "/32 trust"}})
	if err != nil {
		return nil, err
	}
	d := &databases{major: major, server: s, passwords: map[string]string{analyst: "analyst-pw", superuser: "super-pw"}, pool: pool{idle: map[door]pooled{}}, admins: map[string]*pgx.Conn{}}
	for _, step := range []func(context.Context, *corpus) error{d.loadSchema, d.loadData, d.makeConstants, d.keep, d.prepareExpansion} {
		if err := step(ctx, c); err != nil {
			d.stop()
			return nil, err
		}
	}
	return d, nil
}

func (d *databases) stop() {
	d.pool.close()
	d.leave()
	d.server.Stop()
}

// psql runs a script of the corpus as the cluster's administrator.
func (d *databases) psql(ctx context.Context, database string, script []byte, variables ...string) error {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"}
	for _, v := range variables {
		args = append(args, "-v", v)
	}
	cmd := exec.CommandContext(ctx, "psql", append(args, d.server.URL(pgserver.SuperUser, d.server.Password, database))...)
	cmd.Stdin = bytes.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load %s: %w: %s", database, err, out)
	}
	return nil
}

func (d *databases) loadSchema(ctx context.Context, c *corpus) error {
	roles := fmt.Sprintf(`CREATE ROLE ni_owner NOLOGIN NOSUPERUSER; CREATE ROLE %s LOGIN NOSUPERUSER PASSWORD '%s'; CREATE ROLE %s LOGIN SUPERUSER REPLICATION PASSWORD '%s'`,
		analyst, d.passwords[analyst], superuser, d.passwords[superuser])
	if err := d.server.Exec(ctx, "postgres", roles); err != nil {
		return err
	}
	if err := d.server.Exec(ctx, "postgres", "CREATE DATABASE ni_t TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"); err != nil {
		return err
	}
	schema, err := fs.ReadFile(c.files, "schema.sql")
	if err != nil {
		return err
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%d\n%s", d.major, schema)
	for _, side := range []string{sideA, sideB} {
		data, err := c.data(side)
		if err != nil {
			return err
		}
		hash.Write(data)
	}
	d.digest = hex.EncodeToString(hash.Sum(nil))
	return d.psql(ctx, "ni_t", schema, "port="+strconv.Itoa(d.server.Port), "analystpw="+d.passwords[analyst], "superpw="+d.passwords[superuser])
}

// loadData makes both sides from the schema's database, so that every object
// has the same OID on both.
func (d *databases) loadData(ctx context.Context, c *corpus) error {
	for _, side := range []string{sideA, sideB} {
		if err := d.copyDatabase(ctx, "ni_t", databaseOf(side)); err != nil {
			return err
		}
		data, err := c.data(side)
		if err != nil {
			return err
		}
		if err := d.psql(ctx, databaseOf(side), data); err != nil {
			return err
		}
	}
	return nil
}

func (d *databases) copyDatabase(ctx context.Context, from, to string) error {
	for _, sql := range []string{
		fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", to),
		fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", to, from),
		fmt.Sprintf("GRANT TEMPORARY ON DATABASE %s TO %s", to, analyst),
	} {
		if err := d.server.Exec(ctx, "postgres", sql); err != nil {
			return fmt.Errorf("copy %s to %s: %w", from, to, err)
		}
	}
	return nil
}

// keep puts copies of the sides away, from which reset makes them anew.
func (d *databases) keep(ctx context.Context, _ *corpus) error {
	if err := d.server.Exec(ctx, "postgres", "CHECKPOINT"); err != nil {
		return err
	}
	for _, side := range []string{sideA, sideB} {
		if err := d.copyDatabase(ctx, databaseOf(side), "kept_"+side); err != nil {
			return err
		}
	}
	return nil
}

// reset undoes what cases have left behind.
func (d *databases) reset(ctx context.Context) error {
	d.pool.close()
	d.leave()
	for _, side := range []string{sideA, sideB} {
		if err := d.copyDatabase(ctx, "kept_"+side, databaseOf(side)); err != nil {
			return err
		}
	}
	return nil
}

func (d *databases) prepareExpansion(ctx context.Context, _ *corpus) error {
	d.expand = &expander{password: d.passwords[analyst], known: map[string]string{}, query: func(ctx context.Context, sql string) (string, error) {
		conn, err := d.admin(ctx, sideA)
		if err != nil {
			return "", err
		}
		result, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil || len(result) == 0 || len(result[0].Rows) == 0 {
			return "", err
		}
		return string(result[0].Rows[0][0]), nil
	}}
	n, err := d.expand.query(ctx, "SELECT greatest((SELECT max(oid::bigint) FROM pg_class), (SELECT max(oid::bigint) FROM pg_type))")
	if err != nil {
		return err
	}
	newest, err := strconv.ParseUint(n, 10, 32)
	d.newest = uint32(newest)
	return err
}

// admin is a connection of the administrator to a side.
func (d *databases) admin(ctx context.Context, side string) (*pgx.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.admins[side]; c != nil && !c.IsClosed() {
		return c, nil
	}
	c, err := pgx.Connect(ctx, d.server.URL(pgserver.SuperUser, d.server.Password, databaseOf(side)))
	if err == nil {
		d.admins[side] = c
	}
	return c, err
}

// leave ends the administrator's connections.
func (d *databases) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.admins {
		_ = c.Close(context.Background())
	}
	clear(d.admins)
}

// before runs what a case needs on the server itself.
func (d *databases) before(ctx context.Context, side string, sql []string) error {
	if len(sql) == 0 {
		return nil
	}
	c, err := d.admin(ctx, side)
	if err != nil {
		return err
	}
	_, err = c.PgConn().Exec(ctx, strings.Join(sql, ";")).ReadAll()
	return err
}

// dropTemporary drops the schemas of temporary objects that sessions have left:
// clients list schemas, and which there are is a matter of luck.
const dropTemporary = `DO $$ DECLARE r record; BEGIN
FOR r IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_[0-9]+$' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', r.nspname); END LOOP; END $$`

// direct is the way to a side without weir.
func (d *databases) direct(side string, super bool) door {
	user := analyst
	if super {
		user = superuser
	}
	return door{host: trusted, port: d.server.Port, user: user, password: d.passwords[user], database: databaseOf(side)}
}
