package random

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Column is a column of a relation.
type Column struct {
	Name string
	Type string // name of the type in pg_type; with its schema if not of pg_catalog
	// Secret says that its values differ between the two sides, because it is
	// protected or made of what is.
	Secret    bool
	Generated bool
	Required  bool     // not null and without a default
	Samples   []string // some values of side a, in text
}

// Relation is something that can be read by name.
type Relation struct {
	Schema, Name string
	Columns      []Column
	Rows         int
	Key          []string // primary key
	Insert       bool     // what the analyst may do besides reading
	Update       bool
	Delete       bool
	// Leaky says that its rows or unprotected columns depend on protected
	// values: views with conditions, partitions by a protected column.
	Leaky  bool
	View   bool
	System bool
}

// Function is a function or operator that can be called with known types.
type Function struct {
	Schema, Name string
	Args         []string
	Result       string
	Set          bool
	Operator     bool
}

// Catalog is what statements are made of.
type Catalog struct {
	Relations []*Relation
	Functions map[string][]Function // by result type
	Enums     map[string][]string   // labels by type
	Schemas   []string
}

// Protected tells whether a column is protected.
type Protected func(schema, table, column string) bool

// Load reads what role may see in side a. Both connections are the
// administrator's; b serves to find out which columns of views, catalogs and the
// like differ.
func Load(ctx context.Context, a, b *pgx.Conn, role string, protected Protected) (*Catalog, error) {
	c := &Catalog{Functions: map[string][]Function{}, Enums: map[string][]string{}}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"relations", func() error { return c.loadRelations(ctx, a, role) }},
		{"enums", func() error { return c.loadEnums(ctx, a) }},
		{"functions", func() error { return c.loadFunctions(ctx, a, role) }},
		{"values", func() error { return c.loadValues(ctx, a, b, protected) }},
	} {
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("load %s: %w", step.name, err)
		}
	}
	for _, r := range c.Relations {
		if !r.System && !slices.Contains(c.Schemas, r.Schema) {
			c.Schemas = append(c.Schemas, r.Schema)
		}
	}
	return c, nil
}

const relationsSQL = `
SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), n.nspname IN ('pg_catalog', 'information_schema'),
       has_table_privilege($1, c.oid, 'INSERT'), has_table_privilege($1, c.oid, 'UPDATE'), has_table_privilege($1, c.oid, 'DELETE'),
       coalesce((SELECT array_agg(k.attname::text ORDER BY x.ord) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY x(num, ord)
                 JOIN pg_attribute k ON k.attnum = x.num WHERE i.indrelid = c.oid AND i.indisprimary AND k.attrelid = c.oid), '{}'),
       a.attname, CASE WHEN tn.nspname = 'pg_catalog' THEN t.typname ELSE quote_ident(tn.nspname) || '.' || quote_ident(t.typname) END,
       a.attgenerated <> '', a.attnotnull AND NOT a.atthasdef
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_(toast|temp)'
  AND has_schema_privilege($1, n.oid, 'USAGE') AND has_table_privilege($1, c.oid, 'SELECT')
ORDER BY n.nspname, c.relname, a.attnum`

func (c *Catalog) loadRelations(ctx context.Context, conn *pgx.Conn, role string) error {
	rows, err := conn.Query(ctx, relationsSQL, role)
	if err != nil {
		return err
	}
	var last *Relation
	for rows.Next() {
		var r Relation
		var col Column
		if err := rows.Scan(&r.Schema, &r.Name, &r.View, &r.System, &r.Insert, &r.Update, &r.Delete, &r.Key, &col.Name, &col.Type, &col.Generated, &col.Required); err != nil {
			return err
		}
		if r.System && !stableCatalogs[r.Name] {
			continue
		}
		if last == nil || last.Schema != r.Schema || last.Name != r.Name {
			last = &r
			c.Relations = append(c.Relations, last)
		}
		last.Columns = append(last.Columns, col)
	}
	return rows.Err()
}

// stableCatalogs are system relations whose contents belong neither to the
// moment nor to what a session makes.
var stableCatalogs = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields("pg_proc pg_operator pg_am pg_opclass pg_opfamily pg_amop pg_amproc pg_cast pg_language pg_collation pg_enum pg_range pg_policy pg_policies pg_matviews pg_stats pg_stats_ext pg_stats_ext_exprs " +
		"pg_statistic_ext pg_roles pg_user pg_description pg_ts_config pg_ts_dict pg_ts_parser pg_ts_template pg_aggregate pg_inherits pg_partitioned_table pg_extension pg_conversion pg_trigger") {
		m[name] = true
	}
	return m
}()

func (c *Catalog) loadEnums(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname), e.enumlabel::text FROM pg_enum e
		JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace ORDER BY 1, e.enumsortorder`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var name, label string
		if err := rows.Scan(&name, &label); err != nil {
			return err
		}
		c.Enums[name] = append(c.Enums[name], label)
	}
	return rows.Err()
}

// functionsSQL lists what is neither volatile by nature of a session nor
// refused by the server because a type is internal. Functions of the database
// itself come with any volatility, but those of extensions that make identifiers
// or read clocks differ from themselves.
const functionsSQL = `
SELECT n.nspname, p.proname, p.proargtypes::oid[], p.prorettype, p.proretset, false
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind = 'f' AND p.provariadic = 0 AND p.pronargs <= 4 AND has_schema_privilege($1, n.oid, 'USAGE') AND has_function_privilege($1, p.oid, 'EXECUTE')
  AND n.nspname <> 'information_schema' AND (p.provolatile = 'i' OR n.nspname <> 'pg_catalog')
  AND NOT (p.provolatile = 'v' AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
UNION ALL
SELECT n.nspname, o.oprname, ARRAY[o.oprleft, o.oprright], o.oprresult, false, true
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oprleft <> 0 AND o.oprright <> 0 AND has_schema_privilege($1, n.oid, 'USAGE')
ORDER BY 1, 2, 3, 4`

// typesSQL names types as columns do. Pseudo-types have no values.
const typesSQL = `SELECT t.oid, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE quote_ident(n.nspname) || '.' || quote_ident(t.typname) END
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('b', 'e', 'd', 'r', 'm', 'c')`

func (c *Catalog) loadFunctions(ctx context.Context, conn *pgx.Conn, role string) error {
	rows, err := conn.Query(ctx, typesSQL)
	if err != nil {
		return err
	}
	types := map[uint32]string{}
	for rows.Next() {
		var oid uint32
		var name string
		if err := rows.Scan(&oid, &name); err != nil {
			return err
		}
		types[oid] = name
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if rows, err = conn.Query(ctx, functionsSQL, role); err != nil {
		return err
	}
	for rows.Next() {
		var f Function
		var args []uint32
		var result uint32
		if err := rows.Scan(&f.Schema, &f.Name, &args, &result, &f.Set, &f.Operator); err != nil {
			return err
		}
		f.Result = types[result]
		known := f.Result != ""
		for _, a := range args {
			f.Args = append(f.Args, types[a])
			known = known && types[a] != ""
		}
		if !known || f.Schema == "pg_catalog" && !f.Operator && internalFunction(f.Name) || f.Schema == "public" && outsideFunction(f.Name) {
			continue
		}
		c.Functions[f.Result] = append(c.Functions[f.Result], f)
	}
	return rows.Err()
}

// internalFunction names functions that only the server's own code calls, or
// whose result belongs to the cluster and not to the arguments.
func internalFunction(name string) bool {
	for _, s := range []string{"_in", "_out", "_recv", "_send", "in", "out", "recv", "send", "typmodin", "typmodout", "_support", "_accum", "_combine", "_serialize", "_deserialize"} {
		if strings.HasSuffix(name, s) && !slices.Contains([]string{"min", "ascii_in", "asin", "sin", "trim", "point_in", "join", "quote_in", "contain"}, name) {
			return true
		}
	}
	return strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "binary_upgrade") || strings.Contains(name, "xid") || strings.Contains(name, "repeat") || strings.Contains(name, "pad")
}

// outsideFunction names functions of extensions that reach out of the session:
// other connections, pages, locks.
func outsideFunction(name string) bool {
	for _, p := range []string{"dblink", "postgres_fdw", "pgrowlocks", "gen_random", "gen_salt", "pgp_", "page_", "heap_", "bt_", "get_raw", "fsm_", "normal_rand", "armor", "xpath", "xslt"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
