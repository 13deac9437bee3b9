package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestLivePolicyExplain explains the same statements on both servers.
func TestLivePolicyExplain(t *testing.T) {
	w, err := startDemo(t.Context(), io.Discard, slog.New(slog.DiscardHandler), demoOptions{mariadb: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	ana, err := w.weir.store.LookupUser(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.weir.config.Datasources {
		d := &w.weir.config.Datasources[i]
		if d.ReadOnly {
			continue
		}
		for _, c := range []struct{ sql, want string }{
			{"SELECT id, email FROM customers WHERE id = 1", "ALLOWED   masks: "},
			{"SELECT id FROM customers WHERE email = 'a'", "REFUSED   email is masked for ana; it may be selected but not used in WHERE or another condition (rule masked_column)"},
			{"SELECT 1; DELETE FROM orders", "REFUSED   ana may only read on " + d.Name},
			{"SELECT nothing FROM customers", "nothing"},
		} {
			x, err := explainWith(t.Context(), w.weir.engine, ana, d, w.weir.resolver, c.sql)
			if err != nil {
				t.Errorf("%s: %s: %v", d.Name, c.sql, err)
				continue
			}
			var out bytes.Buffer
			if err := x.write(&out); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("%s: %s: want %q in\n%s", d.Name, c.sql, c.want, out.String())
			}
		}
	}
}
