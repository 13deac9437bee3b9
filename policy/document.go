package policy

// DataVersion is the version of the policy data format.
const DataVersion = 1

// Document is policy data as people write it, one file or several merged. Its
// form is a public interface, described by schema/data.schema.json and by
// docs/policy.md.
type Document struct {
	Version int `yaml:"version" json:"version" jsonschema:"required,enum=1"`
	// Shipped adds lists of the shipped policy after the document's own.
	Shipped    []string           `yaml:"shipped" json:"shipped,omitempty" jsonschema:"enum=tags,enum=masks"`
	Defaults   *Defaults          `yaml:"defaults" json:"defaults,omitempty"`
	Projects   map[string]Project `yaml:"projects" json:"projects,omitempty"`
	Grants     []GrantRule        `yaml:"grants" json:"grants,omitempty"`
	Tags       []TagRule          `yaml:"tags" json:"tags,omitempty"`
	Masks      []MaskRule         `yaml:"masks" json:"masks,omitempty"`
	RowFilters []RowFilterRule    `yaml:"row_filters" json:"row_filters,omitempty"`
	ReadOnly   []ReadOnlyRule     `yaml:"read_only" json:"read_only,omitempty"`
}

// Defaults hold for every grant that does not say otherwise.
type Defaults struct {
	Pos    Position   `yaml:"-" json:"-"`
	Mode   string     `yaml:"mode" json:"mode,omitempty" jsonschema:"enum=enforce,enum=observe"`
	Audit  string     `yaml:"audit" json:"audit,omitempty" jsonschema:"enum=metadata,enum=statement,enum=full"`
	Limits *LimitRule `yaml:"limits" json:"limits,omitempty"`
}

// LimitRule bounds statements; absent takes the default, 0 is no limit.
type LimitRule struct {
	Pos     Position `yaml:"-" json:"-"`
	Rows    *int64   `yaml:"rows" json:"rows,omitempty" jsonschema:"minimum=0"`
	Seconds *int64   `yaml:"seconds" json:"seconds,omitempty" jsonschema:"minimum=0"`
}

// Project lists the datasources of a project. Once any project is listed, a
// target that no project lists is denied.
type Project struct {
	Pos         Position `yaml:"-" json:"-"`
	Datasources []string `yaml:"datasources" json:"datasources" jsonschema:"required"`
}

// Who names people; whoever matches one of the lists is meant. Sources narrows
// all of them to identities from there.
type Who struct {
	Pos          Position `yaml:"-" json:"-"`
	Everyone     bool     `yaml:"everyone" json:"everyone,omitempty"`
	Users        []string `yaml:"users" json:"users,omitempty"` // names, or ids (they hold a "|")
	Groups       []string `yaml:"groups" json:"groups,omitempty"`
	ProjectRoles []string `yaml:"project_roles" json:"project_roles,omitempty"`
	GlobalRoles  []string `yaml:"global_roles" json:"global_roles,omitempty"`
	Sources      []string `yaml:"sources" json:"sources,omitempty"`
}

// TargetRule names where something holds; an empty list is everywhere, and
// every list must match.
type TargetRule struct {
	Pos          Position `yaml:"-" json:"-"`
	Projects     []string `yaml:"projects" json:"projects,omitempty"`
	Datasources  []string `yaml:"datasources" json:"datasources,omitempty"`
	Environments []string `yaml:"environments" json:"environments,omitempty"`
	Databases    []string `yaml:"databases" json:"databases,omitempty"`
}

// GrantRule lets people do something.
type GrantRule struct {
	Pos    Position    `yaml:"-" json:"-"`
	Name   string      `yaml:"name" json:"name" jsonschema:"required"`
	Who    *Who        `yaml:"who" json:"who" jsonschema:"required"`
	Target *TargetRule `yaml:"target" json:"target,omitempty"`
	// Allow lists statement classes, or "*" for all.
	Allow []string `yaml:"allow" json:"allow" jsonschema:"required,enum=*,enum=read,enum=write,enum=ddl,enum=dcl,enum=transaction,enum=session,enum=call,enum=copy,enum=explain,enum=admin,enum=unknown"`
	// Tables limits the grant to tables by pattern "schema.table"; names are
	// compared exactly. ExceptTables takes some away; case is ignored.
	Tables       []string `yaml:"tables" json:"tables,omitempty"`
	ExceptTables []string `yaml:"except_tables" json:"except_tables,omitempty"`
	// Functions limits what the class "call" allows to functions by pattern
	// "schema.name".
	Functions []string `yaml:"functions" json:"functions,omitempty"`
	// Unmasked lists tags, by pattern, whose columns are shown as they are.
	Unmasked []string `yaml:"unmasked" json:"unmasked,omitempty"`
	// Unrestricted allows statements that cannot be analysed. Nothing is masked
	// or filtered under such a grant, because nothing could be.
	Unrestricted bool       `yaml:"unrestricted" json:"unrestricted,omitempty"`
	Mode         string     `yaml:"mode" json:"mode,omitempty" jsonschema:"enum=enforce,enum=observe"`
	Require      []string   `yaml:"require" json:"require,omitempty" jsonschema:"enum=mfa,enum=tls,enum=grant"`
	Limits       *LimitRule `yaml:"limits" json:"limits,omitempty"`
	Audit        string     `yaml:"audit" json:"audit,omitempty" jsonschema:"enum=metadata,enum=statement,enum=full"`
}

// TagRule gives columns a tag. Case is ignored.
type TagRule struct {
	Pos    Position    `yaml:"-" json:"-"`
	Tag    string      `yaml:"tag" json:"tag" jsonschema:"required"`
	Target *TargetRule `yaml:"target" json:"target,omitempty"`
	// Columns are patterns "schema.table.column", "table.column" or "column".
	Columns []string `yaml:"columns" json:"columns" jsonschema:"required"`
	Except  []string `yaml:"except" json:"except,omitempty"`
}

// MaskRule says how a tag's columns are masked. The first rule of a tag that
// matches decides.
type MaskRule struct {
	Pos       Position       `yaml:"-" json:"-"`
	Tag       string         `yaml:"tag" json:"tag" jsonschema:"required"` // or a pattern
	Who       *Who           `yaml:"who" json:"who,omitempty"`             // absent: everyone
	Target    *TargetRule    `yaml:"target" json:"target,omitempty"`
	Function  string         `yaml:"function,null" json:"function,omitempty"`
	Args      map[string]any `yaml:"args" json:"args,omitempty"`
	Elsewhere string         `yaml:"elsewhere" json:"elsewhere,omitempty" jsonschema:"enum=refuse,enum=masked"`
	// Unmasked are people for whom this rule shows the value as it is.
	Unmasked *Who `yaml:"unmasked" json:"unmasked,omitempty"`
}

// RowFilterRule narrows a table. All matching rules apply.
type RowFilterRule struct {
	Pos        Position    `yaml:"-" json:"-"`
	Table      string      `yaml:"table" json:"table" jsonschema:"required"` // pattern "schema.table"; case is ignored
	Target     *TargetRule `yaml:"target" json:"target,omitempty"`
	Who        *Who        `yaml:"who" json:"who,omitempty"` // absent: everyone
	Except     *Who        `yaml:"except" json:"except,omitempty"`
	Expression string      `yaml:"expression" json:"expression" jsonschema:"required"`
}

// ReadOnlyRule names people who may only read, whatever grants say.
type ReadOnlyRule struct {
	Pos    Position    `yaml:"-" json:"-"`
	Who    *Who        `yaml:"who" json:"who" jsonschema:"required"`
	Target *TargetRule `yaml:"target" json:"target,omitempty"`
}
