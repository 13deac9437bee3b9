package secrets

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Location is where a provider finds a secret, written
// path[?version=V][#field] with %-escapes as in a URL.
type Location struct {
	Path    string
	Version string // empty: the newest
	Stage   string // a label for a version, where the provider has such
	Field   string // of the document; empty: the whole
}

// ParseLocation reads a location.
func ParseLocation(text string) (Location, error) {
	var l Location
	rest, field, hasField := strings.Cut(text, "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	var err error
	if l.Path, err = url.PathUnescape(path); err != nil {
		return l, err
	}
	if l.Field, err = url.PathUnescape(field); err != nil {
		return l, err
	}
	if l.Path == "" || hasField && l.Field == "" {
		return l, errors.New("write path#field, with neither of them empty")
	}
	for _, step := range strings.Split(l.Path, "/") {
		if step == ".." || step == "." {
			return l, errors.New("a path has no . or .. in it")
		}
	}
	if !hasQuery {
		return l, nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		into := map[string]*string{"version": &l.Version, "stage": &l.Stage}[key]
		if into == nil || *into != "" {
			return l, fmt.Errorf("option %q is not version or stage, each once", key)
		}
		if *into, err = url.PathUnescape(value); err != nil {
			return l, err
		}
		if *into == "" {
			return l, fmt.Errorf("option %s has no value", key)
		}
	}
	return l, nil
}

// document is the location of the whole document.
func (l Location) document() Location {
	l.Field = ""
	return l
}
