package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPointed(t *testing.T) {
	for _, c := range []struct {
		sql  string
		pos  int
		want string
	}{
		{"SELECT a FROM t", -1, "  SELECT a FROM t\n"},
		{"SELECT a FROM t", 7, "  SELECT a FROM t\n         ^\n"},
		{"SELECT 'ü', a\nFROM t", 13, "  SELECT 'ü', a\n              ^\n  FROM t\n"},
		{"SELECT a\n\tFROM t\nWHERE b", 15, "  SELECT a\n  \tFROM t\n  \t     ^\n  WHERE b\n"},
		{"SELECT a\r\nWHERE b", 16, "  SELECT a\n  WHERE b\n        ^\n"},
		{"SELECT", 6, "  SELECT\n        ^\n"},
	} {
		s := explainedStatement{SQL: c.sql}
		if c.pos >= 0 {
			s.Denial = &explainedDenial{Pos: c.pos}
		}
		if got := s.pointed(); got != c.want {
			t.Errorf("%q at %d:\n%q, want\n%q", c.sql, c.pos, got, c.want)
		}
	}
}

func TestPolicyLintCompares(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("policy/p.yaml", `version: 1
grants: [{name: g, who: {groups: [analysts, ghosts]}, allow: [read]}]
tags: [{tag: hr.salary, columns: [salary, nosuch]}]
masks: [{tag: hr.salary, function: "null"}]
row_filters:
  - {table: hr.person, expression: "salary < 10"}
  - {table: hr.person, expression: "region = "}
`)
	columns := write("columns", "hr.person.salary\nhr.person.region\n")
	config := write("weir.yaml", "profile: development\nstate: "+dir+"/state\nlisteners: [{address: \"127.0.0.1:0\", tls: {self_signed: true}}]\n"+
		"datasources: [{name: shop, address: \"localhost:5432\", user: weir, password: \"${env:X}\", tls: {mode: disable}}]\n")
	if out, err := runWeir(t, "group", "add", "analysts", "--config", config); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	folder := filepath.Join(dir, "policy")
	for _, c := range []struct {
		args       []string
		want, lack []string
	}{
		{nil, []string{"the filter of hr.person reads salary", "cannot be read"}, []string{"ghosts", "nosuch"}},
		{[]string{"--columns", columns}, []string{"nosuch for hr.salary matches no column"}, []string{"ghosts"}},
		{[]string{"--config", config}, []string{"group ghosts, which does not exist"}, []string{"analysts", "nosuch"}},
	} {
		out, err := runWeir(t, append([]string{"policy", "lint", "--folder", folder}, c.args...)...)
		if err != exitError(1) {
			t.Errorf("%v: %v", c.args, err)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("%v: no %q in\n%s", c.args, w, out)
			}
		}
		for _, l := range c.lack {
			if strings.Contains(out, l) {
				t.Errorf("%v: %q in\n%s", c.args, l, out)
			}
		}
	}
	if out, err := runWeir(t, "policy", "lint", "--columns", filepath.Join(dir, "nosuch")); err != exitError(2) {
		t.Errorf("%v\n%s", err, out)
	}
}
