package policy

import (
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// tagIndex finds the tags of a column. A rule is found by the whole name of the
// column, by its last part, or by trying every pattern; what was found is kept.
type tagIndex struct {
	exact    map[[3]string][]int // rules by schema, table, column
	byColumn map[string][]int    // rules whose column is literal
	globs    []int               // the rest
	rules    []tagColumns
	found    *lru.Cache[tagQuery, []string]
}

// tagColumns is one column pattern of one tag rule, in lower case.
type tagColumns struct {
	tag                   string
	schema, table, column pattern
	except                *[][]pattern // shared by the patterns of one rule
	target                targetSet
}

type tagQuery struct {
	project, datasource, database string
	schema, table, column         string
}

const tagCacheEntries = 1 << 16

func newTagIndex() *tagIndex {
	found, err := lru.New[tagQuery, []string](tagCacheEntries)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &tagIndex{exact: map[[3]string][]int{}, byColumn: map[string][]int{}, found: found}
}

func (x *tagIndex) add(c tagColumns) {
	i := len(x.rules)
	x.rules = append(x.rules, c)
	switch {
	case c.schema.literal && c.table.literal && c.column.literal:
		key := [3]string{c.schema.text, c.table.text, c.column.text}
		x.exact[key] = append(x.exact[key], i)
	case c.column.literal:
		x.byColumn[c.column.text] = append(x.byColumn[c.column.text], i)
	default:
		x.globs = append(x.globs, i)
	}
}

// protecting is a tag that a column of a table may have, somewhere; empty if
// there is none. The table is a pattern, in lower case as the column.
func (x *tagIndex) protecting(table []pattern, column string) string {
	may := func(a, b pattern) bool {
		if b.literal {
			return a.match(b.text)
		}
		return !a.literal || b.match(a.text)
	}
	for i := range x.rules {
		c := &x.rules[i]
		if !may(c.schema, table[0]) || !may(c.table, table[1]) || column != "*" && !c.column.match(column) {
			continue
		}
		if !slices.ContainsFunc(*c.except, func(e []pattern) bool {
			return e[0].match(table[0].text) && e[1].match(table[1].text) && e[2].match(column)
		}) {
			return c.tag
		}
	}
	return ""
}

func (x *tagIndex) lookup(q tagQuery) []string {
	if tags, ok := x.found.Get(q); ok {
		return tags
	}
	key := [3]string{strings.ToLower(q.schema), strings.ToLower(q.table), strings.ToLower(q.column)}
	var tags []string
	for _, candidates := range [][]int{x.exact[key], x.byColumn[key[2]], x.globs} {
		for _, i := range candidates {
			if r := &x.rules[i]; !slices.Contains(tags, r.tag) && r.matches(q, key) {
				tags = append(tags, r.tag)
			}
		}
	}
	slices.Sort(tags)
	q = cloneQuery(q)
	x.found.Add(q, tags)
	return tags
}

// cloneQuery cuts the names loose from the buffers that they may be views of.
func cloneQuery(q tagQuery) tagQuery {
	return tagQuery{
		project: strings.Clone(q.project), datasource: strings.Clone(q.datasource), database: strings.Clone(q.database),
		schema: strings.Clone(q.schema), table: strings.Clone(q.table), column: strings.Clone(q.column),
	}
}

func (c *tagColumns) matches(q tagQuery, key [3]string) bool {
	if !c.schema.match(key[0]) || !c.table.match(key[1]) || !c.column.match(key[2]) {
		return false
	}
	if !c.target.Projects.holds(q.project) || !c.target.Datasources.holds(q.datasource) || !c.target.Databases.holds(q.database) {
		return false
	}
	for _, e := range *c.except {
		if e[0].match(key[0]) && e[1].match(key[1]) && e[2].match(key[2]) {
			return false
		}
	}
	return true
}
