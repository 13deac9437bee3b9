package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// A scope is one query level: what FROM brings, the WITH queries that are
// visible, and the select list as far as it is evaluated. Names resolve from
// the innermost scope outwards.
type scope struct {
	parent  *scope
	items   []*rangeItem
	ctes    []*cte
	windows map[string]*ast.WindowSpec // by key
	// aliases are the columns of the select list. Subqueries see them, and the
	// level itself does in GROUP BY, HAVING and ORDER BY, where late is set.
	aliases []column
	late    bool
	// aggregates is set once the query level calls an aggregate, windowed once
	// it calls a window function.
	aggregates, windowed bool
	// keyless is set once a window has neither PARTITION BY nor ORDER BY.
	keyless bool
	// whole: nobody leaves out a column of the select list.
	whole bool
	// keys are what tells the rows of the level apart where it groups.
	keys []value
	// chance is set once an expression gives another value at each call, apart
	// once a subquery stands where the server does not merge the level.
	chance, apart bool
	// before are the entries of FROM that one to their right may name.
	before []*rangeItem
	// fresh are the columns that VALUES(…) names in ON DUPLICATE KEY UPDATE.
	fresh *rangeItem
}

// A rangeItem is one entry of FROM as names see it.
type rangeItem struct {
	name     string
	database string // of a relation
	cols     []column
	// relation is the table or view behind the item, nil for others.
	relation *Relation
	// scan is the reading of a table: an index of accumulator.scans, else -1.
	scan int32
	origin
	// equal are columns that a join with USING holds equal: the second follows
	// from the first.
	equal [][2]value
	// nameOnly: an input of a join with USING, whose columns are reached
	// through the join unless qualified.
	nameOnly bool
	// columnsOnly: the columns that a join merges, which have no common name.
	columnsOnly bool
	// unknown: the relation did not resolve, so any column may be there.
	unknown bool
}

// An origin tells the rows of an entry of FROM, or of a query, apart: there is
// one for a row of each of its tables and a value of each of its keys. Loose
// tables are those below keys. Of an opaque one nothing is known.
type origin struct {
	tables, loose []tableScan
	keys          []value
	opaque        bool
}

// join adds the origin of something beside.
func (o *origin) join(p *origin) {
	o.tables, o.loose, o.keys = append(o.tables, p.tables...), append(o.loose, p.loose...), append(o.keys, p.keys...)
	o.opaque = o.opaque || p.opaque
}

// A tableScan is one reading of a table.
type tableScan struct {
	rel  *Relation
	scan int32
}

// A cte is one query of WITH.
type cte struct {
	key       string
	node      *ast.CommonTableExpression
	scope     *scope // where it is defined
	result    result
	state     cteState
	recursive bool
	// first and last are the readings that were noted while it was evaluated:
	// each reference to it reads anew.
	first, last int
	number      int // of its evaluation: those that it needs come after it
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
// such as a subquery in FROM.
func (s *scope) beside() *scope { return &scope{parent: s.parent, ctes: s.ctes, fresh: s.fresh} }

func (s *scope) findCTE(name string) *cte {
	key := columnKey(name)
	for ; s != nil; s = s.parent {
		for i := len(s.ctes) - 1; i >= 0; i-- {
			if s.ctes[i].key == key {
				return s.ctes[i]
			}
		}
	}
	return nil
}

func (s *scope) findWindow(name string) *ast.WindowSpec {
	key := columnKey(name)
	for ; s != nil; s = s.parent {
		if w := s.windows[key]; w != nil {
			return w
		}
	}
	return nil
}

func (s *scope) findFresh() *rangeItem {
	for ; s != nil; s = s.parent {
		if s.fresh != nil {
			return s.fresh
		}
	}
	return nil
}

// found is what a name may mean.
type found struct {
	cols    []column
	unknown bool // some relation of the level is not known
	unsure  bool // a name that differs by accents alone
	outer   bool
}

// findItems finds the range items of a qualified reference: those of the first
// level that has one.
func (r *run) findItems(s *scope, database, name string) (items []*rangeItem, outer bool) {
	for ; s != nil; s = s.parent {
		for _, it := range s.items {
			if !it.columnsOnly && r.cat.fold(it.name) == r.cat.fold(name) &&
				(database == "" || it.database != "" && r.cat.foldDatabase(it.database) == r.cat.foldDatabase(database)) {
				items = append(items, it)
			}
		}
		if len(items) > 0 {
			return items, outer
		}
		outer = true
	}
	return nil, false
}

// findColumn finds an unqualified column: every match of the first level that
// has one, because two matches are an error for the server alone. Where a name
// of the select list is visible too, both count.
func (s *scope) findColumn(name string) found {
	key, wide := columnKey(name), foldName(name)
	var f found
	for ; s != nil; s = s.parent {
		for _, it := range s.items {
			if it.nameOnly {
				continue
			}
			f.unknown = f.unknown || it.unknown
			f.match(it.cols, key, wide)
		}
		if s.late || f.outer {
			f.match(s.aliases, key, wide)
		}
		if len(f.cols) > 0 {
			return f
		}
		f.outer = true
	}
	return f
}

func (f *found) match(cols []column, key, wide string) {
	for i := range cols {
		same, unsure := sameName(key, wide, &cols[i])
		f.unsure = f.unsure || unsure
		if same {
			f.cols = append(f.cols, cols[i])
		}
	}
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
		for i := range s.aliases {
			all = derive(all, s.aliases[i].value)
		}
	}
	return all
}

// column finds a column of one item; several where names repeat.
func (it *rangeItem) column(name string) found {
	var f found
	f.match(it.cols, columnKey(name), foldName(name))
	f.unknown = it.unknown
	return f
}

// wholeRow is a value of all columns of the item.
func (it *rangeItem) wholeRow() value {
	var v value
	for i := range it.cols {
		v = derive(v, it.cols[i].value)
	}
	return v
}

// sequenceName says whether a name is one of the sequence engine's tables,
// which exist without a definition: seq_1_to_10, seq_0_to_100_step_5.
func sequenceName(name string) bool {
	parts := strings.Split(strings.ToLower(name), "_")
	if len(parts) != 4 && len(parts) != 6 || parts[0] != "seq" || parts[2] != "to" || len(parts) == 6 && parts[4] != "step" {
		return false
	}
	for i := 1; i < len(parts); i += 2 {
		if parts[i] == "" || strings.Trim(parts[i], "0123456789") != "" {
			return false
		}
	}
	return true
}
