package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/weirdb/weir/protocol/mywire"
)

// maxQueryBody bounds a row of weir's own statements.
const maxQueryBody = 16 << 20

// Query runs a statement of weir's own in the text protocol and calls row for
// each row of its results; the cells are nil for NULL and valid until row
// returns. It returns the last result's OK, whose contents are valid until the
// next use of the connection, or a *mywire.ServerError. It is for statements
// that ask for no file. Nothing else is outstanding on the connection.
func (c *Conn) Query(sql string, row func(cells [][]byte) error) (mywire.OK, error) {
	if err := c.Writer.Query(sql); err != nil {
		return mywire.OK{}, err
	}
	if err := c.Writer.Flush(); err != nil {
		return mywire.OK{}, err
	}
	c.Reader.SetSeq(c.Writer.Seq())
	for {
		ok, err := c.result(row)
		if err != nil {
			return ok, fmt.Errorf("query server: %w", err)
		}
		if !ok.Status.Has(mywire.StatusMoreResults) {
			return ok, nil
		}
	}
}

// result reads one result.
func (c *Conn) result(row func([][]byte) error) (mywire.OK, error) {
	body, h, err := c.next()
	if err != nil {
		return mywire.OK{}, err
	}
	switch mywire.KindOfResult(h) {
	case mywire.ResultOK:
		return mywire.ParseOK(body, c.Capabilities)
	case mywire.ResultLocalFile:
		return mywire.OK{}, &Unexpected{Want: "OK or a number of columns", Got: h.Type}
	}
	count, err := mywire.ParseColumnCount(body, c.Capabilities)
	if err != nil {
		return mywire.OK{}, err
	}
	if err := c.definitions(count); err != nil {
		return mywire.OK{}, err
	}
	cells := make([][]byte, count.Columns)
	for {
		body, h, err := c.next()
		if err != nil {
			return mywire.OK{}, err
		}
		if mywire.RowEnds(h) {
			return mywire.ParseResultEnd(body, c.Capabilities)
		}
		r := mywire.NewTextRow(body, count.Columns)
		for r.Next() {
			cells[r.Index()] = r.Cell()
		}
		if err := r.Err(); err != nil {
			return mywire.OK{}, err
		}
		if row != nil {
			if err := row(cells); err != nil {
				return mywire.OK{}, err
			}
		}
	}
}

// definitions skips column definitions.
func (c *Conn) definitions(count mywire.ColumnCount) error {
	n := 0
	if count.Definitions {
		n = count.Columns
	}
	if !c.Capabilities.Has(mywire.CapDeprecateEOF) {
		n++
	}
	for range n {
		if _, _, err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// next returns the next packet, which is consumed: its payload is valid until
// the next read. An ERR packet is an error.
func (c *Conn) next() ([]byte, mywire.Header, error) {
	h, err := c.Reader.Peek()
	if err != nil {
		return nil, h, err
	}
	body, err := c.Reader.Body(maxQueryBody)
	if err != nil {
		return nil, h, err
	}
	if err := c.Reader.Discard(); err != nil {
		return nil, h, err
	}
	if h.Type == mywire.MarkErr && h.Len > 0 {
		e, err := mywire.ParseError(body)
		if err != nil {
			return nil, h, err
		}
		return nil, h, &e
	}
	return body, h, nil
}

// Kill asks the server to stop what the connection is running (KILL QUERY), or
// to end it, over a connection of its own to the same address. It may be called
// while others use the connection. A connection that has ended meanwhile is no
// error. Dial connects; nil is this package's, with the connection's own login.
func (c *Conn) Kill(ctx context.Context, connection bool, dial func(context.Context, Config) (*Conn, error)) error {
	if dial == nil {
		dial = Dial
	}
	cfg := c.cfg
	if cfg.Network == "tcp" {
		cfg.Address = c.Net.RemoteAddr().String()
	}
	if c.TLS != nil && cfg.TLS == Prefer {
		cfg.TLS = Require
	}
	cfg.Capabilities, cfg.Compression, cfg.Database = 0, "", ""
	k, err := dial(ctx, cfg)
	if err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { closeNow(k.Net) })()
	what := "QUERY "
	if connection {
		what = "CONNECTION "
	}
	_, err = k.Query("KILL "+what+strconv.FormatUint(uint64(c.ID), 10), nil)
	var se *mywire.ServerError
	if errors.As(err, &se) && se.Number == mywire.ErrUnknownThread {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	return nil
}

func closeNow(c net.Conn) { _ = c.Close() }
