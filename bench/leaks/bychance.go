package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirdb/weir/bench/leaks/random"
	"github.com/weirdb/weir/deploy/pgserver"
)

// chance says how many sessions are made up, and from which seed.
type chance struct {
	statements int
	time       time.Duration
	seed       uint64
	first      int // number of the first session
}

func (c chance) wanted() bool { return c.statements > 0 || c.time > 0 }

// alsoDirect is how many percent of the sessions also run without weir, to say
// what the others are worth.
const alsoDirect = 4

// findings is after how many differences a run ends.
const findings = 20

// runByChance runs sessions that are made up, in one mode of the masks.
func runByChance(ctx context.Context, binary, folder string, d *databases, c chance, elsewhere string, progress io.Writer) (*random.Summary, error) {
	if err := d.reset(ctx); err != nil {
		return nil, err
	}
	world := random.World{Role: analyst}
	for _, m := range d.masks {
		world.Protected = append(world.Protected, random.ColumnName{Schema: m.Schema, Table: m.Table, Column: m.Column})
	}
	admin := func(side string) func(context.Context) (*pgx.Conn, error) {
		return func(ctx context.Context) (*pgx.Conn, error) {
			return pgx.Connect(ctx, d.server.URL(pgserver.SuperUser, d.server.Password, databaseOf(side)))
		}
	}
	world.AdminA, world.AdminB = admin(sideA), admin(sideB)
	for _, connect := range []func(context.Context) (*pgx.Conn, error){world.AdminA, world.AdminB} {
		conn, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		err = random.Blind(ctx, conn, world.Protected)
		_ = conn.Close(ctx)
		if err != nil {
			return nil, err
		}
	}
	w, err := startWeir(ctx, binary, folder, d, elsewhere)
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	world.A, world.B = through(w, d, sideA, false).dial, through(w, d, sideB, false).dial
	world.DirectA, world.DirectB = d.direct(sideA, false).dial, d.direct(sideB, false).dial
	bias := random.DefaultBias
	if elsewhere == "masked" {
		bias = random.MaskedBias
	}
	fmt.Fprintf(progress, "\r\033[KPostgreSQL %d, elsewhere %s, by chance from seed %d\n", d.major, elsewhere, c.seed)
	defer fmt.Fprint(progress, "\r\033[K")
	return random.Run(ctx, world, random.Options{Statements: c.statements, Time: c.time, Seed: c.seed, First: c.first, Bias: bias, Direct: alsoDirect, Findings: findings, Progress: progress})
}

// dial connects with a driver.
func (d door) dial(ctx context.Context) (*pgconn.PgConn, error) {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(d.user, d.password), Host: net.JoinHostPort(d.host, strconv.Itoa(d.port)), Path: "/" + d.database,
		RawQuery: "sslmode=disable"}
	return pgconn.Connect(ctx, u.String())
}
