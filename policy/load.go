package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

const (
	decisionPath = "data.weir.decision"
	explainPath  = "data.weir.explain"
)

// snapshot is one policy, ready to decide. It never changes; a reload replaces
// it as a whole.
type snapshot struct {
	revision string
	digest   string
	loadedAt time.Time
	data     *policyData
	compiled *compiled
	decision rego.PreparedEvalQuery
	explain  *rego.PreparedEvalQuery // nil if the policy does not explain itself
	reads    reads
	cache    *lru.Cache[cacheKey, *Decision] // nil: every decision is made anew
}

// compiled is Rego with its data.
type compiled struct {
	compiler *ast.Compiler
	store    storage.Store
}

// buildSnapshot checks and compiles a policy.
func buildSnapshot(ctx context.Context, c *contents, o *Options) (*snapshot, error) {
	data, err := loadData(c, o.ValidateMask)
	if err != nil {
		return nil, err
	}
	comp, err := compile(ctx, c, data, false)
	if err != nil {
		return nil, err
	}
	s := &snapshot{revision: c.version(), digest: c.digest, loadedAt: time.Now(), data: data, compiled: comp}
	if s.decision, err = prepare(ctx, comp, decisionPath); err != nil {
		return nil, err
	}
	if len(comp.compiler.GetRulesExact(ast.MustParseRef(explainPath))) > 0 {
		q, err := prepare(ctx, comp, explainPath)
		if err != nil {
			return nil, err
		}
		s.explain = &q
	}
	s.reads = readsOf(comp.compiler, ast.MustParseRef(decisionPath))
	if entries := o.cacheEntries(); entries > 0 && s.reads.cacheable() {
		if s.cache, err = lru.New[cacheKey, *Decision](entries); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// loadData reads the policy data of c. A source without any has no grants.
func loadData(c *contents, masks MaskValidator) (*policyData, error) {
	shipped, err := shippedDocument()
	if err != nil {
		return nil, err
	}
	return readData(c.data, shipped, masks)
}

// modulesOf parses the modules of c and adds the shipped ones, unless c makes
// the decision itself. Tests are left out unless tests is set.
func modulesOf(c *contents, tests bool) (map[string]*ast.Module, error) {
	modules := make(map[string]*ast.Module, len(c.modules))
	own, err := parseModules(c.modules, tests, "", modules)
	if err != nil {
		return nil, err
	}
	if own {
		return modules, nil
	}
	shipped, err := readFolder(Shipped())
	if err != nil {
		return nil, err
	}
	_, err = parseModules(shipped.modules, false, "shipped/", modules)
	return modules, err
}

// parseModules reports all faults at once, and whether one of the modules
// defines the decision.
func parseModules(list []dataFile, tests bool, prefix string, into map[string]*ast.Module) (decides bool, err error) {
	var errs ast.Errors
	opts := ast.ParserOptions{Capabilities: capabilities(), ProcessAnnotation: true, RegoVersion: ast.RegoV1}
	for _, f := range list {
		if isTest(f.Name) && !tests {
			continue
		}
		m, err := ast.ParseModuleWithOpts(prefix+f.Name, string(f.Data), opts)
		var list ast.Errors
		if errors.As(err, &list) {
			errs = append(errs, list...)
			continue
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", f.Name, err)
		}
		if m == nil {
			continue // a file of comments
		}
		into[prefix+f.Name] = m
		decides = decides || definesDecision(m)
	}
	if len(errs) > 0 {
		return false, errs
	}
	return decides, nil
}

func definesDecision(m *ast.Module) bool {
	decision := ast.MustParseRef(decisionPath)
	return slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool {
		return r.Ref().GroundPrefix().Equal(decision)
	})
}

// compile compiles strictly: with types from the schemas, without unused
// variables or imports, and with the listed built-ins only.
func compile(ctx context.Context, c *contents, data *policyData, tests bool) (*compiled, error) {
	modules, err := modulesOf(c, tests)
	if err != nil {
		return nil, fmt.Errorf("parse policy: %w", err)
	}
	store, err := newStore(c, data)
	if err != nil {
		return nil, err
	}
	schemas, err := schemaSet()
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	compiler := newCompiler(schemas).WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn))
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("compile policy: %w", compiler.Errors)
	}
	if len(compiler.GetRulesExact(ast.MustParseRef(decisionPath))) == 0 {
		return nil, fmt.Errorf("compile policy: no rule defines %s", decisionPath)
	}
	return &compiled{compiler: compiler, store: store}, nil
}

func newCompiler(schemas *ast.SchemaSet) *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(capabilities()).
		WithDefaultRegoVersion(ast.RegoV1).
		WithStrict(true).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true)
}

// schemaSet types input for every module and data.weir.config for those that
// ask for schema.weir_config.
func schemaSet() (*ast.SchemaSet, error) {
	ss := ast.NewSchemaSet()
	for name, ref := range map[string]ast.Ref{
		"input":  ast.SchemaRootRef,
		"config": ast.SchemaRootRef.Append(ast.StringTerm("weir_config")),
	} {
		var x map[string]any
		if err := json.Unmarshal(schemaFile(name), &x); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		delete(x, "$schema") // the compiler knows older drafts only, and no keyword differs
		typeStatement(x)
		ss.Put(ref, x)
	}
	return ss, nil
}

// typeStatement takes "or null" off the type of input.statement: the compiler
// checks nothing below a union. Policies tell the phases apart by input.phase.
func typeStatement(schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	statement, _ := properties["statement"].(map[string]any)
	if union, ok := statement["anyOf"].([]any); ok && len(union) > 0 {
		properties["statement"] = union[0]
	}
}

// newStore holds data.weir.config and the source's free data.
func newStore(c *contents, data *policyData) (storage.Store, error) {
	b, err := json.Marshal(&data.set)
	if err != nil {
		return nil, fmt.Errorf("policy data: %w", err)
	}
	var config any
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	if err := dec.Decode(&config); err != nil {
		return nil, fmt.Errorf("policy data: %w", err)
	}
	root := map[string]any{}
	for _, e := range c.extra {
		if err := mount(root, e.path, e.value); err != nil {
			return nil, err
		}
	}
	if err := mount(root, []string{"weir", "config"}, config); err != nil {
		return nil, err
	}
	return inmem.NewFromObjectWithOpts(root, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true)), nil
}

// mount merges value into root at path; two values for one place are an error.
func mount(root map[string]any, path []string, value any) error {
	at := root
	for _, key := range path {
		next, ok := at[key].(map[string]any)
		if !ok {
			if _, taken := at[key]; taken {
				return fmt.Errorf("data %s: %s is not an object", strings.Join(path, "/"), key)
			}
			next = map[string]any{}
			at[key] = next
		}
		at = next
	}
	m, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("data %s: want an object", strings.Join(path, "/"))
	}
	for key, x := range m {
		old, dup := at[key]
		oldMap, oldIsMap := old.(map[string]any)
		newMap, newIsMap := x.(map[string]any)
		switch {
		case !dup:
			at[key] = x
		case oldIsMap && newIsMap:
			if err := mount(oldMap, nil, newMap); err != nil {
				return err
			}
		default:
			return fmt.Errorf("data %s: %s is given twice", strings.Join(path, "/"), key)
		}
	}
	return nil
}

func prepare(ctx context.Context, c *compiled, query string) (rego.PreparedEvalQuery, error) {
	q, err := rego.New(
		rego.Query(query),
		rego.Compiler(c.compiler),
		rego.Store(c.store),
		rego.Capabilities(capabilities()),
		rego.StrictBuiltinErrors(true),
		rego.SetRegoVersion(ast.RegoV1),
		rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }),
	).PrepareForEval(ctx)
	if err != nil {
		return q, fmt.Errorf("prepare %s: %w", query, err)
	}
	return q, nil
}
