package random

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Catalog is what sessions know of the databases.
type Catalog struct {
	Relations []*Relation
	Functions []Function
}

// Relation is a table or view.
type Relation struct {
	Schema, Name string
	Columns      []*Column
	View         bool
	Engine       string
	rows         int
}

// Column is a column; Secret if its values differ between the sides.
type Column struct {
	Name, Type string
	Secret     bool
	Generated  bool
	Samples    []string // values of one side, as literals
}

// Function is a stored function and its number of arguments.
type Function struct {
	Schema, Name string
	Args         int
}

func (r *Relation) qualified() string { return quote(r.Schema) + "." + quote(r.Name) }

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal is a string constant.
func literal(s string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "'"
}

const ofUsers = " NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'kept')"

// Load reads the catalog of side a, and compares every column with side b.
func Load(ctx context.Context, a, b *sql.DB) (*Catalog, error) {
	c := &Catalog{}
	byName := map[string]*Relation{}
	err := each(ctx, a, "SELECT t.table_schema, t.table_name, t.table_type, COALESCE(t.engine, ''), c.column_name, c.data_type, c.is_generated "+
		"FROM information_schema.tables t JOIN information_schema.columns c USING (table_schema, table_name) "+
		"WHERE t.table_schema"+ofUsers+" AND t.table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') ORDER BY 1, 2, c.ordinal_position", func(v []string) {
		r := byName[v[0]+"."+v[1]]
		if r == nil {
			r = &Relation{Schema: v[0], Name: v[1], View: v[2] == "VIEW", Engine: v[3]}
			byName[v[0]+"."+v[1]] = r
			c.Relations = append(c.Relations, r)
		}
		r.Columns = append(r.Columns, &Column{Name: v[4], Type: v[5], Generated: v[6] == "ALWAYS"})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range c.Relations {
		if err := r.compare(ctx, a, b); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", r.Schema, r.Name, err)
		}
	}
	err = each(ctx, a, "SELECT r.routine_schema, r.routine_name, COUNT(p.parameter_name) FROM information_schema.routines r "+
		"LEFT JOIN information_schema.parameters p ON p.specific_schema = r.routine_schema AND p.specific_name = r.specific_name AND p.ordinal_position > 0 "+
		"WHERE r.routine_type = 'FUNCTION' AND r.routine_schema"+ofUsers+" GROUP BY 1, 2 ORDER BY 1, 2", func(v []string) {
		f := Function{Schema: v[0], Name: v[1]}
		_, _ = fmt.Sscan(v[2], &f.Args) // a count
		c.Functions = append(c.Functions, f)
	})
	return c, err
}

// compare finds out which columns differ between the sides, and samples.
func (r *Relation) compare(ctx context.Context, a, b *sql.DB) error {
	sums := "SELECT COUNT(*)"
	for _, c := range r.Columns {
		sums += ", COALESCE(SUM(CRC32(COALESCE(HEX(" + quote(c.Name) + "), '-'))), 0)"
	}
	sums += " FROM " + r.qualified()
	var of [2][]string
	for i, db := range []*sql.DB{a, b} {
		if err := each(ctx, db, sums, func(v []string) { of[i] = v }); err != nil {
			return err
		}
	}
	_, _ = fmt.Sscan(of[0][0], &r.rows) // a count
	for i, c := range r.Columns {
		c.Secret = of[0][i+1] != of[1][i+1] || of[0][0] != of[1][0]
		if unprintable[c.Type] {
			continue
		}
		err := each(ctx, a, fmt.Sprintf("SELECT DISTINCT LEFT(CAST(%s AS CHAR), 60) FROM %s WHERE %[1]s IS NOT NULL LIMIT 6", quote(c.Name), r.qualified()), func(v []string) {
			c.Samples = append(c.Samples, literal(v[0]))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unprintable are types without samples.
var unprintable = map[string]bool{"point": true, "geometry": true, "linestring": true, "polygon": true, "binary": true, "varbinary": true, "tinyblob": true, "blob": true, "mediumblob": true, "longblob": true}

// each calls f with the columns of every row, as text.
func each(ctx context.Context, db *sql.DB, query string, f func([]string)) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, pointers := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		pointers[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		v := make([]string, len(values))
		for i := range values {
			v[i] = values[i].String
		}
		f(v)
	}
	return rows.Err()
}
