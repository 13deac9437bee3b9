package random

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Bias is how sessions are made; the weights of manners are relative.
type Bias struct{ Plain, Sneaky, Clean, Units int }

// DefaultBias suits policies that refuse a protected column anywhere but in
// plain output, MaskedBias those under which it may be used anywhere.
var (
	DefaultBias = Bias{Plain: 50, Sneaky: 28, Clean: 22, Units: 24}
	MaskedBias  = Bias{Plain: 25, Sneaky: 65, Clean: 10, Units: 24}
)

// Session is one connection's life, which leaves nothing behind.
type Session struct {
	Manner     string
	Statements []Statement
}

// Generator makes sessions. It is not safe for concurrent use.
type Generator struct {
	catalog *Catalog
	bias    Bias
	seed    uint64
	// Coverage counts constructs over all sessions so far.
	Coverage map[string]int

	rng     *rand.Rand
	manner  string
	out     []Statement
	sneaky  bool // protected columns may occur anywhere in this statement
	budget  int  // nodes that may still be made
	fresh   int
	ctes    []*source
	temps   []*Relation
	applied map[string]bool // of the session: what is not to be done twice
}

// NewGenerator prepares sessions over a catalog.
func NewGenerator(c *Catalog, b Bias, seed uint64) *Generator {
	return &Generator{catalog: c, bias: b, seed: seed, Coverage: map[string]int{}}
}

// Session makes the n-th session.
func (g *Generator) Session(n int) Session {
	g.rng = rand.New(rand.NewPCG(g.seed*1_000_003+uint64(n), 0x5eed))
	g.out, g.temps, g.applied = nil, nil, map[string]bool{}
	m := g.rng.IntN(g.bias.Plain + g.bias.Sneaky + g.bias.Clean)
	switch {
	case m < g.bias.Plain:
		g.manner = "plain"
	case m < g.bias.Plain+g.bias.Sneaky:
		g.manner = "sneaky"
	default:
		g.manner = "clean"
	}
	g.frame("SET max_statement_time = 4")
	for range g.bias.Units {
		g.unit()
	}
	return Session{Manner: g.manner, Statements: g.out}
}

func (g *Generator) hit(construct string) { g.Coverage[construct]++ }

func (g *Generator) chance(percent int) bool { return g.rng.IntN(100) < percent }

func one[T any](g *Generator, from []T) T { return from[g.rng.IntN(len(from))] }

// choice is a weighted alternative.
type choice struct {
	weight int
	name   string
	make   func()
}

func (g *Generator) pick(choices ...choice) {
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	n := g.rng.IntN(total)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			if c.name != "" {
				g.hit(c.name)
			}
			c.make()
			return
		}
	}
}

// begin starts a statement.
func (g *Generator) begin() {
	g.budget, g.fresh, g.ctes = 30+g.rng.IntN(60), 0, nil
	g.sneaky = g.manner == "sneaky" && g.chance(75) || g.manner == "plain" && g.chance(2)
}

// send adds a statement in one of the forms.
func (g *Generator) send(n *node) {
	s := Statement{tree: n}
	reads := strings.HasPrefix(strings.TrimSpace(n.String()), "SELECT")
	switch r := g.rng.IntN(100); {
	case r < 35:
		s.Prepared = true
		g.hit("form.prepared")
	case r < 45 && reads: // the server does not survive a cursor over DELETE … RETURNING
		s.Prepared, s.Cursor = true, true
		g.hit("form.cursor")
	default:
		g.hit("form.text")
	}
	g.out = append(g.out, s)
}

// text adds a statement that is sent as text.
func (g *Generator) text(n *node) { g.out = append(g.out, Statement{tree: n}) }

func (g *Generator) frame(sql string) {
	g.out = append(g.out, Statement{tree: leaf(sql), Frame: true})
}

func (g *Generator) name(prefix string) string {
	g.fresh++
	if g.chance(4) {
		g.hit("name.odd")
		return quote(one(g, []string{"a b", "Größe", "select", "x`y", "ſ", "members", "id"}) + fmt.Sprint(g.fresh))
	}
	return fmt.Sprintf("%s%d", prefix, g.fresh)
}

// unit adds one statement, or a group of them.
func (g *Generator) unit() {
	g.begin()
	g.pick(
		choice{54, "unit.select", func() { g.send(g.query(nil, true)) }},
		choice{5, "unit.variable", g.variable},
		choice{5, "unit.prepare", g.prepare},
		choice{4, "unit.temporary", g.temporary},
		choice{9, "unit.write", g.write},
		choice{4, "unit.explain", func() {
			g.send(form(fixed, one(g, []string{"EXPLAIN #", "EXPLAIN FORMAT=JSON #", "ANALYZE #", "EXPLAIN EXTENDED #"}), g.query(nil, true)))
		}},
		choice{3, "unit.do", func() { g.send(form(fixed, "DO #", g.expr(&level{}, 4))) }},
		choice{6, "unit.settings", g.settings},
		choice{4, "unit.about", g.about},
		choice{3, "unit.block", g.block},
		choice{3, "unit.found_rows", func() {
			g.text(form(fixed, "SELECT SQL_CALC_FOUND_ROWS # LIMIT 2", g.body(nil)))
			g.text(leaf("SELECT FOUND_ROWS()"))
		}},
		choice{2, "unit.union", func() { g.send(g.setOperation(nil)) }},
	)
	if g.chance(5) {
		g.hit("unit.warnings")
		g.text(leaf(one(g, []string{"SHOW WARNINGS", "SELECT @@warning_count, @@error_count", "SHOW COUNT(*) WARNINGS", "SELECT ROW_COUNT()", "GET DIAGNOSTICS @n = NUMBER", "SELECT @n"})))
	}
}

// variable puts a value into a user variable and shows it.
func (g *Generator) variable() {
	switch g.rng.IntN(4) {
	case 0:
		g.text(form(fixed, "SET @v = #", g.expr(&level{}, 4)))
	case 1:
		g.text(form(fixed, "SELECT # INTO @v FROM "+g.table(false).qualified()+" LIMIT 1", leaf("COUNT(*)")))
	case 2:
		g.text(form(fixed, "SET @v = (#)", g.scalarQuery(nil)))
	default:
		g.text(form(fixed, "SELECT @v := # FROM DUAL", g.expr(&level{}, 3)))
	}
	g.send(leaf(one(g, []string{"SELECT @v", "SELECT @v + 1, LENGTH(@v)", "SELECT id FROM shop.items WHERE id = @v"})))
}

// prepare prepares a statement by SQL and executes it.
func (g *Generator) prepare() {
	q := g.query(nil, true).String()
	if g.chance(50) {
		g.text(leaf("PREPARE p FROM " + literal(q)))
	} else {
		g.text(leaf("SET @q = " + literal(q)))
		g.text(leaf("PREPARE p FROM @q"))
	}
	g.text(leaf("EXECUTE p"))
	if g.chance(40) {
		g.text(leaf("EXECUTE p"))
	}
	if g.chance(40) {
		g.text(leaf("EXECUTE IMMEDIATE " + literal(q)))
	}
}

// settings changes what statements mean, in part for good.
func (g *Generator) settings() {
	g.frame(one(g, []string{"SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", "SET sql_mode = ''", "SET sql_mode = DEFAULT", "SET sql_select_limit = 3", "SET sql_select_limit = DEFAULT",
		"SET NAMES latin1", "SET NAMES utf8mb4", "SET group_concat_max_len = 20", "USE hr", "USE shop", "SET max_sort_length = 8", "SET div_precision_increment = 8",
		"SET optimizer_switch = 'derived_merge=off'", "SET optimizer_switch = 'derived_merge=on,materialization=off,semijoin=off'", "SET join_cache_level = 0", "SET collation_connection = utf8mb4_bin",
		"SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET time_zone = '+05:00'", "SET lc_time_names = 'de_DE'", "SET big_tables = 1", "SET character_set_results = NULL"}))
}

// about asks for definitions and the state of the session.
func (g *Generator) about() {
	t := g.table(false)
	g.send(leaf(one(g, []string{"SHOW COLUMNS FROM " + t.qualified(), "SHOW INDEX FROM " + t.qualified(), "SHOW CREATE TABLE " + t.qualified(), "DESCRIBE " + t.qualified(),
		"SHOW TABLES FROM shop", "SHOW TABLE STATUS FROM hr", "CHECKSUM TABLE " + t.qualified(), "CHECK TABLE " + t.qualified(), "SHOW STATUS LIKE 'Handler%'", "SHOW SESSION STATUS LIKE 'Sort%'",
		"SHOW STATUS LIKE 'Last_query_cost'", "SELECT LAST_INSERT_ID()", "SHOW PROCESSLIST", "SHOW PROFILES", "SHOW OPEN TABLES", "SELECT table_name, data_length, avg_row_length FROM information_schema.tables WHERE table_schema = 'shop'",
		"SELECT * FROM information_schema.user_variables", "SELECT table_name, column_name, min_value, max_value FROM mysql.column_stats", "SELECT DATABASE(), CONNECTION_ID() > 0, USER()",
		"SELECT digest_text FROM performance_schema.events_statements_summary_by_digest", "SELECT cardinality FROM information_schema.statistics WHERE table_schema = 'shop'"})))
}

// block is a compound statement.
func (g *Generator) block() {
	switch g.rng.IntN(3) {
	case 0:
		g.text(form(fixed, "BEGIN NOT ATOMIC # ; END", g.query(nil, true)))
	case 1:
		g.text(form(fixed, "BEGIN NOT ATOMIC IF # THEN SELECT 1; ELSE SELECT 2; END IF; END", g.expr(&level{}, 3)))
	default:
		g.text(form(fixed, "BEGIN NOT ATOMIC DECLARE x TEXT; DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SELECT 'no'; SELECT # INTO x; SELECT x; END", g.expr(&level{}, 3)))
	}
}
