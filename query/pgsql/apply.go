package pgsql

import (
	"maps"
	"slices"
	"strings"
)

// Apply changes the state as the statement does when it succeeds. What cannot
// be predicted makes the state stale.
func (s *State) Apply(cat *Catalog, stmt *Statement) {
	switch stmt.Kind {
	case KindPrepare:
		s.Prepared = cloned(s.Prepared)
		s.Prepared[stmt.Name] = &Prepared{SQL: stmt.Inner}
	case KindDeallocate:
		s.Prepared = cloned(s.Prepared)
		if stmt.Name == "" {
			clear(s.Prepared)
		}
		delete(s.Prepared, stmt.Name)
	case KindDeclareCursor:
		s.Cursors = cloned(s.Cursors)
		s.Cursors[stmt.Name] = stmt.cursor
	case KindCloseCursor:
		s.Cursors = cloned(s.Cursors)
		if stmt.Name == "" {
			clear(s.Cursors)
		}
		delete(s.Cursors, stmt.Name)
	case KindRollback, KindRollbackTo, KindPrepareTransaction:
		s.Stale = s.Stale || s.Predicted
	case KindCommit:
		s.Stale = s.Stale || s.Predicted && s.local
	case KindDiscard:
		s.Stale = true
	}
	for i := range stmt.Settings {
		s.apply(cat, &stmt.Settings[i])
	}
	if stmt.Changes&(ChangeRole|ChangeTemp|ChangeUnknown) != 0 {
		s.Stale = true
	}
	s.Unsettled = s.Unsettled || stmt.Changes&ChangeNames != 0
}

func (s *State) apply(cat *Catalog, set *Setting) {
	if set.Default {
		switch set.Name {
		case "search_path", "client_encoding", "names", "standard_conforming_strings":
			s.Stale = true
		}
		return
	}
	switch set.Name {
	case "search_path":
		values := set.Values
		if values == nil {
			var ok bool
			if values, ok = splitPath(set.Value); !ok {
				s.Stale = true
				return
			}
		}
		s.SearchPath = s.effectivePath(cat, values)
		s.Predicted, s.local = true, s.local || set.Local
	case "client_encoding", "names":
		s.Encoding = strings.ToUpper(set.Value)
	case "standard_conforming_strings":
		switch strings.ToLower(set.Value) {
		case "on", "true", "yes", "1":
			s.NonStandardStrings = false
		default:
			s.NonStandardStrings = true
		}
	}
}

// effectivePath adds what the server searches unasked and leaves out what is
// not there (namespace.c).
func (s *State) effectivePath(cat *Catalog, values []string) []string {
	out := make([]string, 0, len(values)+2)
	temp := false
	for _, v := range values {
		name := v
		switch {
		case v == "$user":
			name = s.User
		case v == "pg_temp" || s.TempSchema != "" && v == s.TempSchema:
			temp = true
			if name = s.TempSchema; name == "" {
				continue
			}
			out = append(out, name)
			continue
		}
		if _, ok := cat.Schemas[name]; ok && !slices.Contains(out, name) && !slices.Contains(s.Closed, name) {
			out = append(out, name)
		}
	}
	if !slices.Contains(out, "pg_catalog") {
		out = slices.Insert(out, 0, "pg_catalog")
	}
	if !temp && s.TempSchema != "" {
		out = slices.Insert(out, 0, s.TempSchema)
	}
	return out
}

// splitPath reads the text form of search_path.
func splitPath(text string) ([]string, bool) {
	var out []string
	for rest := strings.TrimSpace(text); rest != ""; {
		var name string
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) {
				if rest[end] == '"' {
					if end+1 < len(rest) && rest[end+1] == '"' {
						end += 2
						continue
					}
					break
				}
				end++
			}
			if end >= len(rest) {
				return nil, false
			}
			name, rest = strings.ReplaceAll(rest[1:end], `""`, `"`), rest[end+1:]
		} else {
			end := strings.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			name, rest = lowerASCII(strings.TrimSpace(rest[:end])), rest[end:]
			if name == "" || strings.ContainsAny(name, "\" ") {
				return nil, false
			}
		}
		out = append(out, name)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			break
		}
		if rest[0] != ',' {
			return nil, false
		}
		if rest = strings.TrimSpace(rest[1:]); rest == "" {
			return nil, false
		}
	}
	return out, true
}

func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// clone is a copy that Apply may change.
func (s *State) clone() *State {
	c := *s
	return &c
}

func (s *State) key() string {
	var b strings.Builder
	for _, p := range s.SearchPath {
		b.WriteString(p)
		b.WriteByte(0)
	}
	b.WriteByte(1)
	for _, c := range s.Closed {
		b.WriteString(c)
		b.WriteByte(0)
	}
	b.WriteByte(1)
	b.WriteString(s.User)
	b.WriteByte(0)
	b.WriteString(s.Encoding)
	b.WriteByte(0)
	b.WriteString(s.TempSchema)
	for _, flag := range []bool{s.NonStandardStrings, s.Stale, s.Predicted, s.Unsettled} {
		if flag {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	if len(s.Temp) > 0 {
		for _, name := range slices.Sorted(maps.Keys(s.Temp)) {
			b.WriteString(name)
			b.WriteByte(0)
			b.WriteString(itoa(int(s.Temp[name].OID)))
			b.WriteByte(':')
			for i := range s.Temp[name].Columns {
				b.WriteString(s.Temp[name].Columns[i].Name)
				b.WriteByte(0)
				b.WriteString(itoa(int(s.Temp[name].Columns[i].Type)))
				b.WriteByte(0)
			}
		}
	}
	return b.String()
}
