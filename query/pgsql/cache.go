package pgsql

import (
	"cmp"
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

// analysisCache is a bounded LRU of analyses, and one of rewritten statements.
type analysisCache struct {
	entries  *lru.Cache[cacheKey, *Analysis]
	rewrites *lru.Cache[cacheKey, *rewriteEntry]
}

func newAnalysisCache(entries int) *analysisCache {
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
	r, err := lru.New[cacheKey, *rewriteEntry](entries)
	if err != nil {
		return nil
	}
	return &analysisCache{c, r}
}

func (c *analysisCache) get(k cacheKey) *Analysis {
	hit, _ := c.entries.Get(k)
	return hit
}

func (c *analysisCache) add(k cacheKey, a *Analysis) { c.entries.Add(k, a) }

// catalogCache holds what was worked out about one catalog version.
type catalogCache struct {
	version uint64
	catalog *Catalog

	mu         sync.Mutex
	views      map[*Relation]*viewFacts        // guarded by mu
	twins      map[columnKey][]query.ColumnRef // guarded by mu
	conditions map[*Relation][][]int16         // guarded by mu

	foreign  sync.Once
	incoming map[uint32][]foreign // by referenced relation; written by foreign

	look     lookups
	universe sync.Once
	tables   []query.Table

	sizes sync.Once
	sized []query.Sized
}

type columnKey struct {
	rel  uint32
	attr int16
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
	c := &catalogCache{version: cat.Version, catalog: cat, views: make(map[*Relation]*viewFacts),
		twins: make(map[columnKey][]query.ColumnRef), conditions: make(map[*Relation][][]int16)}
	a.catalogs = slices.Insert(a.catalogs, 0, c)
	if len(a.catalogs) > maxCatalogs {
		a.catalogs = a.catalogs[:maxCatalogs]
	}
	return c
}

func universe(cat *Catalog) []query.Table {
	r := &run{cat: cat, st: &State{}}
	out := make([]query.Table, 0, len(cat.Relations))
	for _, rel := range cat.Relations {
		t := query.Table{Schema: rel.Schema, Name: rel.Name, Kind: r.kindOf(rel), OID: rel.OID,
			Access:  []string{"select", "insert", "update", "delete", "truncate", "lock", "references", "ddl"},
			Columns: make([]query.ColumnUse, len(rel.Columns))}
		for i, c := range rel.Columns {
			at := make([]int, bits.OnesCount16(uint16(query.UseAll)))
			for j := range at {
				at[j] = -1
			}
			t.Columns[i] = query.ColumnUse{Name: c.Name, Attr: c.Attr, Type: c.Type, Uses: query.UseAll, At: at}
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(x, y query.Table) int { return cmp.Compare(x.OID, y.OID) })
	return out
}
