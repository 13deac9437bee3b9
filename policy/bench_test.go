package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
)

// benchInput has 3 tables and 20 columns, 12 of them tagged.
func benchInput() *Input {
	in := statementInput("ana", "analysts")
	in.User.Groups = []string{"staff", "analysts", "berlin"}
	in.Statement.Tables = nil
	tags := [][]string{{"pii.email"}, {"pii.phone"}, {"payment.card"}, {"hr.salary"}, nil, nil, {"pii.name"}}
	n := 0
	for t := range 3 {
		table := Table{Schema: "public", Name: fmt.Sprintf("table_%d", t), Kind: "table", Access: []string{"select"}}
		for range []int{7, 7, 6}[t] {
			table.Columns = append(table.Columns, Column{
				Name: fmt.Sprintf("column_%d", n), Tags: tags[n%len(tags)], Uses: []string{"output", "filter"},
			})
			n++
		}
		in.Statement.Tables = append(in.Statement.Tables, table)
	}
	return in
}

// bigPolicy has ten thousand grants and fifty thousand tagged columns.
func bigPolicy() fstest.MapFS {
	var b strings.Builder
	b.WriteString("version: 1\nshipped: [tags, masks]\ngrants:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  - {name: g%d, who: {groups: [group%d]}, target: {datasources: [ds%d]}, allow: [read], tables: [public.t%d]}\n", i, i%500, i%100, i)
	}
	b.WriteString("  - {name: analysts, who: {groups: [analysts]}, target: {projects: [demo]}, allow: [read]}\n")
	b.WriteString("tags:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - tag: pii.t%d\n    columns: [", i)
		for j := range 1000 {
			fmt.Fprintf(&b, "s%d.t%d.c, ", j, i)
		}
		b.WriteString("]\n")
	}
	return fstest.MapFS{"policy.yaml": {Data: []byte(b.String())}}
}

func benchEngine(b *testing.B, o Options) *Engine {
	b.Helper()
	return openEngine(b, o)
}

func benchDecide(b *testing.B, e *Engine, in *Input) {
	b.Helper()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		d, err := e.Decide(ctx, in)
		if err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkDecideCold(b *testing.B) {
	benchDecide(b, benchEngine(b, Options{CacheEntries: -1}), benchInput())
}

func BenchmarkDecideCached(b *testing.B) {
	benchDecide(b, benchEngine(b, Options{}), benchInput())
}

func BenchmarkDecideColdBig(b *testing.B) {
	benchDecide(b, benchEngine(b, Options{CacheEntries: -1, FS: bigPolicy()}), benchInput())
}

func BenchmarkDecideColdTransaction(b *testing.B) {
	in := statementInput("ana", "analysts")
	in.Statement = &Statement{Class: "transaction", Verbs: []string{"BEGIN"}, Complete: true}
	benchDecide(b, benchEngine(b, Options{CacheEntries: -1}), in)
}

func BenchmarkOpenBig(b *testing.B) {
	fsys := bigPolicy()
	for b.Loop() {
		e, err := Open(context.Background(), Options{FS: fsys})
		if err != nil {
			b.Fatal(err)
		}
		_ = e.Close()
	}
}

func BenchmarkKey(b *testing.B) {
	e, in := benchEngine(b, Options{}), benchInput()
	r := e.current.Load().reads
	b.ReportAllocs()
	for b.Loop() {
		_ = r.key(in)
	}
}

func BenchmarkInputValue(b *testing.B) {
	in := benchInput()
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = in.value()
		}
	})
	b.Run("json", func(b *testing.B) {
		type plain Input // without MarshalJSON, which would build the value
		p := (*plain)(in)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ast.InterfaceToValue(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTags(b *testing.B) {
	e := benchEngine(b, Options{FS: bigPolicy()})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = e.Tags("demo", "shop", "shop", "s7", "t7", "c")
		}
	})
	b.Run("new", func(b *testing.B) {
		x := e.current.Load().data.tags
		b.ReportAllocs()
		for b.Loop() {
			x.found.Purge()
			_ = e.Tags("demo", "shop", "shop", "public", "users", "contact_email")
		}
	})
}
