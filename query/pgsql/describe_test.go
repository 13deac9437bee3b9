package pgsql

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLiveDescriptions compares the analysis of every golden text that returns
// rows with what a server says of its columns.
func TestLiveDescriptions(t *testing.T) {
	for _, major := range []int{15, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) { compareDescriptions(t, major) })
	}
}

func compareDescriptions(t *testing.T, major int) {
	conn, cat := analysisServer(t, major)
	an := NewAnalyzer(Options{})
	state := &State{User: "postgres", SearchPath: []string{"pg_catalog", "shop", "public"}, Encoding: "UTF8"}
	compared := 0
	for _, file := range factsFiles(t) {
		for _, c := range readFacts(t, file) {
			a := an.Analyze(c.sql, cat, state)
			if a.Err != nil || len(a.Statements) != 1 || strings.HasPrefix(c.sql, "COPY") {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			described, err := conn.PgConn().Prepare(ctx, "", c.sql, nil)
			cancel()
			if err != nil {
				continue // the server refuses the text itself
			}
			s := &a.Statements[0]
			if s.Kind == KindExecute || s.Kind == KindFetch {
				continue
			}
			if len(described.Fields) != len(s.Output) {
				if s.Complete {
					t.Errorf("%s\n%d columns, server %d", c.sql, len(s.Output), len(described.Fields))
				}
				continue
			}
			for i, f := range described.Fields {
				o := s.Output[i]
				if o.Name != f.Name || o.Source != f.TableOID || uint16(o.SourceAttr) != f.TableAttributeNumber {
					t.Errorf("%s\ncolumn %d is %s of %d.%d, server %s of %d.%d", c.sql, i+1, o.Name, o.Source, o.SourceAttr,
						f.Name, f.TableOID, f.TableAttributeNumber)
				}
				if o.Type != 0 && o.Type != f.DataTypeOID {
					t.Errorf("%s\ncolumn %d has type %d, server %d", c.sql, i+1, o.Type, f.DataTypeOID)
				}
			}
			compared++
		}
	}
	if compared < 150 {
		t.Errorf("compared %d descriptions, want at least 150", compared)
	}
}
