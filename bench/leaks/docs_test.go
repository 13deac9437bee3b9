package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	own "github.com/weirdb/weir/bench/leaks/corpus"
)

// TestSecurityModelNamesTheFamilies keeps the table of channels and the corpus
// together: each channel has cases, and each family of cases a rule.
func TestSecurityModelNamesTheFamilies(t *testing.T) {
	page, err := os.ReadFile("../../docs/security-model.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, line := range strings.Split(string(page), "\n") {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			for _, m := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(cells[3], -1) {
				named = append(named, m[1])
			}
		}
	}
	c, err := loadCorpus(own.Files, nil)
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]bool{}
	for _, x := range c.cases {
		families[x.Family] = true
		if !slices.Contains(named, x.Family) {
			t.Errorf("docs/security-model.md has no channel for family %q (%s)", x.Family, x.ID)
			named = append(named, x.Family)
		}
	}
	for _, name := range named {
		if !families[name] {
			t.Errorf("docs/security-model.md names family %q, which has no case", name)
		}
	}
}
