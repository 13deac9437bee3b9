package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// searchJournal makes a journal with the examples in it and many other records around.
func searchJournal(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	var hour atomic.Int64
	now := func() time.Time { return exampleTime.Add(time.Duration(hour.Load()) * time.Hour) }
	j := openTest(t, Options{Dir: dir, SegmentBytes: 8000, Compress: true, Clock: now})
	for _, e := range examples() {
		for i := range 4 {
			n := numbered(i)
			n.UserName, n.SessionID, n.Decision = "filler", "none", DecisionObserve
			if err := j.Append(context.Background(), n); err != nil {
				t.Fatal(err)
			}
		}
		e.Time = now()
		if err := j.Append(context.Background(), &e); err != nil {
			t.Fatal(err)
		}
		hour.Add(1)
	}
	closeTest(t, j)
	return dir
}

func TestSearch(t *testing.T) {
	dir := searchJournal(t)
	at := func(h int) time.Time { return exampleTime.Add(time.Duration(h) * time.Hour) }
	for name, c := range map[string]struct {
		q    Query
		want []Kind
	}{
		"user":              {Query{User: "ana"}, []Kind{KindLogin, KindLoginFailed, KindLogout, KindStatementIntent, KindStatementOutcome, KindDenial}},
		"user by id":        {Query{User: "local:7", Kinds: []Kind{KindLogin}}, []Kind{KindLogin}},
		"object is no user": {Query{User: "ana", Kinds: []Kind{KindAdministration}}, nil},
		"session":           {Query{Session: "01JGK2Q7ZV8D3M", Limit: 2}, []Kind{KindLogin, KindLoginFailed}},
		"newest":            {Query{Session: "01JGK2Q7ZV8D3M", Limit: 2, Newest: true}, []Kind{KindDenial, KindStatementOutcome}},
		"all newest":        {Query{User: "ana", Newest: true}, []Kind{KindDenial, KindStatementOutcome, KindStatementIntent, KindLogout, KindLoginFailed, KindLogin}},
		"kinds":             {Query{Kinds: []Kind{KindPolicyChange, KindConfigChange}}, []Kind{KindPolicyChange, KindConfigChange}},
		"decision":          {Query{Decision: DecisionDeny}, []Kind{KindDenial}},
		"table":             {Query{Table: "salaries"}, []Kind{KindDenial}},
		"schema and table":  {Query{Table: "public.users"}, []Kind{KindStatementIntent, KindStatementOutcome}},
		"part of a table":   {Query{Table: "user"}, nil},
		"text":              {Query{Text: "from SALARIES"}, []Kind{KindDenial}},
		"message":           {Query{Text: "line 12"}, []Kind{KindConfigChange}},
		"datasource":        {Query{Datasource: "shop", User: "ana", Kinds: []Kind{KindLogout}}, []Kind{KindLogout}},
		"other datasource":  {Query{Datasource: "other"}, nil},
		"from":              {Query{User: "ana", From: at(4)}, []Kind{KindStatementOutcome, KindDenial}},
		"to is excluded":    {Query{User: "ana", To: at(2)}, []Kind{KindLogin, KindLoginFailed}},
		"range":             {Query{User: "ana", From: at(1), To: at(3)}, []Kind{KindLoginFailed, KindLogout}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []Kind
			for _, r := range find(t, dir, c.q) {
				got = append(got, r.Event.Kind)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if got := find(t, dir, Query{}); uint64(len(got)) != wantGood(t, dir).Records {
		t.Errorf("an empty query finds %d records", len(got))
	}
}

// TestSearchSkipsSegments: a time range needs only the first line of segments outside it.
func TestSearchSkipsSegments(t *testing.T) {
	dir := searchJournal(t)
	segs, _ := listSegments(dir)
	r, err := segs[1].open()
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	// The rest of segment 2 is unreadable, and is not read.
	if err := os.WriteFile(segmentPath(dir, 2), []byte(string(line)+"\nrubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if got := find(t, dir, Query{Decision: DecisionDeny, From: exampleTime.Add(5 * time.Hour), To: exampleTime.Add(6 * time.Hour)}); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
	var skipped *SkippedError
	err = Search(context.Background(), dir, Query{}, func(Record) error { return nil })
	if !errors.As(err, &skipped) || skipped.Lines != 1 || skipped.Segment != 2 || skipped.Line != 2 {
		t.Errorf("unreadable line: %v", err)
	}
}

func TestSearchStops(t *testing.T) {
	dir := searchJournal(t)
	stop := errors.New("enough")
	for _, newest := range []bool{false, true} {
		n := 0
		err := Search(context.Background(), dir, Query{Newest: newest}, func(Record) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("newest %v: %d calls, %v", newest, n, err)
		}
	}
	if err := Search(context.Background(), t.TempDir(), Query{}, nil); err == nil {
		t.Error("no error for an empty directory")
	}
}

func BenchmarkSearch(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "audit")
	j := openTest(b, Options{Dir: dir})
	e := statementExample(KindStatementIntent)
	for i := range 5000 {
		e.SessionID = fmt.Sprint("s", i%100)
		if err := j.Append(context.Background(), &e); err != nil {
			b.Fatal(err)
		}
	}
	closeTest(b, j)
	segs, _ := listSegments(dir)
	for name, q := range map[string]Query{"session": {Session: "s7"}, "text": {Text: "nowhere"}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(segs[0].size)
			for b.Loop() {
				find(b, dir, q)
			}
		})
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(segs[0].size)
		for b.Loop() {
			wantGood(b, dir)
		}
	})
}
