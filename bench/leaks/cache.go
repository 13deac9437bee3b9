package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// verdictCache remembers what evasion cases do without weir, which depends on
// the server's version, the corpus's data and the case alone.
type verdictCache struct {
	file  string // empty: nothing is kept
	known map[string]string
}

// openCache reads a file of verdicts, which need not be there.
func openCache(file string) (*verdictCache, error) {
	c := &verdictCache{file: file, known: map[string]string{}}
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &c.known) != nil {
		c.known = map[string]string{} // torn; it is only a cache
	}
	return c, nil
}

func (c *verdictCache) save() error {
	if c.file == "" {
		return nil
	}
	text, err := json.Marshal(c.known)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.file, text, 0o644)
}

// cacheKey identifies a case on data and a server that have the given digest.
func cacheKey(digest string, t *testCase) string {
	text, _ := json.Marshal(t) // of plain data
	sum := sha256.Sum256(append([]byte(digest), text...))
	return hex.EncodeToString(sum[:16])
}
