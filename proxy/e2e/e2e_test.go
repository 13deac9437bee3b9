package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
	compare(t, direct, through)
}

// afterwards looks at what all of that has left.
func (s *stack) afterwards(t *testing.T) {
	status, metrics, err := get("http://" + s.adminAddress + "/metrics")
	if err != nil || status != 200 {
		t.Fatalf("metrics: %d %v", status, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	check := exec.CommandContext(ctx, "promtool", "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics (`deploy/install.sh promtool` installs it): %v\n%s", err, out)
	}
	s.weir.stop(t)
	s.command(t, "", "audit", "verify")
}
