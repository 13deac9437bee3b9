package main

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/secrets"
)

// connectCatalog opens weir's own connection to a datasource, with the same
// address, TLS and login as the sessions'.
func connectCatalog(ctx context.Context, d *configs.Datasource, resolver *secrets.Resolver) (*pgx.Conn, error) {
	up, err := upstreamConfig(ctx, d, resolver)
	if err != nil {
		return nil, err
	}
	// The text is only a frame: everything in it is replaced below, so that
	// PG* variables of weir's environment have no say.
	c, err := pgx.ParseConfig("host=localhost user=weir sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.User, c.Password, c.Database, c.ConnectTimeout = up.User, up.Password, up.Database, up.ConnectTimeout
	c.Fallbacks, c.RuntimeParams = nil, map[string]string{"application_name": "weir catalog"}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, up.Network, up.Address)
	}
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	if up.Network == "tcp" {
		if c.Host, _, err = net.SplitHostPort(up.Address); err != nil {
			return nil, err
		}
		c.TLSConfig = up.ClientTLS()
		if up.TLS == upstream.Prefer { // as libpq: try TLS, go on without
			plain := *c
			plain.TLSConfig = nil
			if conn, err := pgx.ConnectConfig(ctx, c); err == nil {
				return conn, nil
			}
			return pgx.ConnectConfig(ctx, &plain)
		}
	}
	return pgx.ConnectConfig(ctx, c)
}
