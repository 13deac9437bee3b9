package masking

import (
	"errors"
	"fmt"
	"slices"
)

// Column is one column of a result.
type Column struct {
	Name   string
	Type   Type
	Format Format
	Mask   *Spec // nil: the cells pass untouched
}

// Row gives the unmasked cells of the row that is being masked.
type Row interface {
	// Cell gives the cell of a column in that column's format, nil for SQL NULL.
	Cell(i int) []byte
}

// Plan masks the rows of one result. It keeps scratch buffers: one goroutine
// uses it at a time.
type Plan struct {
	columns []cell
}

// MaxOutput is the longest that Cell appends for n bytes of input, unless the
// constant of the column is longer: that is as long as its declared length or
// its argument asks for.
func MaxOutput(n int) int { return 16*n + 4096 }

// action is what happens to a cell.
type action uint8

const (
	pass     action = iota // untouched
	nullify                // SQL NULL
	fixed                  // the constant, SQL NULL included
	computed               // the mask; SQL NULL stays
)

// cell masks the cells of one column, or the elements of one array.
type cell struct {
	typ      Type
	format   Format
	action   action
	constant []byte // redact's constant; every failure of a computed mask ends here
	mask     mask
	elem     *cell // KindArray that is masked by its elements
	v        value
	scratch  []byte
}

// NewPlan compiles the masks of one result. keys may be nil if no mask is
// keyed. Errors are *ArgumentError, or *NotExpressible naming the column.
func NewPlan(cols []Column, keys *Keys) (*Plan, error) {
	p := &Plan{columns: make([]cell, len(cols))}
	for i, col := range cols {
		if col.Mask == nil {
			continue
		}
		c, err := compile(*col.Mask, col.Type, col.Format, keys)
		if err == nil {
			err = c.bind(cols)
		}
		if err != nil {
			refusal := &NotExpressible{}
			if errors.As(err, &refusal) {
				refusal.Column = col.Name
				return nil, err
			}
			return nil, fmt.Errorf("column %q: %w", col.Name, err)
		}
		p.columns[i] = *c
	}
	return p, nil
}

// compile makes the cell of one mask.
func compile(spec Spec, t Type, format Format, keys *Keys) (*cell, error) {
	f, b, err := parse(spec)
	if err != nil {
		return nil, err
	}
	if err := check(f, b, t); err != nil {
		refusal := &NotExpressible{}
		if errors.As(err, &refusal) {
			refusal.Works = working(t)
		}
		return nil, err
	}
	c := &cell{typ: t, format: format, action: computed}
	switch b := b.(type) {
	case nullBuilder:
		c.action = nullify
		return c, nil
	case redactBuilder:
		c.action = fixed
		c.constant, err = constant(t, format, b.value)
		return c, err
	}
	if f.Keyed && keys == nil {
		return nil, fmt.Errorf("mask %q: needs keys", f.Name)
	}
	if c.constant, err = constant(t, format, nil); err != nil {
		return nil, err
	}
	if t.Kind == KindArray && !slices.Contains(f.Kinds, KindArray) {
		c.elem, err = compile(spec, *t.Elem, format, keys)
		return c, err
	}
	c.mask, err = b.build(t, keys)
	return c, err
}

// binder is a mask that reads another column of its row.
type binder interface {
	bind(cols []Column) error
}

func (c *cell) bind(cols []Column) error {
	if c.elem != nil {
		return c.elem.bind(cols)
	}
	if b, ok := c.mask.(binder); ok {
		if err := b.bind(cols); err != nil {
			return refuse("date_shift", c.typ, err.Error())
		}
	}
	return nil
}

// Masked says whether column i of the result is masked.
func (p *Plan) Masked(i int) bool {
	return i >= 0 && i < len(p.columns) && p.columns[i].action != pass
}

// Cell appends the masked cell of column i to dst. value is the cell as it came
// from the server, nil for SQL NULL, and is not kept; row gives the other
// cells of its row and may be nil if no mask has a subject. null says that the
// masked cell is SQL NULL. An error means a fault of the caller, never of the
// data: what cannot be masked becomes the constant.
func (p *Plan) Cell(dst []byte, i int, value []byte, row Row) (out []byte, null bool, err error) {
	if i < 0 || i >= len(p.columns) {
		return dst, false, fmt.Errorf("mask cell: column %d of %d", i, len(p.columns))
	}
	c := &p.columns[i]
	switch c.action {
	case nullify:
		return dst, true, nil
	case fixed:
		return append(dst, c.constant...), false, nil
	}
	if value == nil {
		return dst, true, nil
	}
	if c.action == pass {
		return append(dst, value...), false, nil
	}
	return c.append(dst, value, row), false, nil
}

// append masks one value that is not NULL.
func (c *cell) append(dst, src []byte, row Row) []byte {
	start := len(dst)
	out, ok := c.compute(dst, src, row)
	if !ok || len(out)-start > MaxOutput(len(src)) {
		return append(out[:start], c.constant...)
	}
	return out
}

func (c *cell) compute(dst, src []byte, row Row) ([]byte, bool) {
	if c.elem != nil {
		return c.array(dst, src, row)
	}
	if !decode(&c.typ, c.format, src, &c.v) || !c.mask.apply(&c.v, row) {
		return dst, false
	}
	return encode(dst, &c.typ, c.format, &c.v)
}
