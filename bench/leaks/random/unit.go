package random

import (
	"fmt"
	"slices"
	"strings"
)

// unit adds one statement, or a group of statements that belong together.
func (g *Generator) unit() {
	g.begin()
	g.pick(
		choice{56, "unit.select", g.unitSelect},
		choice{12, "unit.write", g.unitWrite},
		choice{6, "unit.cursor", g.unitCursor},
		choice{5, "unit.prepare", g.unitPrepare},
		choice{5, "unit.copy", g.unitCopy},
		choice{4, "unit.explain", g.unitExplain},
		choice{4, "unit.settings", g.unitSettings},
		choice{2, "unit.temporary", g.unitTemporary},
		choice{3, "unit.several", g.unitSeveral},
		choice{2, "unit.portal", g.unitPortal},
		choice{3, "unit.error", g.unitError},
		choice{2, "unit.show", g.unitShow},
		choice{4, "unit.again", g.unitAgain},
		choice{3, "unit.pipeline", g.unitPipeline},
		choice{2, "unit.copy_in", g.unitCopyIn},
	)
}

// topQuery is a whole SELECT statement.
func (g *Generator) topQuery() query {
	return g.query(queryOptions{depth: 2 + g.rng.IntN(3), secrets: g.stm.sneaky, limit: one(g, []int{20, 60, 100, 250}), top: true})
}

func (g *Generator) unitSelect() {
	g.stm.useParams = g.chance(22)
	g.send(g.topQuery().sql)
}

// maybePath sets search_path for the session.
func (g *Generator) maybePath() {
	if !g.chance(40) || len(g.catalog.Schemas) == 0 {
		return
	}
	g.setPath("SET")
}

func (g *Generator) setPath(set string) {
	g.hit("session.search_path")
	g.st.path = nil
	var list []string
	for range 1 + g.rng.IntN(3) {
		s := one(g, g.catalog.Schemas)
		g.st.path = append(g.st.path, s)
		list = append(list, Quote(s))
	}
	g.frame(set + " search_path = " + strings.Join(list, ", "))
}

// inTransaction wraps steps that are undone.
func (g *Generator) inTransaction(do func()) {
	g.frame(one(g, []string{"BEGIN", "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ"}))
	if g.chance(20) {
		g.hit("savepoint")
		g.frame("SAVEPOINT s1")
		do()
		g.frame("ROLLBACK TO SAVEPOINT s1")
		g.begin()
		g.send(g.topQuery().sql)
	} else {
		do()
	}
	g.frame(one(g, []string{"ROLLBACK", "ROLLBACK", "ABORT"}))
}

func (g *Generator) unitCursor() {
	q := g.topQuery()
	name := g.name(func(string) bool { return false })
	scroll := one(g, []string{"", "SCROLL ", "NO SCROLL ", "BINARY ", "INSENSITIVE "})
	moves := []string{"FETCH 3 FROM %s", "FETCH ALL FROM %s", "MOVE 2 IN %s", "FETCH NEXT FROM %s", "MOVE FORWARD ALL IN %s"}
	if scroll == "SCROLL " {
		moves = append(moves, "FETCH BACKWARD 2 FROM %s", "FETCH FIRST FROM %s", "FETCH LAST FROM %s", "FETCH ABSOLUTE 3 FROM %s", "MOVE ABSOLUTE 1 IN %s")
	}
	hold := g.chance(20)
	use := func() {
		for range 1 + g.rng.IntN(3) {
			g.begin()
			g.send(fmt.Sprintf(one(g, moves), Quote(name)))
			g.steps[len(g.steps)-1].Apart = true
		}
	}
	g.frame("BEGIN")
	if hold {
		g.send("DECLARE " + Quote(name) + " " + scroll + "CURSOR WITH HOLD FOR " + q.sql)
		g.frame("COMMIT")
		use()
		g.frame("CLOSE " + Quote(name))
		return
	}
	g.send("DECLARE " + Quote(name) + " " + scroll + "CURSOR FOR " + q.sql)
	use()
	g.frame(one(g, []string{"COMMIT", "ROLLBACK"}))
}

func (g *Generator) unitPrepare() {
	g.stm.useParams = g.chance(60)
	q := g.topQuery()
	q.sql = g.bindNumbers(q.sql)
	g.st.prepared++
	name := fmt.Sprintf("p%d", g.st.prepared)
	var args []string
	for _, p := range g.stm.params {
		args = append(args, Literal(*p))
	}
	call := "EXECUTE " + name
	if len(args) > 0 {
		call += "(" + strings.Join(args, ", ") + ")"
	}
	g.stm.params = nil
	g.send("PREPARE " + name + " AS " + q.sql)
	if g.chance(25) && len(g.st.temps) == 0 {
		g.setPath("SET") // names in the prepared statement keep their meaning, or are found anew
	}
	for range 1 + g.rng.IntN(2) {
		g.begin()
		g.send(call)
		g.steps[len(g.steps)-1].Apart = true
	}
	if g.chance(20) {
		g.hit("explain.execute")
		g.send("EXPLAIN (COSTS OFF) " + call)
	}
	g.frame("DEALLOCATE " + name)
}

func (g *Generator) unitCopy() {
	format := one(g, []string{"", " WITH (FORMAT csv)", " WITH (FORMAT binary)", " (FORMAT csv, HEADER, FORCE_QUOTE *)", " WITH (NULL 'nil', DELIMITER '|')", " CSV HEADER"})
	g.hit("copy")
	if g.chance(25) {
		r := g.relation(queryOptions{secrets: g.stm.sneaky})
		for range 20 {
			if !r.View {
				break
			}
			r = g.relation(queryOptions{secrets: g.stm.sneaky})
		}
		cols := ""
		if g.chance(50) {
			var list []string
			for range 1 + g.rng.IntN(3) {
				list = append(list, g.ident(one(g, r.Columns).Name))
			}
			cols = " (" + strings.Join(list, ", ") + ")"
		}
		g.send("COPY " + strings.TrimPrefix(g.relationName(r), "ONLY ") + cols + " TO STDOUT" + format)
		return
	}
	g.send("COPY (" + g.topQuery().sql + ") TO STDOUT" + format)
}

func (g *Generator) unitExplain() {
	how := one(g, []string{"EXPLAIN ", "EXPLAIN (COSTS OFF) ", "EXPLAIN (VERBOSE, COSTS OFF) ", "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) ", "EXPLAIN (FORMAT json) ", "EXPLAIN VERBOSE "})
	g.send(how + g.topQuery().sql)
}

// unitSettings changes how values look or what names mean, and asks something.
func (g *Generator) unitSettings() {
	set, reset := "SET", true
	local := g.chance(40)
	if local {
		set, reset = "SET LOCAL", false
		g.frame("BEGIN")
	}
	path := g.st.path
	setting := one(g, []string{"search_path", "bytea_output = escape", "DateStyle = 'German, DMY'", "IntervalStyle = iso_8601", "extra_float_digits = 0", "TimeZone = 'Asia/Tokyo'", "client_encoding = LATIN1", "client_encoding = 'UTF8'", "client_encoding = WIN1252",
		"standard_conforming_strings = on", "xmlbinary = hex", "client_min_messages = debug1", "enable_hashagg = off", "enable_sort = off", "row_security = off", "default_transaction_read_only = on", "array_nulls = off", "backslash_quote = off", "transform_null_equals = on", "enable_seqscan = off"})
	g.hit("session." + strings.Fields(setting)[0])
	if setting == "search_path" {
		g.setPath(set)
	} else {
		g.frame(set + " " + setting)
	}
	for range 1 + g.rng.IntN(2) {
		g.begin()
		g.send(g.topQuery().sql)
	}
	switch {
	case local:
		g.frame(one(g, []string{"COMMIT", "ROLLBACK"}))
		g.st.path = path
	case reset && setting != "search_path":
		g.frame("RESET " + strings.Fields(setting)[0])
	}
}

// unitTemporary makes a temporary table of unprotected data, often under the
// name of another relation, and reads both.
func (g *Generator) unitTemporary() {
	r := one(g, g.readable)
	name := r.Name
	if g.chance(30) {
		name = fmt.Sprintf("tmp%d", len(g.st.temps)+1)
	}
	for _, t := range g.st.temps {
		if t.Name == name {
			return
		}
	}
	manner := g.st.manner
	g.st.manner = "clean"
	from := &level{}
	text := g.table(from, queryOptions{})
	g.st.manner = manner
	s := &selection{g: g, o: queryOptions{derived: true}, l: from}
	for range 1 + g.rng.IntN(4) {
		if v, ok := g.pickColumn(from, "", false); ok {
			s.add(v, "")
		}
	}
	if len(s.list) == 0 {
		return
	}
	list, cols := g.columnList(s.q.columns)
	g.frame("CREATE TEMP TABLE " + Quote(name) + list + " AS SELECT " + strings.Join(s.list, ", ") + " FROM " + text)
	g.hit("temporary")
	t := &Relation{Name: name, Rows: 30}
	for _, c := range cols {
		t.Columns = append(t.Columns, Column{Name: c.name, Type: c.typ, Secret: c.secret})
	}
	g.st.temps = append(g.st.temps, t)
	for range 2 {
		g.begin()
		g.send(g.topQuery().sql)
	}
	if g.chance(60) {
		g.frame("DROP TABLE " + Quote(name))
		g.st.temps = g.st.temps[:len(g.st.temps)-1]
	}
}

// unitSeveral is several statements in one Query.
func (g *Generator) unitSeveral() {
	var parts []string
	for range 2 + g.rng.IntN(2) {
		g.begin()
		parts = append(parts, g.topQuery().sql)
	}
	if g.chance(25) {
		parts = append(parts[:1:1], append([]string{"BEGIN", "SELECT 1"}, parts[1:]...)...)
		parts = append(parts, "ROLLBACK")
	}
	g.steps = append(g.steps, Step{Q: strings.Join(parts, "; "), Unordered: g.st.wrote})
}

// unitPortal reads a portal in parts, or uses a statement twice.
func (g *Generator) unitPortal() {
	g.stm.useParams = g.chance(50)
	q := g.topQuery()
	q.sql = g.bindNumbers(q.sql)
	params := g.stm.params
	format := []int16{int16(g.rng.IntN(2))}
	g.hit("protocol.portal")
	pipe := []Op{{Op: "parse", Name: "s", SQL: q.sql}, {Op: "describe", Name: "s", Kind: "S"}, {Op: "bind", Name: "s", Portal: "p", Params: params, RF: format},
		{Op: "execute", Portal: "p", Max: 2}, {Op: "execute", Portal: "p", Max: 1}}
	if g.chance(50) {
		pipe = append(pipe, Op{Op: "bind", Name: "s", Params: params}, Op{Op: "execute"})
	}
	pipe = append(pipe, Op{Op: "close", Name: "s", Kind: "S"}, Op{Op: "sync"})
	g.steps = append(g.steps, Step{Pipe: pipe, Unordered: g.st.wrote})
}

// unitPipeline is several statements before one Sync. One of them may fail, or
// change what the later ones mean.
func (g *Generator) unitPipeline() {
	var pipe []Op
	begun := g.chance(30)
	add := func(sql string) {
		format := []int16{int16(g.rng.IntN(2))}
		pipe = append(pipe, Op{Op: "parse", SQL: sql}, Op{Op: "bind", RF: format})
		if g.chance(50) {
			pipe = append(pipe, Op{Op: "describe", Kind: "P"})
		}
		pipe = append(pipe, Op{Op: "execute"})
	}
	if begun {
		add("BEGIN")
	}
	path := g.st.path
	for range 2 + g.rng.IntN(3) {
		g.begin()
		switch {
		case g.chance(8):
			add("SELECT 1 / 0")
		case g.chance(15) && len(g.st.sent) > 0:
			schema := one(g, g.catalog.Schemas)
			add("SET " + one(g, []string{"", "LOCAL "}) + "search_path = " + Quote(schema))
			g.st.path = []string{schema}
			add(one(g, g.st.sent))
		default:
			add(g.topQuery().sql)
		}
	}
	if begun {
		add(one(g, []string{"ROLLBACK", "COMMIT"}))
	}
	pipe = append(pipe, Op{Op: "sync"})
	g.steps = append(g.steps, Step{Pipe: pipe, Unordered: g.st.wrote})
	if slices.Equal(g.st.path, path) {
		return
	}
	g.st.path = path // whether the new one holds depends on what failed
	if len(path) == 0 {
		g.frame("RESET search_path")
		return
	}
	list := make([]string, len(path))
	for i, s := range path {
		list[i] = Quote(s)
	}
	g.frame("SET search_path = " + strings.Join(list, ", "))
}

// unitCopyIn writes rows with COPY in a transaction that is rolled back.
func (g *Generator) unitCopyIn() {
	var r *Relation
	for range 40 {
		if x := one(g, g.readable); x.Insert && !x.View && len(x.Key) == 1 {
			r = x
		}
	}
	if r == nil {
		g.unitSelect()
		return
	}
	var names []string
	for i := range r.Columns {
		if c := &r.Columns[i]; !c.Generated && (c.Required || c.Name == r.Key[0] || g.chance(40)) {
			names = append(names, c.Name)
		}
	}
	var data strings.Builder
	for range 1 + g.rng.IntN(3) {
		for i, n := range names {
			c := r.column(n)
			v := `\N`
			switch {
			case n == r.Key[0] && c.Type == "int4" && g.chance(85):
				v = fmt.Sprint(91000 + g.rng.IntN(9000))
			case len(c.Samples) > 0 && g.chance(92):
				v = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`).Replace(one(g, c.Samples))
			}
			if i > 0 {
				data.WriteByte('\t')
			}
			data.WriteString(v)
		}
		data.WriteByte('\n')
	}
	for i := range names {
		names[i] = g.ident(names[i])
	}
	g.frame("BEGIN")
	g.steps = append(g.steps, Step{Q: "COPY " + g.ident(r.Schema) + "." + g.ident(r.Name) + " (" + strings.Join(names, ", ") + ") FROM STDIN", Data: data.String()})
	g.frame("ROLLBACK")
}

// unitError fails on purpose: the message could quote a value.
func (g *Generator) unitError() {
	p := place{secrets: g.stm.sneaky}
	o := queryOptions{depth: 1, secrets: g.stm.sneaky}
	l := &level{}
	from := g.table(l, o)
	l.rows = l.sources[0].rows
	p.l = l
	e := func(t string) string { return g.expr(p, t, 1).sql }
	text := one(g, []func() string{
		func() string { return "1 / (" + e("int4") + " * 0)" },
		func() string { return "(" + e("text") + " || 'x')::int" },
		func() string { return "(" + e("text") + ")::date" },
		func() string { return "(" + e("text") + " || '{')::jsonb" },
		func() string { return "to_timestamp(" + e("text") + ", 'YYYY')" },
		func() string { return "(" + e("numeric") + " * 1e30)::int" },
		func() string { return "(SELECT id FROM (VALUES (1), (2)) v(id) WHERE " + e("bool") + ")" },
		func() string { return "('{' || " + e("text") + ")::int[]" },
		func() string { return "sqrt(-1 - abs(" + e("float8") + "))" },
		func() string { return e("text") + " ~ ('(' || " + e("text") + ")" },
		func() string { return "CASE WHEN " + e("bool") + " THEN 1 / 0 ELSE 1 END" },
		func() string { return "(" + e("text") + ")::" + g.domain() },
		func() string { return "nosuchfunction(" + e("text") + ")" },
	})()
	g.hit("error")
	g.send("SELECT " + text + " FROM " + from)
	g.steps[len(g.steps)-1].Apart = true
}

// unitAgain gives an earlier text, or one that many sessions give, another
// meaning: what was learnt about a text must not outlive that.
func (g *Generator) unitAgain() {
	if len(g.st.temps) == 0 || g.chance(50) {
		g.setPath("SET")
	}
	for range 1 + g.rng.IntN(3) {
		g.begin()
		if len(g.st.sent) > 0 && g.chance(50) {
			g.hit("again.earlier")
			g.send(one(g, g.st.sent))
			continue
		}
		name := one(g, g.ambiguous)
		g.hit("again.common")
		g.send(one(g, []string{"SELECT * FROM " + name, "TABLE " + name, "SELECT x FROM " + name + " x", "SELECT id FROM " + name + " ORDER BY id", "COPY (SELECT * FROM " + name + ") TO STDOUT", "SELECT count(*) FROM " + name,
			"SELECT * FROM " + name + " WHERE id < 3", "SELECT secret FROM " + name, "SELECT label, secret FROM " + name + " WHERE secret < 'm'"}))
	}
}

// unitShow reads settings and what catalogs and the server say of a relation.
func (g *Generator) unitShow() {
	r := one(g, g.readable)
	name, column := r.qualified(), Quote(one(g, r.Columns).Name)
	g.send(strings.NewReplacer("{r}", name, "{c}", column, "{'r'}", Literal(name), "{'n'}", Literal(r.Name), "{'s'}", Literal(r.Schema)).Replace(one(g, []string{
		"SHOW search_path", "SHOW server_version_num", "SELECT current_user, session_user", "SELECT current_setting('DateStyle')", "SELECT name, setting FROM pg_settings WHERE name LIKE 'enable%' ORDER BY 1",
		"SELECT tablename, attname, n_distinct, most_common_vals FROM pg_stats ORDER BY 1, 2", "SELECT attname, avg_width FROM pg_stats WHERE tablename = {'n'}",
		"SELECT relname, reltuples FROM pg_class WHERE relname = {'n'}", "SELECT c.relname, c.relpages FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {'s'} ORDER BY 1",
		"SELECT pg_relation_size({'r'})", "SELECT pg_table_size({'r'}::regclass)", "SELECT n_live_tup FROM pg_stat_user_tables ORDER BY relid", "SELECT statement FROM pg_prepared_statements",
		"SELECT proname, prosrc FROM pg_proc WHERE pronamespace = {'s'}::regnamespace ORDER BY 1", "SELECT stxname, stxdmcv IS NULL FROM pg_statistic_ext LEFT JOIN pg_statistic_ext_data ON oid = stxoid",
		"SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = {'r'}::regclass ORDER BY 1", "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = {'n'} ORDER BY 1, 2",
		"SELECT ctid FROM {r}", "SELECT ctid, {c} FROM {r} LIMIT 3", "SELECT tableoid::regclass, count(*) FROM {r} GROUP BY 1", "SELECT * FROM pg_partition_tree({'r'})",
		"SELECT count(*) FROM {r} TABLESAMPLE BERNOULLI (50) REPEATABLE (1)", "SELECT {c} FROM {r} TABLESAMPLE SYSTEM (20) REPEATABLE (1)", "SELECT {c} FROM {r}", "SELECT {c} FROM {r} LIMIT 5",
		"SELECT setting, {c} FROM {r}, pg_settings WHERE name = 'work_mem'"})))
}
