package pgwire

import "encoding/binary"

// Row walks the cells of a DataRow body once, from left to right.
//
//	row, err := NewRow(body)
//	for row.Next() {
//		use(row.Index(), row.Cell())
//	}
//	err = row.Err()
type Row struct {
	body  []byte
	off   int // of the next cell
	start int // of the present cell's length
	cell  []byte
	index int
	cells int
	err   *Malformed
}

// NewRow starts a walk over the body of a DataRow.
func NewRow(body []byte) (Row, error) {
	if len(body) < 2 {
		return Row{}, &Malformed{Message: "DataRow", Want: "a number of cells"}
	}
	return Row{body: body, off: 2, start: 2, index: -1, cells: int(binary.BigEndian.Uint16(body))}, nil
}

// Cells returns how many cells the row says it has.
func (r *Row) Cells() int { return r.cells }

// Next goes on to the next cell. It returns false after the last one and at a
// fault, which Err tells apart.
func (r *Row) Next() bool {
	if r.index+1 >= r.cells || r.err != nil {
		if r.err == nil && r.off != len(r.body) {
			r.fail(r.off, "the end of the message")
		}
		return false
	}
	if len(r.body)-r.off < 4 {
		r.fail(r.off, "a cell's length")
		return false
	}
	n := binary.BigEndian.Uint32(r.body[r.off:])
	r.start = r.off
	r.index++
	r.off += 4
	if n == nullLen {
		r.cell = nil
		return true
	}
	if int64(n) > int64(len(r.body)-r.off) {
		r.fail(r.start, "a length within the message, or -1")
		return false
	}
	r.cell = r.body[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return true
}

// SkipTo goes to cell i, which is not before the present one.
func (r *Row) SkipTo(i int) bool {
	r.pass(i)
	for r.index < i {
		if !r.Next() {
			return false
		}
	}
	return r.index == i
}

// pass goes quickly over the cells before cell i. It stops before one at fault,
// where Next will say so.
func (r *Row) pass(i int) {
	if r.err != nil {
		return
	}
	b, off, index := r.body, r.off, r.index
	last := min(i, r.cells) - 1
	for index < last && len(b)-off >= 4 {
		n := binary.BigEndian.Uint32(b[off:])
		end := off + 4
		if n != nullLen {
			if int64(n) > int64(len(b)-end) {
				break
			}
			end += int(n)
		}
		off = end
		index++
	}
	if index > r.index {
		r.off, r.index, r.start, r.cell = off, index, off, nil
	}
}

// Index returns the present cell's number, from 0.
func (r *Row) Index() int { return r.index }

// Cell returns the present cell's bytes: nil for NULL, never nil otherwise.
func (r *Row) Cell() []byte { return r.cell }

// Start returns where in the body the present cell's length begins.
func (r *Row) Start() int { return r.start }

// End returns where in the body the present cell ends.
func (r *Row) End() int { return r.off }

// Err walks the rest of the row and returns what is wrong with it, or nil.
func (r *Row) Err() error {
	r.pass(r.cells)
	for r.Next() {
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *Row) fail(at int, want string) {
	r.err = &Malformed{Message: "DataRow", Offset: at, Want: want}
}

// BeginRow starts a DataRow of so many cells. Between it and EndRow come the
// cells in order, each by one of AppendCell, AppendNull, BeginCell and EndCell,
// or several at once by AppendCells.
func (w *Writer) BeginRow(cells int) {
	w.begin(MsgDataRow)
	w.uint16(uint16(cells))
	w.cells, w.want = 0, cells
}

// AppendCell appends a cell; nil is an empty value here, not NULL.
func (w *Writer) AppendCell(value []byte) {
	w.cells++
	w.uint32(uint32(len(value)))
	w.bytes(value)
}

// AppendNull appends NULL.
func (w *Writer) AppendNull() {
	w.cells++
	w.uint32(nullLen)
}

// AppendCells appends n cells as they stand in another row's body, between the
// Start of the first and the End of the last.
func (w *Writer) AppendCells(encoded []byte, n int) {
	w.cells += n
	w.bytes(encoded)
}

// BeginCell returns the buffer that a cell's value is to be appended to, for a
// mask that makes its value in place. EndCell takes the appended buffer.
func (w *Writer) BeginCell() []byte {
	w.uint32(0)
	w.cell = len(w.buf) - 4
	return w.buf
}

// EndCell ends the cell that BeginCell started.
func (w *Writer) EndCell(b []byte) {
	w.adopt(b)
	w.cells++
	binary.BigEndian.PutUint32(w.buf[w.cell:], uint32(len(w.buf)-w.cell-4))
}

// EndRow ends the row. A number of cells other than announced is a
// programmer's mistake and panics.
func (w *Writer) EndRow() error {
	if w.cells != w.want {
		w.Abort()
		panic("pgwire: row of a different number of cells than announced")
	}
	return w.end()
}

// RowEdit changes the cells of a DataRow body in place, for masks that keep or
// shrink a value's length. Cells that are not replaced stay as they are.
type RowEdit struct {
	row   Row
	write int // body[:write] is final
	read  int // body[read:] is still to be copied
}

// NewRowEdit starts a change of the body of a DataRow, left to right.
func NewRowEdit(body []byte) (RowEdit, error) {
	row, err := NewRow(body)
	return RowEdit{row: row, write: 2, read: 2}, err
}

// SkipTo goes to cell i, which is not before the present one.
func (e *RowEdit) SkipTo(i int) bool { return e.row.SkipTo(i) }

// Cell returns the present cell's bytes: nil for NULL, never nil otherwise.
func (e *RowEdit) Cell() []byte { return e.row.cell }

// Replace gives the present cell a new value. It reports false, and changes
// nothing, if the value is longer than what it replaces.
func (e *RowEdit) Replace(value []byte) bool {
	if len(value) > len(e.row.cell) || e.row.cell == nil {
		return false
	}
	e.keepTo(e.row.start)
	binary.BigEndian.PutUint32(e.row.body[e.write:], uint32(len(value)))
	e.write += 4
	e.write += copy(e.row.body[e.write:], value)
	e.read = e.row.off
	return true
}

// Null makes the present cell NULL.
func (e *RowEdit) Null() {
	e.keepTo(e.row.start)
	binary.BigEndian.PutUint32(e.row.body[e.write:], nullLen)
	e.write += 4
	e.read = e.row.off
}

// End checks the rest of the row and returns the changed body, which is not
// longer than the original and starts where that did.
func (e *RowEdit) End() ([]byte, error) {
	if err := e.row.Err(); err != nil {
		return nil, err
	}
	e.keepTo(len(e.row.body))
	return e.row.body[:e.write], nil
}

func (e *RowEdit) keepTo(end int) {
	if e.write == e.read {
		e.write = end
	} else {
		e.write += copy(e.row.body[e.write:], e.row.body[e.read:end])
	}
	e.read = end
}
