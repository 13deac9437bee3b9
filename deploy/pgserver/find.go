package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Find returns the folder of the server programs of a major version. It looks
// at WEIR_PG<major>_BIN, then at the distribution's folders, then below
// WEIR_CACHE or the nearest .cache folder upwards, where `make servers` puts
// versions that the distribution lacks. Major 0 takes the newest of the distribution.
func Find(major int) (string, error) {
	if major == 0 {
		return findNewest()
	}
	if dir := os.Getenv(fmt.Sprintf("WEIR_PG%d_BIN", major)); dir != "" {
		return check(dir)
	}
	if dir, err := check(fmt.Sprintf("/usr/lib/postgresql/%d/bin", major)); err == nil {
		return dir, nil
	}
	for _, root := range cacheRoots() {
		if dir, err := check(filepath.Join(root, fmt.Sprintf("postgres%d", major), "native", "bin")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("find PostgreSQL %d: no server programs in /usr/lib/postgresql/%d/bin or .cache; `make servers` installs them, WEIR_PG%d_BIN names another folder", major, major, major)
}

func findNewest() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(dirs, func(i, j int) bool { return majorOf(dirs[i]) > majorOf(dirs[j]) })
	for _, d := range dirs {
		if dir, err := check(d); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("find PostgreSQL: no server programs in /usr/lib/postgresql; install the package postgresql (`make servers` does)")
}

func majorOf(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func check(dir string) (string, error) {
	for _, p := range []string{"postgres", "initdb"} {
		if _, err := os.Stat(filepath.Join(dir, p)); err != nil {
			return "", fmt.Errorf("find PostgreSQL: %w", err)
		}
	}
	return dir, nil
}

func cacheRoots() []string {
	var roots []string
	if dir := os.Getenv("WEIR_CACHE"); dir != "" {
		roots = append(roots, dir)
	}
	dir, err := os.Getwd()
	for err == nil {
		roots = append(roots, filepath.Join(dir, ".cache"))
		parent := filepath.Dir(dir)
		if parent == dir || strings.TrimSpace(parent) == "" {
			break
		}
		dir = parent
	}
	return roots
}
