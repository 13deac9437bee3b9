package mysql

import (
	"slices"

	"github.com/weirdb/weir/query"
)

// anonymous analyses a block, a condition or a loop that stands for itself, and
// reports whether it could. Its results have no lineage, so that what they show
// counts as derived.
func (r *run) anonymous(at int) bool {
	if !r.cat.Server.MariaDB || r.rewriting || r.vars != nil {
		return false
	}
	sub := *r
	sub.acc, sub.stmt, sub.dynamicText = newAccumulator(), &Statement{}, true
	sub.acc.gaps, sub.acc.missing = r.acc.gaps, r.acc.missing
	b := sub.newBody()
	end := b.statement(at)
	for sub.text.is(end, ";") {
		end++
	}
	if b.fault != "" || end < r.end() {
		return false
	}
	b.derived()
	r.acc = sub.acc
	r.acc.anyOrder = len(b.results) == 0 && !b.many
	r.class(strongest(b.classes), r.text.phrase(at, 1))
	r.stmt.Verbs = append(r.stmt.Verbs, b.verbs...)
	r.stmt.Changes |= b.changes
	r.stmt.forgets = true
	r.stmt.Messages = r.stmt.Messages || b.messages
	r.stmt.Returns = len(b.results) > 0 || b.many
	r.stmt.Several = false // nothing follows
	return true
}

// strongest is the class of a statement of several kinds.
func strongest(classes []query.Class) query.Class {
	for _, c := range []query.Class{query.ClassDDL, query.ClassDCL, query.ClassAdmin, query.ClassWrite, query.ClassCall, query.ClassRead, query.ClassTransaction} {
		if slices.Contains(classes, c) {
			return c
		}
	}
	return query.ClassSession
}

// quotesMessages says that a text reads how the statement before it ended.
func (t *text) quotesMessages() bool {
	for i, tok := range t.tokens {
		if tok.kind == tokenSystem {
			if _, name := systemName(t.raw(i)); name == "warning_count" || name == "error_count" {
				return true
			}
		}
		if t.words(i, "diagnostics") {
			return true
		}
	}
	return false
}
