package pgsql

import "strings"

// Safety is what is known of a function beyond its signature.
type Safety uint8

// The kinds. Only Pure and Session are safe: what they return depends on
// nothing that is protected but their arguments, and they have no effect.
const (
	Unknown Safety = iota // not listed: anything may happen
	Pure                  // depends on the arguments (and on settings such as TimeZone) alone
	Session               // tells of the session, the clock, chance, definitions or the server as such
	Reads                 // tells of stored data, statistics or other sessions
	Runs                  // runs SQL or a function that an argument names
	Files                 // reads or writes files of the server or other hosts
	Writes                // changes data, sequences, settings, locks or the server
)

// Safe reports whether a call adds nothing to what its arguments tell.
func (s Safety) Safe() bool { return s == Pure || s == Session }

func (s Safety) String() string {
	return [...]string{"unknown", "pure", "session", "reads", "runs", "files", "writes"}[s]
}

// Safety classifies a function. Aggregates and window functions are classified
// like others: their transition functions are part of them. What a user has
// made, or changed, is Unknown.
func (c *Catalog) Safety(f *Function) Safety {
	switch {
	case f.Extension != "" && f.Extension != "plpgsql":
		return extensionSafety(f)
	case f.OID >= firstNormalOID:
		return Unknown
	case f.Schema == "information_schema":
		return Session // helpers of its views, over catalogs and type modifiers
	case f.Schema == "pg_catalog":
		return builtinSafety(f)
	}
	return Unknown
}

func builtinSafety(f *Function) Safety {
	if s, ok := builtinFunctions[f.Name]; ok {
		if f.Volatile == 'i' && (f.Name == "ts_rewrite") {
			return Pure // over three queries; the other takes the text of one
		}
		return s
	}
	for _, r := range builtinFamilies {
		if strings.HasPrefix(f.Name, r.prefix) && strings.HasSuffix(f.Name, r.suffix) {
			return r.safety
		}
	}
	// PostgreSQL marks immutable what depends on its arguments alone.
	if f.Volatile == 'i' {
		return Pure
	}
	return Unknown
}

// extensionSafety classifies a function that belongs to an extension. Only
// functions in C are taken for the extension's own by their membership: a role
// that owns a trusted extension can add others, but none in C.
func extensionSafety(f *Function) Safety {
	rule, ok := extensions[f.Extension]
	if !ok {
		return Unknown
	}
	if s, ok := rule.names[f.Name]; ok {
		return s
	}
	native := f.Language == "c" || f.Language == "internal"
	if rule.prefixes != nil {
		for _, p := range rule.prefixes {
			if strings.HasPrefix(f.Name, p) && f.Volatile != 'v' {
				return Pure
			}
		}
		return Unknown
	}
	if rule.rest && native && f.Volatile != 'v' {
		return Pure
	}
	return Unknown
}

// MayWrite reports whether a call may change something that outlives it, for
// read-only sources.
func (c *Catalog) MayWrite(f *Function) bool {
	switch c.Safety(f) {
	case Pure, Session, Reads:
		return false
	case Writes:
		return !sessionWrites[f.Name] || f.Schema != "pg_catalog"
	case Unknown:
		return f.Volatile == 'v' || f.Kind == 'p'
	}
	return true
}

// OperatorSafety is that of the function behind an operator.
func (c *Catalog) OperatorSafety(o *Operator) Safety {
	if f := c.FunctionByOID(o.Function); f != nil {
		return c.Safety(f)
	}
	return Unknown
}

// CastSafety is that of the function behind a cast; a cast without one
// reinterprets the value or uses the input and output functions of its types.
func (c *Catalog) CastSafety(k *Cast) Safety {
	if k.Function == 0 {
		return Pure
	}
	if f := c.FunctionByOID(k.Function); f != nil {
		return c.Safety(f)
	}
	return Unknown
}
