package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestLiveClients drives every client against every server version.
func TestLiveClients(t *testing.T) {
	binary := build(t)
	for _, major := range []int{15, 18} {
		t.Run(fmt.Sprintf("PostgreSQL_%d", major), func(t *testing.T) {
			s := newStack(t, binary, major)
			t.Run("clients", func(t *testing.T) { // returns when all parallel ones have
				for _, c := range clients() {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						s.drive(t, c)
					})
				}
			})
			t.Run("afterwards", s.afterwards)
		})
	}
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/weir").CombinedOutput(); err != nil {
		t.Fatalf("build weir: %v\n%s", err, out)
	}
	return binary
}

// drive lets a client work directly and through weir, and compares.
func (s *stack) drive(t *testing.T, c client) {
	c.available(t)
	direct := c.run(t, s.direct)
	through := c.run(t, s.proxy)
	var missing []string
	for _, step := range c.steps {
		if !slices.ContainsFunc(through, func(o observation) bool { return o.Step == step }) {
			missing = append(missing, step)
		}
	}
	if len(missing) > 0 {
		t.Errorf("the client did not get to %s", strings.Join(missing, ", "))
	}
	compare(t, direct, through, s.refusals)
}

// afterwards reloads, and looks at what all of that has left.
func (s *stack) afterwards(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.reload(t, ctx)
	status, metrics, err := get("http://" + s.adminAddress + "/metrics")
	if err != nil || status != 200 {
		t.Fatalf("metrics: %d %v", status, err)
	}
	check := exec.CommandContext(ctx, "promtool", "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics (`deploy/install.sh promtool` installs it): %v\n%s", err, out)
	}
	s.scraped(t, metrics)
	s.weir.stop(t)
	s.command(t, "", "audit", "verify")
	for _, kind := range []string{"login", "login_failed", "statement_intent", "statement_outcome", "denial", "policy_change", "config_change"} {
		if found := s.command(t, "", "audit", "search", "--kind", kind, "--output", "json", "--limit", "1"); strings.TrimSpace(found) == "" || strings.TrimSpace(found) == "[]" {
			t.Errorf("the journal has no %s", kind)
		}
	}
}

// reload sends SIGHUP, which no session may notice.
func (s *stack) reload(t *testing.T, ctx context.Context) {
	conn, err := pgx.Connect(ctx, s.proxy.url(s.proxy.user, s.proxy.password, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := s.weir.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.weir.log(t), `"msg":"reloaded"`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("weir did not reload")
		}
	}
	var masked string
	if err := conn.QueryRow(ctx, contact, 1).Scan(nil, &masked); err != nil || !strings.Contains(masked, "***@") {
		t.Fatalf("after a reload the session reads %q, %v", masked, err)
	}
}

// scraped checks that what dashboard and alerts name is there to be scraped,
// but for series that begin with the first fault.
func (s *stack) scraped(t *testing.T, metrics string) {
	t.Helper()
	dashboard, err := os.ReadFile("../../deploy/grafana/weir.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\bweir_[a-z_]+`).FindAllString(string(dashboard), -1) {
		if !strings.Contains(metrics, "\n"+name) && !strings.Contains(name, "_sink_") {
			t.Errorf("a scrape has no %s", name)
		}
	}
}
