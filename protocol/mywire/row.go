package mywire

// TextRow walks the cells of a row of the text protocol once, from left to
// right. Such a row does not say how many cells it has: the columns do.
//
//	row := NewTextRow(body, columns)
//	for row.Next() {
//		use(row.Index(), row.Cell())
//	}
//	err := row.Err()
type TextRow struct {
	body  []byte
	off   int // of the next cell
	start int // of the present cell's length
	cell  []byte
	index int
	cells int
	err   *Malformed
}

// NewTextRow starts a walk over a row of so many cells.
func NewTextRow(body []byte, cells int) TextRow {
	return TextRow{body: body, index: -1, cells: cells}
}

// Cells returns how many cells the row has to have.
func (r *TextRow) Cells() int { return r.cells }

// Next goes on to the next cell. It returns false after the last one and at a
// fault, which Err tells apart.
func (r *TextRow) Next() bool {
	if r.err != nil {
		return false
	}
	if r.index+1 >= r.cells {
		if r.off != len(r.body) {
			r.fail(r.off, "the end of the row")
		}
		return false
	}
	at := r.off
	if at < len(r.body) && r.body[at] == nullCell {
		r.cell, r.off = nil, at+1
	} else {
		n, size := LenencInt(r.body[at:])
		if size == 0 || n > uint64(len(r.body)-at-size) {
			r.fail(at, "a cell within the row")
			return false
		}
		r.off = at + size + int(n)
		r.cell = r.body[at+size : r.off : r.off]
	}
	r.start = at
	r.index++
	return true
}

// SkipTo goes to cell i, which is not before the present one.
func (r *TextRow) SkipTo(i int) bool {
	r.pass(i)
	for r.index < i {
		if !r.Next() {
			return false
		}
	}
	return r.index == i
}

// pass goes quickly over the short cells before cell i. It stops before one
// that needs more care, which Next takes.
func (r *TextRow) pass(i int) {
	if r.err != nil {
		return
	}
	b, off, index := r.body, r.off, r.index
	last := min(i, r.cells) - 1
	for index < last && off < len(b) {
		end := off + 1
		if n := b[off]; n < nullCell {
			end += int(n)
		} else if n != nullCell {
			size := 0
			var long uint64
			if long, size = LenencInt(b[off:]); size == 0 || long > uint64(len(b)-off-size) {
				break
			}
			end = off + size + int(long)
		}
		if end > len(b) {
			break
		}
		off = end
		index++
	}
	if index > r.index {
		r.off, r.index, r.start, r.cell = off, index, off, nil
	}
}

// Index returns the present cell's number, from 0.
func (r *TextRow) Index() int { return r.index }

// Cell returns the present cell's text: nil for NULL, never nil otherwise.
func (r *TextRow) Cell() []byte { return r.cell }

// Start returns where in the body the present cell's length begins.
func (r *TextRow) Start() int { return r.start }

// End returns where in the body the present cell ends.
func (r *TextRow) End() int { return r.off }

// Err walks the rest of the row and returns what is wrong with it, or nil.
func (r *TextRow) Err() error {
	r.pass(r.cells)
	for r.Next() {
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *TextRow) fail(at int, want string) {
	r.err = &Malformed{Packet: "text row", Offset: at, Want: want}
}

// rowState is what a Writer keeps of the row that it is writing. Offsets count
// from the packet's start, which moves in the buffer.
type rowState struct {
	binary      bool
	cells, want int
	cell        int // of the cell being written
}

// BeginRow starts a row of the text protocol of so many cells. Between it and
// EndRow come the cells in order, each by one of AppendCell, AppendNull,
// BeginCell and EndCell, or several at once by AppendCells.
func (w *Writer) BeginRow(cells int) {
	w.begin()
	w.row = rowState{want: cells}
}

// BeginBinaryRow starts a row of the binary protocol. The cells come as for
// BeginRow; their values are encoded as their columns' types want.
func (w *Writer) BeginBinaryRow(cells int) {
	w.begin()
	w.row = rowState{binary: true, want: cells}
	n := nullBytes(cells, rowNullOffset)
	_ = w.room(1 + n) // sticks; end reports it
	w.buf = append(w.buf, MarkOK)
	for range n {
		w.buf = append(w.buf, 0)
	}
}

// AppendCell appends a value behind its length: any cell of a text row, and
// those of a binary row whose type is of variable length (Type.Lenenc). Nil is
// an empty value here, not NULL.
func (w *Writer) AppendCell(value []byte) {
	w.row.cells++
	_ = w.room(9 + len(value))
	w.buf = AppendLenencString(w.buf, value)
}

// AppendEncoded appends a cell as it is to stand in the row, with its length if
// its type has one: numbers, dates and times of a binary row.
func (w *Writer) AppendEncoded(encoded []byte) {
	w.row.cells++
	_ = w.room(len(encoded))
	w.buf = append(w.buf, encoded...)
}

// AppendNull appends NULL.
func (w *Writer) AppendNull() {
	if w.row.binary {
		if w.row.cells < w.row.want {
			setNull(w.buf[w.open+headerLen+1:], w.row.cells, rowNullOffset)
		}
		w.row.cells++
		return
	}
	w.row.cells++
	_ = w.room(1)
	w.buf = append(w.buf, nullCell)
}

// AppendCells appends cells from to to-1 of a text row that is walked
// elsewhere, as they stand between the Start of the first and the End of the
// last.
func (w *Writer) AppendCells(encoded []byte, n int) {
	w.row.cells += n
	_ = w.room(len(encoded))
	w.buf = append(w.buf, encoded...)
}

// AppendBinaryCells appends the cells of another binary row from the Writer's
// present cell on, n of them, as they stand there between Start and End.
func (w *Writer) AppendBinaryCells(from *BinaryRow, encoded []byte, n int) {
	for i := w.row.cells; i < min(w.row.cells+n, w.row.want); i++ {
		if from.Null(i) {
			setNull(w.buf[w.open+headerLen+1:], i, rowNullOffset)
		}
	}
	w.AppendCells(encoded, n)
}

// BeginCell returns the buffer that a value is to be appended to, for a mask
// that makes its value in place. EndCell takes the appended buffer and puts the
// value's length before it.
func (w *Writer) BeginCell() []byte {
	_ = w.room(1)
	w.row.cell = len(w.buf) - w.open
	w.buf = append(w.buf, 0)
	return w.buf
}

// EndCell ends the cell that BeginCell started.
func (w *Writer) EndCell(b []byte) {
	w.adopt(b)
	w.row.cells++
	at := w.open + w.row.cell
	n := len(w.buf) - at - 1
	if n < 251 {
		w.buf[at] = byte(n)
		return
	}
	grow := lenencSize(n) - 1
	_ = w.room(grow)
	at = w.open + w.row.cell
	w.buf = w.buf[:len(w.buf)+grow]
	copy(w.buf[at+1+grow:], w.buf[at+1:at+1+n])
	AppendLenencInt(w.buf[at:at], uint64(n))
}

// EndRow ends the row. A number of cells other than announced is a
// programmer's mistake and panics.
func (w *Writer) EndRow() error {
	if w.row.cells != w.row.want {
		w.Abort()
		panic("mywire: row of a different number of cells than announced")
	}
	return w.end()
}
