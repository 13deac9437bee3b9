package pgwire

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// written returns what f makes a Writer write.
func written(t testing.TB, f func(w *Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	w := writer(&b)
	if err := f(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encode returns what pgproto3 makes of a message.
func encode(t testing.TB, m interface{ Encode([]byte) ([]byte, error) }) []byte {
	t.Helper()
	b, err := m.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesMatchPgproto3(t *testing.T) {
	full := Notice{
		Severity: "ERROR", Code: "42501", Message: "m", Detail: "d", Hint: "h", Position: 7,
		InternalPosition: 8, InternalQuery: "q", Where: "w", Schema: "s", Table: "t", Column: "c",
		DataType: "dt", Constraint: "co", File: "f", Line: 12, Routine: "r",
	}
	resp := pgproto3.ErrorResponse{
		Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42501", Message: "m", Detail: "d", Hint: "h", Position: 7,
		InternalPosition: 8, InternalQuery: "q", Where: "w", SchemaName: "s", TableName: "t", ColumnName: "c",
		DataTypeName: "dt", ConstraintName: "co", File: "f", Line: 12, Routine: "r",
	}
	notice := pgproto3.NoticeResponse(resp)
	tests := []struct {
		name  string
		write func(w *Writer) error
		want  interface{ Encode([]byte) ([]byte, error) }
	}{
		{"ErrorResponse", func(w *Writer) error { return w.Error(&full) }, &resp},
		{"NoticeResponse", func(w *Writer) error { return w.Notice(&full) }, &notice},
		{"ReadyForQuery", func(w *Writer) error { return w.ReadyForQuery('T') }, &pgproto3.ReadyForQuery{TxStatus: 'T'}},
		{"ParameterStatus", func(w *Writer) error { return w.ParameterStatus("a", "b") }, &pgproto3.ParameterStatus{Name: "a", Value: "b"}},
		{"CommandComplete", func(w *Writer) error { return w.CommandComplete("SELECT 1") }, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}},
		{"BackendKeyData", func(w *Writer) error { return w.BackendKeyData(5, []byte("12345678")) }, &pgproto3.BackendKeyData{ProcessID: 5, SecretKey: []byte("12345678")}},
		{"NegotiateProtocolVersion", func(w *Writer) error { return w.NegotiateProtocolVersion(Version32, []string{"_pq_.a"}) },
			&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: uint32(Version32), UnrecognizedOptions: []string{"_pq_.a"}}},
		{"AuthenticationSASL", func(w *Writer) error { return w.AuthenticationSASL("A", "B") }, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"A", "B"}}},
		{"AuthenticationOk", func(w *Writer) error { return w.Authentication(AuthOK, nil) }, &pgproto3.AuthenticationOk{}},
		{"AuthenticationMD5", func(w *Writer) error { return w.Authentication(AuthMD5, []byte("salt")) }, &pgproto3.AuthenticationMD5Password{Salt: [4]byte([]byte("salt"))}},
		{"RowDescription", func(w *Writer) error {
			return w.RowDescription([]Field{{Name: []byte("x"), TableOID: 1, Attr: 2, TypeOID: 3, Size: -1, Modifier: -1, Format: 1}})
		}, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), TableOID: 1, TableAttributeNumber: 2, DataTypeOID: 3, DataTypeSize: -1, TypeModifier: -1, Format: 1}}}},
		{"ParameterDescription", func(w *Writer) error { return w.ParameterDescription([]uint32{23, 25}) }, &pgproto3.ParameterDescription{ParameterOIDs: []uint32{23, 25}}},
		{"Query", func(w *Writer) error { return w.Query("select 1") }, &pgproto3.Query{String: "select 1"}},
		{"Parse", func(w *Writer) error { return w.Parse("n", "q", []uint32{1}) }, &pgproto3.Parse{Name: "n", Query: "q", ParameterOIDs: []uint32{1}}},
		{"Bind", func(w *Writer) error { return w.Bind("p", "s", [][]byte{[]byte("x"), nil, {}}) },
			&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", Parameters: [][]byte{[]byte("x"), nil, {}}}},
		{"Describe", func(w *Writer) error { return w.Describe('S', "n") }, &pgproto3.Describe{ObjectType: 'S', Name: "n"}},
		{"Close", func(w *Writer) error { return w.CloseObject('P', "n") }, &pgproto3.Close{ObjectType: 'P', Name: "n"}},
		{"Execute", func(w *Writer) error { return w.Execute("n", 5) }, &pgproto3.Execute{Portal: "n", MaxRows: 5}},
		{"CopyFail", func(w *Writer) error { return w.CopyFail("no") }, &pgproto3.CopyFail{Message: "no"}},
		{"Sync", func(w *Writer) error { return w.Empty('S') }, &pgproto3.Sync{}},
		{"DataRow", func(w *Writer) error {
			w.BeginRow(3)
			w.AppendCell([]byte("x"))
			w.AppendNull()
			w.EndCell(append(w.BeginCell(), "yz"...))
			return w.EndRow()
		}, &pgproto3.DataRow{Values: [][]byte{[]byte("x"), nil, []byte("yz")}}},
		{"CopyData", func(w *Writer) error { return w.End(append(w.Begin('d'), "row\n"...)) }, &pgproto3.CopyData{Data: []byte("row\n")}},
	}
	for _, tt := range tests {
		got := written(t, tt.write)
		if want := encode(t, tt.want); !bytes.Equal(got, want) && !sameFields(tt.name, got, want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, want)
		}
	}
}

// sameFields compares notices, whose fields may come in any order.
func sameFields(name string, a, b []byte) bool {
	if name != "ErrorResponse" && name != "NoticeResponse" {
		return false
	}
	_, abody, _, _ := Frame(a)
	_, bbody, _, _ := Frame(b)
	av, aerr := ParseNotice(abody)
	bv, berr := ParseNotice(bbody)
	return aerr == nil && berr == nil && a[0] == b[0] && len(a) == len(b) && av.Notice() == bv.Notice()
}

func TestNoSmugglingByNUL(t *testing.T) {
	got := written(t, func(w *Writer) error {
		return w.Error(&Notice{Severity: "ERROR", Code: "42501", Message: "a\x00Hevil"})
	})
	_, body, rest, ok := Frame(got)
	v, err := ParseNotice(body)
	if !ok || len(rest) != 0 || err != nil || string(v.Message()) != "a" || v.Field('H') != nil {
		t.Errorf("%q: %v", got, err)
	}
}

// TestWriterSizes mixes messages of all sizes, so that every way of making
// room happens with and without an open message.
func TestWriterSizes(t *testing.T) {
	sizes := []int{0, 1, 100, smallBuffer - 5, smallBuffer, directWrite - 1, directWrite, largeBuffer - 5, largeBuffer, 140_000, 3, 60_000}
	for _, first := range sizes {
		for _, second := range sizes {
			var want []byte
			cell := bytes.Repeat([]byte("c"), second)
			got := written(t, func(w *Writer) error {
				for range 2 {
					want = append(want, msg('d', string(make([]byte, first)))...)
					if err := w.Message('d', make([]byte, first)); err != nil {
						return err
					}
					want = append(want, encode(t, &pgproto3.DataRow{Values: [][]byte{cell, nil, cell, cell}})...)
					w.BeginRow(4)
					w.AppendCell(cell)
					w.AppendNull()
					w.EndCell(append(w.BeginCell(), cell...))
					buf := w.BeginCell()
					for part := range slices.Chunk(cell, 1000) {
						buf = append(buf, part...)
					}
					w.EndCell(buf)
					if err := w.EndRow(); err != nil {
						return err
					}
				}
				return nil
			})
			if !bytes.Equal(got, want) {
				t.Fatalf("sizes %d and %d: wrong bytes", first, second)
			}
		}
	}
}

func TestWriterAbort(t *testing.T) {
	got := written(t, func(w *Writer) error {
		if err := w.ReadyForQuery('I'); err != nil {
			return err
		}
		w.BeginRow(2)
		w.AppendCell([]byte("half a row"))
		w.Abort()
		return w.CommandComplete("x")
	})
	if want := join(msg('Z', "I"), msg('C', "x\x00")); !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestSlowReaderIsBounded writes to a peer that reads nothing: the writer holds
// one buffer and ends with Stalled.
func TestSlowReaderIsBounded(t *testing.T) {
	_, b := loopback(t)
	w := NewWriter(b, WriterOptions{Stall: 50 * time.Millisecond})
	row := make([]byte, 1000)
	var err error
	for range 100_000 {
		if err = w.Message('D', row); err != nil {
			break
		}
		if cap(w.buf) > largeBuffer {
			t.Fatalf("a buffer of %d bytes", cap(w.buf))
		}
	}
	var stalled *Stalled
	if !errors.As(err, &stalled) || stalled.Pending == 0 {
		t.Fatalf("error %v, want *Stalled", err)
	}
	if err := w.ReadyForQuery('I'); !errors.As(err, &stalled) {
		t.Errorf("error %v does not stick", err)
	}
}

// TestSlowReaderThatReads takes one byte now and then, which is progress.
func TestSlowReaderThatReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		done := make(chan struct{})
		go func() { // ends with the last byte
			defer close(done)
			one := make([]byte, 1)
			for range 25 {
				time.Sleep(6 * time.Second)
				if _, err := a.Read(one); err != nil {
					return
				}
			}
		}()
		w := NewWriter(b, WriterOptions{Stall: 10 * time.Second})
		if err := w.Message('d', make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Errorf("a slow reader: %v", err)
		}
		b.Close()
		<-done
	})
}
