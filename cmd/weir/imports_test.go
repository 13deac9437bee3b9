package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weirdb/weir/"

// layers is the order of ARCHITECTURE.md: a package imports only what stands
// below it. Packages of one line do not import each other.
var layers = [][]string{
	{"cmd/weir", "bench", "bench/regress", "bench/leaks", "proxy/e2e"},
	{"bench/leaks/mariadb"},
	{"bench/leaks/corpus", "bench/leaks/random", "bench/leaks/mariadb/corpus", "bench/leaks/mariadb/random"},
	{"configs", "control"},
	{"proxy/pgsession", "proxy/mysession"},
	{"proxy"},
	{"proxy/gate"},
	{"secrets/vault", "secrets/aws", "secrets/gcp", "secrets/azure"},
	{"policy", "masking", "auth", "audit", "secrets"},
	{"store", "auth/ldap", "auth/oidc", "auth/oauthbearer", "auth/totp"},
	{"auth/external", "auth/apikey"},
	{"query/pgsql", "query/mysql"},
	{"query"},
	{"protocol/pgwire/upstream", "protocol/mywire/upstream"},
	{"protocol/pgwire", "protocol/mywire"},
	{"deploy", "deploy/pgserver", "deploy/myserver", "deploy/weirserver", "deploy/idp", "secrets/vault/vaulttest"},
	{"deploy/authority", "deploy/ports"},
}

// keepsOut lists what a package must not reach, however indirectly.
var keepsOut = map[string][]string{
	"protocol/pgwire":          {module + "query", module + "proxy", module + "policy", module + "auth"},
	"protocol/pgwire/upstream": {module + "query", module + "proxy", module + "policy", module + "auth"},
	"protocol/mywire":          {module + "query", module + "proxy", module + "policy", module + "auth"},
	"protocol/mywire/upstream": {module + "query", module + "proxy", module + "policy", module + "auth"},
	"query/pgsql":              {module + "protocol", module + "policy", module + "proxy"},
	"query/mysql":              {module + "protocol", module + "policy", module + "proxy", "github.com/pganalyze/pg_query_go"},
	"policy":                   {module + "protocol", module + "proxy", module + "query/"},
	"masking":                  {module},
	"audit":                    {module},
	"secrets":                  {module},
	"secrets/vault":            {module + "protocol", module + "proxy", module + "query", module + "policy", module + "auth", module + "store", module + "audit"},
	"store":                    {module + "protocol", module + "proxy", module + "query"},
	"auth/oidc":                {module + "protocol", module + "proxy", module + "query", module + "store", module + "policy"},
	"auth/oauthbearer":         {module},
	"auth/totp":                {module},
	"auth/apikey":              {module},
	"auth/ldap":                {module + "protocol", module + "proxy", module + "query", module + "store", module + "policy"},
	"auth":                     {module + "protocol", module + "proxy", module + "query"},
	"proxy":                    {module + "query", module + "policy", "github.com/pganalyze/pg_query_go"},
	"proxy/gate":               {module + "protocol", module + "query/"},
	"proxy/pgsession":          {"github.com/prometheus/client_golang/prometheus/promhttp", module + "query/mysql", module + "protocol/mywire"},
	"proxy/mysession":          {"github.com/prometheus/client_golang/prometheus/promhttp", module + "query/pgsql", module + "protocol/pgwire"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImportsPointDownwards(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	level := map[string]int{}
	for i, layer := range layers {
		for _, p := range layer {
			level[module+p] = i
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	seen := 0
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		own, ok := level[p.ImportPath]
		if !ok {
			t.Errorf("%s has no layer; give it one here and in ARCHITECTURE.md", p.ImportPath)
			continue
		}
		seen++
		for _, imported := range p.Imports {
			if below, ok := level[imported]; ok && below <= own {
				t.Errorf("%s imports %s, which does not stand below it", p.ImportPath, imported)
			}
		}
		for _, forbidden := range keepsOut[strings.TrimPrefix(p.ImportPath, module)] {
			if i := slices.IndexFunc(p.Deps, func(d string) bool { return strings.HasPrefix(d, forbidden) }); i >= 0 {
				t.Errorf("%s reaches %s", p.ImportPath, p.Deps[i])
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d packages were looked at", seen)
	}
}
