package mywire

// rowNullOffset is how many bits of a binary row's NULL bitmap stand before the
// first column's.
const rowNullOffset = 2

// nullBytes returns the length of a NULL bitmap.
func nullBytes(n, offset int) int { return (n + offset + 7) / 8 }

func setNull(bitmap []byte, i, offset int) {
	bit := uint(i + offset)
	bitmap[bit>>3] |= 1 << (bit & 7)
}

func isNull(bitmap []byte, i, offset int) bool {
	bit := uint(i + offset)
	return bitmap[bit>>3]&(1<<(bit&7)) != 0
}

// Widths of types in the binary protocol that are no number of bytes.
const (
	widthUnknown = -3
	widthLenenc  = -2 // behind a length-encoded length
	widthByte    = -1 // behind a length of one byte: dates and times
)

// width returns how many bytes a value of the type takes in the binary
// protocol, or one of the constants above.
func (t Type) width() int {
	switch t {
	case TypeVarString, TypeString, TypeBlob, TypeNewDecimal, TypeDecimal, TypeVarchar, TypeBit, TypeVector, TypeJSON,
		TypeEnum, TypeSet, TypeTinyBlob, TypeMediumBlob, TypeLongBlob, TypeGeometry:
		return widthLenenc
	case TypeLong, TypeInt24, TypeFloat:
		return 4
	case TypeLongLong, TypeDouble:
		return 8
	case TypeDate, TypeNewDate, TypeDateTime, TypeTimestamp, TypeTime:
		return widthByte
	case TypeTiny:
		return 1
	case TypeShort, TypeYear:
		return 2
	case TypeNull:
		return 0
	}
	return widthUnknown
}

// Known reports whether values of the type can be told apart in a binary row.
func (t Type) Known() bool { return t.width() != widthUnknown }

// Lenenc reports whether the binary protocol sends a value of the type as bytes
// behind their length, as the text protocol does with all types.
func (t Type) Lenenc() bool { return t.width() == widthLenenc }

// Temporal reports whether the binary protocol sends a value of the type as
// parts of a date or time behind a length of one byte.
func (t Type) Temporal() bool { return t.width() == widthByte }

// BinaryRow walks the cells of a row of the binary protocol once, from left to
// right. It needs the columns' types, which are not in the row.
type BinaryRow struct {
	body  []byte
	types []Type
	off   int // of the next cell
	start int // of the present cell
	cell  []byte
	index int
	err   *Malformed
}

// NewBinaryRow starts a walk over a row of the types' columns.
func NewBinaryRow(body []byte, types []Type) (BinaryRow, error) {
	n := 1 + nullBytes(len(types), rowNullOffset)
	if len(body) < n || body[0] != MarkOK {
		return BinaryRow{}, &Malformed{Packet: "binary row", Want: "0x00 and a NULL bitmap"}
	}
	return BinaryRow{body: body, types: types, off: n, start: n, index: -1}, nil
}

// Cells returns how many cells the row has.
func (r *BinaryRow) Cells() int { return len(r.types) }

// Null reports whether cell i, which may be any, is NULL.
func (r *BinaryRow) Null(i int) bool { return isNull(r.body[1:], i, rowNullOffset) }

// Next goes on to the next cell. It returns false after the last one and at a
// fault, which Err tells apart.
func (r *BinaryRow) Next() bool {
	if r.err != nil {
		return false
	}
	i := r.index + 1
	if i >= len(r.types) {
		if r.off != len(r.body) {
			r.fail(r.off, "the end of the row")
		}
		return false
	}
	if r.Null(i) {
		r.index, r.start, r.cell = i, r.off, nil
		return true
	}
	prefix, n := valueSize(r.types[i], r.body[r.off:])
	if n < 0 {
		r.fail(r.off, "a value of its column's type within the row")
		return false
	}
	r.index, r.start = i, r.off
	r.off += prefix + n
	r.cell = r.body[r.start+prefix : r.off : r.off]
	return true
}

// valueSize returns the lengths of the prefix and of the content of the value
// of type t at the start of b; a content of -1 if it is not there.
func valueSize(t Type, b []byte) (prefix, n int) {
	switch w := t.width(); w {
	case widthLenenc:
		if len(b) > 0 && b[0] < nullCell && int(b[0]) < len(b) {
			return 1, int(b[0])
		}
		m, size := LenencInt(b)
		if size == 0 || m > uint64(len(b)-size) {
			return 0, -1
		}
		return size, int(m)
	case widthByte:
		if len(b) == 0 || int(b[0]) > len(b)-1 || !temporalLen(t, b[0]) {
			return 0, -1
		}
		return 1, int(b[0])
	case widthUnknown:
		return 0, -1
	default:
		if w > len(b) {
			return 0, -1
		}
		return 0, w
	}
}

func temporalLen(t Type, n byte) bool {
	if t == TypeTime {
		return n == 0 || n == 8 || n == 12
	}
	return n == 0 || n == 4 || n == 7 || n == 11
}

// SkipTo goes to cell i, which is not before the present one.
func (r *BinaryRow) SkipTo(i int) bool {
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
func (r *BinaryRow) pass(i int) {
	if r.err != nil {
		return
	}
	off, index := r.off, r.index
	for last := min(i, len(r.types)) - 1; index < last; index++ {
		if r.Null(index + 1) {
			continue
		}
		prefix, n := valueSize(r.types[index+1], r.body[off:])
		if n < 0 {
			break
		}
		off += prefix + n
	}
	if index > r.index {
		r.off, r.index, r.start, r.cell = off, index, off, nil
	}
}

// Index returns the present cell's number, from 0.
func (r *BinaryRow) Index() int { return r.index }

// Cell returns the present cell's content, without the length before it: nil
// for NULL, never nil otherwise. DecodeInt and the like read it.
func (r *BinaryRow) Cell() []byte { return r.cell }

// Type returns the type of the present cell's column.
func (r *BinaryRow) Type() Type { return r.types[r.index] }

// Start returns where in the body the present cell begins, with its length.
func (r *BinaryRow) Start() int { return r.start }

// End returns where in the body the present cell ends.
func (r *BinaryRow) End() int { return r.off }

// Err walks the rest of the row and returns what is wrong with it, or nil.
func (r *BinaryRow) Err() error {
	r.pass(len(r.types))
	for r.Next() {
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *BinaryRow) fail(at int, want string) {
	r.err = &Malformed{Packet: "binary row", Offset: at, Want: want}
}
