package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runPgcli types into pgcli at a terminal of tmux and reads the screen.
func runPgcli(t *testing.T, e endpoint) []observation {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	term := newTerminal(t, ctx, e)
	term.waitFor("shop>")
	term.typeLine("SELECT id, email FROM customers WHERE id = 1;")
	line := term.waitFor("| 1  |")
	var row []string
	for _, f := range strings.Split(strings.Trim(line, "|"), "|") {
		row = append(row, strings.TrimSpace(f))
	}
	seen := []observation{{"contact", plain([][]string{row})}}
	if !e.weir {
		return seen
	}
	term.typeLine("SELECT id FROM customers WHERE email = 'x';")
	seen = append(seen, observation{"denied_message", term.waitFor("email is masked")})
	term.typeLine("SELECT 40 + 2 AS answer;")
	term.waitFor("| 42")
	seen = append(seen, observation{"alive", plain([][]string{{"1"}})})
	return seen
}

type terminal struct {
	t      *testing.T
	ctx    context.Context
	socket string
}

const pgcliSettings = `[main]
less_chatty = True
enable_pager = False
table_format = psql
smart_completion = True
auto_expand = False
multi_line = False
destructive_warning = off
prompt = '\d> '
[data_formats]
decimal = ""
float = ""
`

func newTerminal(t *testing.T, ctx context.Context, e endpoint) *terminal {
	t.Helper()
	dir := t.TempDir()
	settings := filepath.Join(dir, "pgclirc")
	if err := os.WriteFile(settings, []byte(pgcliSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, ctx: ctx, socket: filepath.Join(dir, "tmux")}
	cmd := exec.CommandContext(ctx, "tmux", "-S", term.socket, "-f", "/dev/null", "new-session", "-d", "-x", "180", "-y", "50",
		"pgcli --pgclirc "+settings+"; sleep 60")
	cmd.Env = append(e.env(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "TERM=xterm", "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (s *terminal) typeLine(text string) {
	s.t.Helper()
	for _, keys := range [][]string{{"-l", text}, {"Enter"}} {
		if out, err := exec.CommandContext(s.ctx, "tmux", append([]string{"-S", s.socket, "send-keys"}, keys...)...).CombinedOutput(); err != nil {
			s.t.Fatalf("tmux send-keys: %v\n%s", err, out)
		}
	}
}

// waitFor returns the first line of the screen with the text.
func (s *terminal) waitFor(text string) string {
	s.t.Helper()
	var screen string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		out, err := exec.CommandContext(s.ctx, "tmux", "-S", s.socket, "capture-pane", "-p").CombinedOutput()
		if err != nil {
			s.t.Fatalf("tmux capture-pane: %v\n%s", err, out)
		}
		screen = string(out)
		for line := range strings.Lines(screen) {
			if strings.Contains(line, text) {
				return strings.TrimSpace(line)
			}
		}
	}
	s.t.Fatalf("pgcli's screen shows no %q:\n%s", text, screen)
	return ""
}
