package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/masking"
)

// maskedColumn is a protected column with its mask.
type maskedColumn struct {
	column
	function string // redact, or null where the type has no constant
	constant *string
	typ      string // as format_type writes it
	relation string // pg_class.relkind; empty for a partition, whose parent has the column too
}

// columnTypes gives the type of each protected column: of a domain nothing but
// its kind, as its constraints may not accept a constant.
const columnTypes = `SELECT CASE WHEN c.relispartition THEN '' ELSE c.relkind::text END, t.typtype::text, t.oid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
  ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND NOT a.attisdropped`

// chooseMasks finds the mask that fits each column: redact, else null.
func (d *databases) chooseMasks(ctx context.Context, columns []column) error {
	conn, err := pgx.Connect(ctx, d.server.URL(pgserver.SuperUser, d.server.Password, databaseOf(sideA)))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, c := range columns {
		var relation, kind, name string
		var oid uint32
		var typmod int32
		var labels []string
		if err := conn.QueryRow(ctx, columnTypes, c.Schema, c.Table, c.Column).Scan(&relation, &kind, &oid, &typmod, &name, &labels); err != nil {
			return fmt.Errorf("protected column %s.%s.%s: %w", c.Schema, c.Table, c.Column, err)
		}
		t := masking.PostgresType(oid, typmod)
		if kind == "e" {
			t = masking.Type{Kind: masking.KindEnum, OID: oid, Labels: labels}
		}
		m := maskedColumn{column: c, function: "null", typ: name, relation: relation}
		if masking.Check(masking.Spec{Function: "redact"}, t) == nil {
			m.function = "redact"
			plan, err := masking.NewPlan([]masking.Column{{Name: c.Column, Type: t, Format: masking.Text, Mask: &masking.Spec{Function: "redact"}}}, nil)
			if err != nil {
				return err
			}
			cell, _, err := plan.Cell(nil, 0, nil, nil)
			if err != nil {
				return err
			}
			text := string(cell)
			m.constant = &text
		}
		d.masks = append(d.masks, m)
	}
	return nil
}

// makeConstants makes the database in which each protected value is what its
// mask shows, so that its direct answers are those of masked values.
func (d *databases) makeConstants(ctx context.Context, c *corpus) error {
	if err := d.chooseMasks(ctx, c.protected); err != nil {
		return err
	}
	if err := d.copyDatabase(ctx, databaseOf(sideA), databaseOf(constants)); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("SET session_replication_role = replica;\nSET client_min_messages = error;\n")
	type table struct{ schema, name string }
	sets := map[table][]string{}
	only := map[table]string{}
	var order []table
	for _, m := range d.masks {
		t := table{m.Schema, m.Table}
		only[t] = map[string]string{"r": "ONLY ", "": "skip"}[m.relation]
		if sets[t] == nil {
			order = append(order, t)
		}
		name, value := pgx.Identifier{m.Column}.Sanitize(), "NULL"
		if m.constant != nil {
			value = "'" + strings.ReplaceAll(*m.constant, "'", "''") + "'"
		}
		sets[t] = append(sets[t], fmt.Sprintf("%s = %s::%s", name, value, m.typ))
	}
	for _, t := range order {
		fmt.Fprintf(&b, "SELECT pg_temp.free(%s, %s);\n", literal(t.schema), literal(t.name))
	}
	for _, t := range order {
		if only[t] == "skip" {
			continue // changed through the parent, which may move rows
		}
		fmt.Fprintf(&b, "UPDATE %s%s SET %s;\n", only[t], pgx.Identifier{t.schema, t.name}.Sanitize(), strings.Join(sets[t], ", "))
	}
	b.WriteString(refreshAll)
	return d.psql(ctx, databaseOf(constants), []byte(freeTable+b.String()))
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// freeTable lets every row of a table hold the same constants or NULL.
const freeTable = `CREATE FUNCTION pg_temp.free(s text, t text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record; id oid := format('%I.%I', s, t)::regclass;
BEGIN
  FOR r IN SELECT conname, conrelid::regclass AS rel FROM pg_constraint WHERE conislocal AND contype IN ('c', 'u', 'x', 'f')
      AND (conrelid = id OR confrelid = id) ORDER BY contype = 'f' DESC
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', r.rel, r.conname); END LOOP;
  FOR r IN SELECT attname, attgenerated FROM pg_attribute WHERE attrelid = id AND attnum > 0 AND NOT attisdropped
      AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = id AND indisprimary AND attnum = ANY (indkey))
  LOOP
    IF r.attgenerated <> '' THEN EXECUTE format('ALTER TABLE %I.%I ALTER %I DROP EXPRESSION', s, t, r.attname); END IF;
    BEGIN
      EXECUTE format('ALTER TABLE %I.%I ALTER %I DROP NOT NULL', s, t, r.attname);
    EXCEPTION WHEN invalid_table_definition THEN NULL; -- inherited; dropped with the parent's
    END;
  END LOOP;
  FOR r IN SELECT indexrelid::regclass AS i FROM pg_index WHERE indrelid = id AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid)
  LOOP EXECUTE format('DROP INDEX IF EXISTS %s CASCADE', r.i); END LOOP;
END $$;
`

// refreshAll brings what is computed from the tables up to date.
const refreshAll = `RESET session_replication_role;
SELECT format('REFRESH MATERIALIZED VIEW %I.%I', schemaname, matviewname) FROM pg_matviews \gexec
VACUUM (ANALYZE);
`

// policy is weir's for the run: everything is allowed and nothing unmasked.
func (d *databases) policy(elsewhere string) map[string]string {
	columns := map[string]map[string]map[string]string{}
	for _, m := range d.masks {
		if columns[m.Schema] == nil {
			columns[m.Schema] = map[string]map[string]string{}
		}
		if columns[m.Schema][m.Table] == nil {
			columns[m.Schema][m.Table] = map[string]string{}
		}
		columns[m.Schema][m.Table][m.Column] = m.function
	}
	text, _ := json.Marshal(map[string]any{"columns": columns, "elsewhere": elsewhere}) // of strings alone
	return map[string]string{"policy.yaml": policyYAML, "protected.rego": policyRego, "leaks/data.json": string(text)}
}

const policyYAML = `version: 1
projects:
  leaks: {datasources: [ni_a, ni_a_super, ni_b, ni_b_super]}
grants:
  - name: the restricted analyst
    who: {groups: [analysts]}
    allow: ["*"]
`

// Names are compared with their case, which tags in YAML do not mind: a corpus
// has columns that differ in it alone.
const policyRego = `package weir

mask_candidates contains {
	"schema": t.schema, "table": t.name, "column": c.name,
	"function": f, "elsewhere": data.leaks.elsewhere,
} if {
	some t in input.statement.tables
	some c in t.columns
	f := data.leaks.columns[t.schema][t.name][c.name]
}
`
