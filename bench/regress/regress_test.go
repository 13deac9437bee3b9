package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseSchedule(t *testing.T) {
	got := parseSchedule("# comment\n\ntest: setup\n\t test:  a b\tc\nignore: d\ntest: e\n")
	if want := []string{"setup", "a", "b", "c", "e"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestChosen(t *testing.T) {
	names := []string{"a", "b-c", "d"}
	for pattern, want := range map[string][]string{"": names, "d,a": {"a", "d"}, `^(b\-c|d)$`: {"b-c", "d"}, "x": {}} {
		if got := chosen(names, pattern); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", pattern, got, want)
		}
	}
}

func TestCompareNamesWhatDiffers(t *testing.T) {
	direct := results{".same": {"fail", "x"}, ".outcome": {"pass", ""}, ".detail": {"fail", "1\n2\n3"}, ".gone": {"skip", ""}}
	weir := results{".same": {"fail", "x"}, ".outcome": {"fail", "y"}, ".detail": {"fail", "1\ntwo\n3"}, ".new": {"pass", ""}}
	var got []string
	for _, d := range compare(direct, weir) {
		got = append(got, d.test)
	}
	if want := []string{".detail", ".gone", ".outcome", ".new"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if text := compare(direct, weir)[0].text; !strings.Contains(text, "line 2") || !strings.Contains(text, "two") {
		t.Fatalf("the difference is not shown: %s", text)
	}
	if pattern := topLevel([]difference{{test: "v5.TestB/sub_test"}, {test: "v5.TestA"}, {test: "v5.TestB"}}); pattern != "^(TestA|TestB)$" {
		t.Fatalf("pattern %s", pattern)
	}
}

func TestReadEvents(t *testing.T) {
	p := &progress{}
	run, err := readEvents(strings.NewReader(`{"Action":"run","Package":"x/y","Test":"TestA"}
{"Action":"output","Package":"x/y","Test":"TestA","Output":"panic: oh\n"}
not JSON
{"Action":"fail","Package":"x/y","Test":"TestA"}
{"Action":"pass","Package":"x/y","Test":"TestA/sub"}
{"Action":"skip","Package":"x/z","Test":"TestB"}
{"Action":"pass","Package":"x/z","Test":"TestC/dir=/tmp/TestC123/001/x"}
{"Action":"fail","Package":"x/y"}
{"Action":"pass","Package":"x/z"}
{"Action":"fail","Package":"x/v"}
`), p)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"y.TestA": "fail", "y.TestA/sub": "pass", "z.TestB": "skip", "z.TestC/dir=/tmp/TestC/x": "pass",
		"v.(package)": "fail"}
	for name, outcome := range want {
		if run.results[name].outcome != outcome {
			t.Errorf("%s is %q, want %q", name, run.results[name].outcome, outcome)
		}
	}
	if len(run.results) != len(want) || !run.panicked || p.done != 4 {
		t.Fatalf("results %v, panicked %v, %d done", run.results, run.panicked, p.done)
	}
}

func TestExpectedHasAlternatives(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.out": "one\n", "a_2.out": "two\n", "ab.out": "three\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for out, want := range map[string]bool{"one\n": true, "two\n": true, "three\n": false, "": false} {
		if got, err := expected(dir, "a", []byte(out)); err != nil || got != want {
			t.Errorf("%q: %v, %v", out, got, err)
		}
	}
}

func TestSubstituteInsistsOnItsText(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a_test.go")
	if err := os.WriteFile(file, []byte("old and old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := substitute(dir, []substitution{{"*_test.go", "old", "new"}}); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "new and new" {
		t.Fatalf("got %q", text)
	}
	if err := substitute(dir, []substitution{{"*_test.go", "old", "new"}}); err == nil {
		t.Fatal("a text that is gone is no error")
	}
}
