package mywire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// textRow builds a row as a server does; nil is NULL.
func textRow(cells ...[]byte) []byte {
	var b []byte
	for _, c := range cells {
		if c == nil {
			b = append(b, nullCell)
		} else {
			b = AppendLenencString(b, c)
		}
	}
	return b
}

func long(n int) []byte { return bytes.Repeat([]byte("l"), n) }

func TestTextRow(t *testing.T) {
	want := [][]byte{[]byte("a"), nil, {}, long(250), long(251), long(70_000), []byte("z")}
	body := textRow(want...)
	row := NewTextRow(body, len(want))
	at := 0
	for row.Next() {
		got := row.Cell()
		if !bytes.Equal(got, want[row.Index()]) || (got == nil) != (want[row.Index()] == nil) {
			t.Errorf("cell %d: %.20q", row.Index(), got)
		}
		if row.Start() != at {
			t.Errorf("cell %d starts at %d, want %d", row.Index(), row.Start(), at)
		}
		at = row.End()
	}
	if err := row.Err(); err != nil || row.Index() != len(want)-1 || at != len(body) {
		t.Fatal(err, row.Index(), at)
	}
	for i := range want {
		row := NewTextRow(body, len(want))
		if !row.SkipTo(i) || !bytes.Equal(row.Cell(), want[i]) {
			t.Errorf("skip to %d: %.20q", i, row.Cell())
		}
		if row.SkipTo(len(want)) {
			t.Error("skipped past the end")
		}
	}
}

func TestRowFaults(t *testing.T) {
	var bad *Malformed
	for name, body := range map[string][]byte{
		"nothing":            nil,
		"one of two":         textRow([]byte("a")),
		"three of two":       textRow([]byte("a"), nil, nil),
		"past the end":       {1, 'a', 5, 'b'},
		"no length":          {1, 'a', 0xfc, 1},
		"0xff for a length":  {1, 'a', 0xff},
		"2^64-1 for a value": {1, 'a', 0xfe, 255, 255, 255, 255, 255, 255, 255, 255},
		"2^63 for a value":   {0xfe, 0, 0, 0, 0, 0, 0, 0, 128, 1, 'a'},
	} {
		row := NewTextRow(body, 2)
		if err := row.Err(); !errors.As(err, &bad) {
			t.Errorf("text, %s: %v", name, err)
		}
	}
	types := []Type{TypeLong, TypeVarString}
	for name, body := range map[string][]byte{
		"nothing":          nil,
		"no bitmap":        {0},
		"another byte":     {1, 0, 1, 0, 0, 0, 0},
		"half a number":    {0, 0, 1, 0},
		"no second":        {0, 0, 1, 0, 0, 0},
		"second too long":  {0, 0, 1, 0, 0, 0, 9, 'x'},
		"something behind": {0, 0, 1, 0, 0, 0, 1, 'x', 0},
	} {
		row, err := NewBinaryRow(body, types)
		if err == nil {
			err = row.Err()
		}
		if !errors.As(err, &bad) {
			t.Errorf("binary, %s: %v", name, err)
		}
	}
	for typ, b := range map[Type]string{TypeDate: "\x05abcde", TypeTime: "\x07abcdefg", TypeDateTime: "\x0bx", 0x20: "\x00"} {
		row, err := NewBinaryRow([]byte("\x00\x00"+b), []Type{typ})
		if err == nil {
			err = row.Err()
		}
		if !errors.As(err, &bad) {
			t.Errorf("type %d, %q: %v", typ, b, err)
		}
	}
}

// binaryTypes and binaryRow are a row with every kind of value; the last ones
// make the NULL bitmap longer than a byte.
var binaryTypes = []Type{TypeTiny, TypeShort, TypeLong, TypeLongLong, TypeFloat, TypeDouble, TypeDateTime,
	TypeTime, TypeVarString, TypeBlob, TypeNewDecimal, TypeDate}

func binaryRow(t testing.TB) []byte {
	return payload(t, 0, func(w *Writer) error {
		w.BeginBinaryRow(len(binaryTypes))
		for i, typ := range binaryTypes[:4] {
			b, ok := AppendInt(nil, typ, int64(-1-i))
			if !ok {
				t.Fatal(typ)
			}
			w.AppendEncoded(b)
		}
		for _, typ := range binaryTypes[4:6] {
			b, ok := AppendFloat(nil, typ, 0.5)
			if !ok {
				t.Fatal(typ)
			}
			w.AppendEncoded(b)
		}
		w.AppendEncoded(AppendDate(nil, Date{Year: 2026, Month: 1, Day: 2, Hour: 3, Micro: 4}))
		w.AppendEncoded(AppendDuration(nil, Duration{Negative: true, Days: 1, Second: 2}))
		w.AppendCell([]byte("text"))
		w.AppendNull()
		w.AppendCell(long(300))
		w.AppendNull()
		return w.EndRow()
	})
}

func TestBinaryRow(t *testing.T) {
	row, err := NewBinaryRow(binaryRow(t), binaryTypes)
	if err != nil {
		t.Fatal(err)
	}
	for row.Next() {
		i, c := row.Index(), row.Cell()
		switch {
		case i < 4:
			if n, _, ok := DecodeInt(row.Type(), false, c); !ok || n != int64(-1-i) {
				t.Errorf("cell %d: %d %v", i, n, ok)
			}
			if _, u, ok := DecodeInt(row.Type(), true, c); !ok || u != ^uint64(i)<<(64-8*len(c))>>(64-8*len(c)) {
				t.Errorf("cell %d, unsigned: %d %v", i, u, ok)
			}
		case i < 6:
			if f, ok := DecodeFloat(row.Type(), c); !ok || f != 0.5 {
				t.Errorf("cell %d: %v %v", i, f, ok)
			}
		case i == 6:
			if d, ok := DecodeDate(c); !ok || d != (Date{Year: 2026, Month: 1, Day: 2, Hour: 3, Micro: 4}) {
				t.Errorf("%+v %v", d, ok)
			}
		case i == 7:
			if d, ok := DecodeDuration(c); !ok || d != (Duration{Negative: true, Days: 1, Second: 2}) {
				t.Errorf("%+v %v", d, ok)
			}
		case i == 8 && string(c) != "text", i == 10 && len(c) != 300, (i == 9 || i == 11) != (c == nil):
			t.Errorf("cell %d: %q", i, c)
		}
	}
	if err := row.Err(); err != nil || row.Index() != len(binaryTypes)-1 {
		t.Fatal(err, row.Index())
	}
}

// TestBinaryValues compares lengths of dates and times with the shortest forms
// that servers send.
func TestBinaryValues(t *testing.T) {
	for want, d := range map[int]Date{1: {}, 5: {Year: 1}, 8: {Day: 1, Second: 1}, 12: {Micro: 1}} {
		b := AppendDate(nil, d)
		got, ok := DecodeDate(b[1:])
		if len(b) != want || int(b[0]) != len(b)-1 || !ok || got != d {
			t.Errorf("%+v: %x, %+v", d, b, got)
		}
	}
	for want, d := range map[int]Duration{1: {}, 9: {Days: 33}, 13: {Micro: 1, Negative: true}} {
		b := AppendDuration(nil, d)
		got, ok := DecodeDuration(b[1:])
		if len(b) != want || int(b[0]) != len(b)-1 || !ok || got != d {
			t.Errorf("%+v: %x, %+v", d, b, got)
		}
	}
	for _, n := range []int{1, 3, 5, 6, 8, 9, 10, 12} {
		if _, ok := DecodeDate(make([]byte, n)); ok {
			t.Errorf("a date of %d bytes", n)
		}
	}
}

// rewriteText replaces a cell of a text row by another value.
func rewriteText(w *Writer, body []byte, cells, at int, value []byte) error {
	row := NewTextRow(body, cells)
	w.BeginRow(cells)
	start, next := 0, 0
	if row.SkipTo(at) {
		w.AppendCells(body[start:row.Start()], at)
		if value == nil {
			w.AppendNull()
		} else {
			w.EndCell(append(w.BeginCell(), value...))
		}
		start, next = row.End(), at+1
	}
	if err := row.Err(); err != nil {
		w.Abort()
		return err
	}
	w.AppendCells(body[start:], cells-next)
	return w.EndRow()
}

func TestRewriteText(t *testing.T) {
	in := [][]byte{[]byte("aaaa"), nil, long(300), []byte("d")}
	for at := range in {
		for _, value := range [][]byte{nil, {}, []byte("*"), long(250), long(251), long(65_535), long(65_536), long(100_000)} {
			got := payload(t, 0, func(w *Writer) error {
				if err := rewriteText(w, textRow(in...), len(in), at, value); err != nil {
					return err
				}
				return nil
			})
			want := append([][]byte(nil), in...)
			want[at] = value
			if !bytes.Equal(got, textRow(want...)) {
				t.Errorf("cell %d to %d bytes: %.80q", at, len(value), got)
			}
		}
	}
}

// TestRewriteAcrossBuffers writes many rows with cells of all lengths, so that
// every step happens at every place of a buffer.
func TestRewriteAcrossBuffers(t *testing.T) {
	var out bytes.Buffer
	w := writer(&out)
	var want []byte
	for i := range 2000 {
		value := long(i * 7 % 9001)
		cells := [][]byte{[]byte("aaaa"), value, nil}
		if err := rewriteText(w, textRow([]byte("aaaa"), []byte("x"), nil), 3, 1, value); err != nil {
			t.Fatal(err)
		}
		want = append(want, frame(byte(i), string(textRow(cells...)))...)
	}
	if err := w.Flush(); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Fatalf("%d bytes, want %d, %v", out.Len(), len(want), err)
	}
}

// rewriteBinary replaces a cell of a binary row; encoded of nil makes it NULL.
func rewriteBinary(w *Writer, body []byte, types []Type, at int, encoded []byte) error {
	row, err := NewBinaryRow(body, types)
	if err != nil {
		return err
	}
	w.BeginBinaryRow(len(types))
	start, next := row.End(), 0
	if row.SkipTo(at) {
		w.AppendBinaryCells(&row, body[start:row.Start()], at)
		if encoded == nil {
			w.AppendNull()
		} else {
			w.AppendEncoded(encoded)
		}
		start, next = row.End(), at+1
	}
	if err := row.Err(); err != nil {
		w.Abort()
		return err
	}
	w.AppendBinaryCells(&row, body[start:], len(types)-next)
	return w.EndRow()
}

func TestRewriteBinary(t *testing.T) {
	in := binaryRow(t)
	for at := range binaryTypes {
		for _, encoded := range [][]byte{nil, {3, 'a', 'b', 'c'}} {
			types := append([]Type(nil), binaryTypes...)
			got := payload(t, 0, func(w *Writer) error { return rewriteBinary(w, in, types, at, encoded) })
			types[at] = TypeVarString
			before, err := NewBinaryRow(in, binaryTypes)
			if err != nil {
				t.Fatal(err)
			}
			after, err := NewBinaryRow(got, types)
			if err != nil {
				t.Fatal(err)
			}
			for before.Next() && after.Next() {
				want := before.Cell()
				if before.Index() == at {
					want = nil
					if encoded != nil {
						want = encoded[1:]
					}
				}
				if !bytes.Equal(after.Cell(), want) || (want == nil) != (after.Cell() == nil) {
					t.Errorf("cell %d after a change of %d: %q, want %q", before.Index(), at, after.Cell(), want)
				}
			}
			if err := errors.Join(before.Err(), after.Err()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRowOfWrongNumberOfCellsPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	w := writer(new(bytes.Buffer))
	w.BeginRow(2)
	w.AppendNull()
	_ = w.EndRow()
}

// reference cuts a row with go-mysql's reading of a length, which has to be kept
// from panicking.
func reference(in []byte, cells int) (want [][]byte, ok bool) {
	for len(in) > 0 && len(want) < cells {
		if need := map[byte]int{0xfc: 3, 0xfd: 4, 0xfe: 9}[in[0]]; in[0] == 0xff || len(in) < need {
			return nil, false
		}
		n, null, size := mysql.LengthEncodedInt(in)
		if n > uint64(len(in)-size) {
			return nil, false
		}
		v := in[size : size+int(n)]
		if null {
			v = nil
		}
		want = append(want, v)
		in = in[size+int(n):]
	}
	return want, len(in) == 0 && len(want) == cells
}

// FuzzTextRow walks any row, compares with go-mysql's decoding, and changes a
// cell.
func FuzzTextRow(f *testing.F) {
	f.Add(textRow([]byte("abc"), nil, []byte("defg")), uint8(3), uint8(1))
	f.Add(textRow(long(251), long(70_000)), uint8(2), uint8(1))
	f.Add([]byte("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"), uint8(1), uint8(0))
	f.Add([]byte{0xff}, uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, columns, at uint8) {
		cells := int(columns)%20 + 1
		want, known := reference(in, cells)
		row := NewTextRow(in, cells)
		var got [][]byte
		for row.Next() {
			got = append(got, row.Cell())
		}
		if err := row.Err(); (err == nil) != known {
			t.Fatalf("%q in %d cells: %v, go-mysql says %v", in, cells, err, known)
		} else if err != nil {
			return
		}
		i := int(at) % cells
		out := payload(t, 0, func(w *Writer) error { return rewriteText(w, in, cells, i, []byte("M")) })
		want[i] = []byte("M")
		got[i] = want[i]
		after := NewTextRow(out, cells)
		for after.Next() {
			j := after.Index()
			if !bytes.Equal(after.Cell(), want[j]) || !bytes.Equal(got[j], want[j]) || (after.Cell() == nil) != (want[j] == nil) {
				t.Fatalf("cell %d: %q, want %q", j, after.Cell(), want[j])
			}
		}
		if err := after.Err(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzBinaryRow walks any row of any types and writes it again.
func FuzzBinaryRow(f *testing.F) {
	f.Add(binaryRow(f), typeBytes(binaryTypes))
	f.Add([]byte("\x00\x04"), []byte{3})
	f.Add([]byte("\x00\x00\x04abcd\x08abcdefgh"), []byte{10, 11})
	f.Fuzz(func(t *testing.T, in, typ []byte) {
		types := make([]Type, len(typ))
		for i, b := range typ {
			types[i] = Type(b)
		}
		row, err := NewBinaryRow(in, types)
		if err != nil || row.Err() != nil {
			return
		}
		row, _ = NewBinaryRow(in, types)
		out := payload(t, 0, func(w *Writer) error {
			w.BeginBinaryRow(len(types))
			for row.Next() {
				if row.Cell() == nil {
					w.AppendNull()
				} else {
					w.AppendEncoded(in[row.Start():row.End()])
				}
			}
			return w.EndRow()
		})
		// Bits of the bitmap that belong to no column are not kept.
		again, err := NewBinaryRow(out, types)
		if err != nil || again.Err() != nil || len(out) != len(in) {
			t.Fatalf("%q became %q, %v", in, out, again.Err())
		}
		if n := 1 + nullBytes(len(types), rowNullOffset); !bytes.Equal(out[n:], in[n:]) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}

func typeBytes(types []Type) []byte {
	b := make([]byte, len(types))
	for i, t := range types {
		b[i] = byte(t)
	}
	return b
}

// FuzzLenenc compares with go-mysql and with the encoder.
func FuzzLenenc(f *testing.F) {
	for _, n := range []uint64{0, 250, 251, 1<<16 - 1, 1 << 16, 1<<24 - 1, 1 << 24, 1<<64 - 1} {
		f.Add(AppendLenencInt(nil, n))
	}
	f.Add([]byte("\xfb"))
	f.Add([]byte("\xff"))
	f.Add([]byte(strings.Repeat("\xfe", 8)))
	f.Fuzz(func(t *testing.T, in []byte) {
		n, size := LenencInt(in)
		if size == 0 {
			return
		}
		if want, null, wantSize := mysql.LengthEncodedInt(in); null || n != want || size != wantSize {
			t.Fatalf("%q: %d in %d bytes, go-mysql reads %d in %d", in, n, size, want, wantSize)
		}
		b := AppendLenencInt(nil, n)
		if m, k := LenencInt(b); m != n || k != len(b) || len(b) > size || len(b) != lenencSize(int(min(n, 1<<62))) {
			t.Fatalf("%d becomes %q", n, b)
		}
	})
}
