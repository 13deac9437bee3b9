package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// builtins are the built-in functions that a policy may call: those whose result
// depends on their arguments alone and that reach nothing outside. Time comes
// from input.time. What is not listed is unknown to the compiler; a new release
// of OPA adds nothing here by itself.
func builtins() []string {
	return []string{
		// operators and what the compiler itself inserts
		"assign", "eq", "equal", "neq", "gt", "gte", "lt", "lte", "and", "or", "plus", "minus", "mul", "div", "rem",
		"internal.member_2", "internal.member_3", "internal.print", "internal.template_string", "internal.test_case", "print",
		// numbers and collections
		"abs", "ceil", "floor", "round", "bits.and", "bits.lsh", "bits.negate", "bits.or", "bits.rsh", "bits.xor",
		"numbers.range", "numbers.range_step", "count", "max", "min", "product", "sort", "sum",
		"array.concat", "array.flatten", "array.reverse", "array.slice", "intersection", "union", "walk",
		"object.filter", "object.get", "object.keys", "object.remove", "object.subset", "object.union", "object.union_n",
		"json.filter", "json.is_valid", "json.marshal", "json.marshal_with_options", "json.patch", "json.remove", "json.unmarshal",
		"graph.reachable", "graph.reachable_paths",
		// text
		"concat", "contains", "endswith", "format_int", "indexof", "indexof_n", "lower", "replace", "split", "sprintf",
		"startswith", "strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.replace_n",
		"strings.reverse", "strings.split_n", "substring", "trim", "trim_left", "trim_prefix", "trim_right", "trim_space",
		"trim_suffix", "upper", "to_number", "units.parse", "units.parse_bytes",
		"regex.find_all_string_submatch_n", "regex.find_n", "regex.is_valid", "regex.match", "regex.replace", "regex.split",
		"glob.match", "glob.quote_meta", "semver.compare", "semver.is_valid", "uuid.parse", "uri.is_valid", "uri.parse",
		// types and encodings
		"is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "type_name",
		"base64.decode", "base64.encode", "base64.is_valid", "base64url.decode", "base64url.encode", "base64url.encode_no_pad",
		"hex.decode", "hex.encode", "urlquery.decode", "urlquery.decode_object", "urlquery.encode", "urlquery.encode_object",
		"yaml.is_valid", "yaml.marshal", "yaml.unmarshal", "crypto.sha256", "crypto.hmac.sha256", "crypto.hmac.equal",
		// calculations with a given time, and with addresses as text
		"time.add_date", "time.clock", "time.date", "time.diff", "time.format", "time.parse_duration_ns", "time.parse_ns",
		"time.parse_rfc3339_ns", "time.weekday",
		"net.cidr_contains", "net.cidr_contains_matches", "net.cidr_intersects", "net.cidr_is_valid", "net.cidr_merge",
		"net.cidr_overlap",
		// about the policy itself
		"rego.metadata.chain", "rego.metadata.rule", "trace",
	}
}

// capabilities is what the compiler knows: the listed built-ins, Rego v1, and
// no host to fetch schemas from.
func capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	allowed := builtins()
	kept := &ast.Capabilities{
		WasmABIVersions: nil,
		Features:        []string{ast.FeatureRegoV1, ast.FeatureKeywordsInRefs, ast.FeatureTemplateStrings},
		AllowNet:        []string{},
	}
	for _, b := range all.Builtins {
		if slices.Contains(allowed, b.Name) {
			kept.Builtins = append(kept.Builtins, b)
		}
	}
	return kept
}
