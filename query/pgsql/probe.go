package pgsql

import (
	"fmt"
	"strconv"
	"strings"
)

// StateProbe is one query, for the simple protocol on a session's own upstream
// connection, whose rows DecodeProbe turns into a State. It gives the same
// answer under any search_path and any temporary objects.
//
// It says nothing of temporary relations: TempRelations does.
var StateProbe = qualify(`SELECT 'user'::pg_catalog.text, current_user::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text
UNION ALL SELECT 'path', s.n::pg_catalog.text, s.i::pg_catalog.text, NULL FROM ROWS FROM (pg_catalog.unnest(pg_catalog.current_schemas(true))) WITH ORDINALITY s (n, i)
UNION ALL SELECT 'setting', v.n, pg_catalog.current_setting(v.n), NULL
  FROM (VALUES ('client_encoding'::pg_catalog.text), ('standard_conforming_strings')) v (n)
UNION ALL SELECT 'temp', n.nspname::pg_catalog.text, NULL, NULL FROM pg_catalog.pg_namespace n WHERE n.oid = pg_catalog.pg_my_temp_schema()
UNION ALL SELECT 'closed', n.nspname::pg_catalog.text, NULL, NULL FROM pg_catalog.pg_namespace n
  WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND n.nspname !~ '^pg_'
UNION ALL SELECT 'prepared', p.name, p.statement, p.from_sql::pg_catalog.text FROM pg_catalog.pg_prepared_statements p
UNION ALL SELECT 'cursor', c.name, c.statement, c.is_holdable::pg_catalog.text FROM pg_catalog.pg_cursors c`)

// DecodeProbe reads the rows of StateProbe, text values by row and column. A
// prepared statement whose own text cannot be told from the text that it came
// with has an empty SQL, and its path is unknown.
func DecodeProbe(rows [][][]byte) (*State, error) {
	s := &State{Temp: map[string]*Relation{}, Prepared: map[string]*Prepared{}, Cursors: map[string]*Cursor{}}
	for _, row := range rows {
		if len(row) != 4 || row[1] == nil {
			return nil, fmt.Errorf("decode state: row has %d columns or no name", len(row))
		}
		name, value, more := string(row[1]), string(row[2]), string(row[3])
		switch kind := string(row[0]); kind {
		case "user":
			s.User = name
		case "path":
			if value != strconv.Itoa(len(s.SearchPath)+1) {
				return nil, fmt.Errorf("decode state: search path out of order at %q", name)
			}
			s.SearchPath = append(s.SearchPath, name)
		case "temp":
			s.TempSchema = name
		case "closed":
			s.Closed = append(s.Closed, name)
		case "setting":
			switch name {
			case "client_encoding":
				s.Encoding = value
			case "standard_conforming_strings":
				s.NonStandardStrings = value != "on"
			}
		case "prepared":
			p := &Prepared{SQL: value}
			if more == "true" {
				p.SQL = preparedText(value, name)
			}
			s.Prepared[name] = p
		case "cursor":
			s.Cursors[name] = &Cursor{SQL: value, Hold: more == "true"}
		default:
			return nil, fmt.Errorf("decode state: unknown row %q", kind)
		}
	}
	if s.User == "" || s.Encoding == "" {
		return nil, fmt.Errorf("decode state: %d rows lack user or encoding", len(rows))
	}
	return s, nil
}

// preparedText finds, in the text of a simple query, the statement that its
// PREPARE of a name prepares; empty unless there is exactly one such PREPARE.
func preparedText(text, name string) string {
	tree, err := parse(text)
	if err != nil {
		return ""
	}
	found := ""
	for _, raw := range tree.Stmts {
		p := raw.GetStmt().GetPrepareStmt()
		if p == nil || p.Name != name {
			continue
		}
		if found != "" {
			return ""
		}
		end := len(text)
		if raw.StmtLen > 0 {
			end = int(raw.StmtLocation + raw.StmtLen)
		}
		found = afterAs(text[raw.StmtLocation:end])
	}
	return found
}

// afterAs is what follows the first AS outside parentheses of a PREPARE.
func afterAs(stmt string) string { return after(stmt, "as") }

// after is what follows the first occurrence of a word outside parentheses.
func after(stmt, word string) string {
	lx := lexer{text: stmt}
	for depth := 0; ; {
		switch t := lx.next(); {
		case t.kind == tokenEnd || t.kind == tokenBad:
			return ""
		case t.kind == tokenSelf && stmt[t.start] == '(':
			depth++
		case t.kind == tokenSelf && stmt[t.start] == ')':
			depth--
		case t.kind == tokenWord && depth == 0 && strings.EqualFold(stmt[t.start:t.end], word):
			return strings.TrimSpace(stmt[t.end:])
		}
	}
}

// TempRelations is two queries, for the simple protocol on a session's own
// upstream connection, whose results DecodeTemp turns into State.Temp.
var TempRelations = qualify(sqlRelations("c.relnamespace = pg_catalog.pg_my_temp_schema()") + ";\n" +
	sqlColumns("c.relnamespace = pg_catalog.pg_my_temp_schema()"))

// DecodeTemp reads the two results of TempRelations, text values by result,
// row and column. Views are without their definition and so cannot be followed.
func DecodeTemp(results [][][][]byte) (map[string]*Relation, error) {
	if len(results) != 2 {
		return nil, fmt.Errorf("decode temporary relations: %d results, want 2", len(results))
	}
	byOID, byName := map[uint32]*Relation{}, map[string]*Relation{}
	for _, vals := range results[0] {
		if len(vals) != 13 {
			return nil, fmt.Errorf("decode temporary relations: row has %d columns, want 13", len(vals))
		}
		r := catalogRow{vals: vals}
		rel := r.relation()
		if r.err != nil {
			return nil, fmt.Errorf("decode temporary relations: %w", r.err)
		}
		rel.Partial = rel.Kind == 'v'
		byOID[rel.OID], byName[rel.Name] = rel, rel
	}
	for _, vals := range results[1] {
		if len(vals) != 11 {
			return nil, fmt.Errorf("decode temporary columns: row has %d columns, want 11", len(vals))
		}
		r := catalogRow{vals: vals}
		oid, col := r.oid(0), r.column()
		if r.err != nil {
			return nil, fmt.Errorf("decode temporary columns: %w", r.err)
		}
		if rel := byOID[oid]; rel != nil && !rel.Partial {
			rel.Columns = append(rel.Columns, col)
		}
	}
	return byName, nil
}
