package pgsql

import (
	"context"
	"slices"
	"strings"

	"github.com/weirdb/weir/query"
)

// EventTrigger runs code when a definition changes.
type EventTrigger struct {
	Name string
	Tags []string // command tags that fire it; all if empty
}

const sqlEventTriggers = `SELECT e.evtname, pg_catalog.array_to_string(e.evttags, ',') FROM pg_catalog.pg_event_trigger e
WHERE e.evtenabled <> 'D' ORDER BY e.evtname`

func (l *loader) eventTriggers(ctx context.Context) error {
	return l.each(ctx, sqlEventTriggers, 2, func(r *catalogRow) {
		t := EventTrigger{Name: r.name(0)}
		if tags := r.str(1); tags != "" {
			t.Tags = strings.Split(tags, ",")
		}
		l.c.EventTriggers = append(l.c.EventTriggers, t)
	})
}

// firesEventTriggers notes the code that a definition's change runs.
func (r *run) firesEventTriggers() {
	f := &r.stmt.Facts
	if f.Class != query.ClassDDL && f.Class != query.ClassDCL && f.Class != query.ClassAdmin {
		return
	}
	for _, t := range r.cat.EventTriggers {
		if t.fires(f.Verbs) {
			r.gap(-1, "event trigger "+t.Name+" runs code")
			return
		}
	}
}

// manyTags are verbs that stand for commands of several tags: those with the
// same first word.
var manyTags = []string{"CREATE", "ALTER", "ALTER TABLE", "CREATE FUNCTION", "SELECT", "GRANT", "GRANT ROLE", "REINDEX", "DROP"}

// fires says whether a command with one of the verbs may fire the trigger.
func (t *EventTrigger) fires(verbs []string) bool {
	if len(t.Tags) == 0 {
		return true
	}
	for _, v := range verbs {
		first, _, _ := strings.Cut(v, " ")
		if slices.ContainsFunc(t.Tags, func(tag string) bool {
			word, _, _ := strings.Cut(tag, " ")
			return tag == v || slices.Contains(manyTags, v) && (word == first || first == "GRANT" && word == "REVOKE")
		}) {
			return true
		}
	}
	return false
}
