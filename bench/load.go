package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// pgbench gives the transactions per second of select-only work.
func (w *world) pgbench(ctx context.Context, system, protocol string, clients int) (float64, error) {
	cmd := w.client(ctx, system, "pgbench", "-n", "-S", "-M", protocol, "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)),
		"-T", strconv.Itoa(max(1, int(w.options.duration/time.Second))), "bench")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	m := tps.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench says no tps: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// wide gives the megabytes a second of one long result, as its cells.
func (w *world) wide(ctx context.Context, system string, masked bool) (float64, error) {
	user := "bench"
	if masked {
		user = "masked"
	}
	config, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=bench sslmode=require", w.ports[system], user))
	if err != nil {
		return 0, err
	}
	config.Password = password
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	start := time.Now()
	result := conn.PgConn().ExecParams(ctx, "SELECT id, label, token_hash, email, phone, salary, kind, made, weight, active FROM wide", nil, nil, nil, nil)
	rows, size := 0, 0
	for result.NextRow() {
		rows++
		for _, cell := range result.Values() {
			size += len(cell)
		}
	}
	if _, err := result.Close(); err != nil {
		return 0, err
	}
	if rows != w.options.rows {
		return 0, fmt.Errorf("%d rows, want %d", rows, w.options.rows)
	}
	return float64(size) / 1e6 / time.Since(start).Seconds(), nil
}
