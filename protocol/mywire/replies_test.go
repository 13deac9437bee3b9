package mywire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var sessionChanges = []SessionChange{
	{Kind: TrackVariable, Name: []byte("sql_mode"), Value: []byte("ANSI_QUOTES")},
	{Kind: TrackSchema, Value: []byte("shop")},
	{Kind: TrackState, Value: []byte("1")},
	{Kind: TrackGTIDs, Value: []byte("0-1-5")},
	{Kind: TrackTransaction, Value: []byte("T_______")},
	{Kind: TrackCharacteristics, Value: []byte{}},
}

func encodedChanges() SessionChanges {
	var b []byte
	for _, ch := range sessionChanges {
		b = AppendSessionChange(b, ch)
	}
	return NewSessionChanges(b)
}

func collect(s SessionChanges) (list []SessionChange, err error) {
	err = s.Each(func(ch SessionChange) { list = append(list, ch) })
	return list, err
}

func TestOKs(t *testing.T) {
	changes := encodedChanges()
	for name, tt := range map[string]struct {
		caps     Capabilities
		in, want OK
	}{
		"empty":         {0, OK{}, OK{}},
		"numbers":       {0, OK{AffectedRows: 300, LastInsertID: 1 << 40, Status: 2, Warnings: 3}, OK{AffectedRows: 300, LastInsertID: 1 << 40, Status: 2, Warnings: 3}},
		"info":          {0, OK{Info: []byte("Records: 3")}, OK{Info: []byte("Records: 3")}},
		"info, track":   {CapSessionTrack, OK{Info: []byte("Records: 3")}, OK{Info: []byte("Records: 3")}},
		"changes":       {CapSessionTrack, OK{Changes: changes}, OK{Info: []byte{}, Changes: changes, Status: StatusSessionChanged}},
		"both":          {CapSessionTrack, OK{Info: []byte("i"), Changes: changes}, OK{Info: []byte("i"), Changes: changes, Status: StatusSessionChanged}},
		"changes, none": {0, OK{Changes: changes, Status: StatusSessionChanged | 2}, OK{Status: 2}},
	} {
		b := payload(t, tt.caps, func(w *Writer) error { return w.OK(&tt.in) })
		if got, err := ParseOK(b, tt.caps); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
		}
		end := payload(t, tt.caps|CapDeprecateEOF, func(w *Writer) error { return w.ResultEnd(&tt.in) })
		if got, err := ParseResultEnd(end, tt.caps|CapDeprecateEOF); err != nil || !reflect.DeepEqual(got, tt.want) || end[0] != MarkEOF {
			t.Errorf("%s at the end of rows: %+v, %v; want %+v", name, got, err, tt.want)
		}
		old := payload(t, tt.caps, func(w *Writer) error { return w.ResultEnd(&tt.in) })
		got, err := ParseResultEnd(old, tt.caps)
		if err != nil || len(old) != 5 || got.Status != tt.in.Status&^StatusSessionChanged || got.Warnings != tt.in.Warnings {
			t.Errorf("%s as EOF: %+v, %v", name, got, err)
		}
	}
	if got, err := collect(changes); err != nil || !reflect.DeepEqual(got, sessionChanges) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestOKOfServers reads packets as they went over the wire.
func TestOKOfServers(t *testing.T) {
	// MariaDB 10.11, SET NAMES latin1 with CapSessionTrack.
	b := unhex(t, "00 00 00 0240 0000 00 66"+
		"0020 18 6368617261637465725f7365745f636f6e6e656374696f6e 06 6c6174696e31"+
		"001c 14 6368617261637465725f7365745f636c69656e74 06 6c6174696e31"+
		"001d 15 6368617261637465725f7365745f726573756c7473 06 6c6174696e31")
	b[7+1] = byte(len(b) - 9)
	ok, err := ParseOK(b, CapSessionTrack)
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(ok.Changes)
	if err != nil || len(got) != 3 || string(got[2].Name) != "character_set_results" || string(got[2].Value) != "latin1" {
		t.Errorf("%q, %v", got, err)
	}
	// USE of a database in UTF-16, and as UTF-32 would have it: zeros before the length.
	for _, text := range []string{"00 00 00 0240 0000 00 00 05 01 03 02 6431", "00 00 00 0240 0000 00 000000 05 01 03 02 6431", "00 00 00 0240 0000 00 05 01 03 02 6431"} {
		ok, err = ParseOK(unhex(t, text), CapSessionTrack)
		if got, each := collect(ok.Changes); err != nil || each != nil || len(got) != 1 || string(got[0].Value) != "d1" {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	if _, err = ParseOK(unhex(t, "00 00 00 0240 0000 00 00000000 05 01 03 02 6431"), CapSessionTrack); err == nil {
		t.Error("four zeros pass")
	}
	// Info without its length, as documented for clients without CapSessionTrack.
	ok, err = ParseOK([]byte("\x00\x01\x00\x02\x00\x00\x00Rows matched: 1"), 0)
	if err != nil || string(ok.Info) != "Rows matched: 1" || ok.AffectedRows != 1 {
		t.Errorf("%+v, %v", ok, err)
	}
	// Several variables in one entry, as MariaDB documents it.
	list, err := collect(NewSessionChanges([]byte("\x00\x08\x01a\x01b\x01c\x01d")))
	if err != nil || len(list) != 2 || string(list[1].Name) != "c" {
		t.Errorf("%q, %v", list, err)
	}
}

func TestReplyFaults(t *testing.T) {
	var bad *Malformed
	parsers := map[string]func(b []byte) error{
		"OK":     func(b []byte) error { _, err := ParseOK(b, CapSessionTrack); return err },
		"end":    func(b []byte) error { _, err := ParseResultEnd(b, 0); return err },
		"error":  func(b []byte) error { _, err := ParseError(b); return err },
		"count":  func(b []byte) error { _, err := ParseColumnCount(b, CapCacheMetadata); return err },
		"column": func(b []byte) error { _, err := ParseColumn(b, CapExtendedMetadata); return err },
		"ready":  func(b []byte) error { _, err := ParsePrepared(b); return err },
		"file":   func(b []byte) error { _, err := ParseLocalFile(b); return err },
		"track":  func(b []byte) error { _, err := collect(NewSessionChanges(b)); return err },
	}
	for _, tt := range []struct{ parser, body string }{
		{"OK", ""}, {"OK", "\x01\x00\x00\x00\x00\x00\x00"}, {"OK", "\x00\x00\x00\x00\x00\x00"}, {"OK", "\x00\xff\x00\x00\x00\x00\x00"},
		{"OK", "\x00\x00\x00\x00\x00\x00\x00\x05abc"}, {"OK", "\x00\x00\x00\x00\x00\x00\x00\x00x"},
		{"OK", "\x00\x00\x00\x00\x40\x00\x00\x00"}, {"OK", "\x00\x00\x00\x00\x40\x00\x00\x00\x05abc"},
		{"end", "\xfe\x00\x00\x00"}, {"end", "\xfe\x00\x00\x00\x00\x00"}, {"end", "\x00\x00\x00\x00\x00"},
		{"error", "\xff"}, {"error", "\xff\x01"}, {"error", "\xff\x01\x00#HY0"}, {"error", "\x00\x01\x00"},
		{"count", ""}, {"count", "\x00\x01"}, {"count", "\x02"}, {"count", "\xfd\x00\x00\x01\x01"}, {"count", "\x01\x01\x01"},
		{"column", "\x03def\x00\x00\x00\x00\x00\x00\x0c"}, {"column", strings.Repeat("\x00", 7) + "\x0b" + strings.Repeat("\x00", 12)},
		{"column", strings.Repeat("\x00", 7) + "\x0c" + strings.Repeat("\x00", 11)},
		{"column", strings.Repeat("\x00", 7) + "\x0c" + strings.Repeat("\x00", 12) + "\x05abc"},
		{"ready", "\x00\x01\x00\x00\x00\x00\x00\x00\x00"}, {"ready", "\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"file", "x"}, {"track", "\x00"}, {"track", "\x00\x05\x01a"}, {"track", "\x00\x02\x01a"}, {"track", "\x01\x03\x01ax"},
	} {
		if err := parsers[tt.parser]([]byte(tt.body)); !errors.As(err, &bad) {
			t.Errorf("%s %q: %v", tt.parser, tt.body, err)
		}
	}
}

func TestErrors(t *testing.T) {
	e := ServerError{Number: 1142, State: "42000", Message: "SELECT command denied"}
	b := payload(t, 0, func(w *Writer) error { return w.Error(&e) })
	if got, err := ParseError(b); err != nil || got != e {
		t.Errorf("%+v, %v", got, err)
	}
	b = payload(t, 0, func(w *Writer) error { return w.GreetingError(&e) })
	if got, err := ParseError(b); err != nil || got.State != StateGeneral || got.Message != e.Message {
		t.Errorf("in place of a greeting: %+v, %v", got, err)
	}
	e.State = "bad state"
	b = payload(t, 0, func(w *Writer) error { return w.Error(&e) })
	if got, err := ParseError(b); err != nil || got.State != StateGeneral || got.Message != e.Message {
		t.Errorf("with no SQLSTATE: %+v, %v", got, err)
	}
}

func TestColumns(t *testing.T) {
	col := Column{
		Catalog: []byte("def"), Schema: []byte("shop"), Table: []byte("c"), OrgTable: []byte("customers"), Name: []byte("mail"),
		OrgName: []byte("email"), Collation: 45, Length: 400, Type: TypeVarString, Flags: FlagNotNull, Decimals: 0,
	}
	extended := AppendLenencString([]byte{ExtendedTypeName}, []byte("inet6"))
	extended = AppendLenencString(append(extended, ExtendedFormat), []byte("json"))
	for name, tt := range map[string]struct {
		caps Capabilities
		f    func(c *Column)
	}{
		"plain":           {0, func(*Column) {}},
		"extended":        {CapExtendedMetadata, func(c *Column) { c.Extended = extended }},
		"extended, empty": {CapExtendedMetadata, func(c *Column) { c.Extended = []byte{} }},
		"default":         {0, func(c *Column) { c.HasDef, c.Default = true, []byte("x") }},
		"default of NULL": {0, func(c *Column) { c.HasDef = true }},
	} {
		want := col
		tt.f(&want)
		b := payload(t, tt.caps, func(w *Writer) error { return w.Column(&want) })
		if got, err := ParseColumn(b, tt.caps); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	col.Extended = extended
	if got := col.ExtendedEntry(ExtendedTypeName); string(got) != "inet6" {
		t.Errorf("type name %q", got)
	}
	if got := col.ExtendedEntry(ExtendedFormat); string(got) != "json" {
		t.Errorf("format %q", got)
	}
	if got := col.ExtendedEntry(9); got != nil {
		t.Errorf("no such entry: %q", got)
	}
	for _, caps := range []Capabilities{0, CapCacheMetadata} {
		b := payload(t, caps, func(w *Writer) error { return w.ColumnCount(300) })
		if got, err := ParseColumnCount(b, caps); err != nil || got != (ColumnCount{Columns: 300, Definitions: true}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got, err := ParseColumnCount([]byte("\x02\x00"), CapCacheMetadata); err != nil || got != (ColumnCount{Columns: 2}) {
		t.Errorf("%+v, %v", got, err)
	}
	p := Prepared{Statement: 7, Columns: 300, Params: 2, Warnings: 1}
	if got, err := ParsePrepared(payload(t, 0, func(w *Writer) error { return w.Prepared(&p) })); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestKindsOfReplies(t *testing.T) {
	for payload, want := range map[string]ResultKind{
		"\x00\x00\x00\x02\x00\x00\x00": ResultOK, "\xff\x01\x00": ResultError, "\xfbfile": ResultLocalFile,
		"\x01": ResultColumns, "\xfc\x00\x01": ResultColumns,
	} {
		h, err := reader(frame(0, payload)).Peek()
		if got := KindOfResult(h); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", payload, got, err, want)
		}
	}
	for payload, want := range map[string]bool{
		"\xfe\x00\x00\x02\x00": true, "\xfe\x00\x00\x02\x00\x00\x00": true, "\xff\x01\x00": true, "": true,
		"\x00\x00\x01": false, "\xfb": false, "\x01a": false, "\xfd\x00\x00\x01": false,
	} {
		h, err := reader(frame(0, payload)).Peek()
		if got := RowEnds(h); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", payload, got, err, want)
		}
	}
}

func FuzzOK(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x02\x40\x00\x00\x01i\x05\x01\x03\x02db"), true)
	f.Add([]byte("\xfe\x00\x00\x02\x00\x00\x00info"), false)
	f.Fuzz(func(t *testing.T, in []byte, track bool) {
		caps := CapDeprecateEOF
		if track {
			caps |= CapSessionTrack
		}
		ok, err := ParseOK(in, caps)
		if err != nil {
			return
		}
		_, changesErr := collect(ok.Changes)
		again, err := ParseOK(payload(t, caps, func(w *Writer) error { return w.OK(&ok) }), caps)
		if err != nil || !bytes.Equal(again.Info, ok.Info) || !bytes.Equal(again.Changes.b, ok.Changes.b) ||
			again.AffectedRows != ok.AffectedRows || again.LastInsertID != ok.LastInsertID || again.Warnings != ok.Warnings ||
			(again.Status^ok.Status)&^StatusSessionChanged != 0 {
			t.Fatalf("%+v, then %+v, %v (%v)", ok, again, err, changesErr)
		}
	})
}

func FuzzError(f *testing.F) {
	f.Add([]byte("\xff\x76\x04#42000denied"))
	f.Add([]byte("\xff\x10\x04Too many connections"))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := ParseError(in)
		if err != nil {
			return
		}
		if again, err := ParseError(payload(t, 0, func(w *Writer) error { return w.Error(&e) })); err != nil || again != e {
			t.Fatalf("%+v, then %+v, %v", e, again, err)
		}
	})
}

func FuzzColumn(f *testing.F) {
	f.Add([]byte("\x03def\x01s\x01t\x01o\x01n\x01m\x0c\x3f\x00\x0b\x00\x00\x00\x03\x01\x00\x00\x00\x00"), uint64(0))
	f.Add([]byte("\x03def\x01s\x01t\x01o\x01n\x01m\x07\x00\x05inet6\x0c\x3f\x00\x0b\x00\x00\x00\x03\x01\x00\x00\x00\x00\xfb"), uint64(CapExtendedMetadata))
	f.Fuzz(func(t *testing.T, in []byte, caps uint64) {
		col, err := ParseColumn(in, Capabilities(caps))
		if err != nil {
			return
		}
		col.ExtendedEntry(ExtendedTypeName)
		again, err := ParseColumn(AppendColumn(nil, &col, Capabilities(caps)), Capabilities(caps))
		if err != nil || !reflect.DeepEqual(col, again) {
			t.Fatalf("%+v, then %+v, %v", col, again, err)
		}
	})
}

// FuzzReplies looks for what makes the small decoders panic.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x02\x01"))
	f.Add([]byte("\xfe\x00\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if p, err := ParsePrepared(in); err == nil {
			if again, err := ParsePrepared(payload(t, 0, func(w *Writer) error { return w.Prepared(&p) })); err != nil || again != p {
				t.Fatalf("%+v, then %+v, %v", p, again, err)
			}
		}
		if c, err := ParseColumnCount(in, CapCacheMetadata); err == nil && (c.Columns < 1 || c.Columns > maxColumns) {
			t.Fatalf("%+v", c)
		}
		if status, warnings, err := ParseEOF(in); err == nil {
			if b := payload(t, 0, func(w *Writer) error { return w.EOF(status, warnings) }); !bytes.Equal(b, in) {
				t.Fatalf("%q became %q", in, b)
			}
		}
		_, _ = ParseLocalFile(in)
		_, _ = ParseAuthMoreData(in)
		_, _ = ParsePasswordText(in)
		_, _ = ParsePublicKey(in)
		_, _ = ParseParsecSalt(in)
		_, _ = collect(NewSessionChanges(in))
	})
}
