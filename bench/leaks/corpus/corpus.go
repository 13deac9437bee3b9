package corpus

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// Files holds schema.sql, protected.json and the cases.
//
//go:embed schema.sql protected.json cases benign
var Files embed.FS

// Sides of Data: two that differ in protected values, and one of constants.
const (
	SideA = "a"
	SideB = "b"
	SideM = "m"
)

// Data writes the rows of one side as plain SQL: a superuser runs it in a
// database into which schema.sql was loaded. Equal arguments give equal text.
// Statements end with a semicolon at the end of a line; the file holds one
// transaction and what follows it (large objects, sequences, statistics).
func Data(side string, seed int64, w io.Writer) error {
	g := &generator{
		w:      bufio.NewWriter(w),
		open:   rand.New(rand.NewPCG(uint64(seed), 0)),
		hidden: rand.New(rand.NewPCG(uint64(seed), uint64(side[0]))),
	}
	switch side {
	case SideA, SideB:
	case SideM:
		g.constant = true
	default:
		return fmt.Errorf("generate data: unknown side %q, want a, b or m", side)
	}
	g.line("SET client_min_messages = warning;")
	g.line("SET standard_conforming_strings = on;")
	if g.constant {
		g.line(dropConstraints)
	}
	g.line("BEGIN;")
	g.line("SET LOCAL session_replication_role = replica;")
	for _, t := range g.tables() {
		g.table(t)
	}
	g.line("COMMIT;")
	g.finish()
	if err := g.w.Flush(); err != nil {
		return fmt.Errorf("generate data: %w", err)
	}
	return nil
}

// dropConstraints lets every row hold the same constants.
const dropConstraints = `DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT conname, conrelid::regclass AS t FROM pg_constraint c JOIN pg_class k ON k.oid = c.conrelid
    JOIN pg_namespace n ON n.oid = k.relnamespace
    WHERE n.nspname IN ('care', 'billing', 'people', 'vault', 'Front Desk') AND contype IN ('c', 'u', 'x', 'f')
      AND conname <> 'patient_mrn_key' AND conname <> 'employee_badge_key' ORDER BY contype = 'f' DESC, conname
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', r.t, r.conname); END LOOP; END $$;
ALTER DOMAIN clinic.mail_d DROP CONSTRAINT mail_d_check;`

// A generator writes one side. Unprotected values come from open, protected
// ones from hidden, so that neither moves the other.
type generator struct {
	w        *bufio.Writer
	open     *rand.Rand
	hidden   *rand.Rand
	constant bool

	insured []string // insurance numbers of this side's patients, by row
}

// A table is its rows' columns in order.
type table struct {
	name    string
	rows    int
	columns []column
}

// A column makes the value of row i, counted from 1. null stands for SQL NULL.
type column struct {
	name      string
	protected bool
	constant  string // what a mask shows; null where redact has no constant
	value     func(r *rand.Rand, i int) string
}

const null = "\x00"

func public(name string, value func(r *rand.Rand, i int) string) column {
	return column{name: name, value: value}
}

func protected(name, constant string, value func(r *rand.Rand, i int) string) column {
	return column{name: name, protected: true, constant: constant, value: value}
}

func (g *generator) line(s string) { fmt.Fprintln(g.w, s) }

func (g *generator) table(t table) {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	fmt.Fprintf(g.w, "INSERT INTO %s (%s) VALUES\n", t.name, strings.Join(names, ", "))
	values := make([]string, len(t.columns))
	for i := 1; i <= t.rows; i++ {
		for j, c := range t.columns {
			values[j] = quote(g.cell(c, i))
		}
		end := ","
		if i == t.rows {
			end = ";"
		}
		fmt.Fprintf(g.w, "(%s)%s\n", strings.Join(values, ","), end)
	}
}

func (g *generator) cell(c column, i int) string {
	switch {
	case !c.protected:
		return c.value(g.open, i)
	case g.constant:
		return c.constant
	}
	return c.value(g.hidden, i)
}

func quote(s string) string {
	if s == null {
		return "NULL"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// Large objects of care.scan.image, one for each row of care.scan.
const (
	firstImage = 810001
	scans      = 30
)

// finish writes what is not rows.
func (g *generator) finish() {
	for i := range scans {
		text := redacted
		if !g.constant {
			text = "image " + digits(g.hidden, 6+g.hidden.IntN(30))
		}
		id := firstImage + i
		g.line(fmt.Sprintf("SELECT lo_from_bytea(%d, convert_to('%s', 'UTF8'));", id, text))
		g.line(fmt.Sprintf("ALTER LARGE OBJECT %d OWNER TO ni_owner;", id))
		g.line(fmt.Sprintf("GRANT SELECT ON LARGE OBJECT %d TO ni_analyst;", id))
	}
	g.line("DO $$ BEGIN EXECUTE format('ALTER SERVER loopback OPTIONS (SET dbname %L, SET port %L)', current_database(), current_setting('port')); END $$;")
	for _, s := range []string{"open.note_id_seq", "open.board_id_seq", "care.feedback_id_seq", "care.patient_id_seq"} {
		g.line("SELECT setval('" + s + "', 1000, false);")
	}
	for _, v := range []string{"care.mv_directory", "care.mv_means", "care.mv_heavy"} {
		g.line("REFRESH MATERIALIZED VIEW " + v + ";")
	}
	g.line("ANALYZE;")
}
