package deploy

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/proxy"
)

// promtool runs Prometheus' checker, which must be installed.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir = "prometheus"
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s (`deploy/install.sh promtool` installs it): %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlertRulesAreAccepted(t *testing.T) { promtool(t, "", "check", "rules", "weir.rules.yaml") }

func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "", "test", "rules", "weir.rules.test.yaml")
}

// TestEveryAlertIsTested looks for an expected alert of each rule.
func TestEveryAlertIsTested(t *testing.T) {
	rules, tests := read(t, "prometheus/weir.rules.yaml"), read(t, "prometheus/weir.rules.test.yaml")
	names := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	if len(names) == 0 {
		t.Fatal("there are no alerts")
	}
	for _, m := range names {
		fires := regexp.MustCompile(`alertname: ` + m[1] + `\n\s+exp_alerts:`)
		if !fires.MatchString(tests) {
			t.Errorf("no test lets %s fire", m[1])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	metricName = regexp.MustCompile(`\bweir_[a-z_]+`)
	suffix     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// defined lists the metrics that the code registers.
func defined(t *testing.T) []string {
	t.Helper()
	name := regexp.MustCompile(`Opts\{Name: "(weir_[a-z_]+)"`)
	var names []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "..":
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range name.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatal("no metrics found in the code")
	}
	return names
}

// TestOnlyKnownMetricsAreNamed guards dashboards and alerts against renames.
func TestOnlyKnownMetricsAreNamed(t *testing.T) {
	known := defined(t)
	for _, path := range []string{"grafana/weir.json", "prometheus/weir.rules.yaml", "prometheus/weir.rules.test.yaml"} {
		names := metricName.FindAllString(read(t, path), -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric", path)
		}
		for _, n := range names {
			if !slices.Contains(known, n) && !slices.Contains(known, suffix.ReplaceAllString(n, "")) {
				t.Errorf("%s names %s, which weir does not have", path, n)
			}
		}
	}
}

// TestReasonsExist checks the reasons that alerts select.
func TestReasonsExist(t *testing.T) {
	var known []string
	for _, r := range proxy.EndReasons() {
		known = append(known, r.String())
	}
	found := regexp.MustCompile(`reason=~?"([a-z_|]+)"`).FindAllStringSubmatch(read(t, "prometheus/weir.rules.yaml"), -1)
	if len(found) == 0 {
		t.Fatal("no alert selects a reason")
	}
	for _, m := range found {
		for _, r := range strings.Split(m[1], "|") {
			if !slices.Contains(known, r) {
				t.Errorf("an alert selects %s, which is no reason", r)
			}
		}
	}
}

type panel struct {
	ID      int
	Title   string
	Type    string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, RefID string }
}

// TestDashboard checks what Grafana takes for granted: ids are unique, panels
// do not overlap and their queries are PromQL.
func TestDashboard(t *testing.T) {
	var d struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "grafana/weir.json")), &d); err != nil {
		t.Fatal(err)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	replace := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", "weir", "$instance", "a")
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q shares its id %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("panel %q has no query", p.Title)
		}
		for i, q := range p.Targets {
			fmt.Fprintf(&rules, "      - {record: panel:%d:%d, expr: %q}\n", p.ID, i, replace.Replace(q.Expr))
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}

// TestUnitIsHardened keeps the unit's protections from getting lost.
func TestUnitIsHardened(t *testing.T) {
	unit := map[string]bool{}
	for line := range strings.Lines(read(t, "systemd/weir.service")) {
		unit[strings.TrimSpace(line)] = true
	}
	for _, want := range []string{"NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes",
		"PrivateDevices=yes", "MemoryDenyWriteExecute=yes", "RestrictNamespaces=yes", "SystemCallFilter=@system-service", "User=weir", "StateDirectoryMode=0700"} {
		if !unit[want] {
			t.Errorf("the unit has no %s", want)
		}
	}
}

// TestContainerBuildsWithTheModulesGo compares the image's Go with go.mod's.
func TestContainerBuildsWithTheModulesGo(t *testing.T) {
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	if m == nil {
		t.Fatal("go.mod names no version of Go")
	}
	if file := read(t, "container/Containerfile"); !strings.Contains(file, "golang:"+m[1]+"-") {
		t.Errorf("the container file does not build with Go %s", m[1])
	}
}
