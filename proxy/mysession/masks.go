package mysession

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/mysql"
)

// maskedResult masks the rows of one result.
type maskedResult struct {
	plan   *masking.Plan
	types  []mywire.Type
	binary bool
	cells  [][]byte // of the present row
	starts []int    // where they begin in the row's body, with their lengths
	cell   []byte   // the masked cell
	// withheld is the column whose text is replaced (SHOW WARNINGS), -1 if none.
	withheld int
}

// Cell gives an unmasked cell of the present row, for masks that depend on one.
func (m *maskedResult) Cell(i int) []byte {
	if i < 0 || i >= len(m.cells) {
		return nil
	}
	return m.cells[i]
}

// mask holds the server's definitions of a result against the analysis and
// compiles the masks. What disagrees, or cannot be masked, is in a.instead.
func (s *session) mask(a *answer, columns []mywire.Column) error {
	st := a.st
	if st.quoted {
		s.withhold(a, columns)
		return nil
	}
	if err := s.lineage(st, columns); err != nil {
		s.datasource.changed()
		s.options.Logger.Warn("a result is described otherwise than the analysis did", "session", s.conn.ID, "error", err)
		a.instead = &mywire.ServerError{Number: mywire.ErrTableAccessDenied, State: mywire.StateAccess,
			Message: "the database describes the result otherwise than the analysis of the statement; nothing of it was sent. " +
				"Try again: definitions may have changed in this moment"}
		return nil
	}
	if len(st.ticket.Masks) == 0 {
		return nil
	}
	format := masking.Text
	if a.binary {
		format = masking.Binary
	}
	plan := make([]masking.Column, len(columns))
	m := &maskedResult{types: make([]mywire.Type, len(columns)), binary: a.binary, withheld: -1}
	for i := range columns {
		c := &columns[i]
		m.types[i] = c.Type
		plan[i] = masking.Column{Name: string(c.Name), Type: s.columnType(c, st.catalog), Format: format}
	}
	for i := range st.ticket.Masks {
		plan[st.ticket.Masks[i].Index].Mask = &st.ticket.Masks[i].Spec
	}
	var err error
	if m.plan, err = masking.NewPlan(plan, s.options.MaskKeys); err != nil {
		a.instead = &mywire.ServerError{Number: mywire.ErrColumnAccessDenied, State: mywire.StateAccess,
			Message: cut(err.Error() + ". Leave the column out, or ask the administrator for another mask")}
		return nil
	}
	st.masks = m
	return nil
}

// withhold replaces the messages of SHOW WARNINGS and SHOW ERRORS, whose columns
// are Level, Code and Message. Their number is withheld as well.
func (s *session) withhold(a *answer, columns []mywire.Column) {
	if len(columns) != 3 || !columns[2].Type.Lenenc() {
		a.instead = &mywire.ServerError{Number: mywire.ErrTableAccessDenied, State: mywire.StateAccess, Message: withheldText}
		return
	}
	m := &maskedResult{types: make([]mywire.Type, len(columns)), binary: a.binary, withheld: 2}
	for i := range columns {
		m.types[i] = columns[i].Type
	}
	a.st.masks = m
}

// lineage says where definitions disagree with the analysis.
func (s *session) lineage(st *statement, columns []mywire.Column) error {
	if st.facts.Complete && !st.facts.Returns {
		return errors.New("the analysis expects no result")
	}
	out := st.facts.Output
	if st.facts.Complete && len(out) > 0 && len(out) != len(columns) {
		return fmt.Errorf("the result has %d columns, the analysis %d", len(columns), len(out))
	}
	if st.facts.Complete && len(out) == len(columns) {
		for i := range out {
			id, attr, err := s.source(st.catalog, &columns[i], out[i].SourceAlias)
			if err != nil {
				return fmt.Errorf("column %d: %w", i+1, err)
			}
			if id != out[i].Source || attr != out[i].SourceAttr {
				return fmt.Errorf("column %d comes from column %d of relation %d (%s.%s), the analysis says %d of %d",
					i+1, attr, id, columns[i].Schema, columns[i].OrgTable, out[i].SourceAttr, out[i].Source)
			}
		}
	}
	for i := range st.ticket.Masks {
		m := &st.ticket.Masks[i]
		if m.Index < 0 || m.Index >= len(columns) {
			return fmt.Errorf("masked column %d is not in a result of %d", m.Index+1, len(columns))
		}
		alias := ""
		if m.Index < len(out) {
			alias = out[m.Index].SourceAlias
		}
		if id, attr, err := s.source(st.catalog, &columns[m.Index], alias); err != nil || id != m.Source || attr != m.SourceAttr {
			return fmt.Errorf("masked column %d comes from column %d of relation %d, the mask is for %d of %d (%v)",
				m.Index+1, attr, id, m.SourceAttr, m.Source, err)
		}
	}
	return nil
}

// source resolves what a definition says of the column's origin; zeros if it
// says nothing, or names the entry of FROM that is expected.
func (s *session) source(catalog *mysql.Catalog, c *mywire.Column, alias string) (uint32, int16, error) {
	if len(c.OrgTable) == 0 || len(c.OrgName) == 0 {
		return 0, 0, nil
	}
	r := s.relation(catalog, string(c.Schema), string(c.OrgTable))
	if r == nil {
		if alias != "" && alias == string(c.OrgTable) {
			return 0, 0, nil
		}
		if len(c.Schema) == 0 { // a table of the server's own, made for this result
			return 0, 0, nil
		}
		return 0, 0, fmt.Errorf("relation %s.%s is not known", c.Schema, c.OrgTable)
	}
	column := r.Column(string(c.OrgName))
	if column == nil {
		return 0, 0, fmt.Errorf("relation %s.%s has no column %s", c.Schema, c.OrgTable, c.OrgName)
	}
	return r.ID, column.Attr, nil
}

// relation finds a relation as the session sees it: temporary tables first.
func (s *session) relation(catalog *mysql.Catalog, schema, name string) *mysql.Relation {
	for _, r := range s.state.Temp {
		if r != nil && r.Schema == schema && r.Name == name {
			return r
		}
	}
	if catalog == nil {
		return nil
	}
	return catalog.Relation(schema, name)
}

// columnType is a column's type as masks see it.
func (s *session) columnType(c *mywire.Column, catalog *mysql.Catalog) masking.Type {
	d := masking.MySQLColumn{Type: byte(c.Type), Flags: uint16(c.Flags), Charset: c.Collation, Length: c.Length, Decimals: c.Decimals}
	d.Extended = strings.ToLower(string(c.ExtendedEntry(mywire.ExtendedTypeName)))
	if d.Extended == "" {
		d.Extended = strings.ToLower(string(c.ExtendedEntry(mywire.ExtendedFormat)))
	}
	if r := s.relation(catalog, string(c.Schema), string(c.OrgTable)); r != nil {
		if column := r.Column(string(c.OrgName)); column != nil {
			d.Labels = labels(column.TypeText)
			if d.Extended == "" {
				d.Extended = extendedName(column.Type)
			}
		}
	}
	t := masking.MySQLType(d)
	if charset, wide := wideCharsets[s.state.ResultsCharset]; wide && t.Charset == 0 {
		t.Charset = charset
	}
	return t
}

// wideCharsets are those in which digits are not ASCII, so that numbers and
// times of the text protocol are not either.
var wideCharsets = map[string]masking.Charset{"ucs2": masking.CharsetUCS2, "utf16": masking.CharsetUTF16,
	"utf16le": masking.CharsetUTF16LE, "utf32": masking.CharsetUTF32}

// extendedName is a type beyond the wire's as MariaDB's extended metadata calls it.
func extendedName(t mysql.TypeCode) string {
	if t.Extended() == mysql.ExtendedNone {
		return ""
	}
	return t.String()
}

// labels reads those of ENUM and SET from a type as SQL: enum('a','it”s').
func labels(text string) []string {
	lower := strings.ToLower(text)
	if !strings.HasPrefix(lower, "enum(") && !strings.HasPrefix(lower, "set(") {
		return nil
	}
	var all []string
	for rest := text[strings.IndexByte(text, '(')+1:]; strings.HasPrefix(rest, "'"); rest = strings.TrimPrefix(rest, ",") {
		var label strings.Builder
		rest = rest[1:]
		for {
			i := strings.IndexByte(rest, '\'')
			if i < 0 {
				return nil
			}
			label.WriteString(rest[:i])
			rest = rest[i+1:]
			if !strings.HasPrefix(rest, "'") {
				break
			}
			label.WriteByte('\'')
			rest = rest[1:]
		}
		all = append(all, label.String())
	}
	return all
}

// maskType is a type of query.Facts for the gate.
func maskType(code uint32) masking.Type {
	t := mysql.TypeCode(code)
	if !t.Known() {
		return masking.Type{Wire: masking.MySQL}
	}
	c := masking.MySQLColumn{Type: t.Wire(), Charset: mywire.BinaryCharset, Extended: extendedName(t)}
	if t.Text() {
		c.Charset = defaultCollation
	}
	for flag, has := range map[mywire.ColumnFlags]bool{mywire.FlagUnsigned: t.Unsigned(), mywire.FlagEnum: t.Enum(),
		mywire.FlagSet: t.Set(), mywire.FlagZerofill: t.Zerofill()} {
		if has {
			c.Flags |= uint16(flag)
		}
	}
	return masking.MySQLType(c)
}

// TypeOf gives the types of query.Facts to the mask functions.
func TypeOf(code uint32) masking.Type { return maskType(code) }

var errMask = errors.New("a mask failed")

// row writes one row with its masks.
func (m *maskedResult) row(w *mywire.Writer, body []byte) error {
	if m.binary {
		return m.binaryRow(w, body)
	}
	row := mywire.NewTextRow(body, len(m.types))
	m.cells, m.starts = m.cells[:0], m.starts[:0]
	for row.Next() {
		m.cells = append(m.cells, row.Cell())
		m.starts = append(m.starts, row.Start())
	}
	if err := row.Err(); err != nil {
		return upstreamError(err)
	}
	m.starts = append(m.starts, len(body))
	w.BeginRow(len(m.cells))
	plain := 0 // the first cell that has not been written
	for i := range m.cells {
		if !m.masked(i) {
			continue
		}
		w.AppendCells(body[m.starts[plain]:m.starts[i]], i-plain)
		out, null, err := m.value(i)
		switch {
		case err != nil:
			w.Abort()
			return end(proxy.EndMaskFailed, errors.Join(errMask, err))
		case null:
			w.AppendNull()
		default:
			w.AppendCell(out)
		}
		plain = i + 1
	}
	w.AppendCells(body[m.starts[plain]:], len(m.cells)-plain)
	return w.EndRow()
}

// binaryRow writes one row of the binary protocol with its masks.
func (m *maskedResult) binaryRow(w *mywire.Writer, body []byte) error {
	row, err := mywire.NewBinaryRow(body, m.types)
	if err != nil {
		return upstreamError(err)
	}
	m.cells, m.starts = m.cells[:0], m.starts[:0]
	for row.Next() {
		m.cells = append(m.cells, row.Cell())
		m.starts = append(m.starts, row.Start())
	}
	if err := row.Err(); err != nil {
		return upstreamError(err)
	}
	m.starts = append(m.starts, len(body))
	w.BeginBinaryRow(len(m.cells))
	plain := 0
	for i := range m.cells {
		if !m.masked(i) {
			continue
		}
		w.AppendBinaryCells(&row, body[m.starts[plain]:m.starts[i]], i-plain)
		out, null, err := m.value(i)
		if err != nil {
			w.Abort()
			return end(proxy.EndMaskFailed, errors.Join(errMask, err))
		}
		m.appendBinary(w, m.types[i], out, null)
		plain = i + 1
	}
	w.AppendBinaryCells(&row, body[m.starts[plain]:], len(m.cells)-plain)
	return w.EndRow()
}

func (m *maskedResult) appendBinary(w *mywire.Writer, t mywire.Type, out []byte, null bool) {
	switch {
	case null:
		w.AppendNull()
	case t.Lenenc():
		w.AppendCell(out)
	case t.Temporal():
		w.AppendEncoded(append([]byte{byte(len(out))}, out...))
	default:
		w.AppendEncoded(out)
	}
}

func (m *maskedResult) masked(i int) bool {
	return i == m.withheld || m.plan != nil && m.plan.Masked(i)
}

// value is the masked value of a cell of the present row.
func (m *maskedResult) value(i int) (out []byte, null bool, err error) {
	if i == m.withheld {
		return []byte(withheldText), false, nil
	}
	out, null, err = m.plan.Cell(m.cell[:0], i, m.cells[i], m)
	m.cell = out
	return out, null, err
}
