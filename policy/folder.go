package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

const (
	maxFiles       = 10_000
	maxFolderBytes = 64 << 20
	maxFolderDepth = 16
)

// contents is a policy as it was found, not yet understood.
type contents struct {
	revision string     // that its author gave it, empty if none
	modules  []dataFile // Rego, with tests
	data     []dataFile // policy data in YAML
	extra    []extraFile
	digest   string // of all of the above
}

// extraFile is data for Rego of one's own, mounted at path below data.
type extraFile struct {
	path  []string
	value any
}

// source finds a policy.
type source interface {
	// fetch reads the policy. Unless always is set it may return errUnchanged.
	fetch(ctx context.Context, always bool) (*contents, error)
	String() string
}

var errUnchanged = errors.New("policy is unchanged")

// fsSource is a policy in a file system that does not change.
type fsSource struct {
	fsys fs.FS
	name string
}

func (s fsSource) String() string { return s.name }

func (s fsSource) fetch(_ context.Context, always bool) (*contents, error) {
	if !always {
		return nil, errUnchanged
	}
	return readFolder(s.fsys)
}

// folderSource is a policy in a directory. It is used by one goroutine at a time.
type folderSource struct {
	dir  string
	seen string // stamp of the last read
}

func (s *folderSource) String() string { return s.dir }

// fetch reads the folder until two looks at it agree, so that a set of files
// that is being replaced is not read half.
func (s *folderSource) fetch(ctx context.Context, always bool) (*contents, error) {
	fsys := os.DirFS(s.dir)
	for range 10 {
		before, err := stampFolder(fsys)
		if err != nil {
			return nil, err
		}
		if !always && before == s.seen {
			return nil, errUnchanged
		}
		c, err := readFolder(fsys)
		if err != nil {
			return nil, err
		}
		after, err := stampFolder(fsys)
		if err != nil {
			return nil, err
		}
		if before == after {
			s.seen = after
			return c, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("read %s: it keeps changing", s.dir)
}

// stampFolder digests names, sizes and times of a folder's files.
func stampFolder(fsys fs.FS) (string, error) {
	h := sha256.New()
	err := walkFolder(fsys, ".", 0, new(int), func(name string, info fs.FileInfo) error {
		fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// walkFolder visits regular files in order of their names and follows symbolic
// links. Hidden names are skipped: Kubernetes keeps what its links point to in
// such directories.
func walkFolder(fsys fs.FS, dir string, depth int, count *int, visit func(string, fs.FileInfo) error) error {
	if depth > maxFolderDepth {
		return fmt.Errorf("%s: nested too deeply", dir)
	}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := path.Join(dir, e.Name())
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return err
		}
		if *count++; *count > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		switch {
		case info.IsDir():
			if err := walkFolder(fsys, name, depth+1, count, visit); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			if err := visit(name, info); err != nil {
				return err
			}
		}
	}
	return nil
}

// readFolder reads a policy: *.rego are modules, data.json and data.yaml are data
// for Rego at their directory's path, every other *.yaml and *.yml is policy data.
func readFolder(fsys fs.FS) (*contents, error) {
	c := &contents{}
	left := int64(maxFolderBytes)
	err := walkFolder(fsys, ".", 0, new(int), func(name string, _ fs.FileInfo) error {
		if !isPolicyFile(name) {
			return nil
		}
		b, err := readBounded(fsys, name, left)
		if err != nil {
			return err
		}
		left -= int64(len(b))
		return c.add(name, b)
	})
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	c.seal()
	return c, nil
}

func isPolicyFile(name string) bool {
	switch path.Ext(name) {
	case ".rego", ".yaml", ".yml":
		return true
	}
	return path.Base(name) == "data.json"
}

func readBounded(fsys fs.FS, name string, most int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: the files of a policy exceed %d MiB", name, maxFolderBytes>>20)
	}
	return b, nil
}

func (c *contents) add(name string, b []byte) error {
	switch base := path.Base(name); {
	case path.Ext(base) == ".rego":
		c.modules = append(c.modules, dataFile{name, b})
	case base == "data.json" || base == "data.yaml" || base == "data.yml":
		return c.addExtra(name, b)
	default:
		c.data = append(c.data, dataFile{name, b})
	}
	return nil
}

// addExtra takes free data. It cannot stand in the place of what weir itself
// puts there, except as policy data at weir/config.
func (c *contents) addExtra(name string, b []byte) error {
	at := strings.Split(path.Dir(name), "/")
	if path.Dir(name) == "." {
		at = nil
	}
	if slices.Equal(at, []string{"weir", "config"}) {
		c.data = append(c.data, dataFile{name, b})
		return nil
	}
	if len(at) > 2 && at[0] == "weir" && at[1] == "config" {
		return fmt.Errorf("%s: data.weir.config is policy data; keep other data elsewhere", name)
	}
	value, err := decodeFree(name, b)
	if err != nil {
		return err
	}
	if root, ok := value.(map[string]any); ok && at == nil {
		return c.addTree(name, root)
	}
	c.extra = append(c.extra, extraFile{at, value})
	return nil
}

// decodeFree reads JSON or YAML of any shape.
func decodeFree(name string, b []byte) (any, error) {
	if path.Ext(name) == ".json" {
		var x any
		dec := json.NewDecoder(strings.NewReader(string(b)))
		dec.UseNumber()
		if err := dec.Decode(&x); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return x, nil
	}
	var fs faults
	root, err := parseYAML(b)
	if err != nil || root == nil {
		return nil, fmt.Errorf("%s: not readable as YAML: %w", name, err)
	}
	d := yamlDecoder{file: name, faults: &fs}
	return d.free(root, "", 0), fs.err()
}

// seal sets the digest.
func (c *contents) seal() {
	h := sha256.New()
	for _, list := range [][]dataFile{c.modules, c.data} {
		for _, f := range list {
			fmt.Fprintf(h, "%q %d\n", f.Name, len(f.Data))
			h.Write(f.Data)
		}
	}
	for _, e := range c.extra {
		b, err := json.Marshal(e.value)
		fmt.Fprintf(h, "%q %v %d\n", e.path, err, len(b))
		h.Write(b)
	}
	c.digest = hex.EncodeToString(h.Sum(nil))
}

// version names the contents: the author's revision and the start of the digest.
func (c *contents) version() string {
	if c.revision == "" {
		return c.digest[:12]
	}
	return c.revision + "@" + c.digest[:12]
}
