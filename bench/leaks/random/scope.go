package random

// column is a column of a source or of a result.
type column struct {
	name   string
	typ    string
	secret bool // protected, or made of what is
}

// source is an item of FROM, or a CTE.
type source struct {
	name    string // its alias; empty if it must be used without
	columns []column
	rows    int
	leaky   bool
	system  bool
	merged  bool // a join whose columns have an order of their own
	base    *Relation
}

func (s *source) secret() bool {
	if s.leaky {
		return true
	}
	for _, c := range s.columns {
		if c.secret {
			return true
		}
	}
	return false
}

// level is the names that one SELECT sees.
type level struct {
	sources []*source
	outer   *level
	// grouped: outside of aggregates only keys may be used.
	grouped bool
	keys    []keyed
	// What may occur where the expression stands.
	aggregates, windows bool
	inside              bool // an aggregate's argument: all columns may be used
	rows                int  // estimate
}

// keyed is an expression of GROUP BY.
type keyed struct {
	sql, typ string
	secret   bool
}

// value is an expression and whether protected data is in it.
type value struct {
	sql    string
	typ    string
	secret bool
}

// candidate is a column that an expression may name.
type candidate struct {
	source *source
	column column
	outer  bool
}

// candidates lists the visible columns of a type (any if it is empty).
func (l *level) candidates(typ string, secret func(column) bool) []candidate {
	var out []candidate
	shadowed := map[string]bool{}
	for at, outer := l, false; at != nil; at, outer = at.outer, true {
		if outer && at.grouped && !at.inside {
			break // only its keys could be named
		}
		for _, s := range at.sources {
			if shadowed[s.name] {
				continue
			}
			for _, c := range s.columns {
				if (typ == "" || c.typ == typ) && secret(c) {
					out = append(out, candidate{s, c, outer})
				}
			}
		}
		for _, s := range at.sources {
			shadowed[s.name] = true
		}
	}
	return out
}

// unique says that a bare name means one column of this level.
func (l *level) unique(name string) bool {
	n := 0
	for _, s := range l.sources {
		if s.merged {
			return false
		}
		if s.name == name {
			return false // the bare name could be the whole row
		}
		for _, c := range s.columns {
			if c.name == name {
				n++
			}
		}
	}
	return n == 1
}

// ref writes a reference to a column.
func (g *Generator) ref(l *level, c candidate) string {
	name := g.ident(c.column.name)
	if !c.outer && l.unique(c.column.name) && g.chance(40) {
		g.hit("ref.bare")
		return name
	}
	return g.ident(c.source.name) + "." + name
}

// pickColumn chooses a visible column. With secrets, protected ones come first.
func (g *Generator) pickColumn(l *level, typ string, secrets bool) (value, bool) {
	var list []candidate
	if secrets && g.chance(65) {
		list = l.candidates(typ, func(c column) bool { return c.secret })
	}
	if len(list) == 0 {
		list = l.candidates(typ, func(c column) bool { return secrets || !c.secret })
	}
	near := list
	for i, c := range list {
		if c.outer {
			near = list[:i]
			break
		}
	}
	if l.inside && g.chance(97) || len(near) > 0 && g.chance(80) { // an aggregate over outer columns alone belongs outside
		list = near
	}
	if len(list) == 0 {
		return value{}, false
	}
	c := one(g, list)
	if c.outer {
		g.hit("ref.outer")
	}
	return value{sql: g.ref(l, c), typ: c.column.typ, secret: c.column.secret}, true
}
