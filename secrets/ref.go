package secrets

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Ref is a reference to a secret, or a literal. The zero value is no secret.
type Ref struct {
	scheme string // empty: path is the literal itself
	path   string
}

// ParseRef reads "${scheme:path}"; anything else is a literal. The paths of
// all schemes but env and file are locations, as ParseLocation reads them.
func ParseRef(text string) (Ref, error) {
	if !strings.HasPrefix(text, "${") {
		return Ref{path: text}, nil
	}
	body, ok := strings.CutSuffix(strings.TrimPrefix(text, "${"), "}")
	if !ok {
		return Ref{}, fmt.Errorf("secret reference is not closed by }")
	}
	scheme, path, ok := strings.Cut(body, ":")
	if !ok || scheme == "" || path == "" {
		return Ref{}, fmt.Errorf("secret reference ${%s} is not of the form ${scheme:path}", body)
	}
	if !verbatim(scheme) {
		if _, err := ParseLocation(path); err != nil {
			return Ref{}, fmt.Errorf("secret reference ${%s}: %w", body, err)
		}
	}
	return Ref{scheme: scheme, path: path}, nil
}

// verbatim says that a scheme's path is the whole of what it names.
func verbatim(scheme string) bool { return scheme == "env" || scheme == "file" }

// Literal makes a reference that holds the secret itself.
func Literal(secret string) Ref { return Ref{path: secret} }

// IsZero is true if there is no secret.
func (r Ref) IsZero() bool { return r == Ref{} }

// IsLiteral is true if the reference holds the secret itself.
func (r Ref) IsLiteral() bool { return r.scheme == "" && r.path != "" }

// Scheme names the provider, empty for a literal.
func (r Ref) Scheme() string { return r.scheme }

// String shows where the secret is, never the secret.
func (r Ref) String() string {
	switch {
	case r.IsZero():
		return ""
	case r.IsLiteral():
		return redacted
	}
	return "${" + r.scheme + ":" + r.path + "}"
}

// GoString shows the same as String.
func (r Ref) GoString() string { return r.String() }

// MarshalText shows the same as String.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRef.
func (r *Ref) UnmarshalText(text []byte) error {
	parsed, err := ParseRef(string(text))
	*r = parsed
	return err
}

const redacted = "[secret]"

// Value is a secret in memory. Printing, logging or encoding it shows "[secret]".
type Value struct{ secret string }

// NewValue wraps a secret.
func NewValue(secret string) Value { return Value{secret} }

// Reveal returns the secret itself.
func (v Value) Reveal() string { return v.secret }

func (v Value) String() string { return redacted }

// GoString shows the same as String.
func (v Value) GoString() string { return redacted }

// LogValue shows the same as String.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON shows the same as String.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Format keeps every verb from showing the secret.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }
