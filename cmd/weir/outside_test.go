package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/weirdb/weir/configs"
)

func TestMapped(t *testing.T) {
	source := &configs.Source{Map: []configs.Mapping{
		{Group: "Analysts", Groups: []string{"readers"}, Projects: []string{"sales=viewer", "hr=viewer"}},
		{Group: "leads", Projects: []string{"sales=admin"}},
		{Group: "dba", Groups: []string{"dba"}, Role: "administrator", Projects: []string{"sales=editor"}},
		{Group: "chiefs", Role: "member"},
	}}
	for name, c := range map[string]struct {
		groups   []string
		role     string
		joined   []string
		projects map[string]string
	}{
		"nothing":             {nil, "", nil, map[string]string{}},
		"a group without one": {[]string{"others"}, "", nil, map[string]string{}},
		// No role of its own: one that is assigned by hand counts, and can be.
		"one, in another case": {[]string{"analysts"}, "", []string{"readers"}, map[string]string{"sales": "viewer", "hr": "viewer"}},
		"several":              {[]string{"dba", "leads", "analysts", "chiefs"}, "administrator", []string{"readers", "dba"}, map[string]string{"sales": "admin", "hr": "viewer"}},
		"a plain role":         {[]string{"chiefs"}, "member", nil, map[string]string{}},
	} {
		m := mapped(source, c.groups)
		if m.GlobalRole != c.role || !slices.Equal(m.Groups, c.joined) || !maps.Equal(m.ProjectRoles, c.projects) {
			t.Errorf("%s: %+v", name, m)
		}
	}
	source.TakeGroups = true
	if m := mapped(source, []string{"analysts", "x"}); !slices.Equal(m.Groups, []string{"analysts", "x", "readers"}) {
		t.Errorf("taken: %+v", m)
	}
}
