package pgsession

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/pgsql"
)

// maskedResult masks the rows of one statement.
type maskedResult struct {
	plan   *masking.Plan
	broken *pgwire.Notice // the mask cannot be expressed: no row goes out
	copy   *pgwire.CopyRows
	cells  [][]byte // of the present row
	ends   []int    // where they end in the row's body
	values []byte   // COPY: values of a row, one behind the other
	cell   []byte   // the masked cell
}

// Cell gives an unmasked cell of the present row, for masks that depend on one.
func (m *maskedResult) Cell(i int) []byte {
	if i < 0 || i >= len(m.cells) {
		return nil
	}
	return m.cells[i]
}

// mask holds the server's description of a result against the analysis and
// compiles the masks. What disagrees ends the session before any row.
func (s *session) mask(st *statement, fields []pgwire.Field) error {
	if err := lineage(st, fields); err != nil {
		s.datasource.changed()
		return end(proxy.EndLineageMismatch, err)
	}
	if len(st.ticket.Masks) == 0 {
		return nil
	}
	columns := make([]masking.Column, len(fields))
	for i, f := range fields {
		columns[i] = masking.Column{Name: string(f.Name), Type: s.columnType(f.TypeOID, f.Modifier), Format: masking.Format(f.Format)}
		if st.copy != nil && st.copy.Format == "binary" {
			columns[i].Format = masking.Binary
		}
	}
	for i := range st.ticket.Masks {
		columns[st.ticket.Masks[i].Index].Mask = &st.ticket.Masks[i].Spec
	}
	st.masks = &maskedResult{}
	plan, err := masking.NewPlan(columns, s.options.MaskKeys)
	if err != nil {
		st.masks.broken = &pgwire.Notice{Severity: pgwire.SeverityError, Code: pgwire.StateInsufficientPrivilege,
			Message: err.Error(), Hint: "Leave the column out, or ask the administrator for another mask."}
		return nil
	}
	st.masks.plan = plan
	if st.copy != nil {
		if st.masks.copy, err = pgwire.NewCopyRows(st.copySpec(fields)); err != nil {
			return end(proxy.EndMaskFailed, err)
		}
	}
	return nil
}

// lineage says where a description disagrees with the analysis.
func lineage(st *statement, fields []pgwire.Field) error {
	out := st.facts.Output
	if st.facts.Complete && len(out) > 0 && len(out) != len(fields) {
		return fmt.Errorf("the result has %d columns, the analysis %d", len(fields), len(out))
	}
	if st.facts.Complete && len(out) == len(fields) {
		for i := range out {
			if out[i].Source != fields[i].TableOID || out[i].SourceAttr != fields[i].Attr {
				return fmt.Errorf("column %d comes from attribute %d of relation %d, the analysis says %d of %d",
					i+1, fields[i].Attr, fields[i].TableOID, out[i].SourceAttr, out[i].Source)
			}
		}
	}
	for _, m := range st.ticket.Masks {
		if m.Index < 0 || m.Index >= len(fields) {
			return fmt.Errorf("masked column %d is not in a result of %d", m.Index+1, len(fields))
		}
		if f := fields[m.Index]; f.TableOID != m.Source || f.Attr != m.SourceAttr {
			return fmt.Errorf("masked column %d comes from attribute %d of relation %d, the mask is for %d of %d",
				m.Index+1, f.Attr, f.TableOID, m.SourceAttr, m.Source)
		}
	}
	return nil
}

// maskType is a type of the database for the gate.
func (s *session) maskType(oid uint32) masking.Type { return s.columnType(oid, -1) }

// columnType is a type as masks see it: built in, or by the catalog.
func (s *session) columnType(oid uint32, modifier int32) masking.Type {
	t := masking.PostgresType(oid, modifier)
	s.mu.Lock()
	catalog := s.catalog
	s.mu.Unlock()
	if t.Kind != masking.KindOther || catalog == nil {
		return t
	}
	return catalogType(catalog, oid, modifier, 0)
}

// catalogType is a type that the server does not ship. depth ends loops, which
// a sound catalog does not have.
func catalogType(c *pgsql.Catalog, oid uint32, modifier int32, depth int) masking.Type {
	t := masking.PostgresType(oid, modifier)
	ct := c.Types[oid]
	if t.Kind != masking.KindOther || ct == nil || depth > 8 {
		return t
	}
	t.Name = ct.Schema + "." + ct.Name
	switch {
	case ct.Elem != 0:
		elem := catalogType(c, ct.Elem, modifier, depth+1)
		t.Kind, t.Elem = masking.KindArray, &elem
	case ct.Kind == 'e':
		t.Kind, t.Labels = masking.KindEnum, slices.Clone(ct.Labels)
	case ct.Kind == 'd': // rows carry the base type; nobody checks them against the domain
		return catalogType(c, ct.Base, ct.BaseTypmod, depth+1)
	case ct.Kind == 'c':
		t.Kind = masking.KindComposite
	case ct.Kind == 'r':
		t.Kind = masking.KindRange
	case ct.Kind == 'm':
		t.Kind = masking.KindMultirange
	case ct.Kind == 'b' && ct.Name == "citext" && ct.Extension == "citext":
		t.Kind = masking.KindText
	}
	return t
}

var errMask = errors.New("a mask failed")

// maskRow writes one DataRow with its masks.
func (m *maskedResult) maskRow(w *pgwire.Writer, body []byte) error {
	row, err := pgwire.NewRow(body)
	if err != nil {
		return upstreamError(err)
	}
	m.cells, m.ends = m.cells[:0], m.ends[:0]
	for row.Next() {
		m.cells = append(m.cells, row.Cell())
		m.ends = append(m.ends, row.End())
	}
	if err := row.Err(); err != nil {
		return upstreamError(err)
	}
	w.BeginRow(len(m.cells))
	plain := 2 // where cells begin that go out as they are
	count := 0
	at := 2
	for i := range m.cells {
		if !m.plan.Masked(i) {
			count++
			at = m.ends[i]
			continue
		}
		w.AppendCells(body[plain:at], count)
		out, null, err := m.plan.Cell(m.cell[:0], i, m.cells[i], m)
		if err != nil {
			w.Abort()
			return end(proxy.EndMaskFailed, errors.Join(errMask, err))
		}
		m.cell = out
		if null {
			w.AppendNull()
		} else {
			w.AppendCell(out)
		}
		plain, at, count = m.ends[i], m.ends[i], 0
	}
	w.AppendCells(body[plain:at], count)
	return w.EndRow()
}

// maskCopyRow appends the present row of COPY data with its masks to dst.
func (m *maskedResult) maskCopyRow(dst []byte) ([]byte, error) {
	n := m.copy.Len()
	m.cells, m.ends, m.values = m.cells[:0], m.ends[:0], m.values[:0]
	for i := range n {
		m.values = m.copy.AppendValue(m.values, i)
		m.ends = append(m.ends, len(m.values))
	}
	for i, start := 0, 0; i < n; i++ {
		if m.copy.IsNull(i) {
			m.cells = append(m.cells, nil)
		} else {
			m.cells = append(m.cells, m.values[start:m.ends[i]:m.ends[i]])
		}
		start = m.ends[i]
	}
	for i := range n {
		if !m.plan.Masked(i) {
			continue
		}
		out, null, err := m.plan.Cell(m.cell[:0], i, m.cells[i], m)
		if err != nil {
			return nil, end(proxy.EndMaskFailed, errors.Join(errMask, err))
		}
		m.cell = out
		dst = m.copy.AppendTo(dst, i)
		if null {
			dst = m.copy.AppendNull(dst, i)
		} else {
			dst = m.copy.AppendCell(dst, i, out)
		}
	}
	return m.copy.AppendRest(dst), nil
}

// TypeOf gives the types of a catalog to the mask functions.
func TypeOf(c *pgsql.Catalog) func(oid uint32) masking.Type {
	return func(oid uint32) masking.Type { return catalogType(c, oid, -1, 0) }
}
