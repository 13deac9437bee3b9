package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Provider reads secrets of one scheme. It is safe for concurrent use.
type Provider interface {
	// Read returns the document at a location; the location's field is empty.
	// Its errors name the location, never a secret.
	Read(ctx context.Context, at Location) (Document, error)
}

// Document is what a provider has at a location: text, fields, or text that
// is a JSON object and thereby fields. Printing it shows nothing of it.
type Document struct {
	Text   Value
	Fields map[string]Value
	// Expires is when the document stops to be valid; zero is never. It is
	// renewed or replaced after two thirds of its time.
	Expires time.Time
	// Lease names the document's lease to its provider; empty: it has none.
	Lease string
}

// TextDocument makes a document of a text.
func TextDocument(text string) Document { return Document{Text: NewValue(text)} }

// field picks one field, or the text for none.
func (d Document) field(name string) (Value, error) {
	if name == "" {
		if d.Fields != nil {
			return Value{}, errors.New("it has several fields; name one with #field")
		}
		return d.Text, nil
	}
	fields := d.Fields
	if fields == nil {
		var err error
		if fields, err = FieldsOf([]byte(d.Text.Reveal())); err != nil {
			return Value{}, errors.New("it is not a JSON object, and so has no fields")
		}
	}
	v, ok := fields[name]
	if !ok {
		return Value{}, fmt.Errorf("it has no field %q", name)
	}
	return v, nil
}

// FieldsOf reads a JSON object: strings are the field's value, numbers and
// booleans are it as they are written. Others are left out.
func FieldsOf(object []byte) (map[string]Value, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(object, &raw); err != nil || raw == nil {
		return nil, errors.New("not a JSON object") // the decoder's error could show a part of the secret
	}
	fields := make(map[string]Value, len(raw))
	for name, text := range raw {
		var s string
		switch {
		case text[0] == '"' && json.Unmarshal(text, &s) == nil:
			fields[name] = NewValue(s)
		case text[0] != '{' && text[0] != '[' && text[0] != 'n':
			fields[name] = NewValue(string(text))
		}
	}
	return fields, nil
}

type env struct{}

func (env) Read(_ context.Context, at Location) (Document, error) {
	v, ok := os.LookupEnv(at.Path)
	if !ok {
		return Document{}, fmt.Errorf("environment variable %s is not set", at.Path)
	}
	return TextDocument(v), nil
}

type file struct{}

// maxFile bounds a secret file, in bytes.
const maxFile = 1 << 20

// Read returns the file's content without one final line break.
func (file) Read(_ context.Context, at Location) (Document, error) {
	f, err := os.Open(at.Path)
	if err != nil {
		return Document{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Document{}, err
	}
	if len(data) > maxFile {
		return Document{}, errors.New("file is larger than 1 MiB")
	}
	text := strings.TrimSuffix(string(data), "\n")
	return TextDocument(strings.TrimSuffix(text, "\r")), nil
}
