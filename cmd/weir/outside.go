package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/auth/ldap"
	"github.com/weirdb/weir/auth/oidc"
	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/store"
)

// outsideSources makes the sources of people that the configuration names. It
// connects to none of them.
func outsideSources(c *configs.Config, resolver *secrets.Resolver) ([]auth.Source, error) {
	var sources []auth.Source
	for i := range c.Auth.Sources {
		s := &c.Auth.Sources[i]
		source := auth.Source{Names: s.Names, Map: func(p *external.Person) store.Mapped { return mapped(s, p.Groups) }}
		if s.OIDC.Issuer != "" {
			issuer, err := openIssuer(s, c.Profile == "development")
			if err != nil {
				return nil, fmt.Errorf("auth.sources[%d].oidc: %w", i, err)
			}
			source.Name, source.Method, source.Check = "oidc:"+s.Name, "oidc", issuer.Check
			if s.OIDC.OAuthBearer {
				source.Bearer = &auth.Bearer{Discovery: strings.TrimSuffix(s.OIDC.Issuer, "/") + "/.well-known/openid-configuration", Scope: s.OIDC.Scope}
			}
		} else {
			directory, err := openDirectory(s, resolver)
			if err != nil {
				return nil, fmt.Errorf("auth.sources[%d].ldap: %w", i, err)
			}
			source.Name, source.Method, source.Check = "ldap:"+s.Name, "ldap", directory.Check
		}
		sources = append(sources, source)
	}
	return sources, nil
}

func openIssuer(s *configs.Source, development bool) (*oidc.Issuer, error) {
	o := &s.OIDC
	cfg := oidc.Config{Source: "oidc:" + s.Name, Issuer: o.Issuer, Plain: development, Audiences: o.Audiences, Algorithms: o.Algorithms, NameClaim: o.NameClaim,
		GroupClaims: o.GroupClaims, MFA: o.MFAValues, Skew: o.Skew}
	if o.CA != "" {
		roots, err := upstream.LoadCA(o.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = roots
	}
	return oidc.New(cfg)
}

func openDirectory(s *configs.Source, resolver *secrets.Resolver) (*ldap.Directory, error) {
	l := &s.LDAP
	cfg := ldap.Config{Source: "ldap:" + s.Name, Servers: l.Servers, Timeout: l.Timeout, BindDN: l.BindDN, Direct: l.DirectBind, Base: l.Base,
		NameAttribute: l.NameAttribute, KeepDomain: l.WholeName, Filter: l.Filter, SubjectAttribute: l.SubjectAttribute,
		GroupBase: l.GroupBase, GroupMember: l.GroupMember, GroupName: l.GroupName, GroupFilter: l.GroupFilter, Chain: l.Chain}
	if l.CA != "" {
		roots, err := upstream.LoadCA(l.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = roots
	}
	if l.BindDN != "" {
		credential := resolver.Credential(l.BindPassword)
		cfg.Account = func(ctx context.Context, with func(context.Context, string) error) error {
			return credential.Use(ctx, ldap.Refused, func(ctx context.Context, values []secrets.Value) error { return with(ctx, values[0].Reveal()) })
		}
	}
	return ldap.New(cfg)
}

// mapped makes roles of the groups that a source says.
func mapped(s *configs.Source, groups []string) store.Mapped {
	m := store.Mapped{ProjectRoles: map[string]string{}}
	if s.TakeGroups {
		m.Groups = slices.Clone(groups)
	}
	for _, rule := range s.Map {
		if !slices.ContainsFunc(groups, func(g string) bool { return strings.EqualFold(g, rule.Group) }) {
			continue
		}
		m.Groups = append(m.Groups, rule.Groups...)
		m.GlobalRole = store.Stronger(m.GlobalRole, rule.Role)
		for _, text := range rule.Projects {
			project, role, _ := strings.Cut(text, "=")
			m.ProjectRoles[project] = store.Stronger(m.ProjectRoles[project], role)
		}
	}
	return m
}
