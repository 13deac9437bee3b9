package pgsql

import pg "github.com/pganalyze/pg_query_go/v6"

// A scope is one query level: what FROM brings, and the WITH queries that are
// visible. Names resolve from the innermost scope outwards.
type scope struct {
	parent  *scope
	items   []*rangeItem
	ctes    []*cte
	windows map[string]*pg.WindowDef
	// aggregates is set once the query level calls an aggregate.
	aggregates bool
	// params are the values of $1, $2, … and their names inside a function's
	// body; nil in a statement of a client.
	params *params
}

type params struct {
	values []value
	names  []string
	owner  string // name of the function, which may qualify a parameter
}

// A rangeItem is one entry of FROM as names see it.
type rangeItem struct {
	name   string
	schema string // of a relation without an alias
	cols   []column
	// relation is the table or view behind the item, nil for others.
	relation *Relation
	// columnsOnly: an unaliased join, whose name cannot be used.
	columnsOnly bool
	// nameOnly: an input of a join with USING, whose columns are reached
	// through the join unless qualified.
	nameOnly bool
	// unknown: the relation did not resolve, so any column may be there.
	unknown bool
	// scalar: a function in FROM that returns one plain value, whose alias is
	// that value.
	scalar bool
	// read is the entry of FROM that the item is, while a statement is
	// rewritten and if it is a relation.
	read *read
	// about are the relations that a catalog is pinned to; see pinned.go.
	about []*Relation
	// nullable says that an outer join may give no row of the item.
	nullable bool
}

// A cte is one query of WITH.
type cte struct {
	name      string
	node      *pg.CommonTableExpr
	scope     *scope // where it is defined
	cols      []column
	state     cteState
	recursive bool
}

type cteState uint8

const (
	cteWaiting cteState = iota
	cteRunning
	cteDone
)

// inner opens a query level below s.
func (s *scope) inner() *scope { return &scope{parent: s} }

// beside is the scope of something in s that does not see the items of s,
// such as a subquery in FROM without LATERAL.
func (s *scope) beside() *scope { return &scope{parent: s.parent, ctes: s.ctes, params: s.params} }

func (s *scope) findCTE(name string) *cte {
	for ; s != nil; s = s.parent {
		for i := len(s.ctes) - 1; i >= 0; i-- {
			if s.ctes[i].name == name {
				return s.ctes[i]
			}
		}
	}
	return nil
}

func (s *scope) findWindow(name string) *pg.WindowDef {
	if s == nil {
		return nil
	}
	return s.windows[name]
}

// findItem finds the range item of a qualified reference.
func (s *scope) findItem(schema, name string) (item *rangeItem, outer bool) {
	for ; s != nil; s = s.parent {
		for _, it := range s.items {
			if !it.columnsOnly && it.name == name && (schema == "" || it.schema == schema) {
				return it, outer
			}
		}
		outer = true
	}
	return nil, false
}

// findColumn finds an unqualified column: every match of the first level that
// has one, because two matches are an error for the server alone.
func (s *scope) findColumn(name string) (matches []value, unknown, outer bool) {
	for ; s != nil; s = s.parent {
		for _, it := range s.items {
			if it.nameOnly {
				continue
			}
			unknown = unknown || it.unknown
			for i := range it.cols {
				if it.cols[i].name == name {
					matches = append(matches, it.cols[i].value)
				}
			}
		}
		if len(matches) > 0 {
			return matches, unknown, outer
		}
		outer = true
	}
	return nil, unknown, false
}

// findSystemColumn finds the item that an unqualified ctid, xmin, tableoid …
// belongs to.
func (s *scope) findSystemColumn() *rangeItem {
	for ; s != nil; s = s.parent {
		for _, it := range s.items {
			if it.relation != nil {
				return it
			}
		}
	}
	return nil
}

func (s *scope) findParams() *params {
	for ; s != nil; s = s.parent {
		if s.params != nil {
			return s.params
		}
	}
	return nil
}

// everything is a value of all columns that are in scope.
func (s *scope) everything() value {
	var all value
	for ; s != nil; s = s.parent {
		for _, it := range s.items {
			for i := range it.cols {
				all = derive(all, it.cols[i].value)
			}
		}
	}
	return all
}

// column finds a column of one item; several where names repeat.
func (it *rangeItem) column(name string) []value {
	var out []value
	for i := range it.cols {
		if it.cols[i].name == name {
			out = append(out, it.cols[i].value)
		}
	}
	return out
}

// lies is where the rows of a table lie, which goes by the size of all values.
func (it *rangeItem) lies() value {
	if it.relation == nil || Builtin(it.relation.Schema) {
		return value{}
	}
	v := it.wholeRow()
	return value{deps: v.deps}
}

// wholeRow is the item as one value.
func (it *rangeItem) wholeRow() value {
	var v value
	for i := range it.cols {
		v.deps = mergeDeps(v.deps, it.cols[i].value.deps)
		v.gaps = mergeGaps(v.gaps, it.cols[i].value.gaps)
	}
	v = v.changed()
	v.row = it
	if it.relation != nil {
		v.typ, v.source = it.relation.RowType, it.relation.OID
	}
	return v
}

var systemColumns = map[string]struct {
	attr int16
	typ  uint32
}{"ctid": {-1, 27}, "xmin": {-2, 28}, "cmin": {-3, 29}, "xmax": {-4, 28}, "cmax": {-5, 29}, "tableoid": {-6, 26}}
