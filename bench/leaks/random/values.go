package random

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	maxRows    = 3000 // of a relation that is compared
	maxSamples = 8
)

// loadValues compares the relations of both sides and keeps some values.
func (c *Catalog) loadValues(ctx context.Context, a, b *pgx.Conn, protected Protected) error {
	kept := c.Relations[:0]
	for _, r := range c.Relations {
		left, err := contents(ctx, a, r)
		if err != nil { // what the administrator cannot read serves nobody
			continue
		}
		right, err := contents(ctx, b, r)
		if err != nil {
			continue
		}
		r.Rows = len(left)
		r.Leaky = len(left) != len(right)
		for i := range r.Columns {
			col := &r.Columns[i]
			listed := protected(r.Schema, r.Name, col.Name)
			x, y := field(left, i), field(right, i)
			col.Samples = samples(x)
			slices.Sort(x)
			slices.Sort(y)
			differs := !slices.Equal(x, y)
			col.Secret = listed || differs
			r.Leaky = r.Leaky || differs && !listed && (slices.Contains(r.Key, col.Name) || col.Name == "id" || col.Name == "n")
		}
		r.Leaky = r.Leaky && !r.System
		kept = append(kept, r)
	}
	c.Relations = kept
	return nil
}

// contents is all of a relation in text, NULL as "\x00".
func contents(ctx context.Context, conn *pgx.Conn, r *Relation) ([][]string, error) {
	list := make([]string, len(r.Columns))
	for i, col := range r.Columns {
		list[i] = fmt.Sprintf("left(%s::text, 4000)", Quote(col.Name))
	}
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT ARRAY[%s] FROM %s LIMIT %d", strings.Join(list, ", "), r.qualified(), maxRows))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][]string
	for rows.Next() {
		var row []*string
		if err := rows.Scan(&row); err != nil {
			return nil, err
		}
		plain := make([]string, len(row))
		for i, v := range row {
			plain[i] = "\x00"
			if v != nil {
				plain[i] = *v
			}
		}
		all = append(all, plain)
	}
	return all, rows.Err()
}

func field(rows [][]string, i int) []string {
	out := make([]string, len(rows))
	for j, r := range rows {
		out[j] = r[i]
	}
	return out
}

func samples(values []string) []string {
	var out []string
	for _, v := range values {
		if v != "\x00" && len(v) <= 60 && !slices.Contains(out, v) {
			out = append(out, v)
		}
		if len(out) == maxSamples {
			break
		}
	}
	return out
}

func (r *Relation) qualified() string { return Quote(r.Schema) + "." + Quote(r.Name) }

// column finds a column by name, nil if there is none.
func (r *Relation) column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// Quote writes an identifier, in double quotes where it needs them.
func Quote(name string) string {
	plain := name != ""
	for i, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			plain = false
		}
	}
	if plain && !reserved[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal writes a string constant.
func Literal(s string) string {
	if strings.Contains(s, `\`) {
		return " E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// reserved are key words that cannot be a column's or a table's bare name, and
// some that are better quoted.
var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char character check coalesce " +
		"collate collation column concurrently constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp " +
		"current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group grouping " +
		"having ilike in initially inner inout int integer intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp " +
		"national natural nchar none not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real references returning " +
		"right row select session_user setof similar smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique " +
		"user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable") {
		m[w] = true
	}
	return m
}()
