package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/weirdb/weir/deploy/myserver"
)

// Clients of MariaDB come in clear everywhere: sysbench takes certificates from
// fixed names in its folder only.

const sysbenchRows = 100_000

func (w *world) startMariaDB(ctx context.Context) error {
	var err error
	w.mariadb, err = myserver.Start(ctx, myserver.Options{Settings: map[string]string{"innodb-buffer-pool-size": "256M"},
		Accounts: []myserver.Account{{Name: "bench", Password: password, Grants: "ALL ON *.*"}}})
	if err != nil {
		return err
	}
	w.ports["direct-mariadb"] = w.mariadb.Port
	if err := w.mariadb.Exec(ctx, "", "CREATE DATABASE sbtest"); err != nil {
		return err
	}
	_, err = w.sysbench(ctx, "direct", "oltp_read_write", 1, "prepare")
	return err
}

// sysbench runs one of its programs, and gives what it says.
func (w *world) sysbench(ctx context.Context, system, program string, threads int, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sysbench", program, "--mysql-host=127.0.0.1", "--mysql-port="+strconv.Itoa(w.ports[system+"-mariadb"]), "--mysql-user=bench", "--mysql-password="+password,
		"--mysql-db=sbtest", "--tables=1", "--table-size="+strconv.Itoa(sysbenchRows), "--threads="+strconv.Itoa(threads), "--time="+strconv.Itoa(max(1, int(w.options.duration/time.Second))),
		"--mysql-ignore-errors=1213,1020,1205", "--db-ps-mode=auto", command)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("sysbench %s: %w: %s", program, err, out)
	}
	return out, nil
}

var sysbenchTPS = regexp.MustCompile(`transactions: +\d+ +\(([0-9.]+) per sec`)

// oltp gives the transactions per second of a program of sysbench.
func (w *world) oltp(ctx context.Context, system, program string, threads int) (float64, error) {
	out, err := w.sysbench(ctx, system, program, threads, "run")
	if err != nil {
		return 0, err
	}
	m := sysbenchTPS.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("sysbench says no transactions: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
