package mysql

import (
	"math/bits"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/weirdb/weir/query"
)

const (
	defaultCacheEntries = 4096
	// maxCachedText keeps the cache's memory bounded: longer texts are rare
	// and their parse costs more than their analysis.
	maxCachedText = 32 << 10
	// maxCatalogs is how many catalog versions keep their views analysed.
	maxCatalogs = 16
)

type cacheKey struct {
	text    string
	version uint64
	state   string
}

func newAnalysisCache(entries int) *lru.Cache[cacheKey, *Analysis] {
	if entries < 0 {
		return nil
	}
	if entries == 0 {
		entries = defaultCacheEntries
	}
	c, err := lru.New[cacheKey, *Analysis](entries)
	if err != nil {
		return nil
	}
	return c
}

// catalogCache holds what was worked out about one catalog version.
type catalogCache struct {
	version uint64
	catalog *Catalog

	lineage  lineageCache
	universe sync.Once
	tables   []query.Table
}

// catalogCache finds or makes the cache that belongs to a catalog.
func (a *Analyzer) catalogCache(cat *Catalog) *catalogCache {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, c := range a.catalogs {
		if c.catalog == cat || c.version == cat.Version && cat.Version != 0 {
			if i > 0 {
				copy(a.catalogs[1:i+1], a.catalogs[:i])
				a.catalogs[0] = c
			}
			return c
		}
	}
	c := &catalogCache{version: cat.Version, catalog: cat}
	a.catalogs = slices.Insert(a.catalogs, 0, c)
	if len(a.catalogs) > maxCatalogs {
		a.catalogs = a.catalogs[:maxCatalogs]
	}
	return c
}

func universe(cat *Catalog) []query.Table {
	out := make([]query.Table, 0, len(cat.Relations))
	at := make([]int, bits.OnesCount16(uint16(query.UseAll)))
	for i := range at {
		at[i] = -1
	}
	for _, rel := range cat.Relations {
		t := query.Table{Schema: rel.Schema, Name: rel.Name, Kind: rel.kind(), OID: rel.ID,
			Access:  []string{"select", "insert", "update", "delete", "truncate", "lock", "references", "ddl"},
			Columns: make([]query.ColumnUse, len(rel.Columns))}
		for i := range rel.Columns {
			c := &rel.Columns[i]
			t.Columns[i] = query.ColumnUse{Name: c.Name, Attr: c.Attr, Type: uint32(c.Type), Uses: query.UseAll, At: at}
		}
		out = append(out, t)
	}
	return out
}

// kind is the relation's kind as facts name it.
func (r *Relation) kind() string {
	switch {
	case r.Temporary:
		return "temporary"
	case r.Kind == KindView:
		return "view"
	case r.Kind == KindSequence:
		return "sequence"
	}
	return "table"
}
