package pgsql

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bounds on what Load accepts from a server: beyond them the catalog cannot
// be read and Load fails.
const (
	maxCatalogRows  = 8 << 20
	maxCatalogBytes = 1 << 30
)

// Conn runs simple queries; *pgconn.PgConn is one.
type Conn interface {
	Exec(ctx context.Context, sql string) *pgconn.MultiResultReader
}

// Load reads the definitions of the database that conn is connected to
// (PostgreSQL 14 to 18) in one read-only transaction. It returns prev itself
// when nothing in it differs. The connection must not be in a transaction; it
// is unusable after an error.
func Load(ctx context.Context, conn Conn, prev *Catalog) (*Catalog, error) {
	l := &loader{conn: conn, prev: prev, digest: sha256.New(), names: map[string]string{},
		c: &Catalog{Schemas: map[string]uint32{}, Extensions: map[string]string{},
			Relations: map[uint32]*Relation{}, Types: map[uint32]*Type{}}}
	if err := l.exec(ctx, loadBegin); err != nil {
		return nil, fmt.Errorf("load catalog: %w", err)
	}
	for _, step := range []struct {
		part string
		read func(context.Context) error
	}{
		{"server", l.server}, {"locks", l.locks}, {"schemas", l.schemas}, {"extensions", l.extensions}, {"the server's own", l.readBuiltins},
		{"relations", l.relations}, {"columns", l.columns}, {"views", l.views}, {"conditions", l.conditions}, {"unique indexes", l.unique},
		{"inheritance", l.inherits}, {"types", l.types}, {"labels", l.labels}, {"domains", l.domains},
		{"functions", l.readFunctions}, {"operators", l.readOperators}, {"casts", l.casts},
		{"event triggers", l.eventTriggers},
	} {
		if err := step.read(ctx); err != nil {
			return nil, fmt.Errorf("load catalog: %s: %w", step.part, err)
		}
	}
	if err := l.exec(ctx, "ROLLBACK"); err != nil {
		return nil, fmt.Errorf("load catalog: %w", err)
	}
	l.c.Version = binary.BigEndian.Uint64(l.digest.Sum(nil)) | 1
	if prev != nil && prev.Version == l.c.Version {
		return prev, nil
	}
	l.c.Index(l.functions, l.operators)
	return l.c, nil
}

// loader carries one Load.
type loader struct {
	conn      Conn
	prev      *Catalog
	objects   objects // that the parts read now
	c         *Catalog
	digest    hash.Hash
	names     map[string]string // interned
	locked    []uint32
	functions []*Function
	operators []*Operator
	rows      int
	bytes     int
}

func (l *loader) exec(ctx context.Context, sql string) error {
	return l.conn.Exec(ctx, sql).Close()
}

// each runs a query of n columns and calls f for every row. A fault inside the
// row shows in its err afterwards.
func (l *loader) each(ctx context.Context, sql string, n int, f func(r *catalogRow)) error {
	digest := l.digest
	if sql == sqlLocked {
		digest = sha256.New() // what is locked shows in what is missing
	}
	mrr := l.conn.Exec(ctx, sql)
	digest.Write([]byte{0xff, byte(n)})
	var fault error
	var length [4]byte
	for mrr.NextResult() {
		rr := mrr.ResultReader()
		for rr.NextRow() {
			if fault != nil {
				continue // drain
			}
			r := &catalogRow{vals: rr.Values(), l: l}
			if len(r.vals) != n {
				fault = fmt.Errorf("row has %d columns, want %d", len(r.vals), n)
				continue
			}
			l.rows++
			for _, v := range r.vals {
				l.bytes += len(v)
				size := uint32(len(v))
				if v == nil {
					size = 1<<32 - 1
				}
				binary.BigEndian.PutUint32(length[:], size)
				digest.Write(length[:])
				digest.Write(v)
			}
			if l.rows > maxCatalogRows || l.bytes > maxCatalogBytes {
				fault = errors.New("catalog is too large")
				continue
			}
			f(r)
			fault = r.err
		}
	}
	if err := mrr.Close(); err != nil {
		return err
	}
	return fault
}

func (l *loader) intern(b []byte) string {
	if s, ok := l.names[string(b)]; ok {
		return s
	}
	s := string(b)
	l.names[s] = s
	return s
}

func (l *loader) server(ctx context.Context) error {
	return l.each(ctx, sqlServer, 2, func(r *catalogRow) {
		l.c.ServerVersion, l.c.Database = int(r.int(0)), r.str(1)
		if r.err == nil && l.c.ServerVersion < 140000 {
			r.err = fmt.Errorf("server version %d is not supported, PostgreSQL 14 is the oldest", l.c.ServerVersion)
		}
	})
}

func (l *loader) locks(ctx context.Context) error {
	return l.each(ctx, sqlLocked, 1, func(r *catalogRow) { l.locked = append(l.locked, r.oid(0)) })
}

// lockedArray is the locked relations as a PostgreSQL array literal.
func (l *loader) lockedArray() string {
	parts := make([]string, len(l.locked))
	for i, oid := range l.locked {
		parts[i] = strconv.FormatUint(uint64(oid), 10)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (l *loader) schemas(ctx context.Context) error {
	return l.each(ctx, sqlSchemas, 2, func(r *catalogRow) { l.c.Schemas[r.name(1)] = r.oid(0) })
}

func (l *loader) extensions(ctx context.Context) error {
	return l.each(ctx, sqlExtensions, 2, func(r *catalogRow) { l.c.Extensions[r.name(0)] = r.str(1) })
}

func (l *loader) relations(ctx context.Context) error {
	return l.each(ctx, sqlRelations("n.nspname"+notTemp+l.objects.where("c.oid")), 13, func(r *catalogRow) {
		rel := r.relation()
		rel.Partial = slices.Contains(l.locked, rel.OID)
		l.c.Relations[rel.OID] = rel
	})
}

func (l *loader) columns(ctx context.Context) error {
	where := "n.nspname" + notTemp + l.objects.where("c.oid") + fmt.Sprintf(unlocked, l.lockedArray())
	var rel *Relation
	return l.each(ctx, sqlColumns(where), 11, func(r *catalogRow) {
		oid := r.oid(0)
		if rel == nil || rel.OID != oid {
			rel = l.c.Relations[oid]
		}
		if rel != nil {
			rel.Columns = append(rel.Columns, r.column())
		}
	})
}

func (l *loader) views(ctx context.Context) error {
	locked := l.lockedArray()
	err := l.each(ctx, fmt.Sprintf(sqlViews, locked, locked), 2, func(r *catalogRow) {
		if rel := l.c.Relations[r.oid(0)]; rel != nil {
			rel.Definition = r.str(1)
		}
	})
	for _, rel := range l.c.Relations {
		if (rel.Kind == 'v' || rel.Kind == 'm') && rel.Definition == "" && !Builtin(rel.Schema) {
			rel.Partial, rel.Columns = true, nil
		}
	}
	return err
}

func (l *loader) conditions(ctx context.Context) error {
	return l.each(ctx, fmt.Sprintf(sqlConditions, l.lockedArray()), 2, func(r *catalogRow) {
		if rel := l.c.Relations[r.oid(0)]; rel != nil && r.vals[1] != nil {
			rel.Conditions = append(rel.Conditions, r.str(1))
		}
	})
}

func (l *loader) inherits(ctx context.Context) error {
	return l.each(ctx, sqlInherits, 2, func(r *catalogRow) {
		child, parent := l.c.Relations[r.oid(0)], l.c.Relations[r.oid(1)]
		if child != nil && parent != nil { // indexes inherit as well
			child.Parents = append(child.Parents, parent.OID)
			parent.Children = append(parent.Children, child.OID)
		}
	})
}

func (l *loader) types(ctx context.Context) error {
	return l.each(ctx, sqlTypes(l.objects.where("t.oid")), 9, func(r *catalogRow) {
		t := &Type{OID: r.oid(0), Schema: r.name(1), Name: r.name(2), Kind: r.char(3), Elem: r.oid(4),
			Base: r.oid(5), BaseTypmod: int32(r.int(6)), Relation: r.oid(7), Extension: r.name(8)}
		l.c.Types[t.OID] = t
	})
}

func (l *loader) labels(ctx context.Context) error {
	return l.each(ctx, sqlLabels, 2, func(r *catalogRow) {
		if t := l.c.Types[r.oid(0)]; t != nil {
			t.Labels = append(t.Labels, r.str(1))
		}
	})
}

func (l *loader) domains(ctx context.Context) error {
	return l.each(ctx, sqlDomainChecks, 2, func(r *catalogRow) {
		if t := l.c.Types[r.oid(0)]; t != nil {
			t.Checks = append(t.Checks, r.str(1))
		}
	})
}

func (l *loader) readFunctions(ctx context.Context) error {
	return l.each(ctx, sqlFunctions(l.lockedArray(), l.objects.where("p.oid")), 19, func(r *catalogRow) {
		l.functions = append(l.functions, &Function{OID: r.oid(0), Schema: r.name(1), Name: r.name(2),
			Kind: r.char(3), Volatile: r.char(4), Language: r.name(5), Args: r.oids(6), Variadic: r.bool(7),
			Defaults: int(r.int(8)), Returns: r.oid(9), ReturnsSet: r.bool(10), ArgNames: r.list(11),
			ArgModes: r.chars(12), AllArgs: r.oids(13), Body: r.str(14), Definer: r.bool(15),
			Settings: r.list(16), Extension: r.name(17), Leakproof: r.bool(18)})
	})
}

func (l *loader) readOperators(ctx context.Context) error {
	return l.each(ctx, sqlOperators(l.objects.where("o.oid")), 8, func(r *catalogRow) {
		l.operators = append(l.operators, &Operator{OID: r.oid(0), Schema: r.name(1), Name: r.name(2),
			Left: r.oid(3), Right: r.oid(4), Result: r.oid(5), Function: r.oid(6), Extension: r.name(7)})
	})
}

func (l *loader) casts(ctx context.Context) error {
	return l.each(ctx, sqlCasts, 4, func(r *catalogRow) {
		l.c.Casts = append(l.c.Casts, Cast{Source: r.oid(0), Target: r.oid(1), Function: r.oid(2), Extension: r.name(3)})
	})
}

// catalogRow reads the text values of one row; NULL reads as the zero value.
// The first fault stays in err.
type catalogRow struct {
	vals [][]byte
	l    *loader // interns names; may be nil
	err  error
}

func (r *catalogRow) fail(i int, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("column %d: %q is not %s", i+1, r.vals[i], what)
	}
}

func (r *catalogRow) str(i int) string { return string(r.vals[i]) }

func (r *catalogRow) name(i int) string {
	if r.l == nil {
		return string(r.vals[i])
	}
	return r.l.intern(r.vals[i])
}

func (r *catalogRow) int(i int) int64 {
	if r.vals[i] == nil {
		return 0
	}
	v, err := strconv.ParseInt(string(r.vals[i]), 10, 64)
	if err != nil {
		r.fail(i, "a number")
	}
	return v
}

func (r *catalogRow) oid(i int) uint32 {
	v := r.int(i)
	if v < 0 || v > 1<<32-1 {
		r.fail(i, "an OID")
	}
	return uint32(v)
}

func (r *catalogRow) bool(i int) bool { return len(r.vals[i]) == 1 && r.vals[i][0] == 't' }

func (r *catalogRow) char(i int) byte {
	if len(r.vals[i]) != 1 {
		r.fail(i, "one character")
		return 0
	}
	return r.vals[i][0]
}

// fields splits a vector "1 2" or an array "{1,2}" of plain words.
func (r *catalogRow) fields(i int) [][]byte {
	v := bytes.TrimSuffix(bytes.TrimPrefix(r.vals[i], []byte("{")), []byte("}"))
	return bytes.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == ',' })
}

func (r *catalogRow) oids(i int) []uint32 {
	var out []uint32
	for _, f := range r.fields(i) {
		v, err := strconv.ParseUint(string(f), 10, 32)
		if err != nil {
			r.fail(i, "a list of OIDs")
			return nil
		}
		out = append(out, uint32(v))
	}
	return out
}

func (r *catalogRow) chars(i int) []byte {
	var out []byte
	for _, f := range r.fields(i) {
		if len(f) != 1 {
			r.fail(i, "a list of characters")
			return nil
		}
		out = append(out, f[0])
	}
	return out
}

// list reads a JSON array of strings.
func (r *catalogRow) list(i int) []string {
	if r.vals[i] == nil {
		return nil
	}
	var out []string
	if err := json.Unmarshal(r.vals[i], &out); err != nil {
		r.fail(i, "a JSON list")
	}
	return out
}

func (r *catalogRow) relation() *Relation {
	return &Relation{OID: r.oid(0), Schema: r.name(1), Name: r.name(2), Kind: r.char(3), RowType: r.oid(4),
		Owner: r.name(5), Rules: r.bool(6), Triggers: r.bool(7), RowSecurity: r.bool(8), Extension: r.name(9), PartitionKey: r.attributes(10),
		PrimaryKey: r.attributes(11), Barrier: r.bool(12)}
}

// attributes reads attribute numbers separated by spaces.
func (r *catalogRow) attributes(i int) []int16 {
	var out []int16
	for _, f := range strings.Fields(string(r.vals[i])) {
		v, err := strconv.ParseInt(f, 10, 16)
		if err != nil {
			r.fail(i, "a list of attributes")
			return nil
		}
		out = append(out, int16(v))
	}
	return out
}

func (r *catalogRow) column() Column {
	c := Column{Attr: int16(r.int(1)), Name: r.name(2), Type: r.oid(3), Typmod: int32(r.int(4)), NotNull: r.bool(5),
		TypeText: r.name(8), Collation: r.name(9), Missing: r.bool(10)}
	if r.bool(6) {
		c.Generated = r.str(7)
	} else {
		c.Default = r.name(7)
	}
	return c
}
