package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// weir runs a command as the shell would and returns what it printed.
func runWeir(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func TestLiveDemoCheck(t *testing.T) {
	for _, major := range []int{15, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			out, err := runWeir(t, "demo", "--check", "--postgres", fmt.Sprint(major))
			if err != nil || strings.Contains(out, "FAIL") || strings.Count(out, "  ok  ") != len(showcase)+len(mariadbShowcase) {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// What the README shows of the analyst's psql is what psql shows.
func TestLiveReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```console\nshop=> ")
	block, _, _ = strings.Cut(block, "```")
	w, err := startDemo(t.Context(), io.Discard, slog.New(slog.DiscardHandler), demoOptions{postgres: 15})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	shown := 0
	for part := range strings.SplitSeq(block, "shop=> ") {
		sql, want, _ := strings.Cut(part, "\n")
		cmd := exec.Command("psql", "-X", "-c", sql, w.conninfo(w.people[1], "shop"))
		cmd.Env = append(os.Environ(), "PGPASSWORD="+w.people[1].password)
		out, _ := cmd.CombinedOutput() // a refusal is an exit status too
		if got := strings.TrimSpace(string(out)); got != strings.TrimSpace(want) {
			t.Errorf("%s\npsql says:\n%s\nthe README:\n%s", sql, got, want)
		}
		shown++
	}
	if shown < 2 {
		t.Errorf("the README shows %d statements", shown)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	commands := newRoot().Commands()
	for len(commands) > 0 {
		c := commands[0]
		commands = append(commands[1:], c.Commands()...)
		if c.Runnable() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		if c.Short == "" {
			t.Errorf("%s says not what it does", c.CommandPath())
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"serve", "--confg", "x"}, {"check", "--output", "xml"}, {"audit", "search", "--from", "yesterday", "--dir", t.TempDir()}} {
		out, err := runWeir(t, args...)
		if err != exitError(2) || !strings.Contains(out, "weir") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
