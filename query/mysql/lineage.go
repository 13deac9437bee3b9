package mysql

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirdb/weir/query"
)

// A value is the lineage of an expression: which columns it is made of, and
// how. Uses are pending until somebody consumes the value.
type value struct {
	deps []dep // sorted, without duplicates
	// gaps are reported when the value is consumed. Only columns of the
	// server's own relations carry them.
	gaps []pendingGap
	// direct is true if the value is always, unchanged, a column's value.
	direct bool
	// collated is set where values are compared otherwise than the column's own.
	collated bool
	// short is set where a text is shorter by far than a packet.
	short bool
	// literal is true for constants, parameters and user variables.
	literal bool
	typ     TypeCode
	// text is the column's type as SQL, for a direct value.
	text string
	// source is what the server reports for a result column.
	source source
}

// A source is what the column definition of a result says: the database, the
// table and the column behind the value. Expressions and unions have none, what
// is materialised has no database there.
type source struct{ schema, table, column string }

// A dep is one column that a value is made of, as one reading of its relation
// gives it.
type dep struct {
	rel    uint32
	attr   int16
	scan   int32 // index of accumulator.scans, -1 if unknown
	direct bool  // this column reaches the value unchanged
	outer  bool  // referenced from an inner query level
	uses   query.Use
	pos    int32 // in the grammar's text, -1 if unknown
}

type pendingGap struct{ reason string }

func (d *dep) compare(e *dep) int {
	if c := cmp.Compare(d.rel, e.rel); c != 0 {
		return c
	}
	if c := cmp.Compare(d.attr, e.attr); c != 0 {
		return c
	}
	return cmp.Compare(d.scan, e.scan)
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
		switch c := a[0].compare(&b[0]); {
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
			seen = seen || a[i] == g
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
	for i := range values {
		out.deps = mergeDeps(out.deps, values[i].deps)
		out.gaps = mergeGaps(out.gaps, values[i].gaps)
	}
	return out.changed()
}

// changed says that the value is no longer a column's own.
func (v value) changed() value {
	v.direct, v.literal, v.short, v.typ, v.text, v.source = false, false, false, 0, "", source{}
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
func (v value) at(pos int, outer bool) value {
	if len(v.deps) == 0 || pos < 0 && !outer {
		return v
	}
	deps := append([]dep(nil), v.deps...)
	for i := range deps {
		if pos >= 0 {
			deps[i].pos = int32(pos)
		}
		deps[i].outer = deps[i].outer || outer
	}
	v.deps = deps
	return v
}

func (v value) typed(t TypeCode) value {
	v.typ = t
	return v
}

// either is the value of something that is one of two values, unchanged: the
// branches of a set operation, rows of VALUES.
func either(a, b value) value {
	out := value{deps: mergeDeps(a.deps, b.deps), gaps: mergeGaps(a.gaps, b.gaps), typ: a.typ, text: a.text}
	out.direct = a.direct && b.direct && sameShape(&a, &b)
	out.literal, out.collated = a.literal && b.literal, a.collated || b.collated
	if !out.direct {
		literal := out.literal
		out = out.changed()
		out.literal = literal
	}
	return out
}

// sameShape says that two columns give their values in the same form: those of
// text whatever their lengths, all others if their types are equal.
func sameShape(a, b *value) bool {
	if a.typ != b.typ || !a.typ.Known() {
		return false
	}
	return a.text == b.text || a.typ.Text() && !a.typ.Enum() && !a.typ.Set() && a.typ.Extended() == ExtendedNone
}

// column is one column of a query's result or of a range item.
type column struct {
	name string
	// key is the name as the server compares it.
	key string
	// wide is the name without accents too; see sameName.
	wide string
	// own: a reference without an alias shows this name, not the one written.
	own bool
	// hidden columns are not part of *.
	hidden bool
	value  value
}

func named(name string, v value) column {
	return column{name: name, key: columnKey(name), wide: foldName(name), value: v}
}

// sameColumns reports whether two approximations of a recursive query agree.
// Each of them reads its tables anew.
func sameColumns(a, b []column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].value.direct != b[i].value.direct || !sameDeps(anyReading(a[i].value.deps), anyReading(b[i].value.deps)) ||
			len(a[i].value.gaps) != len(b[i].value.gaps) {
			return false
		}
	}
	return true
}

// anyReading is a list of columns without the readings that they come from.
func anyReading(deps []dep) []dep {
	var out []dep
	for _, d := range deps {
		d.scan = -1
		out = mergeDeps(out, []dep{d})
	}
	return out
}

// columnKey is the name of a column or alias as the server compares it:
// without case, but with accents. What the server's tables and Unicode's fold
// differently is left as it is; see sameName.
func columnKey(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				if l := unicode.ToLower(r); r < utf8.RuneSelf || l >= utf8.RuneSelf {
					return l
				}
				return r
			}, name)
		}
	}
	return lowerASCII(name)
}

// sameName compares two names of columns. It is unsure where they differ by
// accents or by letters that fold in one table of Unicode and not in another.
func sameName(key, wide string, c *column) (same, unsure bool) {
	if c.key == key {
		return true, false
	}
	return false, (wide != key || c.wide != c.key) && c.wide == wide
}
