package myserver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// systemTables are the scripts that mariadb-install-db runs, without the help
// texts, which take as long as all others together.
var systemTables = []string{
	"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql",
	"maria_add_gis_sp_bootstrap.sql", "mysql_sys_schema.sql",
}

// initData makes the system tables as mariadb-install-db does. It takes the
// scripts as they are and needs neither the shell script nor its rights.
func (s *Server) initData(ctx context.Context, _ Options) error {
	if err := os.Mkdir(s.data(), 0o700); err != nil {
		return err
	}
	if err := s.own(s.data()); err != nil {
		return err
	}
	text := bytes.NewBufferString("create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n")
	for _, name := range systemTables {
		script, err := os.ReadFile(filepath.Join(s.programs.share, name))
		if err != nil {
			return err
		}
		text.Write(script)
		text.WriteByte('\n')
	}
	fmt.Fprintf(text, "use mysql;\nflush privileges;\ndelete from global_priv where user='' or user='root';\nflush privileges;\n")
	fmt.Fprintf(text, "create user %s@'%%' identified by %s;\ngrant all on *.* to %[1]s@'%%' with grant option;\n", SuperUser, quote(s.Password))
	cmd := s.server(ctx, "--bootstrap", "--log-warnings=0", "--enforce-storage-engine=", "--max-allowed-packet=8M", "--net-buffer-length=16K",
		"--debug-no-sync", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--innodb-data-file-path=ibdata1:4M:autoextend",
		"--innodb-doublewrite=0", "--character-set-server=utf8mb4", "--tmpdir="+s.Dir)
	cmd.Stdin = text
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("bootstrap: %w: %s", err, faults(out))
	}
	return nil
}

// faults drops the notes of a server's log.
func faults(log []byte) string {
	var kept []string
	for _, line := range strings.Split(string(log), "\n") {
		if !strings.Contains(line, "[Note]") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
