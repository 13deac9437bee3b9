package myserver_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/myserver"
)

func query(t *testing.T, s *myserver.Server, user, password, database, text string) string {
	t.Helper()
	c, err := s.Config(user, password, database)
	if err != nil {
		t.Fatal(err)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var out string
	if err := db.QueryRow(text).Scan(&out); err != nil {
		t.Fatalf("%s as %s: %v", text, user, err)
	}
	return out
}

func TestLiveStartServesOverVerifiedTLSAndStopRemoves(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	s, err := myserver.Start(ctx, myserver.Options{
		Settings: map[string]string{"lower_case_table_names": "1"},
		Accounts: []myserver.Account{
			{Name: "native", Password: `it's a \ password`, Grants: "SELECT ON mysql.*"},
			{Name: "ed", Password: "edpw", Plugin: myserver.Ed25519, TLS: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	t.Logf("started after %s", time.Since(began).Round(10*time.Millisecond))
	if err := s.Exec(ctx, "", "CREATE DATABASE shop; CREATE PROCEDURE shop.two() BEGIN SELECT 1; SELECT 2; END; SELEKT 1"); err == nil {
		t.Fatal("the error of the third statement is lost")
	}
	if err := s.Exec(ctx, "shop", "CREATE TABLE T (a INT); INSERT INTO t VALUES (7); CALL two()"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ user, password, text, want string }{
		{myserver.SuperUser, s.Password, "SELECT a FROM shop.T", "7"},
		{"native", `it's a \ password`, "SELECT @@character_set_server", "utf8mb4"},
		{"native", `it's a \ password`, "SELECT @@max_allowed_packet", "67108864"},
		{"native", `it's a \ password`, "SELECT @@local_infile", "1"},
		{"ed", "edpw", "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)", "ed"},
		{"ed", "edpw", "SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'", "1"},
		{myserver.SuperUser, s.Password, "SELECT COUNT(*) > 0 FROM sys.version", "1"},
		{myserver.SuperUser, s.Password, "SELECT COUNT(*) FROM mysql.global_priv WHERE User = '' OR Host <> '%' AND User <> 'mariadb.sys'", "0"},
	} {
		if got := query(t, s, c.user, c.password, "", c.text); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	dir := s.Dir
	s.Stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("folder %s is left: %v", dir, err)
	}
}

func TestLiveRestart(t *testing.T) {
	ctx := context.Background()
	s, err := myserver.Start(ctx, myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Exec(ctx, "", "CREATE DATABASE kept"); err != nil {
		t.Fatal(err)
	}
	if s.Ended(0) || s.Restart(ctx) == nil {
		t.Fatal("a running server was started again")
	}
	pid, err := os.ReadFile(s.Dir + "/my.pid")
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	if !s.Ended(10 * time.Second) {
		t.Fatal("it lives on")
	}
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(ctx, "kept", "CREATE TABLE t (a int)"); err != nil {
		t.Fatal(err)
	}
}

const childVariable = "WEIR_MYSERVER_CHILD"

// TestLiveNothingIsLeftOfAKilledProcess lets a process start a server and kills it.
func TestLiveNothingIsLeftOfAKilledProcess(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		s, err := myserver.Start(context.Background(), myserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := os.ReadFile(s.Dir + "/my.pid")
		fmt.Printf("server %s %s\n", s.Dir, strings.TrimSpace(string(pid)))
		time.Sleep(time.Minute)
		return
	}
	child := exec.Command(os.Args[0], "-test.run", "^TestLiveNothingIsLeftOfAKilledProcess$")
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	var pid int
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "server %s %d", &dir, &pid)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if dir == "" || pid == 0 {
		t.Fatal("the child said nothing of its server")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(dir)
		if os.IsNotExist(err) && syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left after ten seconds: folder %s (%v), process %d", dir, err, pid)
		}
	}
}
