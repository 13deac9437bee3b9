package gate

import (
	"slices"
	"time"

	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

func (s *Session) input(phase policy.Phase) *policy.Input {
	now := time.Now()
	user := s.user
	user.Auth.AgeSeconds = int64(now.Sub(s.subject.Identity.Authenticated) / time.Second)
	return &policy.Input{Version: policy.InputVersion, Phase: phase, Time: now, User: user, Session: s.client, Target: s.target}
}

func (s *Session) statementInput(stmt Statement) *policy.Statement {
	f := stmt.Facts
	in := &policy.Statement{Class: string(f.Class), Verbs: f.Verbs, Complete: f.Complete, Fingerprint: f.Fingerprint,
		Tables: make([]policy.Table, 0, len(f.Tables))}
	for i := range f.Tables {
		in.Tables = append(in.Tables, s.tableInput(&f.Tables[i], false))
	}
	for _, fn := range f.Functions {
		in.Functions = append(in.Functions, policy.Function{Schema: fn.Schema, Name: fn.Name, Safe: fn.Safe})
	}
	if !f.Complete {
		s.addTagged(in, stmt, func(*query.Table) bool { return true })
	} else if slices.ContainsFunc(f.Tables, written) {
		// Errors of a write quote whole rows, so policy is asked of every
		// protected column of the tables that are written.
		s.addTagged(in, stmt, func(t *query.Table) bool {
			return slices.ContainsFunc(f.Tables, func(w query.Table) bool {
				return written(w) && w.Schema == t.Schema && w.Name == t.Name
			})
		})
	}
	return in
}

func written(t query.Table) bool {
	return slices.ContainsFunc(t.Access, func(a string) bool { return a != "select" && a != "lock" && a != "references" })
}

func (s *Session) tableInput(t *query.Table, onlyTagged bool) policy.Table {
	out := policy.Table{Schema: t.Schema, Name: t.Name, Kind: t.Kind, Access: t.Access, Columns: make([]policy.Column, 0, len(t.Columns))}
	for _, c := range t.Columns {
		tags := s.gate.policy.Tags(s.target.Project, s.target.Datasource, s.target.Database, t.Schema, t.Name, c.Name)
		if onlyTagged && len(tags) == 0 {
			continue
		}
		out.Columns = append(out.Columns, policy.Column{Name: c.Name, Tags: tags, Uses: c.Uses.Names()})
	}
	return out
}

// addTagged adds the tagged columns of the selected relations of the universe
// that the input does not name yet. For an incomplete statement they carry
// every use; for a written table none.
func (s *Session) addTagged(in *policy.Statement, stmt Statement, wanted func(*query.Table) bool) {
	known := make(map[columnName]bool)
	at := make(map[columnName]int)
	for i, t := range in.Tables {
		at[columnName{t.Schema, t.Name, ""}] = i
		for _, c := range t.Columns {
			known[columnName{t.Schema, t.Name, c.Name}] = true
		}
	}
	universe := stmt.Universe()
	for i := range universe {
		if !wanted(&universe[i]) {
			continue
		}
		t := s.tableInput(&universe[i], true)
		t.Columns = slices.DeleteFunc(t.Columns, func(c policy.Column) bool { return known[columnName{t.Schema, t.Name, c.Name}] })
		if len(t.Columns) == 0 {
			continue
		}
		if !in.Complete {
			for j := range t.Columns {
				t.Columns[j].Uses = query.UseAll.Names()
			}
		} else {
			for j := range t.Columns {
				t.Columns[j].Uses = []string{}
			}
		}
		if j, ok := at[columnName{t.Schema, t.Name, ""}]; ok {
			in.Tables[j].Columns = append(in.Tables[j].Columns, t.Columns...)
			continue
		}
		in.Tables = append(in.Tables, t)
	}
}
