package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"

	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/secrets/aws"
	"github.com/weirdb/weir/secrets/azure"
	"github.com/weirdb/weir/secrets/gcp"
	"github.com/weirdb/weir/secrets/vault"
)

// newResolver makes a resolver with the providers that are configured. The
// caller closes it. Nothing is sent before the first secret is asked for.
func newResolver(c *configs.Config, log *slog.Logger) (*secrets.Resolver, error) {
	providers := map[string]secrets.Provider{
		"aws": aws.Open(aws.Options{Region: c.Secrets.AWS.Region, Endpoint: c.Secrets.AWS.Endpoint}),
		"gcp": gcp.Open(gcp.Options{Project: c.Secrets.GCP.Project, Endpoint: c.Secrets.GCP.Endpoint}),
	}
	if c.Secrets.Azure.Vault != "" {
		p, err := azure.Open(azure.Options{Vault: c.Secrets.Azure.Vault})
		if err != nil {
			return nil, fmt.Errorf("secrets.azure: %w", err)
		}
		providers["azure"] = p
	}
	if c.Secrets.Vault.Address != "" {
		p, err := openVault(&c.Secrets.Vault)
		if err != nil {
			return nil, fmt.Errorf("secrets.vault: %w", err)
		}
		providers["vault"] = p
	}
	return secrets.New(secrets.Options{Providers: providers, Cache: c.Secrets.Cache, Timeout: c.Secrets.Timeout, Logger: log}), nil
}

// openVault makes a provider whose own secrets come from environment and files.
func openVault(c *configs.Vault) (*vault.Provider, error) {
	o := vault.Options{Address: c.Address, Namespace: c.Namespace, ServerName: c.ServerName,
		Auth: vault.Auth{Method: c.Auth.Method, Mount: c.Auth.Mount, Role: c.Auth.Role, RoleID: c.Auth.RoleID}}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		if o.Roots, err = vault.Roots(text); err != nil {
			return nil, fmt.Errorf("%s: %w", c.CA, err)
		}
	}
	local := secrets.NewResolver()
	read := func(ref secrets.Ref) func(context.Context) (secrets.Value, error) {
		return func(ctx context.Context) (secrets.Value, error) { return local.Resolve(ctx, ref) }
	}
	switch c.Auth.Method {
	case vault.MethodToken:
		o.Auth.Secret = read(c.Auth.Token)
	case vault.MethodAppRole:
		o.Auth.Secret = read(c.Auth.SecretID)
	case vault.MethodKubernetes:
		o.Auth.Secret = read(c.Auth.JWT)
	case vault.MethodTLS:
		o.Certificate = func(ctx context.Context) (*tls.Certificate, error) {
			certificate, err := loadCertificate(ctx, c.Auth.Certificate, c.Auth.Key, local)
			return &certificate, err
		}
	}
	return vault.Open(o)
}
