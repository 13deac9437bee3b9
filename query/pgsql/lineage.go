package pgsql

import (
	"cmp"

	"github.com/weirdb/weir/query"
)

// A value is the lineage of an expression: which columns it is made of, and
// how. Uses are pending until somebody consumes the value, because the server
// drops what nobody consumes.
type value struct {
	deps []dep // sorted by relation and attribute, without duplicates
	// gaps are reported when the value is consumed. Only columns of views
	// carry them: what the text itself does is reported at once.
	gaps []pendingGap
	// direct is true if the value is always, unchanged, a column's value.
	direct bool
	typ    uint32 // 0 if unknown
	// literal is true for constants and parameters, whose type the server
	// takes from the context.
	literal bool
	// source and attr are what the server reports for a result column.
	source uint32
	attr   int16
	// row is set for a whole-row reference to a range item.
	row *rangeItem
	// followed: a call of a function whose body was evaluated.
	followed bool
	// out names the one OUT parameter of the function that the value comes from.
	out string
	// composite is the relation behind the row type of a value whose fields
	// are not known one by one.
	composite *Relation
}

// A dep is one column that a value is made of.
type dep struct {
	rel    uint32
	attr   int16
	direct bool // this column reaches the value unchanged
	outer  bool // referenced from an inner query level
	uses   query.Use
	pos    int32
}

type pendingGap struct {
	reason   string
	name     string // unresolved name, else empty
	code     string // see query.Gap.Code
	function *query.Function
	write    *query.Effect
	// about are the relations that a pinned statistic tells of; see pinned.go.
	about     []*Relation
	outermost bool   // computed in the target list of the outermost query
	key       string // tells gaps of one reason apart
}

func (d dep) compare(e dep) int {
	if c := cmp.Compare(d.rel, e.rel); c != 0 {
		return c
	}
	return cmp.Compare(d.attr, e.attr)
}

// absorb merges what e says of the same column into d.
func (d dep) absorb(e dep) dep {
	d.uses |= e.uses
	d.direct = d.direct && e.direct
	d.outer = d.outer || e.outer
	if d.pos < 0 {
		d.pos = e.pos
	}
	return d
}

// mergeDeps unites two sorted lists. It returns one of them unchanged where
// that is the union already.
func mergeDeps(a, b []dep) []dep {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	case sameDeps(a, b):
		return a
	}
	out := make([]dep, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].compare(b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0].absorb(b[0])), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// sameDeps compares two lists but for positions.
func sameDeps(a, b []dep) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		x.pos, y.pos = 0, 0
		if x != y {
			return false
		}
	}
	return true
}

func mergeGaps(a, b []pendingGap) []pendingGap {
	for _, g := range b {
		seen := false
		for i := range a {
			if a[i].reason == g.reason && a[i].name == g.name && a[i].key == g.key {
				seen = true
				break
			}
		}
		if !seen {
			a = append(a[:len(a):len(a)], g)
		}
	}
	return a
}

// derive is the value of a computation over values.
func derive(values ...value) value {
	var out value
	for _, v := range values {
		out.deps = mergeDeps(out.deps, v.deps)
		out.gaps = mergeGaps(out.gaps, v.gaps)
	}
	return out.changed()
}

// changed says that the value is no longer a column's own.
func (v value) changed() value {
	v.direct, v.literal, v.source, v.attr, v.row, v.composite = false, false, 0, 0, nil, nil
	v.out, v.followed = "", false
	for i := range v.deps {
		if v.deps[i].direct {
			deps := append([]dep(nil), v.deps...)
			for j := range deps {
				deps[j].direct = false
			}
			v.deps = deps
			break
		}
	}
	return v
}

// with adds pending uses to everything that the value is made of.
func (v value) with(u query.Use) value {
	for i := range v.deps {
		if v.deps[i].uses&u != u {
			deps := append([]dep(nil), v.deps...)
			for j := range deps {
				deps[j].uses |= u
			}
			v.deps = deps
			break
		}
	}
	return v
}

// at is the value as referenced from a position of the text.
func (v value) at(pos int32, outer bool) value {
	if len(v.deps) == 0 || pos < 0 && !outer {
		return v
	}
	deps := append([]dep(nil), v.deps...)
	for i := range deps {
		if pos >= 0 {
			deps[i].pos = pos
		}
		deps[i].outer = deps[i].outer || outer
	}
	v.deps = deps
	return v
}

func (v value) typed(t uint32) value {
	v.typ = t
	return v
}

// either is the value of something that is one of two values, unchanged: the
// branches of a set operation, rows of VALUES, a merged join column.
func either(a, b value) value {
	out := value{deps: mergeDeps(a.deps, b.deps), gaps: mergeGaps(a.gaps, b.gaps), typ: a.typ}
	if a.typ != b.typ {
		out.typ = 0
		switch {
		case a.literal:
			out.typ = b.typ
		case b.literal:
			out.typ = a.typ
		}
	}
	out.direct = a.direct && b.direct && a.typ == b.typ && a.typ != 0
	out.literal = a.literal && b.literal
	if a.composite == b.composite {
		out.composite = a.composite
	}
	if !out.direct {
		c := out.changed()
		c.literal, c.composite = out.literal, out.composite
		return c
	}
	return out
}

// column is one column of a query's result or of a range item.
type column struct {
	name  string
	value value
}

// sameColumns reports whether two approximations of a recursive query agree.
func sameColumns(a, b []column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].value.direct != b[i].value.direct || !sameDeps(a[i].value.deps, b[i].value.deps) ||
			len(a[i].value.gaps) != len(b[i].value.gaps) {
			return false
		}
	}
	return true
}
