package mysession

import (
	"context"
	"errors"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/query/mysql"
)

// CatalogConnection opens a connection on which a datasource's definitions are
// read, with the same address, TLS and login as the sessions'.
func CatalogConnection(ctx context.Context, cfg upstream.Config) (mysql.Querier, error) {
	cfg.Database = ""
	cfg.Capabilities = mywire.CapDeprecateEOF
	cfg.Attributes = []mywire.Attribute{{Name: "program_name", Value: "weir catalog"}}
	conn, err := upstream.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return catalogConn{conn}, nil
}

type catalogConn struct{ *upstream.Conn }

// Query runs a statement; the end of ctx closes the connection.
func (c catalogConn) Query(ctx context.Context, sql string, row func(cells [][]byte) error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Net.Close() })
	defer stop()
	_, err := c.Conn.Query(sql, row)
	return errors.Join(ctx.Err(), err)
}
