package mysql

import (
	"maps"
	"strings"
)

// Apply changes the state as the statement does when it succeeds. What cannot
// be predicted makes the state stale, or the part of it unknown. Maps are
// never changed in place: states share them.
func (s *State) Apply(cat *Catalog, stmt *Statement) {
	switch stmt.Kind {
	case KindPrepare:
		s.Prepared = cloned(s.Prepared)
		s.Prepared[stmt.Name] = &Prepared{SQL: stmt.Inner, Database: s.Database, SQLMode: s.SQLMode, Charset: s.ClientCharset}
	case KindDeallocate:
		s.Prepared = cloned(s.Prepared)
		delete(s.Prepared, stmt.Name)
	case KindUse:
		s.Database = stmt.Name
	}
	if stmt.Changes&ChangeDatabase != 0 && stmt.Kind != KindUse {
		s.Stale = true // another one, or the one that was dropped
	}
	assigned := false
	for i := range stmt.Settings {
		set := &stmt.Settings[i]
		assigned = assigned || strings.HasPrefix(set.Name, "@")
		if !set.Once {
			s.apply(set)
		}
	}
	if stmt.Changes&ChangeVariables != 0 && (stmt.forgets || !assigned) || stmt.Changes&ChangeUnknown != 0 {
		s.Variables = nil
	}
	if stmt.Changes&ChangeTemp != 0 {
		s.applyTables(cat, stmt)
	}
	if stmt.Changes&ChangeUnknown != 0 {
		s.Stale = true
	}
}

// Failed changes the state as the statement may have done although it failed:
// variables that a query assigned before its error keep their new values, DROP
// drops the tables that it finds, PREPARE gives up the statement that had the
// name. A stale state is to be read again from the server.
func (s *State) Failed(stmt *Statement) {
	if stmt.Changes&(ChangeVariables|ChangeUnknown) != 0 {
		s.Variables = nil
	}
	if stmt.Changes&ChangeUnknown != 0 {
		s.Prepared = nil
	}
	if stmt.Kind == KindPrepare {
		s.Prepared = cloned(s.Prepared)
		delete(s.Prepared, stmt.Name)
	}
	if stmt.Changes&(ChangeSettings|ChangeDatabase|ChangeUnknown) != 0 {
		s.Stale = true
	}
	if stmt.Changes&ChangeTemp == 0 || len(s.Temp) == 0 {
		return
	}
	s.Temp = cloned(s.Temp)
	for k, rel := range s.Temp {
		doubt := stmt.Changes&ChangeUnknown != 0
		for _, d := range stmt.dropped {
			doubt = doubt || d == qualified{k.Schema, k.Name}
		}
		for _, made := range stmt.tables {
			doubt = doubt || len(made.Columns) == 0 && made.Schema == rel.Schema && made.Name == rel.Name
		}
		if doubt { // its columns are not known any more, nor whether it is there
			gone := *rel
			gone.Columns, gone.columns = nil, nil
			s.Temp[k] = &gone
		}
	}
}

func (s *State) apply(set *Setting) {
	if name, ok := strings.CutPrefix(set.Name, "@"); ok {
		s.Variables = cloned(s.Variables)
		delete(s.Variables, name)
		if set.Known && !set.Null && len(s.Variables) < maxVariables && len(set.Value) <= maxVariable {
			s.Variables[name] = set.Value
		}
		return
	}
	if set.Global {
		return
	}
	value := lowerASCII(set.Value)
	switch set.Name {
	case "sql_mode":
		s.SQLMode = ModeUnknown
		if set.Known {
			s.SQLMode = ParseSQLMode(set.Value)
		}
	case "character_set_client":
		s.ClientCharset = unlessKnown(set, value)
	case "character_set_connection":
		s.ConnectionCharset = unlessKnown(set, value)
	case "collation_connection":
		s.ConnectionCharset = unlessKnown(set, charsetOf(value))
	case "character_set_results":
		s.ResultsCharset = unlessKnown(set, value)
	}
}

// unknownCharset is a character set that could not be worked out.
const unknownCharset = "unknown"

func unlessKnown(set *Setting, value string) string {
	switch {
	case set.Null:
		return ""
	case !set.Known:
		return unknownCharset
	}
	return value
}

// Bounds on the user variables whose values are followed.
const (
	maxVariables = 256
	maxVariable  = 64 << 10
)

// applyTables follows temporary tables. A table that a statement makes under
// the name of another takes its place.
func (s *State) applyTables(cat *Catalog, stmt *Statement) {
	s.Temp = cloned(s.Temp)
	for _, k := range stmt.dropped {
		delete(s.Temp, TableName{k.schema, k.name})
	}
	for _, made := range stmt.tables {
		rel := *made
		if s.temps++; s.temps >= FirstTemporary {
			s.temps = 1
		}
		rel.ID = FirstTemporary + s.temps
		if own, ok := cat.Database(rel.Schema); ok {
			rel.Schema = own
		}
		if cat.Server.LowerCaseTableNames == 1 {
			rel.Name = lower(rel.Name)
		}
		rel.columns = nil
		rel.index()
		k := cat.key(rel.Schema, rel.Name)
		s.Temp[TableName{k.schema, k.name}] = &rel
	}
	if len(s.Temp) == 0 {
		s.Temp = nil
	}
}

func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}
