package mysql

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// Bounds on what Load accepts from a server: beyond them the catalog cannot
// be read and Load fails.
const (
	maxCatalogRows  = 8 << 20
	maxCatalogBytes = 1 << 30
)

// A Querier runs statements on a connection of its own.
type Querier interface {
	// Query runs a statement in the text protocol and calls row for each row of
	// its result. Cells are nil for NULL and valid until row returns.
	Query(ctx context.Context, sql string, row func(cells [][]byte) error) error
	Close() error
}

// Load reads the definitions of a server (MariaDB 10.4 or newer, MySQL 8.0 or
// newer) through information_schema. It returns prev itself when nothing in it
// differs.
//
// The server shows definitions to those alone who have rights on what they
// define. The account of conn has to have all rights of those that sessions
// run as, and SHOW VIEW and TRIGGER on everything that weir's users may reach,
// granted to itself and not to a role. What it is not shown is not in the
// catalog, and statements about it have gaps.
func Load(ctx context.Context, conn Querier, prev *Catalog) (*Catalog, error) {
	return load(ctx, conn, prev, false)
}

// loadOthers is Load that takes the server's own databases from prev.
func loadOthers(ctx context.Context, conn Querier, prev *Catalog) (*Catalog, error) {
	return load(ctx, conn, prev, true)
}

type loadStep struct {
	part string
	read func(context.Context) error
}

func load(ctx context.Context, conn Querier, prev *Catalog, others bool) (*Catalog, error) {
	l := &loader{conn: conn, digest: sha256.New(), names: make(map[string]string), relations: make(map[qualified]*Relation),
		c: &Catalog{Databases: make(map[string]string)}, databases: sqlOwn}
	if err := l.read(ctx, loadStep{"session", func(ctx context.Context) error { return conn.Query(ctx, sqlSession, none) }},
		loadStep{"server", l.server}, loadStep{"version", l.comments}); err != nil {
		return nil, err
	}
	if others && l.c.Server == prev.Server {
		l.c.own, l.c.ownDigest = prev.own, prev.ownDigest
		l.c.Relations = append(l.c.Relations, prev.Relations[:prev.own]...)
	} else {
		if err := l.read(ctx, loadStep{"tables", l.tables}, loadStep{"columns", l.columns}); err != nil {
			return nil, err
		}
		l.c.own, l.c.ownDigest = len(l.c.Relations), [sha256.Size]byte(l.digest.Sum(nil))
	}
	l.digest, l.databases = sha256.New(), sqlOthers
	l.digest.Write(l.c.ownDigest[:])
	if err := l.read(ctx, loadStep{"databases", l.schemata}, loadStep{"tables", l.tables}, loadStep{"columns", l.columns}, loadStep{"views", l.views},
		loadStep{"triggers", l.triggers}, loadStep{"rights", l.triggerRights},
		loadStep{"routines", l.routines}, loadStep{"parameters", l.parameters}, loadStep{"indexes", l.indexes},
		loadStep{"checks", l.checks}, loadStep{"foreign keys", l.foreignKeys}, loadStep{"partitions", l.partitions}); err != nil {
		return nil, err
	}
	l.c.Version = binary.BigEndian.Uint64(l.digest.Sum(nil)) | 1
	if prev != nil && prev.Version == l.c.Version {
		return prev, nil
	}
	l.periods()
	l.c.Index()
	return l.c, nil
}

func (l *loader) read(ctx context.Context, steps ...loadStep) error {
	for _, step := range steps {
		if err := step.read(ctx); err != nil {
			return fmt.Errorf("load catalog: %s: %w", step.part, err)
		}
	}
	return nil
}

func none([][]byte) error { return nil }

// loader carries one Load.
type loader struct {
	conn      Querier
	c         *Catalog
	digest    hash.Hash
	names     map[string]string // interned
	relations map[qualified]*Relation
	databases string // condition on those that are read
	rows      int
	bytes     int
}

// catalogRow is one row; a fault inside it shows in err.
type catalogRow struct {
	cells [][]byte
	l     *loader
	err   error
}

func (r *catalogRow) str(i int) string  { return string(r.cells[i]) }
func (r *catalogRow) null(i int) bool   { return r.cells[i] == nil }
func (r *catalogRow) name(i int) string { return r.l.intern(r.cells[i]) }
func (r *catalogRow) is(i int, s string) bool {
	return strings.EqualFold(string(r.cells[i]), s)
}

func (r *catalogRow) int(i int) int {
	if r.cells[i] == nil {
		return 0
	}
	n, err := strconv.Atoi(string(r.cells[i]))
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("column %d is no number: %w", i, err)
	}
	return n
}

// relation is the one that the first two columns name, nil if it is not known:
// it may have been made since.
func (r *catalogRow) relation() *Relation {
	return r.l.relations[qualified{string(r.cells[0]), string(r.cells[1])}]
}

// each runs a query of n columns and calls f for every row.
func (l *loader) each(ctx context.Context, sql string, n int, f func(r *catalogRow)) error {
	l.digest.Write([]byte{0xff, byte(n)})
	var length [4]byte
	return l.conn.Query(ctx, sql, func(cells [][]byte) error {
		if len(cells) != n {
			return fmt.Errorf("row has %d columns, want %d", len(cells), n)
		}
		l.rows++
		for _, v := range cells {
			l.bytes += len(v)
			size := uint32(len(v))
			if v == nil {
				size = 1<<32 - 1
			}
			binary.BigEndian.PutUint32(length[:], size)
			l.digest.Write(length[:])
			l.digest.Write(v)
		}
		if l.rows > maxCatalogRows || l.bytes > maxCatalogBytes {
			return errors.New("catalog is too large")
		}
		r := &catalogRow{cells: cells, l: l}
		f(r)
		return r.err
	})
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
	rows := 0
	err := l.each(ctx, sqlServer, 5, func(r *catalogRow) {
		rows++
		s := &l.c.Server
		*s = ParseServer(r.str(0), r.str(1))
		s.LowerCaseTableNames, s.SQLMode, s.CharacterSet = r.int(2), ParseSQLMode(r.str(3)), r.str(4)
		if r.err == nil && s.Version < 50700 {
			r.err = fmt.Errorf("server version %q is not supported", s.VersionText)
		}
	})
	if err == nil && rows != 1 {
		err = errors.New("the server says nothing of itself")
	}
	return err
}

// comments checks that the server runs the executable comments that a server
// of its kind and version runs.
func (l *loader) comments(ctx context.Context) error {
	s, mark, want := l.c.Server, "!", "1 1 0"
	if s.MariaDB {
		mark, want = "M!", "2 1 0"
	}
	got := ""
	err := l.each(ctx, fmt.Sprintf(sqlComments, mark, s.Version, mark, s.Version+1), 3, func(r *catalogRow) {
		got = r.str(0) + " " + r.str(1) + " " + r.str(2)
	})
	if err == nil && got != want {
		err = fmt.Errorf("the server calls itself %q, but runs the comments of another (%s, want %s)", s.VersionText, got, want)
	}
	return err
}

// ParseServer reads a version as the server prints it in its greeting or by
// VERSION(): "5.5.5-10.11.19-MariaDB-log", "8.0.36". The comment may be empty.
func ParseServer(version, comment string) Server {
	s := Server{VersionText: version}
	s.MariaDB = strings.Contains(strings.ToLower(version+" "+comment), "mariadb")
	if rest, ok := strings.CutPrefix(version, "5.5.5-"); ok && s.MariaDB {
		version = rest
	}
	for _, part := range strings.SplitN(version, ".", 3) {
		n := 0
		for n < len(part) && part[n] >= '0' && part[n] <= '9' {
			n++
		}
		v, err := strconv.Atoi(part[:n])
		if err != nil {
			v = 0
		}
		s.Version = s.Version*100 + min(v, 99)
	}
	return s
}

func (l *loader) schemata(ctx context.Context) error {
	return l.each(ctx, sqlDatabases, 1, func(r *catalogRow) {
		name := r.name(0)
		l.c.Databases[l.c.foldDatabase(name)] = name
	})
}

func (l *loader) tables(ctx context.Context) error {
	return l.each(ctx, fmt.Sprintf(sqlTables, l.databases), 4, func(r *catalogRow) {
		rel := &Relation{Schema: r.name(0), Name: r.str(1), Engine: r.name(3), Kind: KindTable}
		switch kind := strings.ToUpper(r.str(2)); {
		case Builtin(rel.Schema):
			rel.Kind = KindSystem
		case kind == "VIEW":
			rel.Kind = KindView
		case kind == "SEQUENCE":
			rel.Kind = KindSequence
		case kind == "SYSTEM VERSIONED":
			rel.Versioned = true
		}
		l.c.Relations = append(l.c.Relations, rel)
		l.relations[qualified{rel.Schema, rel.Name}] = rel
	})
}

func (l *loader) columns(ctx context.Context) error {
	return l.each(ctx, fmt.Sprintf(sqlColumns, l.databases), 11, func(r *catalogRow) {
		rel := r.relation()
		if rel == nil {
			return
		}
		c := Column{Name: r.name(2), Attr: int16(min(r.int(3), 1<<15-1)), TypeText: r.name(4), NotNull: r.is(5, "NO"),
			Charset: r.name(7), Collation: r.name(8), Generated: r.str(10)}
		c.Type = ParseType(c.TypeText)
		if !r.null(6) {
			c.Default = r.str(6)
		}
		extra := strings.ToUpper(r.str(9))
		c.AutoIncrement = strings.Contains(extra, "AUTO_INCREMENT")
		c.OnUpdate = strings.Contains(extra, "ON UPDATE")
		c.Invisible = strings.Contains(extra, "INVISIBLE")
		c.Stored = strings.Contains(extra, "STORED GENERATED")
		if !strings.Contains(extra, "GENERATED") || strings.Contains(extra, "DEFAULT_GENERATED") {
			c.Generated = ""
		}
		rel.Columns = append(rel.Columns, c)
	})
}

func (l *loader) views(ctx context.Context) error {
	algorithm := "''"
	if l.c.Server.MariaDB {
		algorithm = "algorithm"
	}
	return l.each(ctx, fmt.Sprintf(sqlViews, algorithm), 6, func(r *catalogRow) {
		if rel := r.relation(); rel != nil {
			rel.Definition = r.str(2)
			rel.CheckOption = !r.is(3, "NONE")
			rel.Invoker = r.is(4, "INVOKER")
			rel.Materialised = r.is(5, "TEMPTABLE")
		}
	})
}

func (l *loader) triggers(ctx context.Context) error {
	return l.each(ctx, sqlTriggers, 7, func(r *catalogRow) {
		if rel := r.relation(); rel != nil {
			rel.Triggers = append(rel.Triggers, Trigger{Name: r.str(2), Event: r.name(3), Timing: r.name(4), Body: r.str(5), SQLMode: ParseSQLMode(r.str(6))})
		}
	})
}

// triggerRights marks the tables whose triggers the account may not see.
func (l *loader) triggerRights(ctx context.Context) error {
	type right struct{ schema, table string }
	var rights []right
	if err := l.each(ctx, sqlTriggerRights, 2, func(r *catalogRow) { rights = append(rights, right{r.str(0), r.str(1)}) }); err != nil {
		return err
	}
	for _, rel := range l.c.Relations {
		seen := rel.Kind != KindTable
		for i := 0; i < len(rights) && !seen; i++ {
			seen = rights[i] == right{"%", "%"} ||
				like(l.c.fold(rel.Schema), l.c.fold(rights[i].schema)) && like(l.c.fold(rel.Name), l.c.fold(rights[i].table))
		}
		if !seen {
			rel.Triggers = append(rel.Triggers, Trigger{})
		}
	}
	return nil
}

func (l *loader) routines(ctx context.Context) error {
	return l.each(ctx, sqlRoutines, 9, func(r *catalogRow) {
		l.c.Routines = append(l.c.Routines, &Routine{Schema: r.name(0), Name: r.str(1), Procedure: r.is(2, "PROCEDURE"),
			Package: strings.HasPrefix(strings.ToUpper(r.str(2)), "PACKAGE"), Access: r.name(3), Deterministic: r.is(4, "YES"),
			Definer: r.is(5, "DEFINER"), Returns: r.str(6), Body: r.str(7), SQLMode: ParseSQLMode(r.str(8))})
	})
}

func (l *loader) parameters(ctx context.Context) error {
	type key struct {
		schema, name string
		procedure    bool
	}
	routines := make(map[key]*Routine, len(l.c.Routines))
	for _, f := range l.c.Routines {
		routines[key{f.Schema, f.Name, f.Procedure}] = f
	}
	return l.each(ctx, sqlParameters, 6, func(r *catalogRow) {
		if f := routines[key{r.str(0), r.str(1), r.is(2, "PROCEDURE")}]; f != nil {
			f.Parameters = append(f.Parameters, Parameter{Name: r.str(3), Mode: r.name(4), Type: r.name(5)})
		}
	})
}

func (l *loader) indexes(ctx context.Context) error {
	expression := "''"
	if s := l.c.Server; !s.MariaDB && s.Version >= 80013 {
		expression = "expression"
	}
	return l.each(ctx, fmt.Sprintf(sqlIndexes, expression), 7, func(r *catalogRow) {
		rel := r.relation()
		if rel == nil {
			return
		}
		name, part := r.name(2), IndexColumn{Column: r.name(4), Prefix: r.int(5), Expression: r.str(6)}
		if n := len(rel.Indexes); n > 0 && rel.Indexes[n-1].Name == name {
			rel.Indexes[n-1].Columns = append(rel.Indexes[n-1].Columns, part)
			return
		}
		rel.Indexes = append(rel.Indexes, Index{Name: name, Unique: r.int(3) == 0, Columns: []IndexColumn{part}})
	})
}

func (l *loader) checks(ctx context.Context) error {
	sql := sqlChecksMariaDB
	if s := l.c.Server; !s.MariaDB {
		if s.Version < 80016 {
			return nil // they are read and ignored there
		}
		sql = sqlChecksMySQL
	}
	return l.each(ctx, sql, 3, func(r *catalogRow) {
		rel := r.relation()
		if rel == nil {
			return
		}
		clause := r.str(2)
		rel.Checks = append(rel.Checks, clause)
		if column, ok := strings.CutPrefix(clause, "json_valid(`"); ok { // MariaDB's JSON
			if column, ok = strings.CutSuffix(column, "`)"); ok {
				if c := rel.Column(strings.ReplaceAll(column, "``", "`")); c != nil && c.Type.Wire() == TypeBlob {
					c.Type = c.Type.extended(ExtendedJSON)
				}
			}
		}
	})
}

func (l *loader) foreignKeys(ctx context.Context) error {
	return l.each(ctx, sqlForeignKeys, 9, func(r *catalogRow) {
		rel := r.relation()
		if rel == nil {
			return
		}
		name := r.name(2)
		if n := len(rel.ForeignKeys); n > 0 && rel.ForeignKeys[n-1].Name == name {
			k := &rel.ForeignKeys[n-1]
			k.Columns, k.RefColumns = append(k.Columns, r.name(3)), append(k.RefColumns, r.name(6))
			return
		}
		rel.ForeignKeys = append(rel.ForeignKeys, ForeignKey{Name: name, Columns: []string{r.name(3)}, RefSchema: r.name(4),
			RefTable: r.name(5), RefColumns: []string{r.name(6)}, OnUpdate: r.name(7), OnDelete: r.name(8)})
	})
}

func (l *loader) partitions(ctx context.Context) error {
	return l.each(ctx, sqlPartitions, 5, func(r *catalogRow) {
		if rel := r.relation(); rel != nil {
			for _, i := range []int{3, 4} {
				if e := r.str(i); e != "" {
					rel.Partitions = append(rel.Partitions, e)
				}
			}
		}
	})
}

// periods adds the columns that a versioned table has unless it names them.
func (l *loader) periods() {
	for _, rel := range l.c.Relations {
		if !rel.Versioned {
			continue
		}
		named := false
		for i := range rel.Columns {
			named = named || strings.HasPrefix(strings.ToUpper(rel.Columns[i].Generated), "ROW START")
		}
		if named {
			continue
		}
		for _, name := range []string{"row_start", "row_end"} {
			rel.Columns = append(rel.Columns, Column{Name: name, Attr: int16(len(rel.Columns) + 1), Type: ParseType("timestamp(6)"),
				TypeText: "timestamp(6)", NotNull: true, Invisible: true, Stored: true})
		}
	}
}
