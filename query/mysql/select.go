package mysql

import (
	"math"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// maxColumns is how many columns the server allows in a select list.
const maxColumns = 4096

// A result is what a query gives to whoever reads it.
type result struct {
	cols []column
	// merge: the server merges the query into its reader, as it does with a
	// plain SELECT (LEX::can_be_merged).
	merge bool
	// chance: some expression gives another value at each call.
	chance bool
	// fixed: the rows come in one order only, or there is one.
	fixed bool
	items []*rangeItem // what FROM brings
	origin
}

// query evaluates SELECT, VALUES, TABLE and set operations. Whatever decides
// about rows is used at once; columns are used by who consumes them.
func (r *run) query(n ast.Node, outer *scope) result {
	switch x := n.(type) {
	case *ast.SelectStmt:
		return r.selectStmt(x, outer)
	case *ast.SetOprStmt:
		sc := outer.inner()
		r.with(x.With, sc)
		return r.setOperation(x.SelectList, x.OrderBy, x.Limit, sc)
	case *ast.SetOprSelectList:
		sc := outer.inner()
		r.with(x.With, sc)
		return r.setOperation(x, x.OrderBy, x.Limit, sc)
	case *ast.SubqueryExpr:
		return r.query(x.Query, outer)
	}
	r.unknownNode(n, outer)
	return result{}
}

func (r *run) selectStmt(s *ast.SelectStmt, outer *scope) result {
	if !r.spend(1) {
		return result{}
	}
	sc := outer.inner()
	loud := r.acc.loud
	r.acc.loud = false
	r.with(s.With, sc)
	var out result
	switch s.Kind {
	case ast.SelectStmtKindValues:
		out.cols = r.values(s.Lists, sc)
		r.sort(s.OrderBy, out.cols, sc)
	default:
		out.cols = r.plain(s, sc)
		out.merge = sc.merges(s)
	}
	out.chance, out.items = sc.chance, sc.items
	out.rows(s, sc)
	r.limit(s.Limit, sc)
	out.fixed = r.fixed(s, sc, out.cols)
	if !unlimited(s.Limit) && !out.fixed {
		r.acc.byOrder = true
	}
	r.locking(s.LockInfo, sc)
	for _, h := range s.TableHints {
		if !r.cat.Server.MariaDB && !harmlessHints[h.HintName.L] {
			r.gap(h.OriginTextPosition(), "the hint "+strings.ToUpper(h.HintName.L)+" is not known")
		}
	}
	if s.SelectIntoOpt != nil {
		r.intoFile(s.SelectIntoOpt, out.cols)
	}
	r.acc.noisy = r.acc.noisy || r.acc.loud && !r.oneRow(s, sc)
	r.acc.loud = loud
	return out
}

// rows notes which tables a row of the result comes from.
func (out *result) rows(s *ast.SelectStmt, sc *scope) {
	switch {
	case s.Kind == ast.SelectStmtKindValues:
		out.opaque = len(s.Lists) > 1
	case s.From == nil || s.GroupBy == nil && sc.aggregates: // one row
	case s.Limit == nil && sc.keys != nil && (s.GroupBy == nil || !s.GroupBy.Rollup):
		out.origin = sc.origin()
		out.loose, out.tables = append(out.loose, out.tables...), nil
		out.keys, out.opaque = sc.keys, false
	case !out.merge && (s.Limit == nil || !unlimited(s.Limit) || sc.keys != nil):
		out.opaque = true
	default:
		out.origin = sc.origin()
	}
}

// unlimited says that a LIMIT is missing or leaves nothing out.
func unlimited(l *ast.Limit) bool {
	if l == nil {
		return true
	}
	c, ok := l.Count.(*Literal)
	return ok && l.Offset == nil && c.Value == uint64(math.MaxUint64)
}

// origin is that of all entries of FROM side by side.
func (sc *scope) origin() origin {
	var o origin
	for _, it := range sc.items {
		o.join(&it.origin)
		o.opaque = o.opaque || it.unknown
	}
	return o
}

// merges says whether the server merges a query into its reader.
func (sc *scope) merges(s *ast.SelectStmt) bool {
	return s.From != nil && s.GroupBy == nil && s.Having == nil && !s.Distinct && s.Limit == nil && !sc.aggregates && !sc.windowed && !sc.apart && !sc.chance
}

// intoFile is SELECT … INTO OUTFILE or DUMPFILE.
func (r *run) intoFile(o *ast.SelectIntoOption, cols []column) {
	for i := range cols {
		r.stores(cols[i].value, "file", "a file of the server", -1)
	}
	r.write("file", "a file of the server", -1)
	r.gap(-1, "SELECT … INTO OUTFILE writes a file of the server")
	r.acc.into = true
}

func (r *run) values(lists []*ast.RowExpr, sc *scope) []column {
	var out []column
	for row, l := range lists {
		for i, n := range l.Values {
			v := r.expr(n, sc)
			v.source = source{}
			switch {
			case row == 0:
				name := "column_" + itoa(i)
				if r.cat.Server.MariaDB {
					name = r.exprName(n, "")
				}
				out = append(out, named(name, v))
			case i < len(out):
				out[i].value = either(out[i].value, v)
			}
			r.computed(column{value: v})
		}
	}
	return out
}

// plain evaluates SELECT … FROM … with its clauses.
func (r *run) plain(s *ast.SelectStmt, sc *scope) []column {
	sc.whole = r.shown == ast.Node(s)
	if s.From != nil {
		outer := r.pin
		r.pin = r.pinned(s)
		sc.items = append(sc.items, r.from(s.From.TableRefs, sc)...)
		r.pin = outer
	}
	r.where(s.Where, sc)
	for i := range s.WindowSpecs {
		if sc.windows == nil {
			sc.windows = make(map[string]*ast.WindowSpec)
		}
		sc.windows[columnKey(s.WindowSpecs[i].Name.O)] = &s.WindowSpecs[i]
	}
	for i := range s.WindowSpecs {
		r.use(r.window(&s.WindowSpecs[i], sc), query.UseWindow)
	}
	cols := r.fields(s.Fields, sc)
	sc.late = true
	grouped := r.groupBy(s.GroupBy, cols, sc)
	known := r.told(grouped, sc)
	sc.keys = grouped
	if s.Having != nil {
		v := r.expr(s.Having.Expr, sc)
		r.truth(s.Having.Expr, &v)
		r.use(v, query.UseFilter)
	}
	if sc.aggregates || s.GroupBy != nil {
		r.picks(cols, grouped, known)
	}
	if s.Distinct {
		shown := make([]value, len(cols))
		for i := range cols {
			r.use(cols[i].value, query.UseDistinct)
			r.computed(cols[i])
			r.acc.readAll(cols[i].value)
			shown[i] = cols[i].value
		}
		r.told(shown, sc)
		sc.keys = shown
	}
	r.sort(s.OrderBy, cols, sc)
	r.firstColumns(cols, sc)
	return cols
}

// fields evaluates a select list, with stars expanded. Each column is visible
// to the subqueries after it.
func (r *run) fields(list *ast.FieldList, sc *scope) []column {
	if list == nil {
		return nil
	}
	cols := make([]column, 0, len(list.Fields))
	for _, f := range list.Fields {
		if f.WildCard != nil {
			expanded := r.star(f.WildCard, f.OriginTextPosition(), sc)
			cols = append(cols, expanded...)
			if !r.spend(len(expanded)) || len(cols) > maxColumns {
				r.gap(-1, "the select list is too long to analyse")
				return cols
			}
			sc.aliases = cols
			continue
		}
		v := r.expr(f.Expr, sc)
		if sc.whole {
			r.readsFor(f.Expr, sc, nil)
		}
		name, own := f.AsName.O, false
		if name == "" {
			name, own = r.fieldName(f, sc)
		}
		c := named(name, v)
		c.own = own
		cols = append(cols, c)
		sc.aliases = cols
	}
	return cols
}

// star expands * and t.*.
func (r *run) star(w *ast.WildCardField, pos int, sc *scope) []column {
	var cols []column
	if w.Table.O == "" {
		for _, it := range sc.items {
			if !it.nameOnly {
				cols = append(cols, r.expand(it, pos, false)...)
			}
		}
		return cols
	}
	items, outer := r.findItems(sc, w.Schema.O, w.Table.O)
	if len(items) == 0 {
		r.mistake(pos, code(1051, "42S02"), "Unknown table '"+w.Table.O+"'", w.Table.O)
	}
	if r.acc.rec != nil {
		r.acc.rec.stars[w] = items
	}
	for _, it := range items {
		cols = append(cols, r.expand(it, pos, outer)...)
	}
	return cols
}

func (r *run) expand(it *rangeItem, pos int, outer bool) []column {
	if it.unknown {
		r.gap(pos, "the columns of "+it.name+" are not known")
	}
	cols := make([]column, 0, len(it.cols))
	for _, c := range it.cols {
		if c.hidden {
			continue
		}
		c.value = c.value.at(r.here(pos), outer)
		cols = append(cols, c)
	}
	return cols
}

func (r *run) locking(l *ast.SelectLockInfo, sc *scope) {
	if l == nil || l.LockType == ast.SelectLockNone {
		return
	}
	for _, it := range sc.items {
		if it.relation != nil {
			r.acc.table(it.relation, !r.hidden, "lock")
		}
	}
	r.write("row lock", "", -1)
}

// harmlessHints are the optimizer hints of MySQL that change how a statement
// runs and nothing that it means.
var harmlessHints = map[string]bool{"bka": true, "no_bka": true, "bnl": true, "no_bnl": true, "derived_condition_pushdown": true,

	"hash_join": true, "no_hash_join": true, "merge": true, "no_merge": true, "max_execution_time": true, "mrr": true, "no_mrr": true,
	"no_icp": true, "no_range_optimization": true, "qb_name": true, "semijoin": true, "no_semijoin": true, "subquery": true}
