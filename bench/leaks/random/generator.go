package random

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bias is how sessions are made. The weights of manners are relative.
type Bias struct {
	Plain, Sneaky, Clean int
	// Units is how many statements or groups of statements a session has.
	Units int
}

// DefaultBias suits policies that refuse a protected column anywhere but in
// plain output.
var DefaultBias = Bias{Plain: 50, Sneaky: 28, Clean: 22, Units: 36}

// MaskedBias suits policies under which protected columns may be used anywhere.
var MaskedBias = Bias{Plain: 25, Sneaky: 65, Clean: 10, Units: 36}

// Generator makes sessions from a catalog. It is not safe for concurrent use.
type Generator struct {
	catalog *Catalog
	bias    Bias
	seed    uint64

	readable, system []*Relation            // what sessions read
	pool             map[string][]string    // constants by type
	byType           map[string][]*Function // functions by result type, of known arguments
	templates        map[string][]string    // those that can be called here
	names            []string               // adversarial names
	ambiguous        []string               // of relations; those in several schemas if there are any

	// Coverage counts constructs over all sessions so far.
	Coverage map[string]int

	rng   *rand.Rand
	steps []Step
	st    sessionState
	stm   statementState
}

// sessionState is what a session's earlier statements left.
type sessionState struct {
	manner   string
	path     []string    // search_path, empty for the default
	temps    []*Relation // temporary tables
	prepared int
	sent     []string // texts without parameters
	wrote    bool     // rows of tables moved
}

// statementState belongs to one statement.
type statementState struct {
	sneaky    bool
	params    []*string // values of $1, …; nil where parameters are not possible
	useParams bool
	ctes      []*source
	fresh     int // counter of names
	budget    int // nodes that may still be made
}

// NewGenerator prepares sessions over the catalog.
func NewGenerator(c *Catalog, bias Bias, seed uint64) *Generator {
	g := &Generator{catalog: c, bias: bias, seed: seed, Coverage: map[string]int{}, pool: map[string][]string{}, byType: map[string][]*Function{}}
	seen := map[string]bool{}
	for _, r := range c.Relations {
		if r.System {
			g.system = append(g.system, r)
		} else {
			g.readable = append(g.readable, r)
		}
		for _, col := range r.Columns {
			if !r.System && len(g.pool[col.Type]) < 60 {
				g.pool[col.Type] = append(g.pool[col.Type], col.Samples...)
			}
			if col.Secret && !r.System && !seen[col.Name] {
				seen[col.Name] = true
				g.names = append(g.names, col.Name)
			}
		}
	}
	g.templates = here(c)
	g.ambiguous = ambiguous(g.readable)
	for _, t := range slices.Sorted(maps.Keys(c.Functions)) {
		for i := range c.Functions[t] {
			f := &c.Functions[t][i]
			if g.callable(f) {
				g.byType[t] = append(g.byType[t], f)
			}
		}
	}
	return g
}

// ambiguous lists names that stand for several relations, all names if there
// is none.
func ambiguous(relations []*Relation) []string {
	n := map[string]int{}
	for _, r := range relations {
		n[r.Name]++
	}
	var all, several []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		all = append(all, Quote(name))
		if n[name] > 1 {
			several = append(several, Quote(name))
		}
	}
	if len(several) > 0 {
		return several
	}
	return all
}

var ofPublic = regexp.MustCompile(`public\.(\w+)\(`)

// here are the templates whose functions the catalog has.
func here(c *Catalog) map[string][]string {
	known := map[string]bool{}
	for _, list := range c.Functions {
		for i := range list {
			if list[i].Schema == "public" {
				known[list[i].Name] = true
			}
		}
	}
	out := map[string][]string{}
	for typ, list := range templates {
		out[typ] = slices.DeleteFunc(slices.Clone(list), func(t string) bool {
			m := ofPublic.FindStringSubmatch(t)
			return m != nil && !known[m[1]]
		})
	}
	return out
}

// callable says that arguments for the function can be made.
func (g *Generator) callable(f *Function) bool {
	for _, a := range f.Args {
		if literals[a] == nil && g.catalog.Enums[a] == nil {
			return false
		}
	}
	return true
}

// Session makes the n-th session.
func (g *Generator) Session(n int) *Session {
	seed := g.seed*1_000_003 + uint64(n)
	g.rng = rand.New(rand.NewPCG(seed, 0x5eed))
	g.steps = nil
	g.st = sessionState{manner: g.manner()}
	g.maybePath()
	for range max(1, g.bias.Units) {
		g.unit()
	}
	return &Session{Seed: seed, Manner: g.st.manner, Steps: g.steps}
}

func (g *Generator) manner() string {
	n := g.rng.IntN(g.bias.Plain + g.bias.Sneaky + g.bias.Clean)
	switch {
	case n < g.bias.Plain:
		return "plain"
	case n < g.bias.Plain+g.bias.Sneaky:
		return "sneaky"
	}
	return "clean"
}

// choice is a weighted alternative.
type choice struct {
	weight int
	name   string
	make   func()
}

// pick runs one of the alternatives.
func (g *Generator) pick(choices ...choice) {
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	n := g.rng.IntN(total)
	for _, c := range choices {
		if n < c.weight {
			g.hit(c.name)
			c.make()
			return
		}
		n -= c.weight
	}
}

func (g *Generator) hit(construct string) {
	if construct != "" {
		g.Coverage[construct]++
	}
}

// chance is true in percent of all calls.
func (g *Generator) chance(percent int) bool { return g.rng.IntN(100) < percent }

func one[T any](g *Generator, list []T) T { return list[g.rng.IntN(len(list))] }

// begin starts a statement. Parameters are possible only in the extended protocol.
func (g *Generator) begin() {
	g.stm = statementState{budget: 40 + g.rng.IntN(80)}
	g.stm.sneaky = g.st.manner == "sneaky" && g.chance(75) || g.st.manner == "plain" && g.chance(2)
}

// send adds a statement in one of the three forms.
func (g *Generator) send(sql string) {
	sql = g.bindNumbers(sql)
	form := 0
	if g.stm.params != nil {
		form = 1 + g.rng.IntN(2)
	} else if n := g.rng.IntN(100); n >= 55 {
		form = 1 + (n-55)/25
	}
	if g.stm.params == nil && len(g.st.sent) < 20 && !writes(sql) && strings.HasPrefix(sql, "SELECT") {
		g.st.sent = append(g.st.sent, sql)
	}
	step := Step{Q: sql, Unordered: g.st.wrote}
	if form > 0 {
		step.Q = ""
		step.Pipe = extended(sql, g.stm.params, int16(form-1))
		g.hit(fmt.Sprintf("protocol.extended.%d", form-1))
	} else {
		g.hit("protocol.simple")
	}
	g.steps = append(g.steps, step)
}

var parameter = regexp.MustCompile(`\$\d+::`)

// bindNumbers numbers the parameters anew: some were made for parts that are
// not in the statement.
func (g *Generator) bindNumbers(sql string) string {
	if g.stm.params == nil {
		return sql
	}
	numbers := map[string]int{}
	var used []*string
	sql = parameter.ReplaceAllStringFunc(sql, func(p string) string {
		if numbers[p] == 0 {
			n, _ := strconv.Atoi(p[1 : len(p)-2])
			used = append(used, g.stm.params[n-1])
			numbers[p] = len(used)
		}
		return fmt.Sprintf("$%d::", numbers[p])
	})
	g.stm.params = used
	return sql
}

// extended is the usual round of the extended protocol.
func extended(sql string, params []*string, format int16) []Op {
	bind := Op{Op: "bind", Params: params}
	if format != 0 {
		bind.RF = []int16{format}
	}
	return []Op{{Op: "parse", SQL: sql}, bind, {Op: "describe", Kind: "P"}, {Op: "execute"}, {Op: "sync"}}
}

// frame adds a statement that serves others.
func (g *Generator) frame(sql string) { g.steps = append(g.steps, Step{Q: sql, Frame: true}) }

// name makes a new identifier, sometimes one that other things have as well.
func (g *Generator) name(taken func(string) bool) string {
	for range 4 {
		var n string
		switch g.rng.IntN(12) {
		case 0:
			n = one(g, []string{"id", "name", "ssn", "salary", "secret", "email", "label", "amount", "city"})
		case 1:
			n = one(g, []string{"person", "accounts", "card", "Kunden Daten", "select", "Grösse", "a b", "x\"y", "PERSON", "ſsn", "user", "ctid"})
			g.hit("name.odd")
		case 2:
			if len(g.names) > 0 {
				n = one(g, g.names)
			}
		}
		if n != "" && !taken(n) && n != "ctid" {
			return n
		}
	}
	g.stm.fresh++
	return fmt.Sprintf("c%d", g.stm.fresh)
}

// ident writes an identifier in one of its spellings.
func (g *Generator) ident(name string) string {
	if g.rng.IntN(40) == 0 {
		g.hit("name.unicode")
		var b strings.Builder
		b.WriteString(`U&"`)
		for i, r := range name {
			switch {
			case i == 0 && r < 0x10000:
				fmt.Fprintf(&b, `\%04x`, r)
			case r == '"':
				b.WriteString(`""`)
			case r == '\\':
				b.WriteString(`\\`)
			default:
				b.WriteRune(r)
			}
		}
		return b.String() + `"`
	}
	if g.rng.IntN(25) == 0 {
		g.hit("name.quoted")
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	q := Quote(name)
	if q == name && g.rng.IntN(25) == 0 {
		g.hit("name.upper")
		return strings.ToUpper(q)
	}
	return q
}
